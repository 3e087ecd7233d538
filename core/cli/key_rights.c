/* key_rights.c - see key_rights.h. */
#include "core/cli/key_rights.h"

#include <stdio.h>
#include <string.h>

#include "core/serve/action.h"

/* Cuts the first word, up to a comma, from *rest. */
static bool next_word(const char **rest, struct das_text *word)
{
    size_t n;

    if (!*rest)
        return false;
    n = strcspn(*rest, ",");
    *word = das_text_trim(das_text(*rest, n));
    *rest = (*rest)[n] ? *rest + n + 1 : NULL;
    return true;
}

static bool has_word(const char *list, struct das_text word)
{
    while (*list) {
        size_t n = strcspn(list, " ");
        if (das_text_eq(das_text(list, n), word))
            return true;
        list += n + (list[n] == ' ');
    }
    return false;
}

static int add_word(const char *option, char list[DAS_ACCESS_LIST_SIZE], struct das_text word,
                    struct das_err *err)
{
    size_t len = strlen(list);

    if (has_word(list, word))
        return 0;
    if (len + 1 + word.len >= DAS_ACCESS_LIST_SIZE)
        return das_fail(err, DAS_E_USAGE, "%s: longer than %d characters", option,
                        DAS_ACCESS_LIST_SIZE - 1);
    if (len)
        list[len++] = ' ';
    memcpy(list + len, word.ptr, word.len);
    list[len + word.len] = '\0';
    return 0;
}

static int add_all(struct das_access *a, bool writes, struct das_err *err)
{
    for (int i = 0; i < DAS_A_COUNT; i++) {
        if (das_actions[i].writes == writes &&
            add_word("--actions", a->actions, das_text_of(das_actions[i].name), err) < 0)
            return -1;
    }
    return 0;
}

static int unknown_action(struct das_text word, struct das_err *err)
{
    const char *names[DAS_A_COUNT + 3] = {"read", "write", "all"}, *near;
    char text[100];

    for (int i = 0; i < DAS_A_COUNT; i++)
        names[3 + i] = strrchr(das_actions[i].name, ':') + 1;
    snprintf(text, sizeof text, "%.*s", word.len > 99 ? 99 : (int)word.len, word.ptr);
    near = das_nearest(text, names, DAS_A_COUNT + 3);
    if (near)
        return das_fail(err, DAS_E_USAGE, "--actions: unknown \"%s\"; did you mean %s?", text,
                        near);
    return das_fail(err, DAS_E_USAGE,
                    "--actions: expected read, write, all or names of actions, got \"%s\"", text);
}

static int add_action(struct das_access *a, struct das_text word, struct das_err *err)
{
    int known = das_action_find(word);

    if (das_text_is(word, "read"))
        return add_all(a, false, err);
    if (das_text_is(word, "write"))
        return add_all(a, true, err);
    if (das_text_is(word, "all") || das_text_is(word, "*"))
        return add_word("--actions", a->actions, das_text_of("*"), err);
    if (das_text_is(word, "das:clouddba:*"))
        return add_word("--actions", a->actions, word, err);
    if (known < 0)
        return unknown_action(word, err);
    return add_word("--actions", a->actions, das_text_of(das_actions[known].name), err);
}

bool das_rights_write(const struct das_access *a)
{
    for (int i = 0; i < DAS_A_COUNT; i++) {
        if (das_actions[i].writes && das_action_allowed(a->actions, das_actions[i].name))
            return true;
    }
    return false;
}

int das_rights_actions(const char *text, struct das_access *a, struct das_err *err)
{
    struct das_text word;

    while (next_word(&text, &word)) {
        if (add_action(a, word, err) < 0)
            return -1;
    }
    return 0;
}

/* An instance can be configured later; a name that was mistyped is the likelier reason. */
static void warn_unknown(const char *command, const struct das_inventory *inv, const char *name)
{
    struct das_err why;

    if (inv && das_inventory_find(inv, name, &why) < 0)
        fprintf(stderr, "das %s: --instances: %s\n", command, why.msg);
}

static int check_instance(const char *text, struct das_text word, struct das_err *err)
{
    for (size_t i = 0; i < word.len; i++) {
        unsigned char c = (unsigned char)word.ptr[i];
        if (c <= ' ' || c == 0x7f)
            return das_fail(err, DAS_E_USAGE,
                            "--instances: a name without blanks; give the "
                            "instance a tag, and name it as tag:TAG");
    }
    if (!word.len || das_text_is(word, "tag:"))
        return das_fail(
            err, DAS_E_USAGE,
            "--instances: expected names, tag:TAG or *, with commas between, got \"%s\"", text);
    return 0;
}

int das_rights_instances(const char *text, const char *command, const struct das_inventory *inv,
                         struct das_access *a, struct das_err *err)
{
    const char *rest = text;
    char name[DAS_ACCESS_LIST_SIZE];
    struct das_text word;

    while (next_word(&rest, &word)) {
        if (check_instance(text, word, err) < 0 ||
            add_word("--instances", a->instances, word, err) < 0)
            return -1;
        snprintf(name, sizeof name, "%.*s", (int)word.len, word.ptr);
        if (strcmp(name, "*") != 0 && strncmp(name, "tag:", 4) != 0)
            warn_unknown(command, inv, name);
    }
    return 0;
}

static bool has_all(const char *list, bool writing)
{
    bool all = true;

    for (int i = 0; i < DAS_A_COUNT; i++)
        all = all && (das_actions[i].writes != writing ||
                      has_word(list, das_text_of(das_actions[i].name)));
    return all;
}

void das_rights_show(const char *list, struct das_buf *b)
{
    const bool all[2] = {has_all(list, false), has_all(list, true)};
    const char *comma = "";

    for (int i = 0; i < 2; i++) {
        if (all[i]) {
            das_buf_printf(b, "%s%s", comma, i ? "write" : "read");
            comma = ",";
        }
    }
    while (*list) {
        size_t n = strcspn(list, " ");
        int known = das_action_find(das_text(list, n));
        if (known < 0 || !all[das_actions[known].writes]) {
            das_buf_str(b, comma);
            if (known >= 0)
                das_buf_str(b, strrchr(das_actions[known].name, ':') + 1);
            else
                das_buf_add(b, list, n);
            comma = ",";
        }
        list += n + (list[n] == ' ');
    }
}

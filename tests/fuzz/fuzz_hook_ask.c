/*
 * fuzz_hook_ask.c - bytes as what a verified request brings: the first says which platform, the
 * second what kind, and the rest is the body. What is made of it goes through the grammar and
 * becomes arguments; whatever is taken has to be plain.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/hook/ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT(s) ((char *)(uintptr_t)(s))

static struct das_err err;

static bool knows(void *arg, const char *instance)
{
    (void)arg;
    return strcmp(instance, "orders") == 0;
}

static void check_value(const char *value)
{
    struct das_text t = das_text_of(value);

    if (t.len >= DAS_HOOK_VALUE_SIZE || !das_utf8_valid(t))
        abort();
    for (size_t i = 0; i < t.len; i++) {
        if ((unsigned char)t.ptr[i] < ' ')
            abort();
    }
}

static void check_args(const struct das_hook_line *l)
{
    static char *choices[] = {TEXT("a"), TEXT("b")};
    static const struct das_hook_command c = {
        .name = TEXT("p"),
        .params =
            {{.name = TEXT("instance"), .type = DAS_HOOK_INSTANCE},
             {.name = TEXT("n"), .type = DAS_HOOK_INTEGER, .least = 1, .most = 9},
             {.name = TEXT("time"), .type = DAS_HOOK_DURATION, .most = 100},
             {.name = TEXT("kind"), .type = DAS_HOOK_CHOICE, .choices = choices, .choice_count = 2},
             {.name = TEXT("fixed"), .immutable = true, .fallback = TEXT("x"), .most = 9}},
        .param_count = 5};
    const struct das_hook_reach reach = {knows, NULL};
    json_t *args = das_hook_args(&c, l, &reach, &err);
    json_int_t n = json_integer_value(json_object_get(args, "n"));
    const char *instance = json_string_value(json_object_get(args, "instance"));
    const char *fixed = json_string_value(json_object_get(args, "fixed"));

    if (args && (n < 0 || n > 9 || (instance && strcmp(instance, "orders") != 0) || !fixed ||
                 strcmp(fixed, "x") != 0))
        abort();
    json_decref(args);
    args = das_hook_args(NULL, l, NULL, &err);
    json_decref(args);
}

static void read_line(struct das_text text)
{
    struct das_hook_line *l = das_calloc(1, sizeof *l);

    if (l && das_hook_line_read(text, l, &err) == 0) {
        if (*l->command && !das_hook_is_key(l->command))
            abort();
        for (size_t i = 0; i < l->count; i++) {
            if (*l->items[i].key && !das_hook_is_key(l->items[i].key))
                abort();
            check_value(l->items[i].value);
        }
        check_args(l);
    } else if (l && (l->count || *l->command)) {
        abort();
    }
    das_free(l);
}

static void read_body(enum das_hook_platform p, unsigned char what, struct das_text body)
{
    const struct das_hook hook = {.platform = p};
    const struct das_hook_verdict v = {.outcome = DAS_HOOK_ACCEPTED,
                                       .body = body,
                                       .format = (enum das_hook_format)(what % 4),
                                       .kind = (enum das_hook_kind)(what / 4 % DAS_HOOK_KINDS)};
    struct das_hook_ask a = {0};
    struct das_hook_ack ack = {0};
    json_t *alert;
    bool shown;

    if (das_hook_ask_read(&hook, &v, 1764000000000, &a, &err) == 0) {
        if (a.url && strncmp(a.url, "https://", 8) != 0)
            abort();
        read_line(das_buf_view(&a.line));
        if (das_hook_ack(&hook, &a, "words", false, &ack, &shown, &err) < 0)
            abort();
        alert = a.json ? das_hook_alert(p, a.json, NULL, 0, &err) : NULL;
        json_decref(alert);
    }
    das_buf_clear(&ack.body);
    das_hook_ask_clear(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct das_text rest;

    if (size < 2)
        return 0;
    rest = das_text((const char *)data + 2, size - 2);
    if (data[0] >= DAS_HOOK_PLATFORMS)
        read_line(rest);
    else
        read_body((enum das_hook_platform)data[0], data[1], rest);
    return 0;
}

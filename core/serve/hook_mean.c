/*
 * hook_mean.c - what a request means under the configuration of now: who it is, whether they may,
 * and what is to be done (see hook_desk.h). Nothing is done here, and nothing is answered: the same
 * is asked when a request comes, and again when another das has left it.
 */
#include <string.h>

#include "core/approval/approval.h"
#include "core/approval/question.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/serve/hook_desk_impl.h"

/* --- what the script gets --------------------------------------------------------------------- */

static int put_user(const struct das_person *x, const char *platform_id, struct das_buf *b)
{
    das_json_key(b, "user");
    das_buf_char(b, '{');
    das_json_key_text(b, "name", das_text_of(x->name));
    das_json_key_text(b, "id", das_text_of(platform_id));
    das_json_key(b, "roles");
    das_buf_char(b, '[');
    for (size_t i = 0; i < x->role_count; i++) {
        das_json_comma(b);
        das_json_str(b, x->roles[i]);
    }
    das_buf_str(b, "]}");
    return 0;
}

static int put_json(struct das_buf *b, const char *key, const json_t *value, struct das_err *err)
{
    char *text;

    if (!value)
        return 0;
    text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text)
        return das_fail_nomem(err);
    das_json_key(b, key);
    das_buf_str(b, text);
    free(text);
    return 0;
}

static int make_req(struct das_hook_job *j, const char *command, const json_t *args,
                    struct das_err *err)
{
    struct das_buf *b = &j->req;

    das_buf_char(b, '{');
    das_json_key_text(b, "hook", das_text_of(j->hook->name));
    if (j->hook->channel)
        das_json_key_text(b, "channel", das_text_of(j->hook->channel));
    das_json_key_text(b, "platform", das_text_of(das_hook_platforms[j->hook->platform].name));
    das_json_key_text(b, "kind",
                      das_text_of(j->ask.what == DAS_HOOK_LINE    ? "command"
                                  : j->ask.what == DAS_HOOK_PRESS ? "button"
                                  : j->ask.alert                  ? "alert"
                                                                  : "event"));
    if (j->person)
        put_user(j->person, j->ask.ids[0], b);
    if (command)
        das_json_key_text(b, "command", das_text_of(command));
    if (*j->ask.button)
        das_json_key_text(b, "button", das_text_of(j->ask.button));
    if (put_json(b, "args", args, err) < 0 || put_json(b, "alert", j->ask.alert, err) < 0 ||
        put_json(b, "json", j->ask.json, err) < 0)
        return -1;
    das_buf_char(b, '}');
    return das_buf_ok(b, err);
}

/* --- who it is -------------------------------------------------------------------------------- */

/* By the ids that the platform vouches for. */
static void find_person(struct das_hook_job *j)
{
    const struct das_people *people = &j->desk->conf.rules->people;
    const char *word = das_hook_people_word(j->hook->platform);

    for (int i = 0; word && i < DAS_HOOK_PERSON_IDS && !j->person; i++) {
        if (!*j->ask.ids[i])
            continue;
        j->person = das_people_by(people, word, j->ask.ids[i]);
        if (!j->person && strcmp(word, "feishu") == 0)
            j->person = das_people_by(people, "lark", j->ask.ids[i]);
    }
    if (j->person)
        snprintf(j->who, sizeof j->who, "%s (%s)", j->person->name, j->hook->name);
    else
        snprintf(j->who, sizeof j->who, "hook %s", j->hook->name);
}

static int say(struct das_hook_meaning *m, const char *result, const char *why, const char *words)
{
    m->kind = DAS_HOOK_SAY;
    m->result = result;
    snprintf(m->why, sizeof m->why, "%.*s", (int)sizeof m->why - 1, why);
    das_buf_str(&m->words, words);
    return 0;
}

static int not_allowed(struct das_hook_meaning *m, const char *why, const char *words)
{
    return say(m, "not_allowed", why, words);
}

static int bad_command(struct das_hook_meaning *m, const char *words)
{
    return say(m, "bad_command", words, words);
}

/* A button that das made and that no script sees: what a press of it does. */
static bool is_own_button(const struct das_hook_ask *ask, enum das_hook_job_kind *kind)
{
    const struct das_text text = das_text_of(ask->button);
    struct das_approval_value vote;
    struct das_question_value answer;

    if (ask->what != DAS_HOOK_PRESS)
        return false;
    if (das_approval_value_read(text, &vote))
        *kind = DAS_HOOK_JOB_VOTE;
    else if (das_question_value_read(text, &answer))
        *kind = DAS_HOOK_JOB_ANSWER;
    else
        return false;
    return true;
}

/* Whoever sets das up has to learn that id from somewhere, and it is the person's own. */
static void unknown_person(const struct das_hook_job *j, struct das_hook_meaning *m)
{
    const char *word = das_hook_people_word(j->hook->platform), *id = j->ask.ids[0];
    char why[300], text[300] = "das does not know you.";

    snprintf(why, sizeof why, "nobody of people has the %s id \"%.100s\"", word, id);
    if (*id)
        snprintf(text, sizeof text,
                 "das does not know you. In people of das.lua it would be %s = \"%.100s\".", word,
                 id);
    say(m, "unknown_user", why, text);
}

/* False: m says why not. Who may vote or answer, the request for the kill or the question says. */
static bool let_in(struct das_hook_job *j, struct das_hook_meaning *m)
{
    enum das_hook_job_kind ignored;

    if (!das_hook_is_chat(j->hook->platform))
        return true;
    if (!j->person) {
        unknown_person(j, m);
        return false;
    }
    if (das_hook_allows(j->hook, NULL, j->person) || is_own_button(&j->ask, &ignored))
        return true;
    not_allowed(m, "not among those of allow", "You may not use this.");
    return false;
}

/* --- what it is ------------------------------------------------------------------------------- */

static bool reaches(void *arg, const char *instance)
{
    const struct das_hook_job *j = arg;
    const struct das_inventory *inv = j->desk->conf.inventory;

    for (size_t i = 0; i < das_inventory_count(inv); i++) {
        if (strcmp(das_inventory_name(inv, i), instance) == 0)
            return das_hook_reaches(j->hook, inv, i);
    }
    return false;
}

static int help(const struct das_hook_job *j, struct das_hook_meaning *m)
{
    const struct das_hook *h = j->hook;
    struct das_buf b = {0};

    for (size_t i = 0; i < h->command_count; i++) {
        const struct das_hook_command *c = &h->commands[i];
        if (!das_hook_allows(h, c, j->person))
            continue;
        das_hook_usage(c, &b);
        das_buf_printf(&b, "%s%s\n", c->help ? "  -  " : "", c->help ? c->help : "");
    }
    say(m, "accepted", "help", b.ptr && !b.failed ? b.ptr : "There is no command for you.");
    das_buf_clear(&b);
    return 0;
}

static int no_such_command(const struct das_hook *h, const char *word, struct das_hook_meaning *m)
{
    const char *names[64], *near;
    char words[200];
    size_t n = 0;

    for (size_t i = 0; i < h->command_count && n < 64; i++)
        names[n++] = h->commands[i].name;
    near = das_nearest(word, names, n);
    snprintf(words, sizeof words, "There is no command %s%s%s%s; help shows them.", word,
             near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return bad_command(m, words);
}

static int with_args(struct das_hook_job *j, const struct das_hook_line *line,
                     struct das_hook_meaning *m, struct das_err *err)
{
    const struct das_hook_reach reach = {reaches, j};
    json_t *args = das_hook_args(j->command, line, &reach, err);
    int rc;

    if (!args)
        return err->code == DAS_E_USAGE ? bad_command(m, err->msg) : -1;
    snprintf(m->word, sizeof m->word, "%s", line->command);
    rc = make_req(j, line->command, args, err);
    json_decref(args);
    return rc;
}

static int line(struct das_hook_job *j, struct das_hook_meaning *m, struct das_err *err)
{
    const struct das_hook *h = j->hook;
    struct das_hook_line *l = das_calloc(1, sizeof *l);
    int rc;

    if (!l)
        return das_fail_nomem(err);
    if (das_hook_line_read(das_buf_view(&j->ask.line), l, err) < 0) {
        rc = bad_command(m, err->msg);
    } else if (h->command_count && (!*l->command || strcmp(l->command, "help") == 0)) {
        rc = help(j, m);
    } else {
        j->command = das_hook_find_command(h, l->command);
        if (!j->command && !h->script)
            rc = no_such_command(h, l->command, m);
        else if (das_hook_allows(h, j->command, j->person))
            rc = with_args(j, l, m, err);
        else
            rc = not_allowed(m, "the command is for others", "You may not use this command.");
    }
    das_free(l);
    return rc;
}

static int press(struct das_hook_job *j, struct das_hook_meaning *m, struct das_err *err)
{
    if (is_own_button(&j->ask, &j->kind)) {
        m->result = "vote";
        return 0;
    }
    if (j->hook->script && *j->ask.button && das_hook_allows(j->hook, NULL, j->person))
        return make_req(j, NULL, NULL, err);
    m->kind = DAS_HOOK_LEAVE;
    m->result = "ignored";
    snprintf(m->why, sizeof m->why, "the button is none that is known here");
    return 0;
}

int das_hook_mean(struct das_hook_job *j, struct das_hook_meaning *m, struct das_err *err)
{
    int rc = 0;

    m->kind = DAS_HOOK_DO;
    m->result = "accepted";
    find_person(j);
    if (!let_in(j, m))
        return das_buf_ok(&m->words, err);
    if (j->ask.what == DAS_HOOK_LINE)
        rc = line(j, m, err);
    else if (j->ask.what == DAS_HOOK_PRESS)
        rc = press(j, m, err);
    return rc == 0 ? das_buf_ok(&m->words, err) : rc;
}

void das_hook_meaning_clear(struct das_hook_meaning *m)
{
    das_buf_clear(&m->words);
}

int das_hook_mean_report(struct das_hook_job *j, const bool *fresh, size_t count,
                         struct das_err *err)
{
    if (j->alerts && j->ask.json) {
        j->ask.alert = das_hook_alert(j->hook->platform, j->ask.json, fresh, count, err);
        if (!j->ask.alert && err->code == DAS_E_NOMEM)
            return -1;
    }
    return make_req(j, NULL, NULL, err);
}

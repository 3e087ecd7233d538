/*
 * runbook_markdown.c - a run for people: Markdown for a ticket (runbook_text.h).
 *
 * Much of it comes from a database: names and notes are escaped, results stand in a fence that they
 * cannot end, and nothing of it drives a terminal.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/store/runbook_impl.h"
#include "core/store/runbook_text.h"

#define RESULT_SHOWN 8000   /* bytes */
#define OUTCOMES_SHOWN 100

struct writing {
    struct das_store *s;
    const struct das_runbook *r;
    int64_t n;
    struct das_buf *b;
    struct das_err *err;
};

/* --- pieces ------------------------------------------------------------------------------------ */

/* One line of text, in which nothing means anything to Markdown. */
static void put_plain(struct das_buf *b, struct das_text t)
{
    for (size_t i = 0; i < t.len;) {
        uint32_t code;
        size_t n = das_utf8_next(t.ptr + i, t.len - i, &code);
        if (!n) {
            das_buf_str(b, "\xef\xbf\xbd");
            i++;
            continue;
        }
        if (code < ' ' || (code >= 0x7f && code < 0xa0))
            das_buf_char(b, ' ');
        else if (code < 0x80 && strchr("\\`*_{}[]<>#|~&!@", (int)code))
            das_buf_printf(b, "\\%c", (char)code);
        else
            das_buf_add(b, t.ptr + i, n);
        i += n;
    }
}

static void put_str(struct das_buf *b, const char *text)
{
    put_plain(b, das_text_of(das_or_empty(text)));
}

static void put_moment(struct das_buf *b, int64_t ms)
{
    char text[40];

    das_clock_iso(ms / 1000, text, sizeof text);
    das_buf_str(b, text);
}

/* "0.2 s", "3 min 20 s", "2 h 5 min" */
static void put_span(struct das_buf *b, int64_t ms)
{
    int64_t s = ms / 1000;

    if (ms < 10000)
        das_buf_printf(b, "%lld.%lld s", (long long)s, (long long)(ms % 1000 / 100));
    else if (s < 60)
        das_buf_printf(b, "%lld s", (long long)s);
    else if (s < 3600)
        das_buf_printf(b, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
    else
        das_buf_printf(b, "%lld h %lld min", (long long)(s / 3600), (long long)(s / 60 % 60));
}

/* Text in a fence that is longer than any in it. */
static void put_fenced(struct das_buf *b, const char *kind, struct das_text t)
{
    size_t run = 0, longest = 2, cut = t.len < RESULT_SHOWN ? t.len : RESULT_SHOWN;

    for (size_t i = 0; i < cut; i++) {
        run = t.ptr[i] == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    while (cut && cut < t.len && ((unsigned char)t.ptr[cut] & 0xc0) == 0x80)
        cut--;
    das_buf_char(b, '\n');
    das_buf_fill(b, '`', longest + 1);
    das_buf_printf(b, "%s\n", kind);
    for (size_t i = 0; i < cut; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        das_buf_char(b, (c < ' ' && c != '\n' && c != '\t') || c == 0x7f ? ' ' : (char)c);
    }
    if (cut && t.ptr[cut - 1] != '\n')
        das_buf_char(b, '\n');
    if (cut < t.len)
        das_buf_printf(b, "... (%zu bytes more)\n", t.len - cut);
    das_buf_fill(b, '`', longest + 1);
    das_buf_char(b, '\n');
}

/* A result: a text as it is, anything else as JSON with lines; null says nothing. */
static int put_result(struct das_buf *b, const char *json, struct das_err *err)
{
    json_t *v = das_json_parse(json, strlen(json), NULL, err);
    char *text;

    if (!v)
        return -1;
    if (json_is_string(v)) {
        put_fenced(b, "text", das_text(json_string_value(v), json_string_length(v)));
    } else if (!json_is_null(v)) {
        text = json_dumps(v, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_SORT_KEYS);
        if (text)
            put_fenced(b, "json", das_text_of(text));
        else
            b->failed = true;
        free(text); /* the C library's memory, as jansson has it */
    }
    json_decref(v);
    return 0;
}

/* --- kills ------------------------------------------------------------------------------------- */

static const char *member(const json_t *v, const char *key)
{
    return das_or_empty(json_string_value(json_object_get(v, key)));
}

static void put_outcome(struct das_buf *b, const json_t *o)
{
    das_buf_printf(b, "| %lld | ", (long long)json_integer_value(json_object_get(o, "id")));
    put_str(b, member(o, "user"));
    das_buf_str(b, " | ");
    put_str(b, member(o, "action"));
    das_buf_str(b, " | ");
    put_str(b, member(o, "outcome"));
    das_buf_str(b, " | ");
    put_str(b, member(o, "note"));
    das_buf_str(b, " |\n");
}

/* "3 killed, 1 gone": the totals that are not 0. */
static void put_totals(struct das_buf *b, const json_t *report)
{
    static const char *const words[] = {"killed",  "killing", "would_kill", "gone",   "changed",
                                        "protected", "refused", "failed",   "unknown"};
    size_t said = 0;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        json_int_t n = json_integer_value(json_object_get(report, words[i]));
        if (n)
            das_buf_printf(b, "%s%lld %s", said++ ? ", " : "", (long long)n,
                           strcmp(words[i], "would_kill") == 0 ? "would be killed" : words[i]);
    }
    if (!said)
        das_buf_str(b, "nobody");
}

static int put_report(struct das_buf *b, struct das_text note, bool table, struct das_err *err)
{
    json_t *report = das_json_parse(note.ptr, note.len, NULL, err);
    const json_t *list = json_object_get(report, "outcomes"), *o;
    size_t i;

    if (!report)
        return -1;
    das_buf_str(b, "plan on ");
    put_str(b, member(report, "instance"));
    das_buf_str(b, ": ");
    put_totals(b, report);
    das_buf_str(b, " (");
    put_str(b, member(report, "reason"));
    das_buf_str(b, ")\n");
    if (table && json_array_size(list)) {
        das_buf_str(b, "\n| session | user | action | outcome | note |\n|---|---|---|---|---|\n");
        json_array_foreach(list, i, o)
        {
            if (i < OUTCOMES_SHOWN)
                put_outcome(b, o);
        }
        if (json_array_size(list) > OUTCOMES_SHOWN)
            das_buf_printf(b, "\nand %zu more\n", json_array_size(list) - OUTCOMES_SHOWN);
    }
    json_decref(report);
    return 0;
}

static const char *word_of(const char *kind)
{
    if (strcmp(kind, "acts") == 0)
        return "begins";
    /* a question in its channel, and whether that says how it ended */
    return strcmp(kind, "asked") == 0 || strcmp(kind, "told") == 0 ? "posted" : kind;
}

static int put_note(void *arg, const struct das_step_note *note)
{
    struct writing *w = arg;

    if (note->n != w->n)
        return 0;
    das_buf_str(w->b, "\n");
    put_moment(w->b, note->at_ms);
    das_buf_char(w->b, ' ');
    if (strcmp(note->kind, "apply") == 0)
        return put_report(w->b, note->note, true, w->err);
    put_str(w->b, word_of(note->kind));
    das_buf_str(w->b, ": ");
    put_plain(w->b, note->note);
    das_buf_char(w->b, '\n');
    return 0;
}

/* --- steps ------------------------------------------------------------------------------------- */

static int put_ask(struct das_buf *b, const struct das_runbook_step *step, struct das_err *err)
{
    json_t *asks = das_json_parse(step->asks, strlen(step->asks), NULL, err);
    const json_t *choice;
    size_t i;

    if (!asks)
        return -1;
    das_buf_str(b, "\nAsked: ");
    put_str(b, member(asks, "question"));
    das_buf_str(b, " (");
    json_array_foreach(json_object_get(asks, "choices"), i, choice)
    {
        das_buf_str(b, i ? ", " : "");
        put_str(b, json_string_value(choice));
    }
    das_buf_str(b, ")\n");
    if (step->status == DAS_STEP_WAITING) {
        das_buf_str(b, "\nWaits for an answer until ");
        put_moment(b, step->wake_ms);
        das_buf_char(b, '\n');
    }
    json_decref(asks);
    return 0;
}

static void put_head(struct das_buf *b, const struct das_runbook_step *step)
{
    das_buf_printf(b, "\n### %lld. ", (long long)step->n);
    put_str(b, step->name);
    das_buf_printf(b, ": %s\n\n", das_step_status_name(step->status));
    put_moment(b, step->begun_ms);
    if (step->ended_ms) {
        das_buf_str(b, ", took ");
        put_span(b, step->ended_ms - step->begun_ms);
    }
    if (step->attempts > 1)
        das_buf_printf(b, ", %lld attempts", (long long)step->attempts);
    if (step->acts)
        das_buf_str(b, ", changed something outside");
    das_buf_char(b, '\n');
}

static int put_step(void *arg, const struct das_runbook_step *step)
{
    struct writing *w = arg;
    struct das_buf *b = w->b;

    put_head(b, step);
    w->n = step->n;
    if (*step->asks && put_ask(b, step, w->err) < 0)
        return -1;
    if (das_note_each(w->s, w->r->id, put_note, w, w->err) < 0)
        return -1;
    if (*step->who || (step->kind == DAS_STEP_ASK && *step->reason)) {
        das_buf_str(b, step->kind == DAS_STEP_ASK ? "\nAnswered by " : "\nDecided by ");
        put_str(b, *step->who ? step->who : "nobody");
        if (*step->reason) {
            das_buf_str(b, ": ");
            put_str(b, step->reason);
        }
        das_buf_char(b, '\n');
    }
    if (*step->error) {
        das_buf_str(b, "\nError: ");
        put_str(b, step->error);
        das_buf_char(b, '\n');
    }
    if (step->status == DAS_STEP_DONE && step->kind != DAS_STEP_SLEEP && *step->result)
        return put_result(b, step->result, w->err);
    return 0;
}

/* --- the run ----------------------------------------------------------------------------------- */

/* ["a","b"] as "a, b"; an object as "a = 1, b = 2". */
static int put_values(struct das_buf *b, const char *json, struct das_err *err)
{
    json_t *v = das_json_parse(json, strlen(json), NULL, err), *item;
    const char *key;
    size_t i, said = 0;

    if (!v)
        return -1;
    json_array_foreach(v, i, item)
    {
        das_buf_str(b, said++ ? ", " : "");
        put_str(b, json_string_value(item));
    }
    json_object_foreach(v, key, item)
    {
        char *text = json_dumps(item, JSON_ENCODE_ANY | JSON_COMPACT);
        das_buf_printf(b, "%s", said++ ? ", " : "");
        put_str(b, key);
        das_buf_str(b, " = ");
        put_str(b, text);
        free(text);
    }
    if (!said)
        das_buf_str(b, "none");
    json_decref(v);
    return 0;
}

static int put_facts(struct writing *w, const char *state)
{
    const struct das_runbook *r = w->r;
    struct das_buf *b = w->b;

    das_buf_str(b, "# ");
    put_str(b, r->name);
    das_buf_printf(b, ": %s\n\n- runbook %lld, %s\n- instances: ", state, (long long)r->id,
                   r->armed ? "armed" : "dry run: nothing was killed");
    if (put_values(b, r->instances, w->err) < 0)
        return -1;
    das_buf_str(b, "\n- parameters: ");
    if (put_values(b, r->params, w->err) < 0)
        return -1;
    das_buf_str(b, "\n- started ");
    put_moment(b, r->started_ms);
    das_buf_str(b, " by ");
    put_str(b, *r->who ? r->who : "nobody known");
    if (r->ended_ms) {
        das_buf_str(b, ", ended ");
        put_moment(b, r->ended_ms);
        das_buf_str(b, ", took ");
        put_span(b, r->ended_ms - r->started_ms);
    }
    das_buf_str(b, "\n- script: ");
    put_str(b, r->path);
    das_buf_printf(b, " (SHA-256 %.12s...)\n", r->sha256);
    if (*r->error) {
        das_buf_str(b, "- error: ");
        put_str(b, r->error);
        das_buf_char(b, '\n');
    }
    return 0;
}

static int put_stretch(void *arg, const struct das_stretch *stretch)
{
    struct das_buf *b = ((struct writing *)arg)->b;

    das_buf_str(b, "- ");
    put_moment(b, stretch->began_ms);
    if (stretch->ended_ms) {
        das_buf_str(b, " to ");
        put_moment(b, stretch->ended_ms);
    }
    das_buf_str(b, " by ");
    put_str(b, *stretch->who ? stretch->who : "nobody known");
    das_buf_str(b, ": ");
    put_str(b, *stretch->how ? stretch->how : "ended in the middle, or runs");
    das_buf_char(b, '\n');
    return 0;
}

int das_runbook_markdown(struct das_store *s, const struct das_runbook *r, struct das_buf *b,
                         struct das_err *err)
{
    struct writing w = {.s = s, .r = r, .b = b, .err = err};
    const char *state = das_runbook_state(s, r, err);

    if (!state || put_facts(&w, state) < 0)
        return -1;
    das_buf_str(b, "\n## Steps\n");
    if (das_step_each(s, r->id, put_step, &w, err) < 0)
        return -1;
    das_buf_str(b, "\n## Carried on\n\n");
    if (das_stretch_each(s, r->id, put_stretch, &w, err) < 0)
        return -1;
    return das_buf_ok(b, err);
}

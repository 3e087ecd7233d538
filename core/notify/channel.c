/* channel.c - see channel.h. */
#include "core/notify/channel.h"

#include <stdlib.h>
#include <string.h>

#include "core/http/mail.h"
#include "core/notify/kind.h"

#define DAY_MS ((int64_t)86400 * 1000)

const char *const das_channel_secret_names[DAS_CHANNEL_SECRETS] = {"url", "token", "secret",
                                                                   "password"};
const char *const das_channel_text_names[DAS_CHANNEL_TEXTS] = {
    "endpoint", "channel", "app", "user", "from", "source", "callback"};

const struct das_channel das_channel_default = {
    .redact = true, .dedup_ms = 3600000, .expire_ms = DAY_MS, .tries = 20, .sessions = 10};

static const struct das_kind *const kinds[] = {
    &das_kind_slack_hook, &das_kind_slack_bot,    &das_kind_feishu_bot, &das_kind_feishu_app,
    &das_kind_lark_bot,   &das_kind_lark_app,     &das_kind_dingtalk,   &das_kind_wecom,
    &das_kind_teams,      &das_kind_discord,      &das_kind_telegram,   &das_kind_mattermost,
    &das_kind_pagerduty,  &das_kind_alertmanager, &das_kind_webhook,    &das_kind_smtp,
};
#define KINDS (sizeof kinds / sizeof *kinds)
#define NEEDS 4
#define TAKES 6

/* --- the list --------------------------------------------------------------------------------- */

void das_channels_init(struct das_channels *c)
{
    memset(c, 0, sizeof *c);
}

static void clear_one(struct das_channel *ch)
{
    das_free(ch->name);
    das_free(ch->ca);
    for (int i = 0; i < DAS_CHANNEL_SECRETS; i++) {
        das_free(ch->secrets[i].name);
        das_free(ch->secrets[i].where);
    }
    for (int i = 0; i < DAS_CHANNEL_TEXTS; i++)
        das_free(ch->texts[i]);
    for (size_t i = 0; i < ch->to_count; i++)
        das_free(ch->to[i]);
    das_free(ch->to);
}

void das_channels_clear(struct das_channels *c)
{
    for (size_t i = 0; i < c->count; i++)
        clear_one(&c->items[i]);
    das_free(c->items);
    das_channels_init(c);
}

struct das_channel *das_channels_add(struct das_channels *c, const char *name, struct das_err *err)
{
    struct das_channel *bigger, *ch;

    if (!*name || strlen(name) > 100 ||
        name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")]) {
        das_fail(err, DAS_E_CONFIG,
                 "channels: a name has letters, digits, \"_\", \"-\" and \".\", got \"%.100s\"",
                 name);
        return NULL;
    }
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->items[i].name, name) == 0) {
            das_fail(err, DAS_E_CONFIG, "channels.%s: is there already", name);
            return NULL;
        }
    }
    bigger = das_grow(c->items, c->count + 1, sizeof *bigger);
    if (!bigger) {
        das_fail_nomem(err);
        return NULL;
    }
    c->items = bigger;
    ch = &c->items[c->count];
    *ch = das_channel_default;
    ch->name = das_strdup(name);
    if (!ch->name) {
        das_fail_nomem(err);
        return NULL;
    }
    c->count++;
    return ch;
}

static int by_name(const void *a, const void *b)
{
    const struct das_channel *x = a, *y = b;

    return strcmp(x->name, y->name);
}

void das_channels_sort(struct das_channels *c)
{
    if (c->count)
        qsort(c->items, c->count, sizeof *c->items, by_name);
}

const struct das_channel *das_channels_find(const struct das_channels *c, const char *name,
                                            struct das_err *err)
{
    const char *names[64], *near;
    size_t n = 0;

    for (size_t i = 0; c && i < c->count; i++) {
        if (strcmp(c->items[i].name, name) == 0)
            return &c->items[i];
        if (n < 64)
            names[n++] = c->items[i].name;
    }
    near = das_nearest(name, names, n);
    das_fail(err, DAS_E_USAGE, "no channel \"%.100s\" in the configuration%s%s%s", name,
             near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return NULL;
}

/* --- kinds ------------------------------------------------------------------------------------ */

static bool among(const char *const *list, size_t n, const char *key)
{
    for (size_t i = 0; i < n && list[i]; i++) {
        if (strcmp(list[i], key) == 0)
            return true;
    }
    return false;
}

static bool has(const struct das_channel *ch, const char *key)
{
    for (int i = 0; i < DAS_CHANNEL_SECRETS; i++) {
        if (strcmp(das_channel_secret_names[i], key) == 0)
            return ch->secrets[i].where != NULL;
    }
    for (int i = 0; i < DAS_CHANNEL_TEXTS; i++) {
        if (strcmp(das_channel_text_names[i], key) == 0)
            return ch->texts[i] != NULL;
    }
    return ch->to_count > 0; /* to */
}

static int unknown_kind(const char *word, struct das_err *err)
{
    const char *words[KINDS] = {NULL}, *near;
    struct das_buf list = {0};
    size_t n = 0;

    for (size_t i = 0; i < KINDS; i++) {
        if (n && strcmp(words[n - 1], kinds[i]->word) == 0)
            continue;
        das_buf_str(&list, n ? ", " : "");
        das_buf_str(&list, kinds[i]->word);
        words[n++] = kinds[i]->word;
    }
    near = das_nearest(word, words, n);
    das_fail(err, DAS_E_CONFIG, "kind: expected one of %s, got \"%.50s\"%s%s%s",
             list.ptr ? list.ptr : "", word, near ? "; did you mean \"" : "", near ? near : "",
             near ? "\"?" : "");
    das_buf_clear(&list);
    return -1;
}

/* Keys that this kind has no use for are mistakes, too: somebody thinks that they do something. */
static int check_keys(const struct das_channel *ch, const struct das_kind *k, struct das_err *err)
{
    for (size_t i = 0; i < NEEDS && k->needs[i]; i++) {
        if (!has(ch, k->needs[i]))
            return das_fail(err, DAS_E_CONFIG, "%s: a channel of kind \"%s\" (%s) needs it",
                            k->needs[i], k->word, k->form);
    }
    for (int i = 0; i < DAS_CHANNEL_SECRETS + DAS_CHANNEL_TEXTS + 1; i++) {
        const char *key = i < DAS_CHANNEL_SECRETS ? das_channel_secret_names[i]
                          : i < DAS_CHANNEL_SECRETS + DAS_CHANNEL_TEXTS
                              ? das_channel_text_names[i - DAS_CHANNEL_SECRETS]
                              : "to";
        if (has(ch, key) && !among(k->needs, NEEDS, key) && !among(k->takes, TAKES, key))
            return das_fail(err, DAS_E_CONFIG, "%s: a channel of kind \"%s\" (%s) has none", key,
                            k->word, k->form);
    }
    if (k->keyed && ch->digest_ms)
        return das_fail(err, DAS_E_CONFIG,
                        "digest: \"%s\" puts messages of one key together by itself", k->word);
    return 0;
}

static int check_endpoint(const struct das_channel *ch, const struct das_kind *k,
                          struct das_err *err)
{
    const char *url = ch->texts[DAS_CHANNEL_ENDPOINT], *back = ch->texts[DAS_CHANNEL_CALLBACK];
    bool mail = k == &das_kind_smtp;
    const char *safe = mail ? "smtps://" : "https://", *open = mail ? "smtp://" : "http://";

    if (url && strncmp(url, safe, strlen(safe)) != 0 && strncmp(url, open, strlen(open)) != 0)
        return das_fail(err, DAS_E_CONFIG, "endpoint: expected %s..., got \"%.200s\"", safe, url);
    if (url && !mail && !ch->insecure && strncmp(url, open, strlen(open)) == 0)
        return das_fail(err, DAS_E_CONFIG,
                        "endpoint: expected https://..., or insecure = true besides");
    if (back && strncmp(back, "https://", 8) != 0 &&
        !(ch->insecure && strncmp(back, "http://", 7) == 0))
        return das_fail(err, DAS_E_CONFIG, "callback: expected https://..., got \"%.200s\"", back);
    return 0;
}

static int check_mail(const struct das_channel *ch, struct das_err *err)
{
    if (!das_mail_address(ch->texts[DAS_CHANNEL_FROM]))
        return das_fail(err, DAS_E_CONFIG, "from: expected an address such as das@example.com");
    for (size_t i = 0; i < ch->to_count; i++) {
        if (!das_mail_address(ch->to[i]))
            return das_fail(err, DAS_E_CONFIG, "to: item %zu is no address such as dba@example.com",
                            i + 1);
    }
    return 0;
}

int das_channel_settle(struct das_channel *ch, const char *kind, struct das_err *err)
{
    const struct das_kind *found = NULL;

    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i]->word, kind) != 0)
            continue;
        if (!found || (!has(ch, found->needs[0]) && has(ch, kinds[i]->needs[0])))
            found = kinds[i];
    }
    if (!found)
        return unknown_kind(kind, err);
    if (check_keys(ch, found, err) < 0 || check_endpoint(ch, found, err) < 0 ||
        (found == &das_kind_smtp && check_mail(ch, err) < 0))
        return -1;
    if (has(ch, "user") != has(ch, "password"))
        return das_fail(err, DAS_E_CONFIG, "user: goes with password");
    ch->kind = found;
    return 0;
}

const char *das_channel_word(const struct das_channel *ch)
{
    return ch->kind->word;
}

const char *das_channel_form(const struct das_channel *ch)
{
    return ch->kind->form;
}

bool das_channel_clicks(const struct das_channel *ch)
{
    return ch->kind->button_bytes > 0 &&
           (ch->kind != &das_kind_mattermost || ch->texts[DAS_CHANNEL_CALLBACK]);
}

bool das_channel_edits(const struct das_channel *ch)
{
    return ch->kind->edits;
}

int das_channel_takes(const struct das_channel *ch, const struct das_notice *n, struct das_err *err)
{
    const struct das_kind *k = ch->kind;
    bool back = das_channel_clicks(ch);

    if (n->button_count && !back)
        return das_fail(err, DAS_E_USAGE,
                        "buttons: what is clicked on channel %s (%s, %s) does not come back",
                        ch->name, k->word, k->form);
    for (size_t i = 0; i < n->button_count; i++) {
        if (n->buttons[i].value.len > k->button_bytes)
            return das_fail(err, DAS_E_USAGE,
                            "buttons: a value has at most %zu bytes on channel %s", k->button_bytes,
                            ch->name);
    }
    return 0;
}

struct das_pace das_channel_pace(const struct das_channel *ch)
{
    struct das_pace p = ch->kind->pace;

    if (ch->rate > 0) { /* so that no minute has more, whenever it begins */
        p.burst = ch->rate < 4 ? 1 : ch->rate / 4;
        p.every_ms = ch->rate - p.burst > 0 ? 60000 / (ch->rate - p.burst) + 1 : 60000;
    }
    return p;
}

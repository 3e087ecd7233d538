/* check_config.c - see check_config.h. It opens no instance and sends nothing. */
#include "core/cli/check_config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bindings/schedule_conf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/hook/keys.h"

/* --- findings --------------------------------------------------------------------------------- */

static void say_at(struct das_check *c, long line, const char *severity, const char *code,
                   const char *message)
{
    c->findings++;
    if (!c->json) {
        das_buf_str(c->out, c->path);
        if (line)
            das_buf_printf(c->out, ":%ld:1", line);
        das_buf_printf(c->out, ": %s: %s\n", severity, message);
        return;
    }
    das_json_comma(c->out);
    das_buf_char(c->out, '{');
    das_json_key_int(c->out, "line", line);
    das_json_key_int(c->out, "column", line ? 1 : 0);
    das_json_key_text(c->out, "severity", das_text_of(severity));
    das_json_key_text(c->out, "code", das_text_of(code));
    das_json_key_text(c->out, "message", das_text_of(message));
    das_buf_char(c->out, '}');
}

void das_check_say(struct das_check *c, const char *severity, const char *code, const char *fmt,
                   ...)
{
    char text[1000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    say_at(c, 0, severity, code, text);
}

/* "das.lua:3: unexpected symbol" or "das.lua: hooks.slack: ...". */
static void say_refused(struct das_check *c, const char *message)
{
    size_t n = strlen(c->path);
    char *end;
    long line;

    if (strncmp(message, c->path, n) == 0 && message[n] == ':') {
        message += n + 1;
        line = strtol(message, &end, 10);
        if (end > message && *end == ':' && line > 0) {
            say_at(c, line, "error", "syntax", end + 1 + strspn(end + 1, " "));
            return;
        }
        message += strspn(message, " ");
    }
    say_at(c, 0, "error", "configuration", message);
}

/* --- secrets ---------------------------------------------------------------------------------- */

/* Variables and credentials are there where das serve runs, and maybe not here. */
static bool is_here(const struct das_secret_place *p)
{
    if (p->from == DAS_SECRET_ENV)
        return getenv(p->where) != NULL;
    return p->from != DAS_SECRET_CREDENTIAL || getenv("CREDENTIALS_DIRECTORY");
}

static void check_secret(struct das_check *c, const struct das_secret_place *p)
{
    struct das_err err;

    if (p->where && is_here(p) && !das_vault_read(&c->vault, p, &err))
        das_check_say(c, "error", "secret", "%s", err.msg);
}

/* All of them are read as das serve does; where some are not here, each of the others by itself. */
static void check_keys(struct das_check *c, const struct das_hook *h)
{
    const struct das_hook_places *all[] = {&h->secrets, &h->tokens, &h->encrypt_keys,
                                           &h->public_keys, &h->passwords};
    struct das_hook_keys *keys;
    struct das_err err;
    bool here = true;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (size_t k = 0; k < all[i]->count; k++)
            here = here && is_here(&all[i]->items[k]);
    }
    if (here) {
        keys = das_hook_keys_read(h, &err);
        if (!keys)
            das_check_say(c, "error", "secret", "%s", err.msg);
        das_hook_keys_free(keys);
        return;
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (size_t k = 0; k < all[i]->count; k++)
            check_secret(c, &all[i]->items[k]);
    }
}

static void check_file(struct das_check *c, const char *what, const char *path)
{
    if (path && access(path, R_OK) < 0)
        das_check_say(c, "error", "file", "%s: %s: %s", what, path, strerror(errno));
}

static void check_secrets(struct das_check *c)
{
    const struct das_rules *r = &c->common.rules;

    for (size_t i = 0; i < r->hooks.count; i++)
        check_keys(c, &r->hooks.items[i]);
    for (size_t i = 0; i < r->channels.count; i++) {
        for (int k = 0; k < DAS_CHANNEL_SECRETS; k++)
            check_secret(c, &r->channels.items[i].secrets[k]);
        check_file(c, "channels: ca", r->channels.items[i].ca);
    }
    for (size_t i = 0; i < c->common.secrets.count; i++)
        check_secret(c, &c->common.secrets.places[i]);
    check_file(c, "serve.tls.certificate", r->serve.certificate);
    check_file(c, "serve.tls.key", r->serve.key);
}

/* --- what there is ---------------------------------------------------------------------------- */

/* What stands in the console of the platform: serve.url, else where das serve listens. */
static void put_url(const struct das_serve_conf *s, const struct das_hook *h, struct das_buf *b)
{
    if (s->url)
        das_buf_str(b, s->url);
    else
        das_buf_printf(b, "%s://%s", s->certificate ? "https" : "http",
                       s->listen_count ? s->listen[0] : "127.0.0.1:7070");
    das_buf_str(b, h->path);
}

static void put_commands(const struct das_hook *h, struct das_buf *b)
{
    for (size_t i = 0; i < h->command_count; i++)
        das_buf_printf(b, "%s%s", i ? ", " : "", h->commands[i].name);
    if (h->script)
        das_buf_printf(b, "%s%s", h->command_count ? ", else " : "", h->script);
}

static void list_hook(struct das_check *c, const struct das_hook *h)
{
    const struct das_people *people = &c->common.rules.people;
    size_t n = 0;

    das_buf_printf(c->out, "%s: hook %s: %s at ", c->path, h->name,
                   das_hook_platforms[h->platform].name);
    put_url(&c->common.rules.serve, h, c->out);
    das_buf_str(c->out, ": ");
    put_commands(h, c->out);
    for (size_t i = 0; das_hook_is_chat(h->platform) && i < people->count; i++) {
        if (das_hook_allows(h, NULL, &people->items[i]))
            das_buf_printf(c->out, "%s%s", n++ ? ", " : "; for ", people->items[i].name);
    }
    if (h->channel)
        das_buf_printf(c->out, "; results to %s", h->channel);
    das_buf_char(c->out, '\n');
}

static void list_hook_json(struct das_check *c, const struct das_hook *h)
{
    struct das_buf url = {0};

    put_url(&c->common.rules.serve, h, &url);
    das_json_comma(c->out);
    das_buf_char(c->out, '{');
    das_json_key_text(c->out, "name", das_text_of(h->name));
    das_json_key_text(c->out, "platform", das_text_of(das_hook_platforms[h->platform].name));
    das_json_key_text(c->out, "url", das_buf_view(&url));
    das_json_key(c->out, "commands");
    das_buf_char(c->out, '[');
    for (size_t i = 0; i < h->command_count; i++) {
        das_json_comma(c->out);
        das_json_str(c->out, h->commands[i].name);
    }
    das_buf_str(c->out, "]}");
    das_buf_clear(&url);
}

static void list_policy(struct das_check *c, const struct das_schedule_entry *e)
{
    das_buf_printf(c->out, "%s: policy %s: ", c->path, e->name);
    if (e->cron_text)
        das_buf_printf(c->out, "at %s", e->cron_text);
    else
        das_buf_printf(c->out, "every %lld s", (long long)(e->every_ms / 1000));
    das_buf_printf(c->out, ", mode %s", das_policy_mode_name(e->rules.mode));
    if (e->rules.mode != DAS_POLICY_AUTO)
        das_buf_str(c->out, ": it kills nothing by itself");
    das_buf_char(c->out, '\n');
}

static void list_all(struct das_check *c)
{
    const struct das_rules *r = &c->common.rules;

    for (size_t i = 0; i < r->hooks.count; i++)
        list_hook(c, &r->hooks.items[i]);
    for (size_t i = 0; i < r->channels.count; i++)
        das_buf_printf(c->out, "%s: channel %s: %s, %s\n", c->path, r->channels.items[i].name,
                       das_channel_word(&r->channels.items[i]),
                       das_channel_form(&r->channels.items[i]));
    for (size_t i = 0; r->schedule && i < r->schedule->count; i++)
        list_policy(c, &r->schedule->entries[i]);
}

/* --- all of it -------------------------------------------------------------------------------- */

/* What the rest needs of it; false: it is refused, and that was said. */
static bool read_it(struct das_check *c, struct das_err *err)
{
    c->common.config = c->path;
    if (das_common_finish(&c->common, err) == 0)
        return true;
    say_refused(c, err->msg);
    return false;
}

static int check(struct das_check *c, struct das_err *err)
{
    bool good;
    int rc = 0;

    if (c->json) {
        das_buf_char(c->out, '{');
        das_json_key_text(c->out, "path", das_text_of(c->path));
        das_json_key(c->out, "findings");
        das_buf_char(c->out, '[');
    }
    good = read_it(c, err);
    if (good) {
        check_secrets(c);
        rc = das_check_rules(c, err);
    }
    if (c->json) {
        das_buf_char(c->out, ']');
        das_json_key(c->out, "grants");
        das_buf_str(c->out, "[]");
        das_json_key(c->out, "hooks");
        das_buf_char(c->out, '[');
        for (size_t i = 0; good && i < c->common.rules.hooks.count; i++)
            list_hook_json(c, &c->common.rules.hooks.items[i]);
        das_buf_str(c->out, "]}");
    } else if (good) {
        list_all(c);
    }
    return rc;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int das_check_config(const char *path, bool json, struct das_buf *out, size_t *findings,
                     void (*script)(void *arg, const char *path), void *arg, struct das_err *err)
{
    struct das_check c = {.path = path, .json = json, .out = out};
    int rc = -1;

    *findings = 0;
    if (access(path, R_OK) < 0)
        return das_fail(err, DAS_E_IO, "%s: %s", path, strerror(errno));
    das_vault_init(&c.vault);
    if (das_common_init(&c.common, err) == 0)
        rc = check(&c, err);
    *findings = c.findings;
    if (c.script_count)
        qsort(c.scripts, c.script_count, sizeof *c.scripts, by_text);
    for (size_t i = 0; rc == 0 && i < c.script_count; i++)
        script(arg, c.scripts[i]);
    das_free(c.scripts);
    das_common_clear(&c.common);
    das_vault_clear(&c.vault);
    return rc;
}

/* hook_verify.c - see hook_verify.h: the platforms, the check of a configuration, the entrance. */
#include "core/hook/hook_impl.h"

#include "core/base/mem.h"

#define MINUTES_5 300
#define HOUR 3600
#define WINDOW_MAX 86400
#define DAY_MS ((int64_t)86400 * 1000)
#define HEADER_MAX 100

#define SECRETS DAS_HOOK_F_SECRETS
#define TOKENS DAS_HOOK_F_TOKENS
#define KEYS DAS_HOOK_F_ENCRYPT_KEYS
#define AUTH DAS_HOOK_F_AUTH
#define WINDOW DAS_HOOK_F_WINDOW
#define EITHER (DAS_HOOK_F_TOKENS | DAS_HOOK_F_USER | DAS_HOOK_F_PASSWORDS)

/* clang-format off */
const struct das_hook_platform_info das_hook_platforms[DAS_HOOK_PLATFORMS] = {
    [DAS_HOOK_SLACK] = {"slack", "POST", SECRETS, WINDOW, MINUTES_5, 401, 401, das_hook_slack},
    [DAS_HOOK_FEISHU] = {"feishu", "POST", TOKENS | KEYS, WINDOW, MINUTES_5, 401, 401,
                         das_hook_feishu},
    [DAS_HOOK_FEISHU_CARD] = {"feishu_card", "POST", TOKENS, WINDOW, MINUTES_5, 401, 401,
                              das_hook_feishu_card},
    [DAS_HOOK_DINGTALK] = {"dingtalk", "POST", SECRETS, WINDOW, HOUR, 401, 401, das_hook_dingtalk},
    [DAS_HOOK_WECOM] = {"wecom", "GET, POST", TOKENS | KEYS | DAS_HOOK_F_RECEIVE_ID, WINDOW,
                        MINUTES_5, 401, 401, das_hook_wecom},
    [DAS_HOOK_TEAMS] = {"teams", "POST", SECRETS, WINDOW, MINUTES_5, 401, 401, das_hook_teams},
    [DAS_HOOK_DISCORD] = {"discord", "POST", DAS_HOOK_F_PUBLIC_KEYS, WINDOW, MINUTES_5, 401, 401,
                          das_hook_discord},
    [DAS_HOOK_MATTERMOST] = {"mattermost", "POST", TOKENS, 0, 0, 401, 401, das_hook_mattermost},
    [DAS_HOOK_TELEGRAM] = {"telegram", "POST", TOKENS, 0, 0, 401, 401, das_hook_telegram},
    [DAS_HOOK_GITHUB] = {"github", "POST", SECRETS, 0, 0, 401, 401, das_hook_github},
    [DAS_HOOK_STANDARD] = {"standard", "POST", SECRETS, WINDOW, MINUTES_5, 400, 401,
                           das_hook_standard},
    [DAS_HOOK_PAGERDUTY] = {"pagerduty", "POST", SECRETS, WINDOW, MINUTES_5, 400, 403,
                            das_hook_pagerduty},
    [DAS_HOOK_GRAFANA] = {"grafana", "POST", SECRETS,
                          WINDOW | DAS_HOOK_F_SIGNATURE_HEADER | DAS_HOOK_F_TIMESTAMP_HEADER,
                          MINUTES_5, 401, 401, das_hook_grafana},
    [DAS_HOOK_ALERTMANAGER] = {"alertmanager", "POST", AUTH, EITHER, 0, 401, 401,
                               das_hook_alertmanager},
    [DAS_HOOK_CLOUDEVENTS] = {"cloudevents", "OPTIONS, POST", AUTH,
                              EITHER | DAS_HOOK_F_ORIGINS | DAS_HOOK_F_RATE | DAS_HOOK_F_BATCH, 0,
                              401, 401, das_hook_cloudevents},
    [DAS_HOOK_BEARER] = {"bearer", "POST", AUTH, EITHER | DAS_HOOK_F_ID_HEADER, 0, 401, 401,
                         das_hook_bearer},
};
/* clang-format on */

int das_hook_platform_find(struct das_text name)
{
    for (int i = 0; i < DAS_HOOK_PLATFORMS; i++) {
        if (das_text_is(name, das_hook_platforms[i].name))
            return i;
    }
    return -1;
}

const char *das_hook_field_name(enum das_hook_field field)
{
    static const char *const names[DAS_HOOK_FIELDS] = {
        "secrets",    "tokens",           "encrypt_keys",     "public_keys", "user",    "passwords",
        "receive_id", "signature_header", "timestamp_header", "id_header",   "origins", "rate",
        "batch",      "window",
    };

    for (int i = 0; i < DAS_HOOK_FIELDS; i++) {
        if ((unsigned)field == 1u << i)
            return names[i];
    }
    return "tokens, or user and passwords";
}

const char *das_hook_kind_name(enum das_hook_kind kind)
{
    static const char *const names[DAS_HOOK_KINDS] = {"event", "command", "message", "button",
                                                      "alert"};

    return names[kind];
}

/* --- the configuration ------------------------------------------------------------------------ */

static int wrong(const struct das_hook_conf *conf, enum das_hook_field field, const char *words,
                 struct das_err *err)
{
    return das_fail(err, DAS_E_CONFIG, "hooks.%.64s.verify.%s: %s", conf->name ? conf->name : "?",
                    das_hook_field_name(field), words);
}

static unsigned given(const struct das_hook_conf *c)
{
    const struct {
        enum das_hook_field field;
        bool there;
    } all[] = {
        {DAS_HOOK_F_SECRETS, c->secrets.count},
        {DAS_HOOK_F_TOKENS, c->tokens.count},
        {DAS_HOOK_F_ENCRYPT_KEYS, c->encrypt_keys.count},
        {DAS_HOOK_F_PUBLIC_KEYS, c->public_keys.count},
        {DAS_HOOK_F_USER, c->user.ptr},
        {DAS_HOOK_F_PASSWORDS, c->passwords.count},
        {DAS_HOOK_F_RECEIVE_ID, c->receive_id.ptr},
        {DAS_HOOK_F_SIGNATURE_HEADER, c->signature_header.ptr},
        {DAS_HOOK_F_TIMESTAMP_HEADER, c->timestamp_header.ptr},
        {DAS_HOOK_F_ID_HEADER, c->id_header.ptr},
        {DAS_HOOK_F_ORIGINS, c->origins.count},
        {DAS_HOOK_F_RATE, c->rate},
        {DAS_HOOK_F_BATCH, c->batch},
        {DAS_HOOK_F_WINDOW, c->window_s},
    };
    unsigned bits = 0;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        bits |= all[i].there ? (unsigned)all[i].field : 0;
    return bits;
}

/* An empty one would let everybody in; one with a line break at its end was read from a file by a
 * wrong hand. */
static const char *check_value(struct das_text t)
{
    if (!das_text_trim(t).len)
        return "expected a value that is not empty";
    if (das_text_trim(t).len != t.len)
        return "there is white space around the value";
    return NULL;
}

/* What can be said in a header. */
static const char *check_word(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] <= ' ' || t.ptr[i] > '~')
            return "expected visible ASCII characters without blanks";
    }
    return NULL;
}

static const char *check_telegram(struct das_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i], lower = das_lower(c);
        if (!das_is_digit(c) && !(lower >= 'a' && lower <= 'z') && c != '_' && c != '-')
            return "expected letters, digits, \"_\" and \"-\"";
    }
    return t.len <= 256 ? NULL : "expected at most 256 characters";
}

/* Nor may they be the ones that everybody sends. */
static const char *check_header(struct das_text t)
{
    static const char *const taken[] = {"authorization", "content-type", "content-length", "host",
                                        "transfer-encoding"};

    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i], lower = das_lower(c);
        if (!das_is_digit(c) && !(lower >= 'a' && lower <= 'z') && c != '-')
            return "expected the name of a header: letters, digits and \"-\"";
    }
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        if (das_text_iis(t, taken[i]))
            return "this header means something else";
    }
    return t.len && t.len <= HEADER_MAX ? NULL : "expected the name of a header";
}

static int check_list(const struct das_hook_conf *conf, enum das_hook_field field,
                      const struct das_hook_list *list, const char *(*form)(struct das_text),
                      struct das_err *err)
{
    if (list->count > DAS_HOOK_LIST_MAX)
        return wrong(conf, field, "expected at most 8 values", err);
    for (size_t i = 0; i < list->count; i++) {
        const char *words = check_value(list->items[i]);
        if (!words && form)
            words = form(list->items[i]);
        if (words)
            return wrong(conf, field, words, err);
    }
    return 0;
}

static int check_lists(const struct das_hook_conf *conf, unsigned there, struct das_err *err)
{
    enum das_hook_platform p = conf->platform;
    const char *(*secret)(struct das_text) = p == DAS_HOOK_STANDARD ? das_hook_check_standard
                                             : p == DAS_HOOK_TEAMS  ? das_hook_check_base64
                                                                    : NULL;
    const char *(*token)(struct das_text) = p == DAS_HOOK_TELEGRAM               ? check_telegram
                                            : das_hook_platforms[p].needs & AUTH ? check_word
                                                                                 : NULL;
    const char *words;

    if (check_list(conf, SECRETS, &conf->secrets, secret, err) < 0 ||
        check_list(conf, TOKENS, &conf->tokens, token, err) < 0 ||
        check_list(conf, KEYS, &conf->encrypt_keys,
                   p == DAS_HOOK_WECOM ? das_hook_check_aes_key : NULL, err) < 0 ||
        check_list(conf, DAS_HOOK_F_PUBLIC_KEYS, &conf->public_keys, das_hook_check_public_key,
                   err) < 0 ||
        check_list(conf, DAS_HOOK_F_PASSWORDS, &conf->passwords, NULL, err) < 0 ||
        check_list(conf, DAS_HOOK_F_ORIGINS, &conf->origins, check_word, err) < 0)
        return -1;
    if (there & DAS_HOOK_F_RECEIVE_ID && (words = check_value(conf->receive_id)))
        return wrong(conf, DAS_HOOK_F_RECEIVE_ID, words, err);
    if (there & DAS_HOOK_F_USER && (!conf->user.len || memchr(conf->user.ptr, ':', conf->user.len)))
        return wrong(conf, DAS_HOOK_F_USER, "expected a name without \":\"", err);
    return 0;
}

static int check_rest(const struct das_hook_conf *conf, unsigned there, struct das_err *err)
{
    const struct {
        enum das_hook_field field;
        struct das_text name;
    } headers[] = {{DAS_HOOK_F_SIGNATURE_HEADER, conf->signature_header},
                   {DAS_HOOK_F_TIMESTAMP_HEADER, conf->timestamp_header},
                   {DAS_HOOK_F_ID_HEADER, conf->id_header}};
    const char *words;

    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        if (there & (unsigned)headers[i].field && (words = check_header(headers[i].name)))
            return wrong(conf, headers[i].field, words, err);
    }
    if (conf->signature_header.ptr && das_text_ieq(conf->signature_header, conf->timestamp_header))
        return wrong(conf, DAS_HOOK_F_TIMESTAMP_HEADER, "it is the signature's", err);
    if (conf->rate < 0 || conf->rate > 1000000)
        return wrong(conf, DAS_HOOK_F_RATE, "expected 1 to 1000000 requests a minute", err);
    if (conf->window_s < 0 || conf->window_s > WINDOW_MAX)
        return wrong(conf, DAS_HOOK_F_WINDOW, "expected 1 s to 1 day", err);
    return 0;
}

static int wrong_of(const char *name, enum das_hook_field field, const char *platform,
                    const char *words, struct das_err *err)
{
    return das_fail(err, DAS_E_CONFIG, "hooks.%.64s.verify.%s: platform \"%s\" %s", name,
                    das_hook_field_name(field), platform, words);
}

/* A hook that lets everybody in is none. */
int das_hook_fields_check(const char *name, enum das_hook_platform p, unsigned there,
                          struct das_err *err)
{
    const struct das_hook_platform_info *info = &das_hook_platforms[p];
    bool user = there & DAS_HOOK_F_USER, passwords = there & DAS_HOOK_F_PASSWORDS;

    for (unsigned bit = 1; bit < 1u << DAS_HOOK_FIELDS; bit <<= 1) {
        enum das_hook_field field = (enum das_hook_field)bit;
        if (info->needs & bit && !(there & bit))
            return wrong_of(name, field, info->name,
                            "needs it: without it anybody could send requests", err);
        if (there & bit && !((info->needs | info->takes) & bit))
            return wrong_of(name, field, info->name, "has none", err);
    }
    if (user && !passwords)
        return wrong_of(name, DAS_HOOK_F_PASSWORDS, info->name, "needs one for the user", err);
    if (passwords && !user)
        return wrong_of(name, DAS_HOOK_F_USER, info->name,
                        "needs the one that the passwords are of", err);
    if (info->needs & AUTH && !(there & TOKENS) && !user)
        return das_fail(err, DAS_E_CONFIG,
                        "hooks.%.64s.verify: platform \"%s\" needs tokens, or user and passwords: "
                        "without it anybody could send requests",
                        name, info->name);
    return 0;
}

int das_hook_conf_check(const struct das_hook_conf *conf, struct das_err *err)
{
    unsigned there = given(conf);

    if ((unsigned)conf->platform >= DAS_HOOK_PLATFORMS)
        return das_fail(err, DAS_E_CONFIG, "hooks.%.64s: a platform that is none",
                        conf->name ? conf->name : "?");
    if (das_hook_fields_check(conf->name ? conf->name : "?", conf->platform, there, err) < 0 ||
        check_lists(conf, there, err) < 0)
        return -1;
    return check_rest(conf, there, err);
}

/* --- the way of a request --------------------------------------------------------------------- */

/* Where no time is proven, whoever has seen a request could send it again at any time. */
static void set_keep(struct das_hook_call *c)
{
    struct das_hook_verdict *v = c->out;

    if (c->remember_briefly)
        v->keep_ms = 2 * (int64_t)MINUTES_5 * 1000;
    else if (!v->window_ms)
        v->keep_ms = 30 * DAY_MS;
    else
        v->keep_ms = 2 * v->window_ms > DAY_MS ? 2 * v->window_ms : DAY_MS;
    if (!v->window_ms && !v->time_ms)
        v->time_ms = c->now_ms;
}

static bool allowed(struct das_text method, const char *list)
{
    while (*list) {
        size_t n = strcspn(list, ",");
        if (method.len == n && memcmp(method.ptr, list, n) == 0)
            return true;
        list += n + strspn(list + n, ", ");
    }
    return false;
}

static void judge(struct das_hook_call *c)
{
    if (!allowed(c->request->method, c->info->allow)) {
        c->out->allow = c->info->allow;
        das_hook_refuse(c, 405, "a method that the platform does not use");
        return;
    }
    c->info->verify(c);
    if (c->out->outcome != DAS_HOOK_ACCEPTED)
        return;
    if (c->out->id_count)
        set_keep(c);
    else
        das_hook_refuse(c, 400, "nothing tells this delivery from others");
}

void das_hook_verdict_clear(struct das_hook_verdict *v)
{
    das_buf_clear(&v->answer);
    das_buf_clear(&v->bytes);
    das_free(v->ids);
    memset(v, 0, sizeof *v);
}

static void drop(struct das_hook_verdict *v)
{
    das_hook_verdict_clear(v);
    v->status = 500;
    snprintf(v->reason, sizeof v->reason, "nobody could judge it");
}

int das_hook_verify(const struct das_hook_conf *conf, const struct das_hook_request *request,
                    int64_t now_ms, struct das_hook_verdict *out, struct das_err *err)
{
    struct das_hook_call c = {.conf = conf,
                              .info = &das_hook_platforms[conf->platform],
                              .request = request,
                              .now_ms = now_ms,
                              .out = out,
                              .err = err};

    drop(out);
    judge(&c);
    if (c.work.ptr)
        explicit_bzero(c.work.ptr, c.work.cap);
    das_buf_clear(&c.work);
    if (!c.failed && (das_buf_ok(&out->answer, err) < 0 || das_buf_ok(&out->bytes, err) < 0))
        c.failed = true;
    if (c.failed)
        drop(out);
    return c.failed ? -1 : 0;
}

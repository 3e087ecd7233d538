/* test_hook_conf.c - configurations of hooks: what is missing, what cannot be, what is not theirs.
 */
#include "tests/unit/hook_kit.h"
#include "tests/unit/tap.h"

static struct das_err err;

#define T(s) das_text_of(s)

static struct das_hook_list one(const char *s)
{
    return (struct das_hook_list){{das_text_of(s)}, 1};
}

static void refused(const struct das_hook_conf *c, const char *field, const char *words)
{
    char path[100];

    err.code = DAS_OK;
    err.msg[0] = '\0';
    snprintf(path, sizeof path, "hooks.h.verify%s%s", *field ? "." : "", field);
    ok(das_hook_conf_check(c, &err) < 0 && err.code == DAS_E_CONFIG, "%s: %s",
       das_hook_platforms[c->platform].name, err.msg);
    has_str(err.msg, path, "names the field");
    has_str(err.msg, words, "and what is wrong");
}

static struct das_hook_conf of(enum das_hook_platform p)
{
    struct das_hook_conf c;

    hook_conf(p, &c);
    return c;
}

/* Each list, or value, that a platform needs is taken away, then emptied. */
static void needed(enum das_hook_platform p)
{
    const struct das_hook_platform_info *info = &das_hook_platforms[p];
    struct das_hook_conf c = of(p);
    struct das_hook_list *lists[] = {&c.secrets, &c.tokens, &c.encrypt_keys, &c.public_keys};
    int found = 0;

    ok(das_hook_conf_check(&c, &err) == 0, "%s: good", info->name);
    for (unsigned i = 0; i < 4; i++) {
        const char *field = das_hook_field_name((enum das_hook_field)(1u << i));
        if (!lists[i]->count)
            continue;
        found++;
        lists[i]->count = 0;
        if (info->needs & DAS_HOOK_F_AUTH)
            refused(&c, "", "needs tokens, or user and passwords");
        else
            refused(&c, field, "needs it");
        lists[i]->count = 2;
        lists[i]->items[1] = T("");
        refused(&c, field, "empty");
        lists[i]->items[1] = DAS_TEXT_NULL;
        refused(&c, field, "empty");
        lists[i]->items[1] = T("  ");
        refused(&c, field, "empty");
        lists[i]->items[1] = T("secret-with-an-end\n");
        refused(&c, field, "white space");
        ok(!strstr(err.msg, "secret-with"), "which it does not show");
        lists[i]->count = DAS_HOOK_LIST_MAX + 1;
        refused(&c, field, "at most 8");
        c = of(p);
    }
    ok(found > 0, "%s: there is no platform without a secret", info->name);
}

/* Everything that a platform has no use for is a mistake. */
static void foreign(enum das_hook_platform p)
{
    const struct das_hook_platform_info *info = &das_hook_platforms[p];
    unsigned has = info->needs | info->takes;

    for (unsigned i = 0; i < DAS_HOOK_FIELDS; i++) {
        struct das_hook_conf c = of(p);
        switch (1u << i) {
        case DAS_HOOK_F_SECRETS:
            c.secrets = one("x");
            break;
        case DAS_HOOK_F_TOKENS:
            c.tokens = one("x");
            break;
        case DAS_HOOK_F_ENCRYPT_KEYS:
            c.encrypt_keys = one("x");
            break;
        case DAS_HOOK_F_PUBLIC_KEYS:
            c.public_keys = one("x");
            break;
        case DAS_HOOK_F_USER:
            c.user = T("x");
            break;
        case DAS_HOOK_F_PASSWORDS:
            c.passwords = one("x");
            break;
        case DAS_HOOK_F_RECEIVE_ID:
            c.receive_id = T("x");
            break;
        case DAS_HOOK_F_SIGNATURE_HEADER:
            c.signature_header = T("X");
            break;
        case DAS_HOOK_F_TIMESTAMP_HEADER:
            c.timestamp_header = T("X");
            break;
        case DAS_HOOK_F_ID_HEADER:
            c.id_header = T("X");
            break;
        case DAS_HOOK_F_ORIGINS:
            c.origins = one("x");
            break;
        case DAS_HOOK_F_RATE:
            c.rate = 1;
            break;
        case DAS_HOOK_F_BATCH:
            c.batch = true;
            break;
        default:
            c.window_s = 60;
        }
        if (!(has & 1u << i))
            refused(&c, das_hook_field_name((enum das_hook_field)(1u << i)), "has none");
    }
}

static void forms(void)
{
    struct das_hook_conf c = of(DAS_HOOK_TEAMS);

    c.secrets = one("vqF0En+Z0ucuRTM/01o2GuhMH3hKKk/N2bOmlM31zaA");
    refused(&c, "secrets", "base64");
    c = of(DAS_HOOK_STANDARD);
    c.secrets = one("whsec_");
    refused(&c, "secrets", "whsec_");
    c.secrets = one("whsec_????");
    refused(&c, "secrets", "whsec_");
    c = of(DAS_HOOK_WECOM);
    c.encrypt_keys = one("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2");
    refused(&c, "encrypt_keys", "EncodingAESKey");
    c = of(DAS_HOOK_WECOM);
    c.receive_id = DAS_TEXT_NULL;
    refused(&c, "receive_id", "needs it");
    c.receive_id = T("");
    refused(&c, "receive_id", "empty");
    c = of(DAS_HOOK_DISCORD);
    c.public_keys = one("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde");
    refused(&c, "public_keys", "64 hex");
    c = of(DAS_HOOK_TELEGRAM);
    c.tokens = one("a.token");
    refused(&c, "tokens", "letters, digits");
    c = of(DAS_HOOK_BEARER);
    c.tokens = one("a token");
    refused(&c, "tokens", "blanks");
    c = of(DAS_HOOK_BEARER);
    c.id_header = T("Content-Type");
    refused(&c, "id_header", "something else");
    c.id_header = T("X Run");
    refused(&c, "id_header", "name of a header");
    c.id_header = T("");
    refused(&c, "id_header", "name of a header");
    c = of(DAS_HOOK_GRAFANA);
    c.signature_header = T("x-grafana-TIME");
    refused(&c, "timestamp_header", "signature's");
    c = of(DAS_HOOK_SLACK);
    c.window_s = 86401;
    refused(&c, "window", "1 day");
    c.window_s = -1;
    refused(&c, "window", "1 day");
    c = of(DAS_HOOK_CLOUDEVENTS);
    c.rate = -1;
    refused(&c, "rate", "1000000");
    c = of(DAS_HOOK_SLACK);
    c.platform = (enum das_hook_platform)99;
    ok(das_hook_conf_check(&c, &err) < 0 && err.code == DAS_E_CONFIG, "no platform: %s", err.msg);
}

static void basic(void)
{
    struct das_hook_conf c = of(DAS_HOOK_ALERTMANAGER);

    c.tokens.count = 0;
    c.user = T("am");
    refused(&c, "passwords", "one for the user");
    c.passwords = one("secret");
    ok(das_hook_conf_check(&c, &err) == 0, "user and password are enough");
    c.user = T("a:m");
    refused(&c, "user", "without");
    c.user = T("");
    refused(&c, "user", "name");
    c.user = DAS_TEXT_NULL;
    refused(&c, "user", "passwords are of");
    c.user = T("am");
    c.passwords = one("");
    refused(&c, "passwords", "empty");
}

static void names(void)
{
    for (int i = 0; i < DAS_HOOK_PLATFORMS; i++)
        is_int(das_hook_platform_find(das_text_of(das_hook_platforms[i].name)), i, "%s",
               das_hook_platforms[i].name);
    is_int(das_hook_platform_find(T("Slack")), -1, "letters count");
    is_int(das_hook_platform_find(T("")), -1, "nothing is none");
    for (unsigned i = 0; i < DAS_HOOK_FIELDS; i++)
        ok(!strchr(das_hook_field_name((enum das_hook_field)(1u << i)), ' '), "a field's name");
    is_str(das_hook_kind_name(DAS_HOOK_ALERT), "alert", "a kind's name");
}

int main(void)
{
    names();
    for (int i = 0; i < DAS_HOOK_PLATFORMS; i++) {
        needed((enum das_hook_platform)i);
        foreign((enum das_hook_platform)i);
    }
    forms();
    basic();
    return tap_done();
}

/* test_config_hooks.c - das.lua: which hooks there are, who may, what they run; and every mistake
 * by the name of its field. */
#include "core/hook/keys.h"
#include "tests/unit/config_kit.h"

#define SCRIPT "scripts/hooks/preview.lua"

/* @ in keys stands for the script. */
static const char *file(const char *hooks)
{
    static char text[9000];
    struct das_buf b = {0};

    das_buf_str(&b, "return { instances = { orders = { source = 'mem:x', tags = { 'prod' } }, "
                    "billing = 'mem:y' }, channels = { ops = { kind = 'slack', url = { env = 'X' } "
                    "} }, people = { alice = { roles = { 'dba' }, slack = 'U1' }, bob = {} }, "
                    "hooks = { ");
    config_put(&b, hooks, SCRIPT);
    das_buf_str(&b, " } }");
    snprintf(text, sizeof text, "%s", b.ptr);
    das_buf_clear(&b);
    return text;
}

#define SLACK "platform = 'slack', path = '/hooks/slack', verify = { secrets = { env = 'S' } }"
#define HERE SLACK ", script = '@', allow = { roles = { 'dba' } }"

static void bad_hook(const char *keys, const char *part)
{
    char one[2000];

    snprintf(one, sizeof one, "h = { %s }", keys);
    bad(file(one), part);
}

/* --- what is fine ----------------------------------------------------------------------------- */

static const char all[] =
    "slack = { " SLACK ", allow = { roles = { 'dba' }, users = { 'bob' } }, timeout = '5m', "
    "instances = { 'tag:prod', 'billing' }, channel = 'ops', reply_hosts = { 'chat.example.com' }, "
    "commands = { preview = { script = '@', help = 'looks', allow = { users = { 'alice' } }, "
    "params "
    "= { { name = 'instance', type = 'instance', required = true }, { name = 'time', type = "
    "'duration', default = 60, max = 100 }, { name = 'kind', type = 'choice', choices = { 'a', 'b' "
    "}, default = 'a', immutable = true } } } } },"
    "am = { platform = 'alertmanager', path = '/hooks/am', script = '@', verify = { user = 'am', "
    "passwords = { { env = 'P1' }, { file = '/p2' } } } }";

static void fine(void)
{
    const struct das_hook *h;
    const struct das_hook_command *c;

    must(read_text(file(all)) == 0, "fine: %s", err.msg);
    is_int((long long)rules.hooks.count, 2, "two hooks");
    h = das_hooks_at(&rules.hooks, das_text_of("/hooks/slack"));
    must(h != NULL, "by its path");
    is_str(h->name, "slack", "called so");
    is_int(h->platform, DAS_HOOK_SLACK, "of that platform");
    is_int((long long)h->secrets.count, 1, "one secret");
    is_str(h->secrets.items[0].name, "hooks.slack.verify.secrets", "by the name of its field");
    is_int(h->timeout_ms, 300000, "5 minutes for a script");
    is_str(h->channel, "ops", "a channel");
    is_int((long long)h->instance_count, 2, "instances by tag and name");
    c = das_hook_find_command(h, "preview");
    must(c != NULL, "a command");
    is_int((long long)c->param_count, 3, "with its parameters");
    is_str(c->params[1].fallback, "60", "a default as text");
    is_int(c->params[1].most, 100, "a bound");
    ok(c->params[2].immutable && c->params[2].choice_count == 2, "an immutable choice");
    ok(das_hook_allows(h, NULL, das_people_find(&rules.people, "bob")), "a user may");
    ok(!das_hook_allows(h, c, das_people_find(&rules.people, "bob")), "but not that command");
    ok(das_hook_allows(h, c, das_people_find(&rules.people, "alice")), "which is for others");
    ok(!das_hook_allows(h, NULL, NULL), "nobody may not");
    h = das_hooks_at(&rules.hooks, das_text_of("/hooks/am"));
    must(h != NULL, "the other one");
    is_int((long long)h->passwords.count, 2, "two passwords during a rotation");
    ok(das_hook_allows(h, NULL, NULL), "a machine names nobody");
    ok(!das_hooks_at(&rules.hooks, das_text_of("/hooks/slack/")), "a path is exact");
}

/* --- what is not ------------------------------------------------------------------------------ */

static void mistakes(void)
{
    bad_hook("", "hooks.h.platform: expected one such as");
    bad_hook("platform = 'slck'", "did you mean \"slack\"?");
    bad_hook("platform = 'slack', script = '@'", "hooks.h.path: expected a path below /hooks/");
    bad_hook(HERE ", path = '/hooks/../x'", "hooks.h.path: expected a path");
    bad_hook("platform = 'slack', path = '/hooks/s', script = '@', allow = { roles = { 'dba' } }",
             "hooks.h.verify.secrets: platform \"slack\" needs it");
    bad_hook(HERE ", verify = { secrets = { env = 'S' }, tokens = { env = 'T' } }",
             "hooks.h.verify.tokens: platform \"slack\" has none");
    bad_hook(HERE ", verify = { secrets = {} }", "hooks.h.verify.secrets: expected one of file");
    bad_hook(HERE ", verify = { secrets = { { env = 'S' }, 'x' } }",
             "hooks.h.verify.secrets[2]: a secret does not belong in this file");
    bad_hook(HERE ", verify = { secret = { env = 'S' } }", "did you mean \"secrets\"?");
    bad_hook(HERE ", verify = { secrets = { env = 'S' }, window = '2d' }",
             "hooks.h.verify.window: expected a duration");
    bad_hook(SLACK ", allow = { roles = { 'dba' } }", "hooks.h: expected script, or commands");
    bad_hook(SLACK ", script = 'no.lua'", "hooks.h.script: there is no such script");
    bad_hook(SLACK ", script = '@'", "hooks.h.allow: expected who may");
    bad_hook(SLACK ", script = '@', allow = {}", "hooks.h.allow: expected roles or users");
    bad_hook(SLACK ", script = '@', allow = { roles = { 'x' } }", "hooks.h.allow.roles: nobody");
    bad_hook(SLACK ", script = '@', allow = { users = { 'x' } }",
             "hooks.h.allow.users: there is no");
    bad_hook(HERE ", instances = {}", "hooks.h.instances: expected a list");
    bad_hook(HERE ", instances = { 'order' }", "did you mean \"orders\"?");
    bad_hook(HERE ", instances = { 'tag:x' }", "hooks.h.instances: no instance has the tag");
    bad_hook(HERE ", channel = 'opps'", "hooks.h.channel: no channel");
    bad_hook(HERE ", reply_hosts = { 'https://x/' }", "hooks.h.reply_hosts: expected hosts");
    bad_hook(HERE ", timeout = '2h'", "hooks.h.timeout: expected a duration");
    bad_hook("platform = 'bearer', path = '/hooks/b', script = '@'",
             "needs tokens, or user and passwords");
    bad_hook(
        "platform = 'bearer', path = '/hooks/b', script = '@', verify = { tokens = { env = 'T' "
        "} }, commands = { p = { script = '@' } }",
        "hooks.h.commands: nobody writes to platform");
    bad_hook(
        "platform = 'bearer', path = '/hooks/b', script = '@', verify = { tokens = { env = 'T' "
        "} }, allow = { roles = { 'dba' } }",
        "hooks.h.allow: platform \"bearer\" names nobody");
    bad(file("H = { " HERE " }"), "expected a name of small letters");
    bad(file("a = { " HERE " }, b = { " HERE " }"), "\"/hooks/slack\" is the path of hooks.");
}

static void bad_param(const char *param, const char *part)
{
    char keys[1000];

    snprintf(keys, sizeof keys, "%s, commands = { p = { script = '@', params = { %s } } }", HERE,
             param);
    bad_hook(keys, part);
}

static void bad_params(void)
{
    bad_hook(HERE ", commands = { P = { script = '@' } }", "hooks.h.commands.P: expected a name");
    bad_hook(HERE ", commands = { help = { script = '@' } }", "and not help");
    bad_hook(HERE ", commands = { p = {} }", "hooks.h.commands.p.script: expected the path");
    bad_param("time = { type = 'integer' }", "hooks.h.commands.p.params: expected a list");
    bad_param("{}", "params[1].name: expected small letters");
    bad_param("{ name = 'a' }, { name = 'a' }", "params[2].name: \"a\" is there twice");
    bad_param("{ name = 'a', type = 'number' }", "params[1].type: expected string, integer");
    bad_param("{ name = 'a', type = 'choice' }", "params[1].choices: expected a list");
    bad_param("{ name = 'a', choices = { 'x' } }", "params[1].choices: only for type");
    bad_param("{ name = 'a', type = 'choice', choices = { 'x' }, default = 'y' }",
              "params[1].default: a: expected one of x");
    bad_param("{ name = 'a', type = 'integer', default = 'y' }", "a: expected a whole number");
    bad_param("{ name = 'a', type = 'integer', min = 5, max = 2 }", "params[1].max: expected no");
    bad_param("{ name = 'a', min = 'x' }", "params[1].min: expected a whole number");
    bad_param("{ name = 'a', immutable = true }", "params[1].default: an immutable parameter");
}

/* --- secrets ---------------------------------------------------------------------------------- */

static void secrets_of(void)
{
    struct das_hook_keys *k;

    must(read_text(file("h = { " HERE ", verify = { secrets = { { env = 'DAS_T1' }, { env = "
                        "'DAS_T2' } } } }")) == 0,
         "fine: %s", err.msg);
    unsetenv("DAS_T1");
    setenv("DAS_T2", "second", 1);
    ok(!das_hook_keys_read(&rules.hooks.items[0], &err), "one that is not there");
    has_str(err.msg, "hooks.h.verify.secrets[1]", "by its name");
    setenv("DAS_T1", " ", 1);
    ok(!das_hook_keys_read(&rules.hooks.items[0], &err), "an empty one lets nobody in");
    setenv("DAS_T1", "first", 1);
    k = das_hook_keys_read(&rules.hooks.items[0], &err);
    must(k != NULL, "both: %s", err.msg);
    is_int((long long)das_hook_keys_conf(k)->secrets.count, 2, "two secrets");
    ok(das_text_is(das_hook_keys_conf(k)->secrets.items[1], "second"), "in their order");
    das_hook_keys_free(k);
}

static bool whole(void)
{
    return rules.hooks.count == 2;
}

int main(void)
{
    config_init();
    fine();
    mistakes();
    bad_params();
    secrets_of();
    config_no_memory(file(all), whole);
    config_clear();
    temp_clear();
    return tap_done();
}

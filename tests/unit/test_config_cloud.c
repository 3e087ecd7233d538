/* test_config_cloud.c - clouds in das.lua: every way to say who das is, every mistake named, no
 * secret in the file or in a message. */
#include "bindings/config.h"

#include "core/cloud/cloud.h"
#include "tests/unit/kit.h"
#include "tests/unit/temp_file.h"

static struct das_err err;
static struct das_inventory *inv;
static struct das_protect protect;
static struct das_rules rules;
static struct das_secrets secrets;

static int read_text(const char *text)
{
    const struct das_config into = {NULL, &protect, &rules, &secrets};
    struct das_config fresh = into;

    das_inventory_free(inv);
    das_protect_clear(&protect);
    das_rules_clear(&rules);
    das_secrets_clear(&secrets);
    fresh.inventory = inv = das_inventory_new(&err);
    temp_clear();
    err.msg[0] = '\0';
    err.code = DAS_OK;
    return das_config_read(temp_text(text), &fresh, &err);
}

static const char *in_cloud(const char *keys)
{
    static char text[2000];

    snprintf(text, sizeof text, "return { clouds = { prod = { %s } } }", keys);
    return text;
}

/* --- what is fine ----------------------------------------------------------------------------- */

static const char *described(const char *name)
{
    static char text[300];
    struct das_buf b = {0};
    struct das_cloud *c = das_inventory_cloud(inv, name, &err);

    if (!c)
        return err.msg;
    das_credential_describe(das_cloud_credential(c), &b);
    snprintf(text, sizeof text, "%s: %s", das_cloud_name(c), b.ptr ? b.ptr : "");
    das_buf_clear(&b);
    return text;
}

static void good(const char *keys, const char *who)
{
    is_int(read_text(in_cloud(keys)), 0, "fine: %.70s %s", keys, err.msg);
    is_str(described("prod"), who, "who das is");
}

static void ways(void)
{
    setenv("HUAWEICLOUD_SDK_AK", "ENVIRONMENTKEY", 1);
    good("", "prod: access key ENVI... from the environment");
    good("access_key = 'ABCDEFGH', secret_key = { file = '/etc/das/sk' }",
         "prod: access key ABCD..., its secret from the file /etc/das/sk");
    good("access_key = 'ABCDEFGH', secret_key = { env = 'SK' }, security_token = { env = 'ST' }",
         "prod: access key ABCD..., its secret from the variable SK");
    good("credential_file = '/run/keys.json'", "prod: temporary keys in /run/keys.json");
    good("credential_command = { '/usr/bin/hw-keys', 'prod' }",
         "prod: temporary keys printed by /usr/bin/hw-keys");
    good("domain = 'corp', user = 'das', password = { credential = 'iam' }",
         "prod: user das of domain corp at IAM");
    good("token = { env = 'TOKEN' }", "prod: a token from the variable TOKEN");
    good(
        "domain_id = 'abc', endpoint = 'https://das.example', iam_endpoint = 'https://iam.example',"
        "ca = '/ca.pem', insecure = false, algorithm = 'V11-HMAC-SHA256', rate = 0.5, concurrency "
        "= "
        "256, connect_timeout = '500ms', timeout = 20, deadline = '1h', retries = 0",
        "prod: access key ENVI... from the environment");
    good("insecure = true, endpoint = 'http://das.example', rate = 0",
         "prod: access key ENVI... from the environment");
}

static void several(void)
{
    is_int(
        read_text("return { clouds = { default = { token = { env = 'A' } }, other = { token = { "
                  "env = 'B' } } },\n"
                  "  instances = { a = 'das://cn-north-4/p/i', b = { source = 'das://cn-north-4/i',"
                  " cloud = 'other', db_user_id = 'u' } } }"),
        0, "two accounts, and instances behind them: %s", err.msg);
    is_str(described(NULL), "default: a token from the variable A", "the one named default");
    is_str(described("other"), "other: a token from the variable B", "and another one");
    is_str(described("othr"), "no cloud \"othr\"; did you mean \"other\"?", "no third one");
    is_int(das_inventory_count(inv), 2, "both instances");
    ok(das_inventory_open(inv, 1, &err) != NULL, "which can be opened: %s", err.msg);
}

/* --- mistakes --------------------------------------------------------------------------------- */

static void bad(const char *text, const char *part)
{
    ok(read_text(text) < 0 && err.code == DAS_E_CONFIG, "refused: %.70s", text);
    has_str(err.msg, part, "because %.70s", part);
    has_str(err.msg, temp_names[0], "and where");
}

static void bad_cloud(const char *keys, const char *part)
{
    bad(in_cloud(keys), part);
}

static void bad_ways(void)
{
    bad_cloud("secret_key = { file = '/f' }", "clouds.prod: secret_key without access_key");
    bad_cloud("access_key = 'A'", "clouds.prod: access_key without secret_key");
    bad_cloud("security_token = { env = 'T' }", "clouds.prod: security_token without access_key");
    bad_cloud("access_key = 'A', security_token = { env = 'T' }",
              "clouds.prod: access_key without secret_key");
    bad_cloud("user = 'u'", "clouds.prod: user without domain");
    bad_cloud("domain = 'd', user = 'u'", "clouds.prod: domain without password");
    bad_cloud("password = { env = 'P' }", "clouds.prod: password without domain");
    bad_cloud("token = { env = 'T' }, credential_file = '/f'",
              "clouds.prod: credential_file or token, not both");
    bad_cloud("access_key = 'A', secret_key = { env = 'S' }, domain = 'd', user = 'u', "
              "password = { env = 'P' }",
              "clouds.prod: access_key or domain, not both");
    bad_cloud("access_key = 'A,B', secret_key = { env = 'S' }",
              "clouds.prod.access_key: expected up to 128 visible characters");
    bad_cloud("access_key = '', secret_key = { env = 'S' }",
              "clouds.prod.access_key: expected a text, got an empty one");
    bad_cloud("access_key = 5, secret_key = { env = 'S' }",
              "clouds.prod.access_key: expected a string, got number");
    bad_cloud("credential_command = '/bin/keys'",
              "clouds.prod.credential_command: expected a list of strings, got string");
    bad_cloud("credential_command = {}", "clouds.prod.credential_command: expected a list such as");
    bad_cloud("credential_command = { 'hw-keys' }", "that begins with an absolute path");
    bad_cloud("credential_command = { '/bin/keys', 5 }", "item 2 is number");
}

static void secret_texts(void)
{
    static const char *const keys[] = {
        "access_key = 'A', secret_key = 'hunter2'",
        "access_key = 'A', secret_key = { env = 'S' }, security_token = 'hunter2'",
        "domain = 'd', user = 'u', password = 'hunter2'",
        "token = 'hunter2'",
    };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        bad_cloud(keys[i], "a secret does not belong in this file; expected { file = \"PATH\" }");
        ok(!strstr(err.msg, "hunter2"), "and it is not repeated");
    }
    bad_cloud("token = { file = '/f', env = 'E' }",
              "clouds.prod.token: expected one of file, env and credential");
    bad_cloud("token = {}", "clouds.prod.token: expected one of file, env and credential");
    bad_cloud("token = { fle = '/f' }", "clouds.prod.token: unknown key \"fle\"; did you mean");
    bad_cloud("token = { file = 5 }", "clouds.prod.token.file: expected a string, got number");
}

static void bad_numbers(void)
{
    bad_cloud("rate = -1", "clouds.prod.rate: expected requests a second, up to 1000000");
    bad_cloud("rate = '20'", "clouds.prod.rate: expected requests a second, up to 1000000; 0: no "
                             "limit, got \"20\"");
    bad_cloud("rate = 0/0", "clouds.prod.rate: expected");
    bad_cloud("concurrency = 0",
              "clouds.prod.concurrency: expected a whole number from 1 up, got 0");
    bad_cloud("concurrency = 257", "clouds.prod.concurrency: expected 1 to 256, got 257");
    bad_cloud("concurrency = 1.5", "clouds.prod.concurrency: expected a whole number");
    bad_cloud("retries = 21", "clouds.prod.retries: expected 0 to 20, got 21");
    bad_cloud("retries = -1", "clouds.prod.retries: expected a whole number from 0 up, got -1");
    bad_cloud("connect_timeout = 0", "clouds.prod.connect_timeout: expected a duration over 0");
    bad_cloud("timeout = '2h'",
              "clouds.prod.timeout: expected a duration over 0 such as \"5s\", an "
              "hour at the most, got \"2h\"");
    bad_cloud("deadline = {}", "clouds.prod.deadline: expected a duration over 0");
    bad_cloud("insecure = 'no'", "clouds.prod.insecure: expected true or false, got \"no\"");
    bad_cloud("algorithm = 'SDK-HMAC-SHA265'",
              "clouds.prod.algorithm: expected \"SDK-HMAC-SHA256\" or \"V11-HMAC-SHA256\", got "
              "\"SDK-HMAC-SHA265\"; did you mean \"SDK-HMAC-SHA256\"?");
    bad_cloud("algorithm = true", "clouds.prod.algorithm: expected a string, got boolean");
    bad_cloud("endpoint = 'http://das.example'", "clouds.prod.endpoint: ");
    bad_cloud("endpoint = 'https://u:hunter2@das.example'", "clouds.prod.endpoint: ");
    ok(!strstr(err.msg, "hunter2"), "a password in it is not repeated: %s", err.msg);
    bad_cloud("iam_endpoint = 'ftp://iam.example'", "clouds.prod.iam_endpoint: ");
    bad_cloud("domain_id = 'a b'", "clouds.prod.domain_id: expected up to 64 letters and digits");
    bad_cloud("ca = 5", "clouds.prod.ca: expected a string, got number");
}

static void bad_tables(void)
{
    bad("return { clouds = 5 }", "clouds: expected a table, got 5");
    bad("return { clouds = { {} } }", "clouds: expected names, got a number");
    bad("return { clouds = { prod = 'x' } }", "clouds.prod: expected a table, got string");
    bad("return { clouds = { [''] = {} } }", "clouds: expected names, got \"\"");
    bad("return { clouds = { ['*'] = {} } }", "clouds: expected names, got \"*\"");
    bad("return { cloud = {} }", "unknown key \"cloud\"; did you mean \"clouds\"?");
    bad_cloud("acess_key = 'A'",
              "clouds.prod: unknown key \"acess_key\"; did you mean \"access_key\"?");
}

static void bad_instances(void)
{
    static const char *const head = "return { clouds = { prod = { token = { env = 'T' } } }, "
                                    "instances = { x = { source = ";
    static const struct {
        const char *rest, *why;
    } cases[] = {
        {"'das://cn-north-4/p/i', cloud = 'prd'",
         "instances.x.cloud: no cloud \"prd\"; did you mean \"prod\"?"},
        {"'das://cn-north-4/p/i', cloud = 'nowhere'", "instances.x.cloud: no cloud \"nowhere\""},
        {"'das://cn-north-4/p/i', cloud = 5", "instances.x.cloud: expected a string, got number"},
        {"'das://cn-north-4/p/i', db_user_id = ''", "instances.x.db_user_id: expected the id of a"},
        {"'das://cn-north-4/p/i', password_file = '/f'",
         "instances.x.password_file: a das:// source has no password of its own"},
        {"'das://cn-north-4/p/i', password_env = 'E'",
         "instances.x.password_env: a das:// source has no password of its own"},
        {"'das://cn-north-4'",
         "instances.x.source: das: expected das://REGION/PROJECT_ID/INSTANCE_ID"},
        {"'das://cn north/p/i'", "instances.x.source: region: expected one like"},
        {"'mem:x', cloud = 'prod'",
         "instances.x.cloud: expected a source das://REGION/PROJECT/INSTANCE besides, got mem:"},
        {"'mysql://u@h/', db_user_id = 'u'", "instances.x.db_user_id: expected a source das://"},
    };
    char text[400];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "%s%s } } }", head, cases[i].rest);
        bad(text, cases[i].why);
    }
    bad("return { instances = { x = 'das://' } }", "instances.x.source: das: expected");
}

static void grants(void)
{
    struct das_script_rules r;

    is_int(
        read_text("return { scripts = { ['*'] = { grants = { 'kill', 'cloud_kill', 'cloud:prod' } "
                  "} } }"),
        0, "grants of the cloud: %s", err.msg);
    das_rules_for(&rules, "/none", &r);
    ok(das_granted(r.grants, "cloud_kill") && das_granted(r.grants, "cloud:prod"), "are granted");
    ok(!das_granted(r.grants, "cloud:other"), "and no others");
    ok(das_granted(NULL, "kill") && !das_granted(NULL, "cloud_kill"),
       "nobody has cloud_kill by default");
    bad("return { scripts = { ['*'] = { grants = { 'cloud' } } } }",
        "unknown grant \"cloud\"; expected preview, kill, cloud_kill");
    bad("return { scripts = { ['*'] = { grants = { 'cloud:' } } } }", "unknown grant \"cloud:\"");
}

int main(void)
{
    das_secrets_init(&secrets);
    das_protect_init(&protect);
    das_rules_init(&rules);
    ways();
    several();
    bad_ways();
    secret_texts();
    bad_numbers();
    bad_tables();
    bad_instances();
    grants();
    das_inventory_free(inv);
    das_protect_clear(&protect);
    das_rules_clear(&rules);
    das_secrets_clear(&secrets);
    temp_clear();
    return tap_done();
}

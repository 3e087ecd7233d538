/* test_config_serve.c - das.lua: how das serve serves, and by which ids. */
#include "core/base/mem.h"
#include "tests/unit/config_kit.h"

static const struct das_serve_conf *conf(void)
{
    return &rules.serve;
}

static const char *in_serve(const char *keys)
{
    static char text[2000];

    snprintf(text, sizeof text, "return { serve = { %s } }", keys);
    return text;
}

static void good(const char *keys)
{
    is_int(read_text(in_serve(keys)), 0, "fine: %.70s %s", keys, err.msg);
}

static void bad_serve(const char *keys, const char *part)
{
    bad(in_serve(keys), part);
}

/* --- what is fine ----------------------------------------------------------------------------- */

static void is_default(const char *what)
{
    const struct das_serve_conf *c = conf();

    ok(c->listen_count == 0 && !c->certificate && !c->key && !c->insecure && !c->region &&
           !c->project,
       "%s: the first address, plain, no names of its own", what);
    ok(c->task_every_ms == 5000 && c->share_ms == 250 && c->connections == 1024 &&
           c->connections_per_address == 128 && c->header_bytes == 16384 &&
           c->body_bytes == 262144 && c->deadline_ms == 30000 && c->drain_ms == 30000 &&
           c->rate == 100,
       "%s: the numbers", what);
    ok(c->policy.mode == DAS_POLICY_OBSERVE && !c->policy.mode_is_set && c->policy.limits.run == 10,
       "%s: it observes, within small limits", what);
}

static void defaults(void)
{
    config_empty();
    is_default("no file");
    is_int(read_text("return {}"), 0, "nothing said");
    is_default("nothing said");
    good("");
    is_default("an empty table");
}

static void everything(void)
{
    const struct das_serve_conf *c = conf();

    good("listen = { '127.0.0.1:7070', '[::1]:0', '0.0.0.0:443' }, tls = { certificate = '/c.pem', "
         "key = '/k.pem' }, region = 'cn-north-4', project = '0123456789abcdefABCDEF0123456789', "
         "every = '1s', share = 0, connections = 65536, connections_per_address = 1, "
         "header = '64KB', body = 1024, deadline = '1h', drain = '0s', rate = 0.5");
    is_int(c->listen_count, 3, "three addresses");
    is_str(c->listen[0], "127.0.0.1:7070", "the first");
    is_str(c->listen[1], "[::1]:0", "the second");
    is_str(c->listen[2], "0.0.0.0:443", "the third");
    is_str(c->certificate, "/c.pem", "the certificate");
    is_str(c->key, "/k.pem", "its key");
    is_str(c->region, "cn-north-4", "the region");
    is_str(c->project, "0123456789abcdefABCDEF0123456789", "the project");
    ok(c->task_every_ms == 1000 && c->share_ms == 0 && c->connections == 65536 &&
           c->connections_per_address == 1 && c->header_bytes == 65536 && c->body_bytes == 1024 &&
           c->deadline_ms == 3600000 && c->drain_ms == 0 && c->rate == 0.5,
       "and the numbers");
    good("every = '1h', share = '60s', connections = 1, connections_per_address = 65536, "
         "header = '1KB', body = '16MB', deadline = 1, drain = '1h', rate = 1000000");
    ok(c->task_every_ms == 3600000 && c->share_ms == 60000 && c->connections == 1 &&
           c->connections_per_address == 65536 && c->header_bytes == 1024 &&
           c->body_bytes == 16777216 && c->deadline_ms == 1000 && c->drain_ms == 3600000 &&
           c->rate == 1e6,
       "the other ends of the ranges");
    good("rate = 0");
    ok(c->rate == 0, "no limit of requests");
}

static void addresses(void)
{
    static const struct {
        const char *said, *is;
    } cases[] = {
        {"localhost:80", "127.0.0.1:80"},
        {"127.0.0.1:65535", "127.0.0.1:65535"},
        {"127.9.9.9:1", "127.9.9.9:1"},
        {"127.0.0.1:0", "127.0.0.1:0"},
        {"[::1]:7070", "[::1]:7070"},
        {"127.0.0.1:0080", "127.0.0.1:80"},
        {"[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1"},
    };
    char keys[100];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(keys, sizeof keys, "listen = '%s'", cases[i].said);
        good(keys);
        is_str(conf()->listen[0], cases[i].is, "listens at %s", cases[i].is);
        is_int(conf()->listen_count, 1, "and nowhere else");
    }
    good("listen = '192.168.1.5:7070', insecure = true");
    is_str(conf()->listen[0], "192.168.1.5:7070", "others may reach it where that is said");
    good("insecure = true, listen = { '[::]:7070', '[fd00::1]:7070' }");
    is_str(conf()->listen[1], "[fd00::1]:7070", "by IPv6 too");
    good("listen = { '127.0.0.1:0', '127.0.0.1:0' }");
    is_int(conf()->listen_count, 2, "any port twice is two ports");
}

/* What holds for kills that clients ask for: like a script's. */
static void policy(void)
{
    const struct das_policy_rules *p = &conf()->policy;

    is_int(read_text("return { serve = { mode = 'auto', kill = { run = 50 }, windows = { { from = "
                     "'10:00' } }, freezes = { { from = '2026-12-24', to = '2026-12-26' } }, "
                     "breaker = { surge = 0 }, ramp = true, outcome_wait = '2s' }, limits = { kill "
                     "= { run = 3, minute = 9 } }, windows = { {}, {} }, freezes = { { from = "
                     "'2026-12-31', to = '2027-01-01' } }, breaker = { failures = 4 }, ramp = "
                     "false, journal = { redact_sql = true } }"),
           0, "rules of its own: %s", err.msg);
    ok(p->mode == DAS_POLICY_AUTO && p->mode_is_set, "promoted");
    ok(p->limits.run == 50 && p->limits.minute == 9, "its own number, and the others'");
    ok(p->breaker.surge == 0 && p->breaker.failures == 4, "and so the breaker");
    ok(p->ramp && p->outcome_wait_ms == 2000 && p->redact_sql, "and the rest");
    ok(p->window_count == 1 && p->windows[0].from_min == 600, "its windows replace all windows");
    is_int(p->freeze_count, 2, "its freezes are added");
    ok(rules.policy.mode == DAS_POLICY_OBSERVE && rules.policy.limits.run == 3 &&
           rules.policy.window_count == 2 && rules.policy.freeze_count == 1 && !rules.policy.ramp,
       "those of all scripts are as they were");
    is_int(read_text("return { limits = { kill = { run = 2 } }, windows = { { from = '22:00', to = "
                     "'06:00' } }, ramp = false }"),
           0, "rules for all alone");
    ok(p->limits.run == 2 && p->window_count == 1 && !p->ramp && !p->mode_is_set,
       "hold for the server, too");
    ok(p->windows != rules.policy.windows, "as a copy of its own");
    is_int(read_text("return { scripts = { ['*'] = { mode = 'auto', kill = { run = 99 } } } }"), 0,
           "rules for scripts");
    ok(p->mode == DAS_POLICY_OBSERVE && p->limits.run == 10, "do not hold for the server");
}

static void ids(void)
{
    is_int(read_text("return { instances = { a = { source = 'mem:x', id = "
                     "'0123456789abcdefABCDEF0123456789' }, b = { source = 'mem:y', id = "
                     "'zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzin07' }, c = 'mem:z' } }"),
           0, "ids of 32 and 36 characters: %s", err.msg);
    is_int(das_inventory_count(inv), 3, "all three instances are there");
}

/* --- mistakes --------------------------------------------------------------------------------- */

static void bad_addresses(void)
{
    static const char *const no_address[] = {
        "",
        ":7070",
        "7070",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:+1",
        "127.0.0.1:7070x",
        "127.0.0.1: 80",
        " 127.0.0.1:80",
        "127.1:80",
        "127.0.0.256:80",
        "db1.example:80",
        "::1:80",
        "[::1]",
        "[]:80",
        "[::1:80",
        "[127.0.0.1]:80",
        "[fe80::1%lo]:80",
        "[localhost]:80",
        "http://127.0.0.1:80",
        "127.0.0.1:99999999999999999999",
    };
    static const char *const reached[] = {
        "0.0.0.0:7070",           "[::]:7070",   "10.0.0.1:7070", "[fd00::1]:7070", "8.8.8.8:53",
        "[::ffff:10.0.0.1]:7070", "128.0.0.1:1",
    };
    char keys[200], part[200];

    for (size_t i = 0; i < sizeof no_address / sizeof *no_address; i++) {
        snprintf(keys, sizeof keys, "listen = '%s', insecure = true", no_address[i]);
        snprintf(part, sizeof part,
                 "serve.listen: expected a numeric address and a port such as \"127.0.0.1:7070\" "
                 "or \"[::1]:7070\", got \"%s\"",
                 no_address[i]);
        bad_serve(keys, part);
    }
    for (size_t i = 0; i < sizeof reached / sizeof *reached; i++) {
        snprintf(keys, sizeof keys, "listen = { '127.0.0.1:1', '%s' }", reached[i]);
        snprintf(part, sizeof part,
                 "serve.listen: other machines reach %s; expected tls = { certificate", reached[i]);
        bad_serve(keys, part);
    }
    has_str(err.msg, "or insecure = true", "and what else there is");
    bad_serve("listen = '0.0.0.0:1', insecure = false", "serve.listen: other machines reach");
    bad_serve("listen = { 'localhost:7070', '127.0.0.1:7070' }",
              "serve.listen: 127.0.0.1:7070 is there twice");
    bad_serve("listen = {}", "serve.listen: expected 1 to 8 addresses, got 0");
    bad_serve("listen = { address = '127.0.0.1:1' }", "serve.listen: expected 1 to 8 addresses");
    bad_serve("listen = { '127.0.0.1:0', '127.0.0.1:0', '127.0.0.1:0', '127.0.0.1:0', "
              "'127.0.0.1:0', '127.0.0.1:0', '127.0.0.1:0', '127.0.0.1:0', '127.0.0.1:0' }",
              "serve.listen: expected 1 to 8 addresses, got 9");
    bad_serve("listen = { '127.0.0.1:1', 5 }",
              "serve.listen: expected a list of strings, item 2 is number");
    bad_serve("listen = 7070", "serve.listen: expected an address such as \"127.0.0.1:7070\", or a "
                               "list of them, got 7070");
}

static void bad_names(void)
{
    bad_serve("tls = true", "serve.tls: expected a table such as { certificate");
    bad_serve("tls = {}", "serve.tls: expected both certificate and key");
    bad_serve("tls = { certificate = '/c.pem' }",
              "serve.tls: expected both certificate and key, the paths of PEM files; there is no "
              "key");
    bad_serve("tls = { key = '/k.pem' }", "there is no certificate");
    bad_serve("tls = { certificate = '', key = '/k.pem' }",
              "serve.tls.certificate: expected a text, got an empty one");
    bad_serve("tls = { certificate = '/c.pem', key = 5 }",
              "serve.tls.key: expected a string, got number");
    bad_serve("tls = { cert = '/c.pem' }", "serve.tls: unknown key \"cert\"");
    bad_serve("insecure = 'yes'", "serve.insecure: expected true or false, got \"yes\"");
    bad_serve("region = ''", "serve.region: expected a text, got an empty one");
    bad_serve("region = 'a b'", "serve.region: expected up to 64 letters, digits and \"-\"");
    bad_serve("region = 'a/b'", "serve.region: expected up to 64 letters");
    bad_serve("region = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'",
              "serve.region: expected up to 64 letters");
    bad_serve("region = 5", "serve.region: expected a string, got number");
    bad_serve("project = '0123'", "serve.project: expected 32 letters and digits, got \"0123\"");
    bad_serve("project = '0123456789abcdef0123456789abcde-'", "serve.project: expected 32 letters");
    bad_serve("project = '0123456789abcdef0123456789abcdef0'",
              "serve.project: expected 32 letters");
}

static void bad_numbers(void)
{
    bad_serve("connections = 0", "serve.connections: expected a whole number from 1 up, got 0");
    bad_serve("connections = 65537", "serve.connections: expected 1 to 65536, got 65537");
    bad_serve("connections = 1.5", "serve.connections: expected a whole number");
    bad_serve("connections_per_address = 65537",
              "serve.connections_per_address: expected 1 to 65536, got 65537");
    bad_serve("header = 1023", "serve.header: expected 1KB to 64KB, got \"1023\"");
    bad_serve("header = '65KB'", "serve.header: expected 1KB to 64KB, got \"65KB\"");
    bad_serve("header = {}", "serve.header: expected 1KB to 64KB, got table");
    bad_serve("body = '17MB'", "serve.body: expected 1KB to 16MB, got \"17MB\"");
    bad_serve("body = -1", "serve.body: expected 1KB to 16MB");
    bad_serve("body = 'big'", "serve.body: expected 1KB to 16MB, got \"big\"");
    bad_serve("every = '999ms'", "serve.every: expected a duration from \"1s\" to \"1h\", got "
                                 "\"999ms\"");
    bad_serve("every = '3601s'", "serve.every: expected a duration from \"1s\" to \"1h\"");
    bad_serve("every = true", "serve.every: expected a duration from \"1s\" to \"1h\", got true");
    bad_serve("share = '61s'", "serve.share: expected a duration from 0 to \"60s\", got \"61s\"");
    bad_serve("share = -1", "serve.share: expected a duration from 0 to \"60s\"");
    bad_serve("share = 0.25", "serve.share: expected a duration from 0 to \"60s\"");
    bad_serve("deadline = 0", "serve.deadline: expected a duration from \"1s\" to \"1h\"");
    bad_serve("deadline = '2h'", "serve.deadline: expected a duration from \"1s\" to \"1h\"");
    bad_serve("drain = '2h'", "serve.drain: expected a duration from 0 to \"1h\"");
    bad_serve("rate = -1", "serve.rate: expected requests a second, up to 1000000; 0: no limit");
    bad_serve("rate = 1000001", "serve.rate: expected requests a second");
    bad_serve("rate = '100'", "serve.rate: expected requests a second");
    bad_serve("rate = 0/0", "serve.rate: expected requests a second");
}

static void bad_tables(void)
{
    bad("return { serve = true }", "serve: expected a table, got true");
    bad("return { serve = 'localhost:7070' }", "serve: expected a table, got \"localhost:7070\"");
    bad("return { server = {} }", "unknown key \"server\"; did you mean \"serve\"?");
    bad_serve("lisen = '127.0.0.1:1'", "serve: unknown key \"lisen\"; did you mean \"listen\"?");
    bad_serve("'127.0.0.1:1'", "serve: expected named keys, got a number");
    bad_serve("grants = {}", "serve: unknown key \"grants\"");
    bad_serve("mode = 'automatic'", "serve.mode: ");
    bad_serve("mode = 'atuo'", "serve.mode: unknown mode \"atuo\"; did you mean \"auto\"?");
    bad_serve("kill = { runs = 1 }", "serve.kill: unknown key \"runs\"; did you mean \"run\"?");
    bad_serve("kill = { run = -1 }", "serve.kill.run: expected a whole number from 0 up, got -1");
    bad_serve("breaker = { failures = 0 }", "serve.breaker.failures: expected a whole number");
    bad_serve("windows = { from = '22:00' }", "serve.windows: expected a list of windows");
    bad_serve("freezes = { {} }", "serve.freezes[1].from: expected a day");
    bad_serve("ramp = 1", "serve.ramp: expected true or false, got 1");
}

static void bad_ids(void)
{
    static const char *const cases[] = {
        "",
        "0123",
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef0",
        "0123456789abcdef0123456789abcde-",
        "0123456789abcdef0123456789abcdefno01",
        "0123456789abcdef0123456789abcdefin1",
        "0123456789abcdef0123456789abcdefinx1",
        "0123456789abcdef0123456789abcdefin012",
        "0123456789abcdef-123456789abcdefin01",
    };
    char text[300], part[300];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text,
                 "return { instances = { x = { source = 'mem:x', id = '%s' } } }", cases[i]);
        snprintf(part, sizeof part,
                 "instances.x.id: expected 32 letters and digits, or those and \"in01\" or the "
                 "like, got \"%s\"",
                 cases[i]);
        bad(text, part);
    }
    bad("return { instances = { x = { source = 'mem:x', id = 5 } } }",
        "instances.x.id: expected a string, got number");
}

/* --- the command line ------------------------------------------------------------------------- */

static void listen_later(void)
{
    static const char *const here[] = {"localhost:8080"}, *const all[] = {"0.0.0.0:8080"},
                             *const none[] = {"8080"};
    struct das_serve_conf *c = &rules.serve;

    good("listen = { '127.0.0.1:1', '127.0.0.1:2' }");
    is_int(das_serve_conf_listen(c, here, 1, &err), 0, "other addresses: %s", err.msg);
    is_int(c->listen_count, 1, "take the place of those in the file");
    is_str(c->listen[0], "127.0.0.1:8080", "by the same rules");
    ok(das_serve_conf_listen(c, all, 1, &err) < 0 && err.code == DAS_E_CONFIG,
       "one that others reach is refused");
    has_str(err.msg, "listen: other machines reach 0.0.0.0:8080; expected tls", "because of that");
    ok(das_serve_conf_listen(c, none, 1, &err) < 0, "so is what is no address");
    has_str(err.msg, "listen: expected a numeric address and a port", "because of that");
    good("insecure = true");
    is_int(das_serve_conf_listen(c, all, 1, &err), 0, "unless the file allows it");
    good("tls = { certificate = '/c', key = '/k' }");
    is_int(das_serve_conf_listen(c, all, 1, &err), 0, "or has a certificate");
    das_serve_conf_clear(c);
    is_default("cleared");
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Each allocation fails once; a sanitizer sees what is lost. */
static void no_memory(void)
{
    static const char text[] =
        "return { windows = { { from = '10:00' } }, freezes = { { from = '2026-12-24', to = "
        "'2026-12-26', name = 'x' } }, serve = { listen = { '127.0.0.1:1', '127.0.0.1:2' }, tls = "
        "{ certificate = '/c', key = '/k' }, region = 'r', mode = 'auto', windows = { {} }, "
        "freezes = { { from = '2026-12-24', to = '2026-12-26' } } } }";
    int failures = 0, rc = -1;
    bool said = true;

    for (long n = 1; rc < 0 && n < 5000; n++) {
        temp_clear();
        config_empty();
        temp_text(text);
        das_alloc_fail_at(n);
        rc = read_path(temp_names[0]);
        das_alloc_fail_at(0);
        failures += rc < 0;
        said = said && (rc == 0 || strstr(err.msg, "memory"));
    }
    ok(rc == 0 && failures > 20, "no memory at %d places: each is an error", failures);
    ok(said, "that says so: %s", err.msg);
}

int main(void)
{
    config_init();
    defaults();
    everything();
    addresses();
    policy();
    ids();
    bad_addresses();
    bad_names();
    bad_numbers();
    bad_tables();
    bad_ids();
    listen_later();
    no_memory();
    config_clear();
    temp_clear();
    return tap_done();
}

/* test_mysql_url.c - what a mysql:// spec means, and what is refused without repeating secrets. */
#include "core/source/mysql_url.h"

#include "core/base/mem.h"
#include "tests/unit/tap.h"

static struct das_mysql_url u;
static struct das_err err;

static int parse(const char *rest)
{
    memset(&err, 0, sizeof err);
    return das_mysql_url_parse(rest, &u, &err);
}

static void good(const char *rest, const char *user, const char *host, unsigned port,
                 const char *socket, enum das_mysql_ssl ssl)
{
    if (!ok(parse(rest) == 0, "%s is read", rest)) {
        tap_diag("%s", err.msg);
        return;
    }
    is_str(u.user, user, "%s: user", rest);
    is_str(u.host, host, "%s: host", rest);
    is_int(u.port, port, "%s: port", rest);
    is_str(u.socket, socket, "%s: socket", rest);
    is_int(u.ssl, ssl, "%s: ssl", rest);
    das_mysql_url_clear(&u);
}

static void bad(const char *rest, const char *says)
{
    is_int(parse(rest), -1, "%s is refused", rest);
    is_int(err.code, DAS_E_USAGE, "as a usage error");
    has_str(err.msg, says, "saying why");
    ok(!u.user && !u.host && !u.socket && !u.ssl_ca, "and nothing is left to free");
}

static void no_secret(const char *rest)
{
    is_int(parse(rest), -1, "a URL with a password is refused");
    has_str(err.msg, "password_file", "it says where passwords come from");
    has_str(err.msg, "password_env", "all of them");
    has_str(err.msg, ".my.cnf", "all three");
    ok(!strstr(err.msg, "s3cr") && !strstr(err.msg, "et!"), "and does not repeat it: %s", err.msg);
}

static void places(void)
{
    good("//root@localhost/?socket=/tmp/s.sock", "root", "localhost", 0, "/tmp/s.sock",
         DAS_SSL_OFF);
    good("//root@/?socket=/tmp/s%20s.sock", "root", "localhost", 0, "/tmp/s s.sock", DAS_SSL_OFF);
    good("//", NULL, "localhost", 0, NULL, DAS_SSL_OFF);
    good("//localhost:3307", NULL, "localhost", 3307, NULL, DAS_SSL_OFF);
    good("//a@127.0.0.1:1/", "a", "127.0.0.1", 1, NULL, DAS_SSL_OFF);
    good("//a@127.9.9.9/", "a", "127.9.9.9", 0, NULL, DAS_SSL_OFF);
    good("//a@[::1]:3306/", "a", "::1", 3306, NULL, DAS_SSL_OFF);
    good("//a@[fe80::1%25eth0]/", "a", "fe80::1%eth0", 0, NULL, DAS_SSL_VERIFY);
    good("//a@db1.example.com/", "a", "db1.example.com", 0, NULL, DAS_SSL_VERIFY);
    good("//a@127.0.0.1.example.com/", "a", "127.0.0.1.example.com", 0, NULL, DAS_SSL_VERIFY);
    good("//a@10.0.0.1:65535?ssl=off", "a", "10.0.0.1", 65535, NULL, DAS_SSL_OFF);
    good("//a@10.0.0.1/?ssl=encrypt", "a", "10.0.0.1", 0, NULL, DAS_SSL_ENCRYPT);
    good("//a@127.0.0.1/?ssl=verify", "a", "127.0.0.1", 0, NULL, DAS_SSL_VERIFY);
    good("//a@localhost/?ssl_ca=/ca.pem", "a", "localhost", 0, NULL, DAS_SSL_VERIFY);
    good("//a%40b%3Ac@h/", "a@b:c", "h", 0, NULL, DAS_SSL_VERIFY);
    good("//a@b@h/", "a@b", "h", 0, NULL, DAS_SSL_VERIFY);
    good("//h:3306/?ssl_ca=/tmp/a@b.pem", NULL, "h", 3306, NULL, DAS_SSL_VERIFY);
    good("//h/?&ssl=off&&socket=&", NULL, "h", 0, NULL, DAS_SSL_OFF);
}

static void timeouts(void)
{
    must(parse("//h/") == 0, "without timeouts");
    is_int(u.connect_timeout, 5, "connect 5 s");
    is_int(u.read_timeout, 10, "read 10 s");
    is_int(u.write_timeout, 10, "write 10 s");
    das_mysql_url_clear(&u);
    must(parse("//h/?connect_timeout=1&read_timeout=2m&write_timeout=30s") == 0, "with timeouts");
    is_int(u.connect_timeout, 1, "connect");
    is_int(u.read_timeout, 120, "read");
    is_int(u.write_timeout, 30, "write");
    das_mysql_url_clear(&u);
    bad("//h/?read_timeout=0", "read_timeout");
    bad("//h/?read_timeout=-5", "read_timeout");
    bad("//h/?connect_timeout=soon", "connect_timeout=5s");
    bad("//h/?write_timeout=2d", "write_timeout");
}

static void refusals(void)
{
    bad("root@h", "\"//\" is missing");
    bad("//h:0/", "port");
    bad("//h:65536/", "port");
    bad("//h:/", "port");
    bad("//[::1/", "]");
    bad("//[::1]x/", ":port");
    bad("//::1/", "brackets");
    bad("//h/orders", "database");
    bad("//h/?sssl=off", "did you mean \"ssl\"");
    bad("//h/?conect_timeout=3", "did you mean \"connect_timeout\"");
    bad("//h/?zzzzzzzzzz=3", "write_timeout");
    bad("//h/?ssl=maybe", "verify, encrypt or off");
    bad("//h/?ssl=", "verify, encrypt or off");
    bad("//h/?ssl", "no value");
    bad("//h/?ssl=off&ssl=verify", "twice");
    bad("//h/?ssl=off&ssl_ca=/x", "ssl_ca");
    bad("//h/?socket=/x", "this machine");
    bad("//localhost:3306/?socket=/x", "both");
    bad("//a%4@h/", "percent-encoding");
    bad("//a%zz@h/", "percent-encoding");
    bad("//a%00@h/", "percent-encoding");
    bad("//a@h/?socket=%", "percent-encoding");
    no_secret("//root:s3cret!@h/");
    no_secret("//root:s3cr/et!@h:3306/");
    no_secret("//root:s3cr?et!@h:3306/");
    no_secret("//root:s3cr@et!@h/");
    no_secret("//root:@h/");
    no_secret("//root@h/?password=s3cret!");
    no_secret("//root@h/?PWD=s3cret!");
}

static void no_memory(void)
{
    for (long n = 1; n < 20; n++) {
        int rc;
        das_alloc_fail_at(n);
        rc = parse("//user@localhost/?socket=/s&ssl_ca=/c&ssl=verify&read_timeout=3");
        if (!das_alloc_failed()) {
            is_int(rc, 0, "after %ld allocations all is well", n - 1);
            das_mysql_url_clear(&u);
            break;
        }
        ok(rc < 0 && err.code == DAS_E_NOMEM, "allocation %ld fails cleanly", n);
    }
    das_alloc_fail_at(0);
}

int main(void)
{
    places();
    timeouts();
    refusals();
    no_memory();
    return tap_done();
}

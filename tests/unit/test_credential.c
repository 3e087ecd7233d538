/*
 * test_credential.c - keys from where somebody put them: the environment, places, a file, a
 * program. When they are read again, what is said when they cannot be, and that no message tells
 * them.
 */
#include "tests/unit/credential_kit.h"

#include <sys/prctl.h>

/* --- what is configured ----------------------------------------------------------------------- */

static void configuration(void)
{
    const char *const relative[] = {"keys.sh", NULL}, *const empty[] = {NULL};
    const struct das_secret_place *p = place(DAS_SECRET_ENV, "DAS_TEST_NOTHING");
    const struct {
        struct das_credential_conf conf;
        const char *part;
    } bad[] = {
        {{.kind = DAS_CREDENTIAL_KEYS, .secret_key = p}, "access_key: is missing"},
        {{.kind = DAS_CREDENTIAL_KEYS, .access_key = "A,B", .secret_key = p},
         "access_key: expected"},
        {{.kind = DAS_CREDENTIAL_KEYS, .access_key = "AK"}, "secret_key: is missing"},
        {{.kind = DAS_CREDENTIAL_FILE}, "file: is missing"},
        {{.kind = DAS_CREDENTIAL_FILE, .file = ""}, "file: is missing or empty"},
        {{.kind = DAS_CREDENTIAL_COMMAND}, "command: is missing"},
        {{.kind = DAS_CREDENTIAL_COMMAND, .command = empty}, "command: is missing"},
        {{.kind = DAS_CREDENTIAL_COMMAND, .command = relative},
         "command: expected an absolute path"},
        {{.kind = DAS_CREDENTIAL_PASSWORD, .user = "u", .password = p}, "domain: is missing"},
        {{.kind = DAS_CREDENTIAL_PASSWORD, .domain = "d", .password = p}, "user: is missing"},
        {{.kind = DAS_CREDENTIAL_PASSWORD, .domain = "d", .user = "u"}, "password: is missing"},
        {{.kind = DAS_CREDENTIAL_TOKEN}, "token: is missing"},
        {{.kind = DAS_CREDENTIAL_TOKEN, .token = p, .domain_id = "a/b"}, "domain_id: expected"},
        {{.kind = DAS_CREDENTIAL_TOKEN, .token = p, .total_ms = -1}, "time limit is negative"},
        {{.kind = DAS_CREDENTIAL_TOKEN, .token = p, .iam_endpoint = "http://10.0.0.1"},
         "iam_endpoint: http:// would show"},
        {{.kind = DAS_CREDENTIAL_TOKEN, .token = p, .iam_endpoint = "https://u:s3cret@h"},
         "iam_endpoint: expected"},
    };
    struct das_credential_conf plain = bad[14].conf;
    struct das_credential *c;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        no_key(&bad[i].conf, DAS_E_CONFIG, bad[i].part, "refused");
    plain.insecure = true;
    c = das_credential_new(&plain, &err);
    ok(c != NULL, "plain http to another machine, when somebody insists");
    das_credential_free(c);
    das_credential_free(NULL);
    das_cloud_key_release(NULL);
}

static void is_described(const struct das_credential_conf *conf, const char *want)
{
    struct das_credential *c = credential(conf);
    struct das_buf b = {0};

    das_credential_describe(c, &b);
    is_str(b.ptr, want, "%s", want);
    das_buf_clear(&b);
    das_credential_free(c);
}

static void descriptions(void)
{
    const char *const command[] = {"/usr/bin/x", "--password", "s3cret", NULL};
    const struct das_secret_place *file = place(DAS_SECRET_FILE, "/etc/das/sk");
    const struct das_secret_place *env = place(DAS_SECRET_ENV, "DAS_SK");
    const struct das_secret_place *systemd = place(DAS_SECRET_CREDENTIAL, "sk");
    const struct das_credential_conf environment = {.kind = DAS_CREDENTIAL_ENVIRONMENT};

    unsetenv("HUAWEICLOUD_SDK_AK");
    is_described(&environment,
                 "access key from the environment, where HUAWEICLOUD_SDK_AK is not set");
    setenv("HUAWEICLOUD_SDK_AK", "ABCDEFGH", 1);
    is_described(&environment, "access key ABCD... from the environment");
    is_described(&(struct das_credential_conf){.kind = DAS_CREDENTIAL_KEYS,
                                               .access_key = "ABCDEFGH",
                                               .secret_key = file},
                 "access key ABCD..., its secret from the file /etc/das/sk");
    is_described(&(struct das_credential_conf){.kind = DAS_CREDENTIAL_KEYS,
                                               .access_key = "ABCDEFGH",
                                               .secret_key = systemd},
                 "access key ABCD..., its secret from the systemd credential sk");
    is_described(&(struct das_credential_conf){.kind = DAS_CREDENTIAL_FILE, .file = "/run/keys"},
                 "temporary keys in /run/keys");
    is_described(&(struct das_credential_conf){.kind = DAS_CREDENTIAL_COMMAND, .command = command},
                 "temporary keys printed by /usr/bin/x");
    is_described(
        &(struct das_credential_conf){
            .kind = DAS_CREDENTIAL_PASSWORD, .domain = "corp", .user = "das", .password = env},
        "user das of domain corp at IAM");
    is_described(&(struct das_credential_conf){.kind = DAS_CREDENTIAL_TOKEN, .token = env},
                 "a token from the variable DAS_SK");
}

/* --- keys for good ---------------------------------------------------------------------------- */

static void environment(void)
{
    const struct das_credential_conf conf = {.kind = DAS_CREDENTIAL_ENVIRONMENT};
    char project[DAS_PROJECT_SIZE] = "";
    struct das_cloud_key *k;
    struct das_credential *c;

    unsetenv("HUAWEICLOUD_SDK_AK");
    unsetenv("HUAWEICLOUD_SDK_SK");
    no_key(&conf, DAS_E_CONFIG,
           "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK have to be set; neither is, and das.lua names no cloud", "none");
    setenv("HUAWEICLOUD_SDK_AK", "AKENV", 1);
    setenv("HUAWEICLOUD_SDK_SK", "", 1);
    no_key(&conf, DAS_E_CONFIG,
           "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK have to be set; HUAWEICLOUD_SDK_SK is not",
           "no secret key");
    unsetenv("HUAWEICLOUD_SDK_AK");
    setenv("HUAWEICLOUD_SDK_SK", "s3cret", 1);
    no_key(&conf, DAS_E_CONFIG, "have to be set; HUAWEICLOUD_SDK_AK is not", "no access key");
    setenv("HUAWEICLOUD_SDK_AK", "A/K", 1);
    no_key(&conf, DAS_E_CONFIG, "the environment: the access key: expected", "a wrong access key");

    setenv("HUAWEICLOUD_SDK_AK", "AKENV", 1);
    c = credential(&conf);
    is_str(get(c), "AKENV s3cret -", "keys from the environment");
    setenv("HUAWEICLOUD_SDK_SK", "s3cret-2", 1);
    k = hold(c);
    is_str(key_text(k), "AKENV s3cret -", "are read once");
    ok(k->expires == 0, "for good");
    ok(!das_credential_refused(c, k), "others would be the same");
    das_cloud_key_release(k);
    das_credential_free(c);

    setenv("HUAWEICLOUD_SDK_SECURITY_TOKEN", "s3cret-token", 1);
    setenv("HUAWEICLOUD_SDK_PROJECT_ID", "0123456789abcdef0123456789abcdef", 1);
    c = credential(&conf);
    is_str(get(c), "AKENV s3cret-2 s3cret-token", "with a security token");
    ok(das_credential_project(c, REGION, NULL, project, &err) == 0, "the project");
    is_str(project, "0123456789abcdef0123456789abcdef", "from the environment");
    setenv("HUAWEICLOUD_SDK_PROJECT_ID", "../x", 1);
    ok(das_credential_project(c, REGION, NULL, project, &err) < 0, "one that is none");
    FAILED(DAS_E_CONFIG, "HUAWEICLOUD_SDK_PROJECT_ID: expected", "says so");
    ok(das_credential_project(c, "", NULL, project, &err) < 0, "no region");
    FAILED(DAS_E_CONFIG, "region: expected one like", "says so");
    das_credential_free(c);
    setenv("HUAWEICLOUD_SDK_SECURITY_TOKEN", "s3cret\ntoken", 1);
    no_key(&conf, DAS_E_CONFIG, "the environment: the security token", "a token with a line break");
    unsetenv("HUAWEICLOUD_SDK_SECURITY_TOKEN");
    unsetenv("HUAWEICLOUD_SDK_PROJECT_ID");
}

static void places(void)
{
    const char *sk = private_file("s3cret-1\n"), *st = private_file("s3cret-token-1\n");
    struct das_credential_conf conf = {
        .kind = DAS_CREDENTIAL_KEYS, .access_key = "AK", .secret_key = place(DAS_SECRET_FILE, sk)};
    struct das_credential *c = credential(&conf);
    struct das_cloud_key *k, *later;

    is_str(get(c), "AK s3cret-1 -", "keys from places");
    das_credential_free(c);
    conf.security_token = place(DAS_SECRET_FILE, st);
    c = credential(&conf);
    is_str(get(c), "AK s3cret-1 s3cret-token-1", "with a security token");
    k = hold(c);
    ok(!das_credential_refused(c, k), "refused, and there are no others");
    is_str(get(c), "AK s3cret-1 s3cret-token-1", "they stay");
    rewrite(sk, "s3cret-2\n");
    is_str(get(c), "AK s3cret-1 s3cret-token-1",
           "changed in their place, and not refused: they stay");
    ok(das_credential_refused(c, k), "refused, and there are others");
    is_str(get(c), "AK s3cret-2 s3cret-token-1", "which are used");
    later = hold(c);
    ok(later->generation != k->generation, "and are another generation");
    ok(das_credential_refused(c, k), "the old ones are refused once more");
    ok(!das_credential_refused(c, later), "and the new ones");
    chmod(sk, 0644);
    ok(!das_credential_refused(c, later), "which cannot be read any more");
    is_str(key_text(k), "AK s3cret-1 s3cret-token-1", "who holds a key holds it");
    das_credential_free(c);
    is_str(key_text(later), "AK s3cret-2 s3cret-token-1", "longer than the credential");
    das_cloud_key_release(later);
    das_cloud_key_release(k);

    no_key(&conf, DAS_E_CONFIG, "secret it: ", "a file for everybody");
    has_str(err.msg, "chmod 600", "says what to do");
    conf.secret_key = place(DAS_SECRET_ENV, "DAS_TEST_NOTHING");
    no_key(&conf, DAS_E_CONFIG, "DAS_TEST_NOTHING is not set", "no variable");
    conf.secret_key = secret_file("s3cret");
    conf.security_token = secret_file("s3cret token");
    no_key(&conf, DAS_E_CONFIG, "the security token is empty, or holds a blank", "a blank");

    st = private_file("s3cret-x-1\n");
    c = credential(&(struct das_credential_conf){.kind = DAS_CREDENTIAL_TOKEN,
                                                 .token = place(DAS_SECRET_FILE, st)});
    k = hold(c);
    ok(das_text_is(k->token, "s3cret-x-1") && !k->access.ptr && !k->secret.ptr, "a token");
    ok(!das_credential_refused(c, k), "refused, and there is no other");
    rewrite(st, "s3cret-x-2\n");
    ok(das_credential_refused(c, k), "refused, and there is");
    is_str(get(c), "s3cret-x-2", "which is used");
    das_cloud_key_release(k);
    das_credential_free(c);
}

/* --- temporary keys --------------------------------------------------------------------------- */

static void file(void)
{
    const char *path = private_file(keys_json("1", in_seconds(3600)));
    const struct das_credential_conf conf = {.kind = DAS_CREDENTIAL_FILE, .file = path};
    struct das_credential *c = credential(&conf);
    struct das_cloud_key *k = hold(c), *again;
    char words[200];

    is_str(key_text(k), "AK1 s3cret-1 s3cret-token-1", "keys from a file");
    ok(k->expires > das_clock_unix_ms() / 1000 + 3500, "and when they end");
    rewrite(path, keys_json("2", NULL));
    is_str(get(c), "AK1 s3cret-1 s3cret-token-1", "are read once while they are good");
    ok(das_credential_refused(c, k), "refused");
    is_str(get(c), "AK2 s3cret-2 s3cret-token-2", "they are read again");
    ok(das_credential_refused(c, k), "the old ones are refused once more");
    rewrite(path, keys_json("3", NULL));
    again = hold(c);
    is_str(key_text(again), "AK2 s3cret-2 s3cret-token-2", "which is known already");
    is_int(again->expires, 0, "for good, as far as is known");
    das_cloud_key_release(k);
    k = again;
    rewrite(path, keys_json("2", in_seconds(3600)));
    ok(das_credential_refused(c, k), "refused");
    again = hold(c);
    is_str(key_text(again), "AK2 s3cret-2 s3cret-token-2", "and the file has still the same");
    is_int(again->generation, k->generation, "whose refusals count on");
    ok(again->expires > 0, "with what else it says now");
    das_cloud_key_release(again);
    das_cloud_key_release(k);
    das_credential_free(c);

    rewrite(path, "{\"access\":\"AK\",\"secret\":\"s3cret\",\"securitytoken\":\"\"}");
    c = credential(&conf);
    is_str(get(c), "AK s3cret -", "alone, and without a token");
    das_credential_free(c);

    no_key(&(struct das_credential_conf){.kind = DAS_CREDENTIAL_FILE, .file = "/nonexistent"},
           DAS_E_CONFIG, "/nonexistent: cannot open", "no file");
    rewrite(path, "{\"access\":\"AK\",\"secret\":\"s3cret");
    no_key(&conf, DAS_E_CONFIG, ": not valid JSON at byte 32", "half a file");
    has_str(err.msg, path, "names it");
    rewrite(path, "{\"access\":\"AK\"}");
    no_key(&conf, DAS_E_CONFIG, "\"secret\" is not there", "no secret");
    rewrite(path, "{\"secret\":\"s3cret\"}");
    no_key(&conf, DAS_E_CONFIG, "\"access\" is not there", "no access key");
    rewrite(path, "{\"access\":\"AK\",\"secret\":\"\"}");
    no_key(&conf, DAS_E_CONFIG, "the secret key is missing or empty", "an empty secret");
    rewrite(path, keys_json("4", "s3cret"));
    no_key(&conf, DAS_E_CONFIG, "\"expires_at\": expected a time", "no time");
    rewrite(path, keys_json("4", in_seconds(-5)));
    snprintf(words, sizeof words, "%s: has keys that expired at 20", path);
    no_key(&conf, DAS_E_AUTH, words, "expired");
    chmod(path, 0604);
    no_key(&conf, DAS_E_CONFIG, "chmod 600", "for everybody");
}

/* What expires within 5 minutes is read again; the first time at once, and then with pauses. */
static void renewal(void)
{
    const char *path = private_file(keys_json("1", in_seconds(290)));
    struct das_credential *c =
        credential(&(struct das_credential_conf){.kind = DAS_CREDENTIAL_FILE, .file = path});
    struct das_cloud_key *k = hold(c);

    is_str(key_text(k), "AK1 s3cret-1 s3cret-token-1", "keys that end soon");
    rewrite(path, keys_json("2", in_seconds(3600)));
    is_str(get(c), "AK2 s3cret-2 s3cret-token-2", "are read again");
    das_cloud_key_release(k);
    das_credential_free(c);

    rewrite(path, keys_json("1", in_seconds(290)));
    c = credential(&(struct das_credential_conf){.kind = DAS_CREDENTIAL_FILE, .file = path});
    k = hold(c);
    rewrite(path, "{");
    is_str(get(c), "AK1 s3cret-1 s3cret-token-1", "there are no others: the old ones are good");
    rewrite(path, keys_json("2", in_seconds(3600)));
    is_str(get(c), "AK1 s3cret-1 s3cret-token-1", "and used, until it is tried again");
    das_cloud_key_release(k);
    das_credential_free(c);

    rewrite(path, keys_json("1", in_seconds(3600)));
    c = credential(&(struct das_credential_conf){.kind = DAS_CREDENTIAL_FILE, .file = path});
    k = hold(c);
    rewrite(path, keys_json("1", in_seconds(-5)));
    ok(das_credential_refused(c, k), "refused keys");
    get(c);
    FAILED(DAS_E_AUTH, "has still the same keys that expired at 20", "the file has still the same");
    das_cloud_key_release(k);
    das_credential_free(c);
}

/* A failure is told again for a second; asked within one, whatever the machine is doing. */
static void repeated_failure(void)
{
    const char *path = private_file("x");
    bool within = false;

    for (int i = 0; i < 50 && !within; i++) {
        struct das_credential *c =
            credential(&(struct das_credential_conf){.kind = DAS_CREDENTIAL_FILE, .file = path});
        int64_t start = das_clock_monotonic_ms();
        char first[sizeof err.msg];
        rewrite(path, "x");
        snprintf(first, sizeof first, "%s", get(c));
        rewrite(path, keys_json("1", NULL));
        get(c);
        if (das_clock_monotonic_ms() - start < 1000) {
            within = true;
            is_str(err.msg, first, "the same error, and the file is not read");
            FAILED(DAS_E_CONFIG, "expected a JSON object", "says what was wrong");
        }
        das_credential_free(c);
    }
    ok(within, "within a second");
}

static int64_t no_time(void *arg)
{
    (void)arg;
    return 0;
}

static void command(void)
{
    char script[900], path[100];
    const char *const argv[] = {"/bin/sh", "-c", script, "s3cret", NULL};
    const struct das_credential_conf conf = {.kind = DAS_CREDENTIAL_COMMAND, .command = argv};
    const struct das_patience impatient = {no_time, NULL};
    struct das_credential *c;
    struct das_cloud_key *k;

    snprintf(path, sizeof path, "%s", private_file(keys_json("1", in_seconds(3600))));
    snprintf(script, sizeof script, "echo run >>%s.log; cat %s", path, path);
    c = credential(&conf);
    is_str(get(c), "AK1 s3cret-1 s3cret-token-1", "keys from a program");
    is_str(get(c), "AK1 s3cret-1 s3cret-token-1", "which are used again");
    k = hold(c);
    rewrite(path, keys_json("2", in_seconds(3600)));
    ok(das_credential_refused(c, k), "refused");
    is_str(get(c), "AK2 s3cret-2 s3cret-token-2", "it is run again");
    das_cloud_key_release(k);
    das_credential_free(c);
    snprintf(script, sizeof script, "wc -l <%s.log; rm %s.log", path, path);
    {
        FILE *f = popen(script, "r");
        int runs = 0;
        ok(f && fscanf(f, "%d", &runs) == 1 && runs == 2, "it was run twice");
        pclose(f);
    }

    snprintf(script, sizeof script, "echo s3cret >&2; echo s3cret; exit 3");
    no_key(&conf, DAS_E_CONFIG, "/bin/sh: ended with exit code 3", "a program that fails");
    snprintf(script, sizeof script, "echo s3cret");
    no_key(&conf, DAS_E_CONFIG, "/bin/sh: expected a JSON object", "that prints something else");
    snprintf(script, sizeof script, "cat /dev/zero");
    no_key(&conf, DAS_E_CONFIG, "/bin/sh: printed more than 65536 bytes", "that does not end");
    snprintf(script, sizeof script, "cat %s", path);
    rewrite(path, keys_json("3", in_seconds(-5)));
    no_key(&conf, DAS_E_AUTH, "/bin/sh: has keys that expired at 20", "that prints expired keys");

    snprintf(script, sizeof script, "exec sleep 1000");
    c = credential(&conf);
    ok(das_credential_get(c, REGION, NULL, &impatient, &k, &err) < 0, "the caller's time is up");
    FAILED(DAS_E_TIMEOUT, "/bin/sh: was killed, because the time is up", "says so");
    snprintf(script, sizeof script, "cat %s", path);
    rewrite(path, keys_json("4", NULL));
    das_credential_free(c);
    c = credential(&conf);
    ok(das_credential_get(c, REGION, NULL, &impatient, &k, &err) < 0 || k != NULL, "in a hurry");
    das_cloud_key_release(k);
    is_str(get(c), "AK4 s3cret-4 s3cret-token-4", "is nobody else's trouble");
    das_credential_free(c);
}

/* --- memory ----------------------------------------------------------------------------------- */

static const struct das_credential_conf *swept;

static int use(void)
{
    struct das_credential *c = das_credential_new(swept, &err);
    struct das_cloud_key *k;
    int rc = -1;

    if (!c)
        return -1;
    rc = das_credential_get(c, REGION, NULL, NULL, &k, &err);
    if (rc == 0 && swept->kind != DAS_CREDENTIAL_KEYS &&
        swept->kind != DAS_CREDENTIAL_ENVIRONMENT) {
        das_credential_refused(c, k);
        das_cloud_key_release(k);
        rc = das_credential_get(c, REGION, NULL, NULL, &k, &err);
    }
    das_cloud_key_release(k);
    das_credential_free(c);
    return rc;
}

static void failing_memory(void)
{
    const char *path = private_file(keys_json("1", NULL));
    const char *const argv[] = {"/bin/cat", path, NULL};
    const struct das_credential_conf kinds[] = {
        {.kind = DAS_CREDENTIAL_ENVIRONMENT},
        {.kind = DAS_CREDENTIAL_KEYS,
         .access_key = "AK",
         .secret_key = secret_file("s3cret\"1"),
         .security_token = secret_file("s3cret-token"),
         .domain_id = "d",
         .iam_endpoint = "https://h"},
        {.kind = DAS_CREDENTIAL_FILE, .file = path},
        {.kind = DAS_CREDENTIAL_COMMAND, .command = argv},
        {.kind = DAS_CREDENTIAL_TOKEN, .token = secret_file("s3cret-x")},
    };
    static const char *const names[] = {"environment", "keys", "file", "command", "token"};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        swept = &kinds[i];
        sweep(names[i], use);
    }
}

static void redaction(void)
{
    struct das_credential *c = credential(&(struct das_credential_conf){
        .kind = DAS_CREDENTIAL_FILE, .file = private_file(keys_json("9", NULL))});
    struct das_cloud_key *k = hold(c);
    char text[] = "x-security-token:s3cret-token-9|s3cret-9,AK9 ... s3cret-to";

    das_cloud_key_redact(k, text);
    is_str(text, "x-security-token:***|***,AK9 ... ***", "a key's secrets are taken out of a text");
    das_cloud_key_release(k);
    das_credential_free(c);
}

static void core_dumps(void)
{
#ifdef SANITIZED
    is_int(prctl(PR_GET_DUMPABLE), 1, "sanitizers look into the process");
#else
    is_int(prctl(PR_GET_DUMPABLE), 0, "whoever has read a credential makes no core dump");
#endif
}

int main(void)
{
    is_int(prctl(PR_GET_DUMPABLE), 1, "at first there are core dumps");
    configuration();
    descriptions();
    environment();
    core_dumps();
    places();
    file();
    renewal();
    repeated_failure();
    command();
    redaction();
    failing_memory();
    temp_clear();
    return tap_done();
}

/*
 * test_credential_iam.c - what is asked of IAM: tokens for a password, the project of a region; what
 * is sent, how it is signed, and what is made of each answer.
 */
#include "tests/unit/credential_kit.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <signal.h>

#include "tests/unit/iam_server.h"

#define RUSH "Retry-After: 60\r\n" /* longer than das waits: it does not try again */

/* --- tokens ----------------------------------------------------------------------------------- */

static void is_login(const char *scope_key, const char *scope, const char *password)
{
    json_t *got = json_loads(sent_body(), JSON_REJECT_DUPLICATES, NULL);
    json_t *want =
        json_pack("{s:{s:{s:[s],s:{s:{s:{s:s},s:s,s:s}}},s:{s:{s:s}}}}", "auth", "identity",
                  "methods", "password", "password", "user", "domain", "name", "corp \"x\"", "name",
                  "das\\1", "password", password, "scope", "project", scope_key, scope);

    ok(want && json_equal(got, want), "the body, for %s %s", scope_key, scope);
    json_decref(got);
    json_decref(want);
}

static void tokens(void)
{
    struct das_credential_conf conf = password_conf();
    struct das_credential *c = credential(&conf);
    char project[DAS_PROJECT_SIZE] = "";
    struct das_cloud_key *k;

    iam_answers(token("s3cret-t1", 86400, PROJECT), token("s3cret-t2", 86400, OTHER), NULL);
    is_str(get(c), "s3cret-t1", "a token");
    is_str(sent_line(), "POST /v3/auth/tokens?nocatalog=true", "is asked for");
    is_str(sent("Content-Type"), "application/json;charset=utf8", "as JSON");
    is_str(sent("X-Auth-Token"), "", "by nobody known");
    is_login("name", REGION, "s3cret \"pass\" w\xc3\xb6rd\\");
    k = hold(c);
    ok(k->expires > das_clock_unix_ms() / 1000 + 86000 && !k->access.ptr, "for a day");
    das_cloud_key_release(k);
    ok(das_credential_project(c, REGION, NULL, project, &err) == 0, "the project");
    is_str(project, PROJECT, "is in the token");
    is_str(get_for(c, REGION, PROJECT), "s3cret-t1", "for which it is good by its id, too");
    is_int(iam_requests(), 1, "with one request");

    is_str(get_for(c, REGION, OTHER), "s3cret-t2", "another project: another token");
    is_login("id", OTHER, "s3cret \"pass\" w\xc3\xb6rd\\");
    is_str(get_for(c, REGION, OTHER), "s3cret-t2", "which is kept");
    is_str(get(c), "s3cret-t1", "as the first one is");
    is_int(iam_requests(), 2, "with one more request");
    is_str(get_for(c, "cn-east-3", NULL), "s3cret-t2", "another region");
    is_int(iam_requests(), 3, "is asked for, too");
    is_login("name", "cn-east-3", "s3cret \"pass\" w\xc3\xb6rd\\");

    get_for(c, "x.example.com/", NULL);
    FAILED(DAS_E_CONFIG, "region: expected one like", "no region: %s", err.msg);
    get_for(c, NULL, NULL);
    FAILED(DAS_E_CONFIG, "region: expected one like", "none at all: %s", err.msg);
    get_for(c, REGION, "a/b");
    FAILED(DAS_E_CONFIG, "project: expected an id", "no project: %s", err.msg);
    is_int(iam_requests(), 3, "and nobody was asked");
    das_credential_free(c);

    c = credential(&conf);
    iam_answers(token("s3cret-t1", 86400, NULL), NULL, NULL);
    ok(das_credential_project(c, REGION, NULL, project, &err) < 0, "a token for no project");
    FAILED(DAS_E_CONFIG, "region " REGION ": IAM's token is for no project", "%s", err.msg);
    das_credential_free(c);
}

static void token_renewal(void)
{
    struct das_credential_conf conf = password_conf();
    struct das_credential *c = credential(&conf);
    struct das_cloud_key *k;

    rewrite(conf.password->where, "s3cret-1");
    iam_answers(token("s3cret-t1", 3590, PROJECT), token("s3cret-t2", 86400, PROJECT), NULL);
    k = hold(c);
    rewrite(conf.password->where, "s3cret-2");
    is_str(get(c), "s3cret-t2", "a token that ends within an hour is renewed");
    is_login("name", REGION, "s3cret-2");
    is_str(get(c), "s3cret-t2", "once");
    is_int(iam_requests(), 2, "with one request");
    ok(das_credential_refused(c, k), "the old one is refused");
    is_str(get(c), "s3cret-t2", "but there is another");
    das_cloud_key_release(k);
    k = hold(c);
    iam_answers(token("s3cret-t3", 86400, PROJECT), NULL, NULL);
    ok(das_credential_refused(c, k), "that is refused, too");
    is_str(get(c), "s3cret-t3", "a new one is asked for");
    ok(das_credential_refused(c, k), "it is refused again");
    is_str(get(c), "s3cret-t3", "but not asked for again");
    is_int(iam_requests(), 1, "with one request");
    das_cloud_key_release(k);
    das_credential_free(c);

    c = credential(&conf);
    iam_answers(token("s3cret-t1", 3590, PROJECT), error("401 Unauthorized", "", "no"), NULL);
    is_str(get(c), "s3cret-t1", "a token that ends within an hour");
    is_str(get(c), "s3cret-t1", "and IAM gives no other: it is still good");
    is_int(iam_requests(), 2, "with two requests");
    is_str(get(c), "s3cret-t1", "and IAM is left alone");
    is_int(iam_requests(), 2, "for a while");
    das_credential_free(c);

    c = credential(&conf);
    iam_answers(token("s3cret-t1", -5, PROJECT), NULL, NULL);
    get(c);
    FAILED(DAS_E_AUTH, "IAM's new token expired at 20", "%s", err.msg);
    has_str(err.msg, "clock", "says what it may be");
    das_credential_free(c);
}

static void refusals(void)
{
    static const struct {
        const char *status, *headers, *body;
        enum das_code code;
        const char *part;
    } answers[] = {
        {"401 Unauthorized", "X-IAM-Trace-Id: t-1\r\nX-Request-Id: r-1\r\n",
         "{\"error\":{\"code\":401,\"message\":\"The username or password is wrong.\","
         "\"title\":\"Unauthorized\"}}",
         DAS_E_AUTH,
         ": no token for user das\\1 of domain corp \"x\": HTTP 401, Unauthorized: The username or "
         "password is wrong. (request id t-1)"},
        {"403 Forbidden", "X-Request-Id: r-1\r\n",
         "{\"error\":{\"code\":\"IAM.0011\",\"message\":\"locked\\nout\\u0000!\"}}", DAS_E_AUTH,
         "HTTP 403, IAM.0011: locked out ! (request id r-1)"},
        {"401 Unauthorized", "",
         "{\"error_msg\":\"throttled\",\"error_code\":\"APIGW.0301\",\"request_id\":\"x\"}",
         DAS_E_AUTH, "HTTP 401, APIGW.0301: throttled"},
        {"401 Unauthorized", "", "<html>", DAS_E_AUTH, "HTTP 401"},
        {"400 Bad Request", "", "{\"error\":{\"message\":\"bad\"}}", DAS_E_CONFIG, "HTTP 400: bad"},
        {"404 Not Found", "", "", DAS_E_CONFIG, "HTTP 404"},
        {"429 Too Many", RUSH, "", DAS_E_BUSY, "HTTP 429"},
        {"500 Oh", "", "", DAS_E_CONNECT, "HTTP 500"},
        {"503 Busy", RUSH, "[]", DAS_E_CONNECT, "HTTP 503"},
        {"302 Found", "Location: http://127.0.0.1:1/\r\n", "", DAS_E_DATA, "HTTP 302"},
        {"200 OK", "X-Subject-Token: s3cret-t\r\n", "{}", DAS_E_DATA, "HTTP 200"},
        {"201 Created", "", "{}", DAS_E_DATA, "the answer has no X-Subject-Token"},
        {"201 Created", "X-Subject-Token: s3cret-t\r\n", "s3cret", DAS_E_DATA, "is not JSON"},
        {"201 Created", "X-Subject-Token: s3cret-t\r\n", "", DAS_E_DATA, "is not JSON"},
        {"201 Created", "X-Subject-Token: s3cret-t\r\n", "[]", DAS_E_DATA,
         "token.expires_at: expected"},
        {"201 Created", "X-Subject-Token: s3cret-t\r\n", "{\"token\":{\"expires_at\":\"s3cret\"}}",
         DAS_E_DATA, "token.expires_at: expected"},
        {"201 Created", "X-Subject-Token: s3cret-t\r\n",
         "{\"token\":{\"expires_at\":\"2099-01-01T00:00:00Z\",\"project\":{\"id\":\"a/b\"}}}",
         DAS_E_DATA, "token.project.id: expected"},
        {"201 Created", "X-Subject-Token: s3cret t\r\n",
         "{\"token\":{\"expires_at\":\"2099-01-01T00:00:00Z\"}}", DAS_E_DATA, "the token is empty"},
    };
    struct das_credential_conf conf = password_conf();

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        iam_answers(http(answers[i].status, answers[i].headers, answers[i].body), NULL, NULL);
        no_key(&conf, answers[i].code, answers[i].part, answers[i].status);
        ok(strncmp(err.msg, iam_url, strlen(iam_url)) == 0, "names IAM");
        is_int(iam_requests(), 1, "which was asked once");
    }
}

static void echoes(void)
{
    struct das_credential_conf conf = password_conf();
    char message[1200], filler[300];

    /* the password comes back: whole, and where the message is cut */
    iam_answers(error("401 Unauthorized", "X-IAM-Trace-Id: s3cret \"pass\" w\xc3\xb6rd\\\r\n",
                      "wrong: s3cret \\\"pass\\\" w\xc3\xb6rd\\\\ is it"),
                NULL, NULL);
    no_key(&conf, DAS_E_AUTH, "wrong: *** is it (request id ***)", "IAM repeats the password");
    memset(filler, 'x', sizeof filler);
    filler[293] = '\0';
    snprintf(message, sizeof message, "%ss3cret \\\"pass\\\" w\xc3\xb6rd\\\\", filler);
    iam_answers(error("401 Unauthorized", "", message), NULL, NULL);
    no_key(&conf, DAS_E_AUTH, "xxx***", "at the end of a long message");

    conf.password = secret_file("s3cret\xff");
    iam_answers(token("t", 86400, NULL), NULL, NULL);
    no_key(&conf, DAS_E_CONFIG, "the password is not UTF-8", "a password that JSON cannot hold");
    conf.password = place(DAS_SECRET_ENV, "DAS_TEST_NOTHING");
    no_key(&conf, DAS_E_CONFIG, "DAS_TEST_NOTHING is not set", "no password");
    is_int(iam_requests(), 0, "are not sent");
}

static void trouble(void)
{
    struct das_credential_conf conf = password_conf();
    struct das_credential *c = credential(&conf);

    iam_answers(http("503 Busy", "", ""), token("s3cret-t1", 86400, PROJECT), NULL);
    is_str(get(c), "s3cret-t1", "IAM has trouble once: it is asked again");
    is_int(iam_requests(), 2, "with a second request");
    das_credential_free(c);

    conf.iam_endpoint = "http://127.0.0.1:1";
    no_key(&conf, DAS_E_CONNECT, "no connection", "nobody there");
    conf.iam_endpoint = iam_url;
    conf.ca = "/nonexistent/ca.pem";
    no_key(&conf, DAS_E_CONFIG, "ca: /nonexistent/ca.pem is not a file", "no CA");
    conf.ca = NULL;
    conf.total_ms = 50;
    iam_answers("", NULL, NULL);
    iam_hold(1000);
    no_key(&conf, DAS_E_TIMEOUT, "127.0.0.1", "no answer in time");
    iam_hold(0);
}

static int64_t no_time(void *arg)
{
    (void)arg;
    return 0;
}

/* Without time nobody is connected to, but it is said who would have been. */
static void endpoints(void)
{
    const struct das_patience impatient = {no_time, NULL};
    struct das_credential_conf conf = password_conf();
    char project[DAS_PROJECT_SIZE];
    struct das_credential *c;
    struct das_cloud_key *k;

    conf.iam_endpoint = NULL;
    unsetenv("HUAWEICLOUD_SDK_IAM_ENDPOINT");
    c = credential(&conf);
    ok(das_credential_get(c, REGION, NULL, &impatient, &k, &err) < 0, "no time for a token");
    FAILED(DAS_E_TIMEOUT, "https://iam." REGION ".myhuaweicloud.com:443", "of the region's IAM");
    setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", "iam.example.com", 1);
    ok(das_credential_get(c, REGION, NULL, &impatient, &k, &err) < 0, "nor");
    FAILED(DAS_E_TIMEOUT, "https://iam.example.com:443", "of that in the environment");
    setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", "http://iam.example.com", 1);
    ok(das_credential_get(c, REGION, NULL, NULL, &k, &err) < 0, "with plain http");
    FAILED(DAS_E_CONFIG, "HUAWEICLOUD_SDK_IAM_ENDPOINT: http:// would show", "it is refused");
    das_credential_free(c);
    setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", iam_url, 1);
    c = credential(&conf);
    iam_answers(token("s3cret-t1", 86400, NULL), NULL, NULL);
    is_str(get(c), "s3cret-t1", "but not to this machine");
    das_credential_free(c);
    unsetenv("HUAWEICLOUD_SDK_IAM_ENDPOINT");

    c = credential(&(struct das_credential_conf){.kind = DAS_CREDENTIAL_TOKEN,
                                                 .token = secret_file("s3cret-x")});
    ok(das_credential_project(c, REGION, &impatient, project, &err) < 0, "no time for a project");
    FAILED(DAS_E_TIMEOUT, "https://iam.myhuaweicloud.com:443", "of the one IAM of all regions");
    das_credential_free(c);
}

/* --- projects --------------------------------------------------------------------------------- */

static void hex(const unsigned char *bytes, unsigned len, char *to)
{
    for (unsigned i = 0; i < len; i++)
        snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

/* The signature of the last request, worked out from what is documented and with OpenSSL alone. */
static void is_signed(const char *access, const char *secret, const char *domain,
                      const char *token_)
{
    char canonical[2000], to_sign[300], want[600], digest[65], signature[65], names[100];
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int n;

    n = snprintf(canonical, sizeof canonical, "GET\n/v3/projects/\nname=" REGION "\nhost:%s\n",
                 sent("Host"));
    if (domain)
        n += snprintf(canonical + n, sizeof canonical - (size_t)n, "x-domain-id:%s\n", domain);
    n += snprintf(canonical + n, sizeof canonical - (size_t)n, "x-sdk-date:%s\n",
                  sent("X-Sdk-Date"));
    if (token_)
        n += snprintf(canonical + n, sizeof canonical - (size_t)n, "x-security-token:%s\n", token_);
    snprintf(names, sizeof names, "host%s;x-sdk-date%s", domain ? ";x-domain-id" : "",
             token_ ? ";x-security-token" : "");
    snprintf(canonical + n, sizeof canonical - (size_t)n,
             "\n%s\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", names);
    EVP_Digest(canonical, strlen(canonical), bytes, &len, EVP_sha256(), NULL);
    hex(bytes, len, digest);
    snprintf(to_sign, sizeof to_sign, "SDK-HMAC-SHA256\n%s\n%s", sent("X-Sdk-Date"), digest);
    HMAC(EVP_sha256(), secret, (int)strlen(secret), (unsigned char *)to_sign, strlen(to_sign),
         bytes, &len);
    hex(bytes, len, signature);
    snprintf(want, sizeof want, "SDK-HMAC-SHA256 Access=%s, SignedHeaders=%s, Signature=%s", access,
             names, signature);
    is_str(sent("Authorization"), want, "the signature");
    is_str(sent("Host"), iam_url + 7, "of the host that is asked");
    is_str(sent("X-Domain-Id"), domain ? domain : "", "of the domain");
    is_str(sent("X-Security-Token"), token_ ? token_ : "", "with the security token");
    ok(strlen(sent("X-Sdk-Date")) == 16, "and its date: %s", sent("X-Sdk-Date"));
}

static const char *project_of(struct das_credential *c)
{
    static char project[DAS_PROJECT_SIZE];

    err = (struct das_err){0};
    return das_credential_project(c, REGION, NULL, project, &err) < 0 ? err.msg : project;
}

static void projects(void)
{
    struct das_credential_conf conf = {.kind = DAS_CREDENTIAL_KEYS,
                                       .access_key = "AK",
                                       .secret_key = secret_file("s3cret-1"),
                                       .iam_endpoint = iam_url};
    struct das_credential *c = credential(&conf);
    char other[DAS_PROJECT_SIZE] = "";

    iam_answers(http("200 OK", "", ONE_PROJECT), NULL, NULL);
    is_str(project_of(c), PROJECT, "the project of a region");
    is_str(sent_line(), "GET /v3/projects?name=" REGION, "is asked of IAM");
    is_signed("AK", "s3cret-1", NULL, NULL);
    is_str(sent("X-Auth-Token"), "", "by key");
    is_str(project_of(c), PROJECT, "it is known then");
    is_int(iam_requests(), 1, "after one request");
    iam_answers(http("200 OK", "", "{\"projects\":[{\"id\":\"" OTHER "\"}]}"), NULL, NULL);
    ok(das_credential_project(c, "cn-east-3", NULL, other, &err) == 0, "that of another region");
    is_str(other, OTHER, "is another one");
    is_str(sent_line(), "GET /v3/projects?name=cn-east-3", "and asked for");
    is_str(project_of(c), PROJECT, "the first one is still known");
    is_int(iam_requests(), 1, "after one request");
    iam_answers(http("200 OK", "", ONE_PROJECT), NULL, NULL);
    das_credential_free(c);

    conf.domain_id = "d0main";
    conf.security_token = secret_file("s3cret-token+/=");
    c = credential(&conf);
    is_str(project_of(c), PROJECT, "with all that there is");
    is_signed("AK", "s3cret-1", "d0main", "s3cret-token+/=");
    das_credential_free(c);

    setenv("HUAWEICLOUD_SDK_AK", "AKENV", 1);
    setenv("HUAWEICLOUD_SDK_SK", "s3cret-env", 1);
    setenv("HUAWEICLOUD_SDK_DOMAIN_ID", "env-d0main", 1);
    c = credential(&(struct das_credential_conf){.iam_endpoint = iam_url});
    is_str(project_of(c), PROJECT, "with the environment");
    is_signed("AKENV", "s3cret-env", "env-d0main", NULL);
    das_credential_free(c);
    setenv("HUAWEICLOUD_SDK_DOMAIN_ID", "a b", 1);
    c = credential(&(struct das_credential_conf){.iam_endpoint = iam_url});
    project_of(c);
    FAILED(DAS_E_CONFIG, "HUAWEICLOUD_SDK_DOMAIN_ID: expected", "no domain: %s", err.msg);
    das_credential_free(c);
    unsetenv("HUAWEICLOUD_SDK_DOMAIN_ID");

    c = credential(&(struct das_credential_conf){.kind = DAS_CREDENTIAL_TOKEN,
                                                 .token = secret_file("s3cret-x"),
                                                 .domain_id = "d0main",
                                                 .iam_endpoint = iam_url});
    is_str(project_of(c), PROJECT, "with a token");
    is_str(sent("X-Auth-Token"), "s3cret-x", "which is sent");
    is_str(sent("Authorization"), "", "and nothing is signed");
    das_credential_free(c);
}

static void project_answers(void)
{
    static const struct {
        const char *status, *headers, *body;
        enum das_code code;
        const char *part;
    } answers[] = {
        {"200 OK", "", "{\"projects\":[]}", DAS_E_CONFIG,
         "region " REGION ": 0 projects have its name, expected one; write the project's id"},
        {"200 OK", "", "{\"projects\":[{\"id\":\"a\",\"name\":\"other\"}]}", DAS_E_CONFIG,
         ": 0 projects"},
        {"200 OK", "",
         "{\"projects\":[{\"id\":\"a\",\"name\":\"" REGION "\"},{\"id\":\"b\",\"name\":\"" REGION
         "\"},"
         "{\"id\":\"c\",\"name\":\"other\"}]}",
         DAS_E_CONFIG, ": 2 projects have its name"},
        {"200 OK", "", "{\"projects\":[{\"name\":\"" REGION "\"}]}", DAS_E_DATA,
         "projects[].id: expected"},
        {"200 OK", "", "{\"projects\":[{\"id\":\"../x\"}]}", DAS_E_DATA, "projects[].id: expected"},
        {"200 OK", "", "{\"projects\":{}}", DAS_E_DATA, "projects: expected a list"},
        {"200 OK", "", "s3cret", DAS_E_DATA, "is not JSON"},
        {"403 Forbidden", "X-Request-Id: r-9\r\n",
         "{\"error_msg\":\"no iam:projects:listProjects\",\"error_code\":\"PAP5.0011\"}",
         DAS_E_AUTH,
         ": no project for region " REGION ": HTTP 403, PAP5.0011: no iam:projects:listProjects "
         "(request id r-9)"},
        {"401 Unauthorized", "",
         "{\"error_code\":\"APIGW.0301\",\"error_msg\":\"verify aksk signature fail, "
         "canonicalRequest:"
         "GET|/v3/projects/|name=|x-security-token:s3cret-token|s3cret-1\"}",
         DAS_E_AUTH, "x-security-token:***|***"},
        {"500 Oh", "", "", DAS_E_CONNECT, "HTTP 500"},
    };
    const struct das_credential_conf conf = {.kind = DAS_CREDENTIAL_KEYS,
                                             .access_key = "AK",
                                             .secret_key = secret_file("s3cret-1"),
                                             .security_token = secret_file("s3cret-token"),
                                             .iam_endpoint = iam_url};

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct das_credential *c = credential(&conf);
        iam_answers(http(answers[i].status, answers[i].headers, answers[i].body), NULL, NULL);
        project_of(c);
        FAILED(answers[i].code, answers[i].part, "%s: %s", answers[i].status, err.msg);
        is_int(iam_requests(), 1, "with one request");
        das_credential_free(c);
    }
}

/* IAM no longer knows the keys in a file: they are read again, once. */
static void project_after_renewal(void)
{
    const char *path = private_file(keys_json("1", in_seconds(3600)));
    const struct das_credential_conf conf = {
        .kind = DAS_CREDENTIAL_FILE, .file = path, .iam_endpoint = iam_url};
    struct das_credential *c = credential(&conf);

    is_str(get(c), "AK1 s3cret-1 s3cret-token-1", "keys");
    rewrite(path, keys_json("2", in_seconds(3600)));
    iam_answers(error("401 Unauthorized", "", "expired"), http("200 OK", "", ONE_PROJECT), NULL);
    is_str(project_of(c), PROJECT, "that are refused are read again");
    is_signed("AK2", "s3cret-2", NULL, "s3cret-token-2");
    is_int(iam_requests(), 2, "once");
    das_credential_free(c);

    c = credential(&conf);
    iam_answers(error("401 Unauthorized", "", "expired"), NULL, NULL);
    project_of(c);
    FAILED(DAS_E_AUTH, "HTTP 401, Unauthorized: expired", "and refused again: %s", err.msg);
    is_int(iam_requests(), 2, "with no third request");
    das_credential_free(c);
}

/* --- memory ----------------------------------------------------------------------------------- */

static struct das_credential_conf swept;

static int use_token(void)
{
    struct das_credential *c = das_credential_new(&swept, &err);
    struct das_cloud_key *k;
    int rc = -1;

    if (!c)
        return -1;
    rc = das_credential_get(c, REGION, PROJECT, NULL, &k, &err);
    das_cloud_key_release(k);
    das_credential_free(c);
    return rc;
}

static int use_project(void)
{
    struct das_credential *c = das_credential_new(&swept, &err);
    char project[DAS_PROJECT_SIZE];
    int rc;

    if (!c)
        return -1;
    rc = das_credential_project(c, REGION, NULL, project, &err);
    das_credential_free(c);
    return rc;
}

static void failing_memory(void)
{
    swept = password_conf();
    iam_answers(token("s3cret-t1", 86400, PROJECT), NULL, NULL);
    sweep("token", use_token);
    sweep("project of a token", use_project);
    swept = (struct das_credential_conf){.kind = DAS_CREDENTIAL_KEYS,
                                         .access_key = "AK",
                                         .secret_key = secret_file("s3cret-1"),
                                         .security_token = secret_file("s3cret-token"),
                                         .domain_id = "d",
                                         .iam_endpoint = iam_url};
    iam_answers(http("200 OK", "", ONE_PROJECT), NULL, NULL);
    sweep("project", use_project);
}

int main(void)
{
    unsetenv("HUAWEICLOUD_SDK_IAM_ENDPOINT");
    unsetenv("HUAWEICLOUD_SDK_PROJECT_ID");
    unsetenv("HUAWEICLOUD_SDK_SECURITY_TOKEN");
    unsetenv("HUAWEICLOUD_SDK_DOMAIN_ID");
    signal(SIGPIPE, SIG_IGN); /* somebody gave up and is gone before the answer */
    iam_start();
    tokens();
    token_renewal();
    refusals();
    echoes();
    trouble();
    endpoints();
    projects();
    project_answers();
    project_after_renewal();
    failing_memory();
    temp_clear();
    return tap_done();
}

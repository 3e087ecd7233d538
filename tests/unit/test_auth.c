/*
 * test_auth.c - who may ask: signatures and tokens against keys in a store, skew, replays, expiry, and what a key allows.
 */
#include "tests/unit/auth_kit.h"

/* --- credentials ------------------------------------------------------------------------------ */

static void none_at_all(void)
{
    const struct das_auth_conf conf = {dir, REGION, 0, false}, keyless = {dir, REGION, 0, true};
    struct das_auth *a = NULL;
    struct client gone, over;

    ok(das_auth_new(&conf, &a, &err) < 0 && err.code == DAS_E_CONFIG && !a &&
           strstr(err.msg, "das key create"),
       "nobody: %s", err.msg);
    gone = key("gone", "*", 0);
    over = token("over", 5);
    must(das_access_revoke(store, gone.id, "test", &err) == 0, "revoked");
    ok(das_auth_new(&conf, &a, &err) < 0 && err.code == DAS_E_CONFIG && !a,
       "a revoked and an expired one are as good as none");
    ok(das_auth_new(&keyless, &a, &err) == 0 && a && das_auth_keys(a) == 0,
       "who has other things to do begins without one");
    das_auth_free(a);
    (void)over;
}

static void both_and_none(struct das_auth *a, struct client *c, struct client *t)
{
    struct sent s = plain("GET", "");

    no(asks(a, s), "x-auth-token not found", "no credential");
    s = get(c);
    ok(asks(a, s), "a signature passes");
    is_str(caller.id, c->id, "as its key");
    is_str(caller.name, "ci", "its name");
    is_str(caller.actions, READ, "its actions");
    is_str(caller.instances, "*", "its instances");
    ok(asks(a, s), "reading may be repeated");
    header(&s, "X-Auth-Token", t->secret);
    no(asks(a, s), "expected one", "both");
    s = get(c);
    header(&s, "authorization", s.header[3][1]);
    no(asks(a, s), "expected one", "two signatures");
    s = plain("GET", "");
    header(&s, "Authorization", "Bearer abc");
    no(asks(a, s), "verify aksk signature fail", "another scheme: %s", why.message);
}

/* Every byte of what was signed and sent. In the list of its headers some bytes can be changed so
 * that it is no list, and the signature can have no other case: all of that is refused. */
static void each_byte(struct das_auth *a, struct client *c)
{
    struct sent s = signed_at(c, "POST", "{\"user\":\"app\",\"time\":5}", now_s), t;
    size_t tried = 0, passed = 0, revealed = 0;

    must(asks(a, s), "a signed request with query and body");
    for (int part = 0; part < 4 + 2 * HEADERS; part++) {
        size_t n;
        for (size_t i = 0;; i++) {
            char *p;
            t = s;
            p = part == 0   ? t.method
                : part == 1 ? t.path
                : part == 2 ? t.query[0][0]
                : part == 3 ? t.query[0][1]
                            : t.header[(part - 4) / 2][(part - 4) % 2];
            n = strlen(p);
            if (i >= n || (part >= 4 && (size_t)(part - 4) / 2 >= t.header_count))
                break;
            p[i] = (char)(p[i] ^ 0x01);
            if (!p[i])
                continue;
            tried++;
            /* each from an address of its own, so that no lock hides what is asked for */
            snprintf(t.header[HEADERS - 1][0], 300, "10.1.%zu.%zu", tried / 250, tried % 250);
            passed += from(a, t.header[HEADERS - 1][0], t);
            revealed += strstr(why.message, c->secret) || strstr(why.message, "app") ||
                        strstr(why.message, "7070");
        }
    }
    for (size_t i = 0; i < s.body_len; i++) {
        t = s;
        t.body[i] = (char)(t.body[i] ^ 0x01);
        snprintf(t.header[HEADERS - 1][0], 300, "10.2.0.%zu", i);
        tried++;
        passed += from(a, t.header[HEADERS - 1][0], t);
    }
    t = s;
    t.body_len--;
    passed += from(a, "10.2.1.1", t);
    t = s;
    t.query_count = 0;
    passed += from(a, "10.2.1.2", t);
    t = s;
    snprintf(t.query[1][0], 30, "x");
    t.query_count = 2;
    passed += from(a, "10.2.1.3", t);
    ok(tried > 300, "%zu bytes changed", tried);
    is_int(passed, 0, "none of them passes");
    is_int(revealed, 0, "and no answer says what was in the request");
    ok(asks(a, s), "unchanged it still does");
}

static void published(void)
{
    /* the vendor's own vector, with its key in the store */
    struct das_access k = {.id = "AccessKey", .kind = DAS_ACCESS_KEY, .created_ms = 1};
    struct das_keyring *ring = NULL;
    struct das_buf sealed = {0};
    struct das_auth *a;
    struct sent s = {.method = "GET", .path = "/path", .query_count = 1};

    if (das_keyring_open(dir, true, &ring, &err) < 0 ||
        das_keyring_seal(ring, k.id, T("SecretKey"), &sealed, &err) < 0)
        exit(1);
    add(&k, das_buf_view(&sealed));
    das_keyring_close(ring);
    das_buf_clear(&sealed);
    a = server(0);
    snprintf(s.query[0][0], 30, "limit");
    snprintf(s.query[0][1], 30, "1");
    header(&s, "X-Sdk-Date", "20060102T150405Z");
    header(&s, "Authorization",
           "SDK-HMAC-SHA256 Access=AccessKey, SignedHeaders=x-sdk-date, "
           "Signature=5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624");
    ok(ask_as(a, &s, "10.0.0.1", false, GO_TIME * 1000LL), "a vector of the vendor's SDK");
    s.header[1][1][100] ^= 1;
    no(ask_as(a, &s, "10.0.0.1", false, GO_TIME * 1000LL), "verify aksk signature fail",
       "another signature does not");
    das_auth_free(a);
}

static void skew(struct das_auth *a, struct client *c)
{
    struct sent s = get(c);

    ok(ask_as(a, &s, "10.0.0.1", false, (now_s + 900) * 1000), "900 s old");
    no(ask_as(a, &s, "10.0.0.1", false, (now_s + 901) * 1000), "more than 15 minutes", "901 s: %s",
       why.message);
    ok(ask_as(a, &s, "10.0.0.1", false, (now_s - 900) * 1000), "900 s ahead");
    no(ask_as(a, &s, "10.0.0.1", false, (now_s - 901) * 1000), "more than 15 minutes", "901 s");
    is_str(caller.id, c->id, "the log is told whose it is");
    is_str(caller.actions, "", "but not what it may");
    for (int i = 0; i < 2 * DAS_AUTH_FAILURES; i++)
        ask_as(a, &s, "10.0.0.1", false, (now_s - 901) * 1000);
    ok(asks(a, s), "a wrong clock locks nobody out");
}

static void v11_and_unsigned(struct das_auth *a, struct client *c)
{
    static const char *const places[][2] = {
        {REGION, "das"}, {"elsewhere", "das"}, {REGION, "ecs"}, {"LOCAL", "das"}};
    struct sent s;

    for (int i = 0; i < 4; i++) {
        struct das_signer *v = signer_for(c, places[i][0], places[i][1]);
        s = plain("GET", "");
        sign_with(v, &s, now_s);
        if (i == 0)
            ok(asks(a, s), "V11 for this region");
        else
            no(asks(a, s), "expected region local and service das", "not %s/%s", places[i][0],
               places[i][1]);
        das_signer_free(v);
    }
    for (int i = 0; i < 3; i++) {
        s = plain(i ? "POST" : "GET", i == 2 ? "" : i ? "{}" : "");
        header(&s, "X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD");
        sign_with(c->signer, &s, now_s);
        if (i == 0)
            ok(asks(a, s), "a body that is not signed and not there");
        else if (i == 1)
            no(asks(a, s), "UNSIGNED-PAYLOAD", "not one that is there");
        else
            no(writes(a, s), "UNSIGNED-PAYLOAD", "nor to change something");
    }
}

/* --- replay ----------------------------------------------------------------------------------- */

static void replays(struct das_auth *a, struct client *c)
{
    struct sent s = signed_at(c, "POST", "{\"task_id\":1}", now_s), ahead;
    struct das_auth *other;

    ok(writes(a, s), "a write");
    no(writes(a, s), "was used before", "the same again: %s", why.message);
    is_str(caller.id, c->id, "whose it is");
    no(ask_as(a, &s, "10.9.9.9", true, (now_s + 900) * 1000), "was used before",
       "from elsewhere, at the end of the window");
    no(ask_as(a, &s, "10.0.0.1", true, (now_s + 901) * 1000), "more than 15 minutes",
       "and past it it is too old");
    other = server(0);
    no(writes(other, s), "was used before", "another server on the same store knows it, too");
    das_auth_free(other);
    ok(writes(a, signed_at(c, "POST", "{\"task_id\":1}", now_s + 1)), "signed anew it passes");
    ok(writes(a, signed_at(c, "POST", "{\"task_id\":2}", now_s)), "so does another body");

    /* one that is ahead of the clock is good for longer, and is remembered for longer */
    ahead = signed_at(c, "POST", "{\"task_id\":3}", now_s + 800);
    ok(writes(a, ahead), "a write from a client whose clock is ahead");
    ok(ask_as(a, &(struct sent[]){signed_at(c, "POST", "{}", now_s + 1600)}[0], "10.0.0.1", true,
              (now_s + 1600) * 1000),
       "another one later, by which old ones are forgotten");
    no(ask_as(a, &ahead, "10.0.0.1", true, (now_s + 1700) * 1000), "was used before",
       "1700 s later it is still known");
}

/* --- tokens ----------------------------------------------------------------------------------- */

static void tokens(struct das_auth *a, struct client *t, struct client *c)
{
    struct client unknown = *t;
    char text[80];
    int passed = 0;

    ok(asks(a, with_token(t->secret)), "a token passes");
    is_str(caller.id, t->id, "as itself");
    is_str(caller.instances, "orders tag:prod", "its instances");
    ok(writes(a, with_token(t->secret)) && writes(a, with_token(t->secret)),
       "it can be used again, also for writing");
    for (size_t i = 0; i < strlen(t->secret); i++) {
        memcpy(text, t->secret, sizeof t->secret);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        snprintf(unknown.id, sizeof unknown.id, "10.5.0.%zu", i);
        passed += from(a, unknown.id, with_token(text));
        passed += !refused("decrypt token fail");
    }
    snprintf(text, sizeof text, "%s ", t->secret);
    text[strlen(t->secret) - 1] = '\0';
    passed += from(a, "10.5.1.1", with_token(text));
    passed += from(a, "10.5.1.2", with_token(""));
    passed += from(a, "10.5.1.3", with_token(c->id));
    is_int(passed, 0, "none with another byte, or one less");
    ok(!strstr(why.message, c->id), "and it is not repeated");
    memcpy(text, t->secret, sizeof t->secret);
    text[67] = text[67] == 'A' ? 'E' : 'A';
    for (int i = 0; i < DAS_AUTH_FAILURES; i++)
        from(a, "10.5.2.1", with_token(text));
    no(from(a, "10.5.2.1", with_token(t->secret)), "forbidden", "a token is locked as a key is");
    ok(asks(a, with_token(t->secret)), "from there only");
}

static void expiry(void)
{
    int64_t end = (now_s + 100) * 1000;
    struct client c = key("short", READ, end), t = token("short", end);
    struct das_auth *a = server(0);
    struct sent s = get(&c), ts = with_token(t.secret), bad = forged(&c, now_s);

    ok(ask_as(a, &s, "10.0.0.1", false, end - 1), "a key until its end");
    no(ask_as(a, &s, "10.0.0.1", false, end), "AK expires, expires_at: 2", "then: %s", why.message);
    is_str(caller.id, c.id, "the log is told");
    no(ask_as(a, &bad, "10.0.0.1", false, end), "verify aksk signature fail",
       "who has not proved to have it does not learn that");
    ok(ask_as(a, &ts, "10.0.0.1", false, end - 1), "a token");
    no(ask_as(a, &ts, "10.0.0.1", false, end), "token expires, expires_at: 2", "then: %s",
       why.message);
    das_auth_free(a);
    das_signer_free(c.signer);
}

/* --- what a key allows ------------------------------------------------------------------------ */

static bool may(const char *actions, const char *instances, const char *action,
                const char *instance, const char *tag)
{
    const char *const tags[] = {"other", tag};
    struct das_caller c = {.id = "X"};

    snprintf(c.actions, sizeof c.actions, "%s", actions);
    snprintf(c.instances, sizeof c.instances, "%s", instances);
    return das_auth_may(&c, action, instance, tag ? tags : NULL, tag ? 2 : 0);
}

static void rights(void)
{
    const char *preview = "das:clouddba:listProcess", *kill = "das:clouddba:deleteProcess";

    ok(may("*", "*", kill, "orders", NULL), "all, everywhere");
    ok(may(READ, "*", preview, "orders", NULL) && !may(READ, "*", kill, "orders", NULL),
       "one action");
    ok(may("das:clouddba:*", "*", kill, "orders", NULL), "a family");
    ok(may("*", "orders", kill, "orders", NULL) && !may("*", "orders", kill, "order", NULL) &&
           !may("*", "orders", kill, "orders2", NULL),
       "one instance");
    ok(may("*", "a orders b", kill, "orders", NULL), "of several");
    ok(may("*", "tag:prod", kill, "orders", "prod") &&
           !may("*", "tag:prod", kill, "orders", "pro") &&
           !may("*", "tag:prod", kill, "orders", NULL),
       "a tag");
    ok(!may("*", "prod", kill, "orders", "prod") && !may("*", "tag:orders", kill, "orders", "prod"),
       "tags and names are two things");
    ok(!may("*", "", kill, "orders", "prod") && !may("", "*", kill, "orders", NULL),
       "nothing allows nothing");
    ok(may("*", "a", preview, NULL, NULL) && !may(READ, "*", kill, NULL, NULL),
       "an action that is about no instance");
}

static void refusals(void)
{
    struct das_refusal r;
    struct das_buf b = {0};
    char text[700];

    is_int(das_refuse(&r, 403, "APIGW.0302", "no \"%s\"", "x\n"), -1, "refused");
    ok(r.status == 403 && !r.retry_after && !r.allow, "status, nothing else");
    das_refusal_json(&r, "abc", &b);
    is_str(
        b.ptr,
        "{\"error_code\":\"APIGW.0302\",\"error_msg\":\"no \\\"x\\n\\\"\",\"request_id\":\"abc\"}",
        "as JSON");
    das_buf_reset(&b);
    das_refusal_json(&r, NULL, &b);
    ok(!strstr(b.ptr, "request_id"), "without an id");
    memset(text, 'a', sizeof text);
    memcpy(text + 509, "\xe4\xb8\x80\xe4\xb8\x80", 6);
    text[600] = '\0';
    das_refuse(&r, 400, "X", "%s", text);
    is_int(strlen(r.message), 509, "a long one is cut before a character that does not fit");
    das_refuse(&r, 400, "X", "b%.508s\xc3\xa4\xc3\xa4", text);
    ok(strlen(r.message) == 511 && das_utf8_valid(das_text_of(r.message)),
       "and behind one that does");
    das_buf_clear(&b);
}

int main(void)
{
    struct das_auth *a;

    auth_kit_open();
    refusals();
    rights();
    none_at_all();
    auth_kit_clients();
    a = server(0);
    is_int(das_auth_keys(a), 3, "three are good");
    both_and_none(a, &ci, &person);
    each_byte(a, &ci);
    skew(a, &ci);
    v11_and_unsigned(a, &ci);
    replays(a, &ci);
    tokens(a, &person, &ci);
    das_auth_free(a);
    expiry();
    published();
    auth_kit_close();
    return tap_done();
}

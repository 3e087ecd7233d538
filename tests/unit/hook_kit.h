/*
 * hook_kit.h - requests as each chat and alert platform would send them, signed with OpenSSL by
 * itself: what core/serve/hook_*.c is measured with, by unit tests and by the fuzzer.
 *
 * Every platform has two secrets, of which either is good. What a test changes is changed in a
 * struct hook after hook_make(); hook_request() puts it together.
 */
#ifndef DAS_TESTS_HOOK_KIT_H
#define DAS_TESTS_HOOK_KIT_H

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/mem.h"
#include "core/hook/hook_verify.h"

#define HOOK_HEADERS 12
#define HOOK_TEXT 400
#define HOOK_NOW 1766655104 /* Unix, s */
#define HOOK_RECEIVE_ID "wx5823bf96d3bd56c7"

enum hook_place { HOOK_IN_HEADER, HOOK_IN_QUERY, HOOK_IN_BODY };

struct hook {
    enum das_hook_platform platform;
    struct das_hook_conf conf;
    int64_t now_ms;
    char method[12];
    char path[HOOK_TEXT];         /* target without msg_signature */
    enum hook_place place;        /* where the signature, or the token, is */
    char sig_header[40];          /* its name */
    char sig[HOOK_TEXT];          /* what it says, prefix and all */
    size_t prefix;                /* how much of it is "v0=" */
    char names[HOOK_HEADERS][40]; /* the other headers */
    char values[HOOK_HEADERS][HOOK_TEXT];
    size_t count;
    char body[8192];
    size_t body_len;

    /* put together */
    char target[2 * HOOK_TEXT];
    struct das_sign_pair pairs[HOOK_HEADERS + 2];
    struct das_hook_request request;
};

/* --- OpenSSL, told what to do ------------------------------------------------------------------
 */

static inline void hook_die(const char *what)
{
    fprintf(stderr, "hook_kit: %s\n", what);
    abort();
}

static inline void hook_hex(const unsigned char *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++)
        sprintf(out + 2 * i, "%02x", p[i]);
    out[2 * n] = '\0';
}

static inline void hook_base64(const unsigned char *p, size_t n, char *out)
{
    if (EVP_EncodeBlock((unsigned char *)out, p, (int)n) < 0)
        hook_die("base64");
}

static inline size_t hook_unbase64(const char *text, unsigned char *out)
{
    size_t n = strlen(text), pad = n && text[n - 1] == '=' ? 1 + (text[n - 2] == '=') : 0;
    int got = EVP_DecodeBlock(out, (const unsigned char *)text, (int)n);

    if (got < 0)
        hook_die("unbase64");
    return (size_t)got - pad;
}

static inline void hook_hmac(const void *key, size_t key_len, const char *data, size_t len,
                             unsigned char out[32])
{
    unsigned n = 0;

    if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)data, len, out, &n))
        hook_die("hmac");
}

static inline void hook_hash(const EVP_MD *md, const char *data, size_t len, unsigned char *out)
{
    unsigned n = 0;

    if (!EVP_Digest(data, len, out, &n, md, NULL))
        hook_die("hash");
}

/* AES-256-CBC with padding to blocks of that size. */
static inline size_t hook_encrypt(const unsigned char key[32], const unsigned char iv[16],
                                  const unsigned char *in, size_t n, size_t block,
                                  unsigned char *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char *padded = malloc(n + block);
    size_t pad = block - n % block;
    int got = 0, rest = 0;

    if (!padded)
        hook_die("memory");
    if (n)
        memcpy(padded, in, n);
    memset(padded + n, (int)pad, pad);
    if (!ctx || !EVP_EncryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, iv) ||
        !EVP_CIPHER_CTX_set_padding(ctx, 0) ||
        !EVP_EncryptUpdate(ctx, out, &got, padded, (int)(n + pad)) ||
        !EVP_EncryptFinal_ex(ctx, out + got, &rest))
        hook_die("encrypt");
    EVP_CIPHER_CTX_free(ctx);
    free(padded);
    return n + pad;
}

static inline EVP_PKEY *hook_key(size_t which)
{
    unsigned char seed[32];
    EVP_PKEY *key;

    memset(seed, which ? 0x5a : 0x17, sizeof seed);
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
    if (!key)
        hook_die("Ed25519");
    return key;
}

static inline const char *hook_public_key(size_t which)
{
    static char out[2][65];
    unsigned char raw[32];
    size_t n = sizeof raw;
    EVP_PKEY *key;

    if (!*out[which]) {
        key = hook_key(which);
        if (EVP_PKEY_get_raw_public_key(key, raw, &n) != 1)
            hook_die("public key");
        EVP_PKEY_free(key);
        hook_hex(raw, n, out[which]);
    }
    return out[which];
}

/* --- configurations ----------------------------------------------------------------------------
 */

static const char *const hook_secrets[] = {"8f742231b10e8888abcd99yyyzzz85a5", "the next secret"};
static const char *const hook_base64_secrets[] = {"vqF0En+Z0ucuRTM/01o2GuhMH3hKKk/N2bOmlM31zaA=",
                                                  "bmV4dCBzZWNyZXQgb2YgdGhlIHRlYW0="};
static const char *const hook_standard_secrets[] = {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                                    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"};
static const char *const hook_tokens[] = {"a-token_1", "another-token_2"};
static const char *const hook_keys[] = {"test key", "the next key"};
static const char *const hook_aes_keys[] = {"jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
                                            "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"};

static inline struct das_hook_list hook_list(const char *const two[2])
{
    return (struct das_hook_list){{das_text_of(two[0]), das_text_of(two[1])}, 2};
}

static inline void hook_conf(enum das_hook_platform p, struct das_hook_conf *c)
{
    const char *keys[2] = {hook_public_key(0), hook_public_key(1)};
    unsigned needs = das_hook_platforms[p].needs;

    memset(c, 0, sizeof *c);
    c->name = "h";
    c->platform = p;
    if (needs & DAS_HOOK_F_SECRETS)
        c->secrets = hook_list(p == DAS_HOOK_TEAMS      ? hook_base64_secrets
                               : p == DAS_HOOK_STANDARD ? hook_standard_secrets
                                                        : hook_secrets);
    if (needs & (DAS_HOOK_F_TOKENS | DAS_HOOK_F_AUTH))
        c->tokens = hook_list(hook_tokens);
    if (needs & DAS_HOOK_F_ENCRYPT_KEYS)
        c->encrypt_keys = hook_list(p == DAS_HOOK_WECOM ? hook_aes_keys : hook_keys);
    if (needs & DAS_HOOK_F_PUBLIC_KEYS)
        c->public_keys = hook_list(keys);
    if (needs & DAS_HOOK_F_RECEIVE_ID)
        c->receive_id = das_text_of(HOOK_RECEIVE_ID);
    if (p == DAS_HOOK_GRAFANA)
        c->timestamp_header = das_text_of("X-Grafana-Time");
}

/* --- requests ----------------------------------------------------------------------------------
 */

static inline void hook_header(struct hook *h, const char *name, const char *value)
{
    snprintf(h->names[h->count], sizeof h->names[0], "%s", name);
    snprintf(h->values[h->count++], HOOK_TEXT, "%s", value);
}

static inline void hook_body(struct hook *h, const char *text)
{
    h->body_len = strlen(text);
    if (h->body_len >= sizeof h->body)
        hook_die("a body that is too long");
    memcpy(h->body, text, h->body_len + 1);
}

/* "2025-12-25T09:31:44.123Z" */
static inline const char *hook_iso(int64_t unix_s)
{
    static char out[40];
    time_t t = (time_t)unix_s;
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%S.123Z", &tm);
    return out;
}

#define HOOK_ALERTS                                                                         \
    "{\"version\":\"4\",\"groupKey\":\"{}:{}\",\"status\":\"firing\",\"receiver\":\"das\"," \
    "\"alerts\":[{\"status\":\"firing\",\"labels\":{\"alertname\":\"Slow\"},"               \
    "\"startsAt\":\"2025-12-25T09:30:00Z\",\"fingerprint\":\"c0ffee\"},"                    \
    "{\"status\":\"resolved\",\"labels\":{\"alertname\":\"Locks\"},"                        \
    "\"startsAt\":\"2025-12-25T09:20:00Z\",\"fingerprint\":\"decade\"}]}"

/* What somebody may have said there, at that time. */
static inline void hook_sample(enum das_hook_platform p, int64_t unix_s, char *out, size_t size)
{
    switch (p) {
    case DAS_HOOK_SLACK:
        snprintf(out, size,
                 "team_id=T1&user_id=U2&command=%%2Fdas&text=preview+orders&"
                 "trigger_id=13345224609.738474920.8088930838d88f008e0");
        break;
    case DAS_HOOK_FEISHU:
        snprintf(out, size,
                 "{\"schema\":\"2.0\",\"header\":{\"event_id\":\"f7984f25\",\"token\":"
                 "\"a-token_1\",\"event_type\":\"im.message.receive_v1\"},\"event\":{}}");
        break;
    case DAS_HOOK_FEISHU_CARD:
        snprintf(out, size,
                 "{\"open_id\":\"ou_1\",\"token\":\"c-113\",\"action\":{\"tag\":"
                 "\"button\",\"value\":{\"id\":\"7\"}}}");
        break;
    case DAS_HOOK_DINGTALK:
        snprintf(out, size,
                 "{\"msgtype\":\"text\",\"text\":{\"content\":\"preview\"},\"msgId\":"
                 "\"msg0xxxxx\",\"senderStaffId\":\"m1\"}");
        break;
    case DAS_HOOK_WECOM:
        snprintf(out, size,
                 "<xml><ToUserName><![CDATA[ww1]]></ToUserName>\n<MsgType><![CDATA["
                 "text]]></MsgType><Content><![CDATA[preview]]></Content>"
                 "<MsgId>1234567890123456</MsgId></xml>");
        break;
    case DAS_HOOK_TEAMS:
        snprintf(out, size,
                 "{\"type\":\"message\",\"id\":\"1485983408511\",\"timestamp\":\"%s\","
                 "\"text\":\"<at>das</at> preview\"}",
                 hook_iso(unix_s));
        break;
    case DAS_HOOK_DISCORD:
        snprintf(out, size,
                 "{\"id\":\"786008729715212338\",\"type\":2,\"data\":{\"name\":"
                 "\"das\"},\"token\":\"A_UNIQUE_TOKEN\"}");
        break;
    case DAS_HOOK_MATTERMOST:
        snprintf(out, size, "user_id=rnina&command=%%2Fdas&text=preview&trigger_id=dGhpcyBp");
        break;
    case DAS_HOOK_TELEGRAM:
        snprintf(out, size,
                 "{\"update_id\":10000,\"message\":{\"message_id\":1,\"date\":%lld,"
                 "\"text\":\"/das preview\"}}",
                 (long long)unix_s);
        break;
    case DAS_HOOK_PAGERDUTY:
        snprintf(out, size,
                 "{\"event\":{\"id\":\"01BWDWL3NYY7\",\"event_type\":"
                 "\"incident.triggered\",\"occurred_at\":\"%s\",\"data\":{}}}",
                 hook_iso(unix_s));
        break;
    case DAS_HOOK_GRAFANA:
    case DAS_HOOK_ALERTMANAGER:
        snprintf(out, size, "%s", HOOK_ALERTS);
        break;
    case DAS_HOOK_CLOUDEVENTS:
        snprintf(out, size,
                 "{\"specversion\":\"1.0\",\"id\":\"A234-1234\",\"source\":\"/db\","
                 "\"type\":\"com.example.slow\",\"time\":\"%s\",\"data\":7}",
                 hook_iso(unix_s));
        break;
    default:
        snprintf(out, size, "{\"action\":\"opened\",\"number\":7}");
    }
}

static inline void hook_sig(struct hook *h, const char *header, const char *prefix,
                            const char *text)
{
    h->place = HOOK_IN_HEADER;
    snprintf(h->sig_header, sizeof h->sig_header, "%s", header);
    snprintf(h->sig, sizeof h->sig, "%.20s%.300s", prefix, text);
    h->prefix = strlen(prefix);
}

/* HMAC-SHA256 of before and the body. */
static inline void hook_sign_hmac(const struct hook *h, const void *key, size_t key_len,
                                  const char *before, bool hex, char *out)
{
    char all[9000];
    unsigned char mac[32];
    size_t n = strlen(before);

    memcpy(all, before, n);
    memcpy(all + n, h->body, h->body_len);
    hook_hmac(key, key_len, all, n + h->body_len, mac);
    if (hex)
        hook_hex(mac, sizeof mac, out);
    else
        hook_base64(mac, sizeof mac, out);
}

static inline void hook_encrypt_feishu(struct hook *h, size_t which)
{
    unsigned char key[32], blob[8192];
    char text[12000];
    size_t n;

    hook_hash(EVP_sha256(), hook_keys[which], strlen(hook_keys[which]), key);
    memset(blob, 0x42, 16);
    n = hook_encrypt(key, blob, (unsigned char *)h->body, h->body_len, 16, blob + 16);
    hook_base64(blob, n + 16, text);
    if (snprintf(h->body, sizeof h->body, "{\"encrypt\":\"%s\"}", text) >= (int)sizeof h->body)
        hook_die("a body that is too long");
    h->body_len = strlen(h->body);
}

static inline void hook_sign_feishu(struct hook *h, const EVP_MD *md, const char *key, int64_t now)
{
    char all[9000], hex[65], time[24];
    unsigned char sum[32];
    int n = snprintf(all, sizeof all, "%lldnonce1%s", (long long)now, key);

    memcpy(all + n, h->body, h->body_len);
    hook_hash(md, all, (size_t)n + h->body_len, sum);
    hook_hex(sum, (size_t)EVP_MD_size(md), hex);
    snprintf(time, sizeof time, "%lld", (long long)now);
    hook_sig(h, "X-Lark-Signature", "", hex);
    hook_header(h, "X-Lark-Request-Timestamp", time);
    hook_header(h, "X-Lark-Request-Nonce", "nonce1");
}

/* What WeCom encrypts, as base64; size: what it says of the length. */
static inline void hook_encrypt_wecom_as(const char *message, size_t len, uint32_t size,
                                         const char *receive_id, size_t which, char *out)
{
    unsigned char key[33], plain[8192], blob[8300];
    char padded[45];
    size_t id = strlen(receive_id);

    snprintf(padded, sizeof padded, "%s=", hook_aes_keys[which]);
    hook_unbase64(padded, key);
    memset(plain, 'r', 16);
    for (int i = 0; i < 4; i++)
        plain[16 + i] = (unsigned char)(size >> (24 - 8 * i));
    memcpy(plain + 20, message, len);
    memcpy(plain + 20 + len, receive_id, id);
    hook_base64(blob, hook_encrypt(key, key, plain, 20 + len + id, 32, blob), out);
}

static inline void hook_encrypt_wecom(const char *message, size_t len, const char *receive_id,
                                      size_t which, char *out)
{
    hook_encrypt_wecom_as(message, len, (uint32_t)len, receive_id, which, out);
}

static inline int hook_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static inline void hook_sign_wecom(struct hook *h, const char *encrypted, size_t which, int64_t now)
{
    char time[24], all[13000] = "";
    const char *parts[4] = {hook_tokens[which], time, "263014780", encrypted};
    unsigned char sum[20];

    snprintf(time, sizeof time, "%lld", (long long)now);
    qsort(parts, 4, sizeof *parts, hook_order);
    for (int i = 0; i < 4; i++)
        strcat(all, parts[i]);
    hook_hash(EVP_sha1(), all, strlen(all), sum);
    h->place = HOOK_IN_QUERY;
    hook_hex(sum, sizeof sum, h->sig);
    h->prefix = 0;
    snprintf(h->path, sizeof h->path, "/hooks/h?timestamp=%s&nonce=263014780", time);
}

static inline void hook_sign_ed25519(struct hook *h, size_t which, const char *time)
{
    unsigned char sig[64];
    char all[9000], hex[129];
    size_t n = sizeof sig, len = strlen(time);
    EVP_PKEY *key = hook_key(which);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    memcpy(all, time, len);
    memcpy(all + len, h->body, h->body_len);
    if (!ctx || EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) != 1 ||
        EVP_DigestSign(ctx, sig, &n, (unsigned char *)all, len + h->body_len) != 1)
        hook_die("sign");
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    hook_hex(sig, sizeof sig, hex);
    hook_sig(h, "X-Signature-Ed25519", "", hex);
}

/* Signs h->body with the secret of that number, as sent at that time. */
static inline void hook_sign(struct hook *h, size_t which, int64_t unix_s)
{
    const char *secret = hook_secrets[which];
    char time[24], text[12000], before[100];
    unsigned char key[64], mac[32];

    snprintf(time, sizeof time, "%lld", (long long)unix_s);
    switch (h->platform) {
    case DAS_HOOK_SLACK:
        snprintf(before, sizeof before, "v0:%s:", time);
        hook_sign_hmac(h, secret, strlen(secret), before, true, text);
        hook_sig(h, "X-Slack-Signature", "v0=", text);
        hook_header(h, "X-Slack-Request-Timestamp", time);
        break;
    case DAS_HOOK_FEISHU:
        hook_encrypt_feishu(h, which);
        hook_sign_feishu(h, EVP_sha256(), hook_keys[which], unix_s);
        break;
    case DAS_HOOK_FEISHU_CARD:
        hook_sign_feishu(h, EVP_sha1(), hook_tokens[which], unix_s);
        break;
    case DAS_HOOK_DINGTALK:
        snprintf(time, sizeof time, "%lld", (long long)unix_s * 1000);
        snprintf(before, sizeof before, "%s\n%s", time, secret);
        hook_hmac(secret, strlen(secret), before, strlen(before), mac);
        hook_base64(mac, sizeof mac, text);
        hook_sig(h, "sign", "", text);
        hook_header(h, "timestamp", time);
        break;
    case DAS_HOOK_WECOM:
        hook_encrypt_wecom(h->body, h->body_len, HOOK_RECEIVE_ID, which, text);
        hook_sign_wecom(h, text, which, unix_s);
        snprintf(h->body, sizeof h->body,
                 "<xml><ToUserName><![CDATA[ww1]]></ToUserName><Encrypt><![CDATA[%.7000s]]>"
                 "</Encrypt></xml>",
                 text);
        h->body_len = strlen(h->body);
        break;
    case DAS_HOOK_TEAMS:
        hook_sign_hmac(h, key, hook_unbase64(hook_base64_secrets[which], key), "", false, text);
        hook_sig(h, "Authorization", "HMAC ", text);
        break;
    case DAS_HOOK_DISCORD:
        hook_sign_ed25519(h, which, time);
        hook_header(h, "X-Signature-Timestamp", time);
        break;
    case DAS_HOOK_MATTERMOST:
        h->place = HOOK_IN_BODY;
        snprintf(h->sig, sizeof h->sig, "%s", hook_tokens[which]);
        break;
    case DAS_HOOK_TELEGRAM:
        hook_sig(h, "X-Telegram-Bot-Api-Secret-Token", "", hook_tokens[which]);
        break;
    case DAS_HOOK_GITHUB:
        hook_sign_hmac(h, secret, strlen(secret), "", true, text);
        hook_sig(h, "X-Hub-Signature-256", "sha256=", text);
        hook_header(h, "X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958");
        hook_header(h, "X-GitHub-Event", "issues");
        break;
    case DAS_HOOK_STANDARD:
        snprintf(before, sizeof before, "msg_p5jXN8AQM9LWM0D4loKWxJek.%s.", time);
        hook_sign_hmac(
            h, key,
            hook_unbase64(which ? hook_standard_secrets[1] : hook_standard_secrets[0] + 6, key),
            before, false, text);
        hook_sig(h, "webhook-signature", "v1,", text);
        hook_header(h, "webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek");
        hook_header(h, "webhook-timestamp", time);
        break;
    case DAS_HOOK_PAGERDUTY:
        hook_sign_hmac(h, secret, strlen(secret), "", true, text);
        hook_sig(h, "X-PagerDuty-Signature", "v1=", text);
        break;
    case DAS_HOOK_GRAFANA:
        snprintf(before, sizeof before, "%s:", h->conf.timestamp_header.ptr ? time : "");
        hook_sign_hmac(h, secret, strlen(secret), h->conf.timestamp_header.ptr ? before : "", true,
                       text);
        hook_sig(h, "X-Grafana-Alerting-Signature", "", text);
        if (h->conf.timestamp_header.ptr)
            hook_header(h, "X-Grafana-Time", time);
        break;
    default:
        hook_sig(h, "Authorization", "Bearer ", hook_tokens[which]);
        if (h->platform == DAS_HOOK_CLOUDEVENTS)
            hook_header(h, "Content-Type", "application/cloudevents+json");
        else if (h->platform == DAS_HOOK_BEARER)
            hook_header(h, "Content-Type", "application/json");
    }
}

static inline void hook_put_together(struct hook *h)
{
    size_t n = 0;

    snprintf(h->target, sizeof h->target, h->place == HOOK_IN_QUERY ? "%s&msg_signature=%s" : "%s",
             h->path, h->sig);
    if (h->place == HOOK_IN_HEADER)
        h->pairs[n++] = (struct das_sign_pair){das_text_of(h->sig_header), das_text_of(h->sig)};
    for (size_t i = 0; i < h->count; i++)
        h->pairs[n++] = (struct das_sign_pair){das_text_of(h->names[i]), das_text_of(h->values[i])};
    h->request = (struct das_hook_request){.method = das_text_of(h->method),
                                           .target = das_text_of(h->target),
                                           .headers = h->pairs,
                                           .header_count = n,
                                           .body = das_text(h->body, h->body_len)};
}

/* The body has to have the token once more than hook_sign() can know. */
static inline void hook_put_token(struct hook *h)
{
    char rest[8192];

    if (h->place != HOOK_IN_BODY)
        return;
    snprintf(rest, sizeof rest, "%s", h->body);
    snprintf(h->body, sizeof h->body, "token=%s&%.7000s", h->sig, rest);
    h->body_len = strlen(h->body);
}

/* What the platform sends at that time, received at once. */
static inline void hook_make_bytes(struct hook *h, enum das_hook_platform p, size_t which,
                                   int64_t unix_s, struct das_text body)
{
    memset(h, 0, sizeof *h);
    h->platform = p;
    hook_conf(p, &h->conf);
    h->now_ms = unix_s * 1000 + 123;
    snprintf(h->method, sizeof h->method, "POST");
    snprintf(h->path, sizeof h->path, "/hooks/h");
    if (body.len >= sizeof h->body)
        hook_die("a body that is too long");
    memcpy(h->body, body.ptr, body.len);
    h->body_len = body.len;
    hook_sign(h, which, unix_s);
    hook_put_token(h);
    hook_put_together(h);
}

/* body NULL: a sample. */
static inline void hook_make(struct hook *h, enum das_hook_platform p, size_t which, int64_t unix_s,
                             const char *body)
{
    char sample[2000];

    hook_sample(p, unix_s, sample, sizeof sample);
    hook_make_bytes(h, p, which, unix_s, das_text_of(body ? body : sample));
}

#endif

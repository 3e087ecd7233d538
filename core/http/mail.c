/* mail.c - see mail.h. */
#include "core/http/mail.h"

#include <string.h>

#include "core/base/text.h"
#include "core/http/curl.h"

#define ADDRESS_MAX 254

bool das_mail_address(const char *text)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "!#$%&'*+/=?^_`{|}~.-@";
    const char *at = strchr(text, '@');

    return at && at > text && at[1] && !strchr(at + 1, '@') && !text[strspn(text, good)] &&
           strlen(text) <= ADDRESS_MAX;
}

struct sending {
    const struct das_mail *mail;
    size_t at;
    bool stopped;
    char error[CURL_ERROR_SIZE];
};

static size_t give(char *to, size_t size, size_t n, void *arg)
{
    struct sending *s = arg;
    size_t left = s->mail->data.len - s->at;

    n = size * n < left ? size * n : left;
    memcpy(to, s->mail->data.ptr + s->at, n);
    s->at += n;
    return n;
}

static int watch(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct sending *s = arg;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    s->stopped = s->mail->left_ms && s->mail->left_ms(s->mail->arg) <= 0;
    return s->stopped ? 1 : 0;
}

#define SET(option, value) (code = code ? code : curl_easy_setopt(c, option, value))

static CURLcode set_up(CURL *c, struct sending *s, struct curl_slist *to, const char *from,
                       const char *password)
{
    const struct das_mail *m = s->mail;
    CURLcode code = CURLE_OK;

    SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    SET(CURLOPT_URL, m->server);
    /* a login is never sent to whoever happens to answer */
    SET(CURLOPT_USE_SSL, (long)(m->insecure && !m->user ? CURLUSESSL_TRY : CURLUSESSL_ALL));
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)m->connect_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)m->total_ms);
    SET(CURLOPT_ERRORBUFFER, s->error);
    SET(CURLOPT_MAIL_FROM, from);
    SET(CURLOPT_MAIL_RCPT, to);
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_READFUNCTION, give);
    SET(CURLOPT_READDATA, s);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, watch);
    SET(CURLOPT_XFERINFODATA, s);
    if (m->user) {
        SET(CURLOPT_USERNAME, m->user);
        SET(CURLOPT_PASSWORD, password);
    }
    if (m->ca) {
        SET(CURLOPT_CAINFO, m->ca);
        SET(CURLOPT_CAPATH, NULL);
    }
    return code;
}

static int explain(const struct sending *s, CURLcode result, long code, struct das_err *err)
{
    const char *words = s->error[0] ? s->error : curl_easy_strerror(result);

    if (s->stopped)
        return das_fail(err, DAS_E_TIMEOUT, "stopped, because the time is up");
    switch (result) {
    case CURLE_OUT_OF_MEMORY:
        return das_fail_nomem(err);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return das_fail(err, DAS_E_USAGE,
                        "endpoint: expected smtps://HOST:PORT or smtp://HOST:PORT");
    case CURLE_OPERATION_TIMEDOUT:
        return das_fail(err, DAS_E_TIMEOUT, "no answer in time (%s)", words);
    case CURLE_LOGIN_DENIED:
        return das_fail(err, DAS_E_AUTH, "the login was not accepted (%s)", words);
    case CURLE_USE_SSL_FAILED:
        return das_fail(err, DAS_E_CONNECT, "the server offers no TLS");
    case CURLE_PEER_FAILED_VERIFICATION:
        return das_fail(err, DAS_E_CONNECT, "the server's certificate is not trusted (%s)", words);
    default:
        break;
    }
    if (code >= 500)
        return das_fail(err, DAS_E_DENIED, "the server said %ld", code);
    if (code >= 400)
        return das_fail(err, DAS_E_BUSY, "the server said %ld", code);
    return das_fail(err, DAS_E_CONNECT, "the mail was not sent (%s)", words);
}

/* "<ADDRESS>" for each receiver; the caller frees. NULL: no memory. */
static struct curl_slist *receivers(const struct das_mail *m)
{
    struct curl_slist *list = NULL, *more;
    char one[ADDRESS_MAX + 3];

    for (size_t i = 0; i < m->to_count; i++) {
        snprintf(one, sizeof one, "<%s>", m->to[i]);
        more = curl_slist_append(list, one);
        if (!more) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = more;
    }
    return list;
}

static int check(const struct das_mail *m, struct das_err *err)
{
    bool good = m->to_count > 0 && das_mail_address(m->from);

    for (size_t i = 0; i < m->to_count && good; i++)
        good = das_mail_address(m->to[i]);
    return good ? 0 : das_fail(err, DAS_E_USAGE, "a mail without proper addresses");
}

int das_mail_send(const struct das_mail *m, long *code, struct das_err *err)
{
    struct sending s = {.mail = m};
    struct das_buf password = {0};
    char from[ADDRESS_MAX + 3];
    struct curl_slist *to = NULL;
    CURLcode result = CURLE_OUT_OF_MEMORY;
    CURL *c = NULL;
    int rc = -1;

    *code = 0;
    if (check(m, err) < 0 || das_curl_load(err) < 0)
        return -1;
    das_buf_text(&password, m->password);
    snprintf(from, sizeof from, "<%s>", m->from);
    to = receivers(m);
    c = curl_easy_init();
    if (to && c && !password.failed)
        result = set_up(c, &s, to, from, password.ptr ? password.ptr : "");
    if (!result)
        result = curl_easy_perform(c);
    if (c)
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, code);
    if (result)
        explain(&s, result, *code, err);
    else
        rc = 0;
    if (c)
        curl_easy_cleanup(c);
    curl_slist_free_all(to);
    if (password.ptr)
        explicit_bzero(password.ptr, password.len);
    das_buf_clear(&password);
    return rc;
}

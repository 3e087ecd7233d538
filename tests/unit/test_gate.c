/*
 * test_gate.c - each rule of core/serve/gate.h, both sides of it.
 *
 * Headers are taken apart here as the library does it: in place, each line's end written over with
 * NUL, folded lines appended to the name in memory elsewhere. Whether the library really does is
 * for tests/e2e/httpd.t.
 */
#include "core/serve/gate.h"

#include "core/base/mem.h"
#include "tests/unit/tap.h"

#define MAX 64

struct header {
    char *bytes;
    char *folded[MAX]; /* names that had to be moved */
    size_t folds;
    char *target;
    struct das_sign_pair pairs[MAX];
    struct das_gate_request r;
};

/* The next line, ended by LF or CRLF, which become NUL. NULL: there is none. */
static char *line(char **at, char *end)
{
    char *start = *at, *lf = memchr(start, '\n', (size_t)(end - start));

    if (!lf)
        return NULL;
    *lf = '\0';
    if (lf > start && lf[-1] == '\r')
        lf[-1] = '\0';
    *at = lf + 1;
    return start;
}

/* False: the library would not have called anybody. */
static bool take_apart(struct header *h, const char *raw, size_t len)
{
    char *at, *end, *line_end, *l, *blank, *last = NULL, *value = NULL;

    memset(h, 0, sizeof *h);
    h->bytes = malloc(len + 1);
    memcpy(h->bytes, raw, len);
    at = h->bytes;
    end = at + len;
    l = line(&at, end);
    line_end = at - 1;
    if (!l || !(blank = memchr(l, ' ', (size_t)(line_end - l))))
        return false;
    *blank = '\0';
    h->r.method = das_text_of(l);
    l = blank + 1 + strspn(blank + 1, " ");
    blank = memrchr(l, ' ', (size_t)(line_end - l));
    if (!blank)
        return false;
    *blank = '\0';
    h->target = strdup(l);
    h->r.target = das_text_of(h->target);
    h->r.version = das_text_of(blank + 1);
    while ((l = line(&at, end))) {
        if (last && (*l == ' ' || *l == '\t')) {
            char *moved = malloc(strlen(last) + strlen(l) + 1);
            sprintf(moved, "%s%s", last, l + strspn(l, " \t"));
            last = h->folded[h->folds++] = moved;
            continue;
        }
        if (last)
            h->pairs[h->r.header_count++] =
                (struct das_sign_pair){das_text_of(last), das_text_of(value)};
        if (!*l)
            break;
        last = l;
        value = strchr(l, ':');
        if (!value)
            return false;
        *value++ = '\0';
        value += strspn(value, " \t");
    }
    if (!l)
        return false;
    h->r.headers = h->pairs;
    h->r.header_bytes = (size_t)(at - h->bytes);
    return true;
}

static void clear(struct header *h)
{
    for (size_t i = 0; i < h->folds; i++)
        free(h->folded[i]);
    free(h->target);
    free(h->bytes);
}

static void judged(const char *raw, size_t len, int want, const char *says, const char *what)
{
    struct header h;
    const char *why = NULL;
    int status = -1;

    if (ok(take_apart(&h, raw, len), "%s: is taken apart", what)) {
        why = das_gate(&h.r, &status);
        if (want == 0)
            ok(!why && status == 0, "%s: passes", what);
        else
            ok(why && strstr(why, says) && status == want, "%s: %d, %s", what, want, says);
        if ((want == 0) != !why || status != want)
            tap_diag("got %d, %s", status, why ? why : "(passes)");
    }
    clear(&h);
}

#define GATE(raw, want, says, what) judged(raw, sizeof(raw) - 1, want, says, what)
#define PASSES(raw, what) GATE(raw, 0, "", what)
/* One more header line, or several, between Host and the end. */
#define WITH(lines, want, says) \
    GATE("GET / HTTP/1.1\r\nHost: a\r\n" lines "\r\n", want, says, #lines)

static void request_line(void)
{
    PASSES("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "the least");
    PASSES("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "HTTP/1.0");
    PASSES("GET /%20%00%zz?a=b&c=%2f HTTP/1.1\r\nHost: a\r\n\r\n", "a target with escapes");
    PASSES("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS *");
    PASSES("M-SEARCH!#$%&'*+.^_`|~09 / HTTP/1.1\r\nHost: a\r\n\r\n", "a method of all token bytes");
    GATE("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, "version", "HTTP/1.2");
    GATE("GET / HTTP/1.9\r\nHost: a\r\n\r\n", 505, "version", "HTTP/1.9");
    GATE("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "version", "HTTP/2.0");
    GATE("GET / http/1.1\r\nHost: a\r\n\r\n", 505, "version", "small letters");
    GATE("GET / HTTP/1.1x\r\nHost: a\r\n\r\n", 505, "version", "more behind it");
    GATE("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target", "GET *");
    GATE("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target", "an absolute target");
    GATE("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target", "an authority");
    GATE("GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target", "no slash");
    GATE("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "visible", "a blank in the target");
    GATE("GET /\t HTTP/1.1\r\nHost: a\r\n\r\n", 400, "visible", "a tab in the target");
    GATE("GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "visible", "UTF-8 in the target");
    GATE("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400, "visible", "DEL in the target");
    GATE("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "method", "a method that is no token");
    GATE("G\tT / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "method", "a tab in the method");
    GATE(" / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "method", "no method");
    GATE("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "lines", "two blanks before the target");
    GATE("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400, "visible", "two blanks before the version");
    GATE("GET /\0x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "lines", "NUL in the target");
}

static void lines(void)
{
    WITH("A: b\r\nC:\r\nD: \r\nE:\t \tf\r\nG:h \t\r\n", 0, "");
    WITH("A: b\tc d\xff\r\n", 0, "");
    WITH("A: b\r\n c\r\n", 400, "folded");
    WITH("A: b\r\n\tc\r\n", 400, "folded");
    WITH("A: b\r\n \r\n", 400, "folded");
    WITH("A: b\r\n c\r\n d\r\n", 400, "folded");
    WITH("A: b\r\n c\r\nD: e\r\n", 400, "folded");
    WITH("A: b\r\n c: d\r\n", 400, "folded");
    WITH("A:\r\n b\r\n", 400, "folded");
    WITH("A: b\n", 400, "CRLF");
    WITH("A: b\nC: d\r\n", 400, "CRLF");
    WITH("A: b\r\nC: d\n", 400, "CRLF");
    WITH("A: b\r\r\n", 400, "control");
    WITH("A: b\rc\r\n", 400, "control");
    /* what is one byte short here is made good there, and the sum is right */
    WITH("A: b\nC: d\n \n", 400, "lines");
    WITH("A: b\n \nC: d\n", 400, "lines");
    WITH("A: b\n\tc\nD: e\n", 400, "lines");
    WITH("A: b\0c\r\n", 400, "lines");
    WITH("A: b\0\r\n", 400, "lines");
    WITH("A: b\0c\nD: e\n", 400, "lines");
    GATE("GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "lines", "LF behind the request line");
    GATE("GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "lines", "LF behind the last header");
    GATE("GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "lines", "LF for the empty line");
    GATE("GET / HTTP/1.1\r\nHost: a\n\n", 400, "lines", "LF for both");
    GATE("GET / HTTP/1.1\r\nHost: a\n \n\n", 400, "lines", "LF for both, and an empty fold");
    GATE("GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n", 400, "folded", "an empty fold at the end");
    GATE("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "name", "a fold of the request line");
    GATE("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400, "folded", "a folded Host");
}

static void names_and_values(void)
{
    WITH("!#$%&'*+-.^_`|~09azAZ: b\r\n", 0, "");
    WITH(": b\r\n", 400, "name");
    WITH("A : b\r\n", 400, "name");
    WITH("A\t: b\r\n", 400, "name");
    WITH("A B: c\r\n", 400, "name");
    WITH("A(: c\r\n", 400, "name");
    WITH("A/B: c\r\n", 400, "name");
    WITH("A@: c\r\n", 400, "name");
    WITH("\"A\": c\r\n", 400, "name");
    WITH("A\x7f: c\r\n", 400, "name");
    WITH("A\x01: c\r\n", 400, "name");
    WITH("\xc3\xa9: c\r\n", 400, "name");
    WITH("A: b\x01\r\n", 400, "control");
    WITH("A: \x1f\r\n", 400, "control");
    WITH("A: b\x7f\r\n", 400, "control");
    WITH("A: b\x0b\r\n", 400, "control");
}

#define HOST(value, want) \
    GATE("GET / HTTP/1.1\r\nHost:" value "\r\n\r\n", want, "Host", "Host:" value)

static void hosts(void)
{
    HOST("a", 0);
    HOST(" das.example-1.com:7070", 0);
    HOST(" a_b ", 0);
    HOST(" 127.0.0.1:1", 0);
    HOST(" [::1]", 0);
    HOST(" [fd00::1.2.3.4]:65535", 0);
    HOST("", 400);
    HOST(" ", 400);
    HOST(" :80", 400);
    HOST(" a:", 400);
    HOST(" a:b", 400);
    HOST(" a:123456", 400);
    HOST(" a:80:90", 400);
    HOST(" a b", 400);
    HOST(" a/b", 400);
    HOST(" u@a", 400);
    HOST(" a,b", 400);
    HOST(" []", 400);
    HOST(" [::1", 400);
    HOST(" [::1]x", 400);
    HOST(" [::g]", 400);
    HOST(" a\xff", 400);
    WITH("host: a\r\n", 400, "Host is there twice");
    WITH("HOST: b\r\n", 400, "Host is there twice");
    GATE("GET / HTTP/1.1\r\n\r\n", 400, "Host is missing", "no header");
    GATE("GET / HTTP/1.1\r\nHosts: a\r\n\r\n", 400, "Host is missing", "no Host");
    GATE("GET / HTTP/1.0\r\nA: b\r\n\r\n", 400, "Host is missing", "no Host in HTTP/1.0");
    GATE("GET / HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n", 400, "twice", "an empty Host, and one");
}

static void framing(void)
{
    WITH("Content-Length: 0\r\n", 0, "");
    WITH("content-LENGTH: 0012\r\n", 0, "");
    WITH("Content-Length: 999999999999999999\r\n", 0, "");
    WITH("Content-Length: 9999999999999999999\r\n", 400, "number");
    WITH("Content-Length:\r\n", 400, "number");
    WITH("Content-Length: +5\r\n", 400, "number");
    WITH("Content-Length: -5\r\n", 400, "number");
    WITH("Content-Length: 0x5\r\n", 400, "number");
    WITH("Content-Length: 5, 5\r\n", 400, "number");
    WITH("Content-Length: 5 5\r\n", 400, "number");
    WITH("Content-Length: 5\r\nContent-Length: 5\r\n", 400, "Content-Length is there twice");
    WITH("Content-Length: 5\r\ncontent-length: 6\r\n", 400, "Content-Length is there twice");
    WITH("Content-Length:\r\nContent-Length: 6\r\n", 400, "Content-Length is there twice");
    WITH("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400, "both");
    WITH("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400, "both");
    WITH("Transfer-Encoding: chunked\r\n", 0, "");
    WITH("Transfer-Encoding:\tchunked\r\n", 0, "");
    WITH("Transfer-Encoding: Chunked\r\n", 501, "chunked");
    WITH("Transfer-Encoding: chunked \r\n", 501, "chunked");
    WITH("Transfer-Encoding: chunked x\r\n", 501, "chunked");
    WITH("Transfer-Encoding: xchunked\r\n", 501, "chunked");
    WITH("Transfer-Encoding: \"chunked\"\r\n", 501, "chunked");
    WITH("Transfer-Encoding: chunked;a\r\n", 501, "chunked");
    WITH("Transfer-Encoding: gzip, chunked\r\n", 501, "chunked");
    WITH("Transfer-Encoding: chunked, identity\r\n", 501, "chunked");
    WITH("Transfer-Encoding: identity\r\n", 501, "chunked");
    WITH("Transfer-Encoding:\r\n", 501, "chunked");
    WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400, "twice");
    WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", 400, "twice");
    GATE("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "HTTP/1.0",
         "chunks in HTTP/1.0");
    WITH("Transfer_Encoding: x\r\nContent_Length: y\r\n", 0, "");
    WITH("Expect: 100-continue\r\n", 0, "");
    WITH("Expect: 100-Continue\r\n", 0, "");
    WITH("Expect: 100-continue, x\r\n", 417, "Expect");
    WITH("Expect:\r\n", 417, "Expect");
    WITH("Expect: 100-continue\r\nExpect: 100-continue\r\n", 400, "Expect is there twice");
}

/* Whatever of a good header is lost, doubled or another byte: it passes only where it is still made
 * up of lines that end in CRLF. */
static void every_byte(void)
{
    static const char good[] = "POST /a?b HTTP/1.1\r\nHost: a:1\r\nA: b c\r\nContent-Length: 5\r\n"
                               "Long-Name:  value \r\n\r\n";
    static const char bytes[] = {0, '\n', '\r', ' ', '\t', ':', 'x', 1, 127, (char)200};
    size_t len = sizeof good - 1, tried = 0, passed = 0, wrong = 0;

    for (size_t i = 0; i < len; i++) {
        for (size_t j = 0; j < 2 * sizeof bytes + 1; j++) {
            char raw[sizeof good + 1];
            size_t n = len;
            struct header h;
            int status;
            memcpy(raw, good, len);
            if (j < sizeof bytes) { /* another byte */
                raw[i] = bytes[j];
            } else if (j < 2 * sizeof bytes) { /* one more */
                memmove(raw + i + 1, raw + i, len - i);
                raw[i] = bytes[j - sizeof bytes];
                n++;
            } else { /* one less */
                memmove(raw + i, raw + i + 1, len - i - 1);
                n--;
            }
            if (take_apart(&h, raw, n)) {
                tried++;
                if (!das_gate(&h.r, &status)) {
                    passed++;
                    /* up to the end that the library saw */
                    for (size_t k = 0; k < h.r.header_bytes; k++) {
                        bool lf = raw[k] == '\n', before = k && raw[k - 1] == '\r';
                        bool nul = k && raw[k - 1] == '\0'; /* what gate.h says it cannot see */
                        wrong += (lf && !before && !nul) || (before && !lf);
                        wrong += !raw[k] && raw[k + 1] != '\n';
                        wrong += lf && k + 1 < h.r.header_bytes &&
                                 (raw[k + 1] == ' ' || raw[k + 1] == '\t');
                    }
                }
            }
            clear(&h);
        }
    }
    is_int(wrong, 0, "of %zu damaged headers %zu pass, all of whole lines", tried, passed);
    ok(tried > 500 && passed > 50 && passed < tried / 2, "and it was no idle question");
}

int main(void)
{
    request_line();
    lines();
    names_and_values();
    hosts();
    framing();
    every_byte();
    return tap_done();
}

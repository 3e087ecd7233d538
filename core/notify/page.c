/* page.c - see page.h: characters, and sessions as lines. */
#include "core/notify/page.h"

#include <stdio.h>
#include <string.h>

#include "core/session/render.h"

#define APART "\xe2\x80\x8b" /* U+200B, of no width */
#define DOTS "\xe2\x80\xa6"

void das_page_init(struct das_page *p, struct das_buf *b, enum das_markup markup,
                   enum das_unit unit, size_t max)
{
    *p = (struct das_page){.b = b, .markup = markup, .unit = unit, .max = max};
}

size_t das_page_left(const struct das_page *p)
{
    return p->used < p->max ? p->max - p->used : 0;
}

/* --- units ------------------------------------------------------------------------------------ */

static size_t measure_one(enum das_unit unit, const char *p, size_t n)
{
    unsigned char c = (unsigned char)*p;

    switch (unit) {
    case DAS_UNIT_CHARS:
        return 1;
    case DAS_UNIT_UTF16:
        return n == 4 ? 2 : 1;
    case DAS_UNIT_JSON:
        if (c == '"' || c == '\\' || c == '\n' || c == '\t' || c == '\r')
            return 2;
        return c < 0x20 || c == 0x7f ? 6 : n;
    default:
        return n;
    }
}

size_t das_page_measure(enum das_unit unit, struct das_text t)
{
    size_t sum = 0, n;
    uint32_t code;

    for (size_t i = 0; i < t.len; i += n) {
        n = das_utf8_next(t.ptr + i, t.len - i, &code);
        n = n ? n : 1;
        sum += measure_one(unit, t.ptr + i, n);
    }
    return sum;
}

/* --- characters ------------------------------------------------------------------------------- */

void das_page_raw(struct das_page *p, const char *s)
{
    struct das_text t = das_text_of(s);

    das_buf_text(p->b, t);
    p->used += das_page_measure(p->unit, t);
    p->last = 0;
}

/* What turns text around, or hides in it. */
static bool is_trick(uint32_t c)
{
    return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0x80 && c < 0xa0) ||
           (c >= 0xe0000 && c <= 0xe007f);
}

static const char *entity(enum das_markup markup, char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return markup == DAS_MARKUP_HTML ? "&quot;" : NULL;
    default:
        return NULL;
    }
}

/* One character as it is written here; out has room for 16 bytes. Returns how many it takes. */
static size_t spell(const struct das_page *p, const char *c, size_t n, char *out)
{
    const char *words;
    size_t len = 0;

    if (n == 1 && (p->markup == DAS_MARKUP_SLACK || p->markup == DAS_MARKUP_HTML) &&
        (words = entity(p->markup, *c)) != NULL) {
        len = strlen(words);
        memcpy(out, words, len);
        return len;
    }
    if (n == 1 && *c == '`' && p->code && p->last == '`') { /* no end of a block */
        memcpy(out, APART "`", 4);
        return 4;
    }
    if (n == 1 && *c == '/' && p->last == ':' && p->apart) { /* no address: "http:" and "//" */
        memcpy(out, APART "/", 4);
        return 4;
    }
    if (n == 1 && p->markup == DAS_MARKUP_BACKSLASH && !p->code && strchr("\\`*_[]()#~|", *c))
        out[len++] = '\\';
    memcpy(out + len, c, n);
    len += n;
    if (n > 1 || p->code)
        return len;
    if ((*c == '@' && p->markup != DAS_MARKUP_NONE && p->markup != DAS_MARKUP_SLACK) ||
        (*c == '<' && p->markup >= DAS_MARKUP_BACKSLASH) ||
        (p->markup == DAS_MARKUP_APART && strchr("[]!*_`#~", *c))) {
        memcpy(out + len, APART, 3);
        len += 3;
    }
    return len;
}

/* The next character of t as it may be shown: no control characters, no bytes that are none. */
static size_t next_of(struct das_text t, size_t i, bool lines, const char **c, size_t *n)
{
    uint32_t code = 0xfffd;
    size_t step = das_utf8_next(t.ptr + i, t.len - i, &code);

    *c = t.ptr + i;
    *n = step;
    if (!step) {
        *c = "\xef\xbf\xbd";
        *n = 3;
    } else if ((code < 0x20 || code == 0x7f) && !(code == '\n' && lines)) {
        *c = " ";
        *n = 1;
    } else if (is_trick(code)) {
        *n = 0;
    }
    return step ? step : 1;
}

bool das_page_text(struct das_page *p, struct das_text t, size_t most, bool lines)
{
    size_t room = das_page_left(p), used = 0, fits_len, fits_used = 0, i = 0;
    size_t dots = das_page_measure(p->unit, das_text_of(DOTS));
    bool whole = true;

    room = most < room ? most : room;
    fits_len = p->b->len;
    while (i < t.len && whole) {
        const char *c;
        char out[16];
        size_t n, len, cost;
        i += next_of(t, i, lines, &c, &n);
        if (!n)
            continue;
        len = spell(p, c, n, out);
        cost = das_page_measure(p->unit, das_text(out, len));
        whole = used + cost <= room;
        if (!whole)
            break;
        das_buf_add(p->b, out, len);
        p->last = n == 1 ? (unsigned char)*c : 0;
        used += cost;
        if (used + dots <= room) {
            fits_len = p->b->len;
            fits_used = used;
        }
    }
    if (!whole) {
        p->b->len = fits_len; /* before, there is room for the ellipsis */
        used = fits_used;
        if (dots <= room) {
            das_buf_str(p->b, DOTS);
            used += dots;
        }
        p->last = 0;
    }
    p->used += used;
    return whole;
}

/* --- sessions --------------------------------------------------------------------------------- */

enum column { ID, USER, HOST, DB, COMMAND, TIME, NOTE, COLUMNS };
static const char *const heads[] = {"id", "user", "host", "db", "command", "s", "outcome"};
static const size_t widest[] = {20, 16, 21, 12, 11, 8, 10};
#define SQL_CELLS 90

static struct das_text cell(const struct das_notice_row *r, enum column c, char number[24])
{
    switch (c) {
    case ID:
        snprintf(number, 24, "%lld", (long long)r->id);
        return das_text_of(number);
    case USER:
        return r->user;
    case HOST:
        return das_host_part(r->host);
    case DB:
        return r->db;
    case COMMAND:
        return r->command;
    case TIME:
        if (!das_known(r->time))
            return das_text_of("?");
        snprintf(number, 24, "%lld", (long long)r->time);
        return das_text_of(number);
    default:
        return r->note;
    }
}

static size_t cells_of(struct das_text t, size_t most, struct das_buf *scratch)
{
    das_buf_reset(scratch);
    return das_render_cell(t, most, scratch);
}

static void measure_columns(const struct das_notice *n, size_t rows, size_t width[COLUMNS],
                            struct das_buf *scratch)
{
    char number[24];
    bool noted = false;

    for (size_t i = 0; i < rows; i++)
        noted |= n->rows[i].note.ptr != NULL;
    for (int c = 0; c < COLUMNS; c++) {
        width[c] = strlen(heads[c]);
        for (size_t i = 0; i < rows; i++) {
            size_t w = cells_of(cell(&n->rows[i], (enum column)c, number), widest[c], scratch);
            width[c] = w > width[c] ? w : width[c];
        }
    }
    if (!noted)
        width[NOTE] = 0;
}

/* r NULL: the heads. */
static void write_line(const struct das_notice_row *r, const size_t width[COLUMNS],
                       struct das_buf *b)
{
    char number[24];

    das_buf_reset(b);
    for (int c = 0; c < COLUMNS; c++) {
        struct das_text t = r ? cell(r, (enum column)c, number) : das_text_of(heads[c]);
        size_t used;
        if (!width[c])
            continue;
        used = das_render_cell(t, width[c], b);
        das_buf_fill(b, ' ', width[c] - used + 1);
    }
    if (!r)
        das_buf_str(b, "statement");
    else if (r->sql.len)
        das_render_cell(r->sql, SQL_CELLS, b);
    else
        das_render_cell(r->state, SQL_CELLS, b);
}

/* The line, with a break before it unless it is the first; false: it has no room. */
static bool add_line(struct das_page *p, struct das_buf *line, bool first)
{
    size_t len = p->b->len, used = p->used;

    if (!first && das_page_left(p) > 2)
        das_page_raw(p, "\n");
    if (das_page_text(p, das_text_trim(das_buf_view(line)), SIZE_MAX, false))
        return true;
    p->b->len = len; /* half a session is none */
    if (p->b->ptr)
        p->b->ptr[len] = '\0';
    p->used = used;
    return false;
}

size_t das_page_table(struct das_page *p, const struct das_notice *n, size_t most)
{
    size_t width[COLUMNS], rows = n->row_count < most ? n->row_count : most, shown = 0;
    struct das_buf line = {0};
    bool code = p->code;

    if (!rows)
        return 0;
    measure_columns(n, rows, width, &line);
    p->code = true;
    write_line(NULL, width, &line);
    if (add_line(p, &line, true)) {
        for (; shown < rows; shown++) {
            write_line(&n->rows[shown], width, &line);
            if (!add_line(p, &line, false))
                break;
        }
    }
    p->code = code;
    p->b->failed |= line.failed;
    das_buf_clear(&line);
    return shown;
}

size_t das_page_list(struct das_page *p, const struct das_notice *n, size_t most)
{
    size_t rows = n->row_count < most ? n->row_count : most, shown = 0;
    struct das_buf line = {0};

    for (; shown < rows; shown++) {
        const struct das_notice_row *r = &n->rows[shown];
        char number[24];
        das_buf_reset(&line);
        for (int c = ID; c <= NOTE; c++) {
            struct das_text t = cell(r, (enum column)c, number);
            if (c == NOTE && !t.ptr)
                continue;
            das_buf_str(&line, c == ID ? "" : c == USER ? ": " : c == TIME ? " " : ", ");
            das_render_cell(t.len ? t : DAS_TEXT_NULL, widest[c], &line);
            das_buf_str(&line, c == TIME ? " s" : "");
        }
        if (r->sql.len || r->state.len) {
            das_buf_str(&line, ": ");
            das_render_cell(r->sql.len ? r->sql : r->state, SQL_CELLS, &line);
        }
        if (!add_line(p, &line, shown == 0))
            break;
    }
    p->b->failed |= line.failed;
    das_buf_clear(&line);
    return shown;
}

void das_page_more(struct das_page *p, const struct das_notice *n, size_t shown)
{
    char words[DAS_PAGE_MORE + 1];
    int64_t more = n->row_total - (int64_t)shown;

    if (more <= 0)
        return;
    snprintf(words, sizeof words, shown ? DOTS " and %lld more session%s" : "%lld session%s",
             (long long)more, more == 1 ? "" : "s");
    das_page_raw(p, words);
}

/* compose.c - a whole message as one text, for platforms that have nothing better (page.h). */
#include <stdio.h>
#include <string.h>

#include "core/notify/page.h"

#define TITLE_MAX 200 /* units */
#define INSTANCE_MAX 60
#define FIELD_MAX 300
#define FIELDS_SHARE 2
#define ROWS_SHARE 2 /* the text may take one half of the room when there are sessions */

void das_page_title(struct das_page *p, const struct das_notice *n, size_t most)
{
    size_t from = p->used;

    if (n->event == DAS_RESOLVE)
        das_page_raw(p, "[resolved] ");
    else if (n->event == DAS_ACKNOWLEDGE)
        das_page_raw(p, "[acknowledged] ");
    else if (n->severity != DAS_INFO) {
        das_page_raw(p, "[");
        das_page_raw(p, das_severity_name(n->severity));
        das_page_raw(p, "] ");
    }
    /* where it is, unless its author says so */
    if (n->instance.len && n->title.len &&
        !memmem(n->title.ptr, n->title.len, n->instance.ptr, n->instance.len)) {
        das_page_text(p, n->instance, INSTANCE_MAX, false);
        das_page_raw(p, ": ");
    }
    from = p->used - from;
    das_page_text(p, n->title.len ? n->title : n->text, most > from ? most - from : 0, false);
}

bool das_page_text_is_apart(const struct das_notice *n, enum das_unit unit, size_t most)
{
    struct das_text t = n->text;

    if (!t.len || n->title.len)
        return t.len > 0;
    /* of one line, and with room for what stands before it */
    return memchr(t.ptr, '\n', t.len) ||
           das_page_measure(unit, t) + sizeof "[acknowledged] " > most;
}

static size_t cost(const struct das_page *p, const char *s)
{
    return s ? das_page_measure(p->unit, das_text_of(s)) : 0;
}

static void add_fields(struct das_page *p, const struct das_notice *n, const struct das_style *s)
{
    size_t i = 0, room = das_page_left(p);

    /* sessions are what the message is about, as a rule */
    for (; i < n->field_count && das_page_left(p) > FIELD_MAX + DAS_PAGE_MORE &&
           (!n->row_count || das_page_left(p) > room / FIELDS_SHARE);
         i++) {
        das_page_raw(p, "\n");
        das_page_raw(p, s->bold);
        das_page_text(p, n->fields[i].name, FIELD_MAX / 4, false);
        das_page_raw(p, s->bold_end);
        das_page_raw(p, ": ");
        das_page_text(p, n->fields[i].value, FIELD_MAX / 2, false);
    }
    if (i < n->field_count && das_page_left(p) > DAS_PAGE_MORE) {
        char words[DAS_PAGE_MORE + 1];
        snprintf(words, sizeof words, "\n\xe2\x80\xa6 and %zu more fields", n->field_count - i);
        das_page_raw(p, words);
    }
}

/* An address inside markup: what could end it is written as its code. */
static void add_link(struct das_page *p, const struct das_notice *n, const struct das_style *s)
{
    bool entities = p->markup == DAS_MARKUP_SLACK || p->markup == DAS_MARKUP_HTML;

    das_page_raw(p, "\n");
    das_page_raw(p, s->link);
    for (size_t i = 0; i < n->link.len; i++) {
        const char c = n->link.ptr[i], one[] = {c, '\0'};
        das_page_raw(p, c == '&' && entities ? "&amp;"
                        : c == '\''          ? "%27"
                        : c == '('           ? "%28"
                        : c == ')'           ? "%29"
                                             : one);
    }
    das_page_raw(p, s->link_end);
}

/* What is left when the sessions, the count and the link have theirs. */
static void add_sessions(struct das_page *p, const struct das_notice *n, const struct das_style *s)
{
    size_t around = cost(p, s->code) + cost(p, s->code_end) + 2, shown = 0, max = p->max;
    size_t len = p->b->len, used = p->used;

    if (n->row_count && das_page_left(p) > around + DAS_PAGE_MORE + 40) {
        p->max -= around + DAS_PAGE_MORE + 1;
        das_page_raw(p, "\n");
        p->apart = s->apart;
        if (s->code) {
            das_page_raw(p, s->code);
            shown = das_page_table(p, n, s->rows);
            das_page_raw(p, s->code_end);
        } else {
            shown = das_page_list(p, n, s->rows);
        }
        p->apart = false;
        p->max = max;
        if (!shown && p->b->ptr) { /* not even one: no empty block */
            p->b->ptr[p->b->len = len] = '\0';
            p->used = used;
        }
    }
    if (n->row_total > (int64_t)shown && das_page_left(p) > DAS_PAGE_MORE) {
        das_page_raw(p, "\n");
        das_page_more(p, n, shown);
    }
}

void das_page_compose(struct das_page *p, const struct das_notice *n, const struct das_style *s)
{
    size_t link =
        n->link.len && s->link ? cost(p, s->link) + cost(p, s->link_end) + n->link.len * 5 + 1 : 0;
    struct das_notice bare;
    size_t room;

    if (s->no_fields) {
        bare = *n;
        bare.field_count = 0;
        n = &bare;
    }
    if (link > p->max / 2)
        link = 0; /* an address that takes the room of what it leads to */
    p->max -= link;
    if (s->title && n->title.len) {
        das_page_raw(p, s->bold);
        das_page_title(p, n, TITLE_MAX);
        das_page_raw(p, s->bold_end);
        if (n->text.len)
            das_page_raw(p, "\n");
    } else if (s->title && (n->severity != DAS_INFO || n->event != DAS_TRIGGER)) {
        const struct das_notice only = {.severity = n->severity, .event = n->event};
        das_page_title(p, &only, TITLE_MAX);
    }
    room = das_page_left(p);
    das_page_text(p, n->text, n->row_count || n->field_count ? room / ROWS_SHARE : room, true);
    add_fields(p, n, s);
    add_sessions(p, n, s);
    p->max += link;
    if (link)
        add_link(p, n, s);
}

/*
 * page.h - text for one platform: what would be markup there is taken out, and what is too long is
 * cut at the end of a character and counted in the platform's own unit.
 *
 * What comes from a database may hold anything. Here it can become neither a mention, nor a link
 * that hides where it leads, nor the end of the block that it stands in.
 */
#ifndef DAS_NOTIFY_PAGE_H
#define DAS_NOTIFY_PAGE_H

#include "core/notify/notice.h"

enum das_markup {
    DAS_MARKUP_NONE,      /* shown as it is */
    DAS_MARKUP_SLACK,     /* & < > are written as entities */
    DAS_MARKUP_HTML,      /* and quotes, too */
    DAS_MARKUP_BACKSLASH, /* Markdown that knows \ */
    DAS_MARKUP_APART,     /* Markdown that may not: a mark is kept apart from what makes it one by a
                             character of no width */
};

enum das_unit {
    DAS_UNIT_BYTES,
    DAS_UNIT_CHARS, /* code points */
    DAS_UNIT_UTF16,
    DAS_UNIT_JSON, /* bytes inside a JSON string */
};

struct das_page {
    struct das_buf *b;
    enum das_markup markup;
    enum das_unit unit;
    size_t used, max;
    bool code;  /* inside a block of code */
    bool apart; /* web addresses are kept from becoming links */
    unsigned char last;
};

void das_page_init(struct das_page *p, struct das_buf *b, enum das_markup markup,
                   enum das_unit unit, size_t max);
size_t das_page_left(const struct das_page *p);
/* Markup of das's own, counted; whoever adds it has seen to the room. */
void das_page_raw(struct das_page *p, const char *s);
/* Text, of at most so many units and what is left; an ellipsis is its end when it was cut, and then
 * this is false. lines: line breaks stay. NULL adds nothing. */
bool das_page_text(struct das_page *p, struct das_text t, size_t most, bool lines);
size_t das_page_measure(enum das_unit unit, struct das_text t);

/* --- sessions --------------------------------------------------------------------------------- */

/* The sessions as lines of equal columns, the first one saying what they are: for a block of code.
 * Stops before a line that has no room, or after so many; how many sessions were shown. */
size_t das_page_table(struct das_page *p, const struct das_notice *n, size_t most);
/* The same as sentences: "12: app, 10.0.0.7, shop, Query 80 s: select ..." */
size_t das_page_list(struct das_page *p, const struct das_notice *n, size_t most);
/* "... and 37 more sessions", with no line break; nothing where all were shown. */
void das_page_more(struct das_page *p, const struct das_notice *n, size_t shown);
#define DAS_PAGE_MORE 50 /* units that it takes at the most */

/* --- a whole message as one text -------------------------------------------------------------- */

struct das_style {
    const char *bold, *bold_end; /* around the title and names of fields */
    const char *code, *code_end; /* around the table; NULL: a list in place of it */
    const char *link, *link_end; /* around the link; NULL: no link */
    bool title;                  /* else somebody else shows title and severity */
    bool no_fields;              /* somebody else shows them */
    bool apart;                  /* keep addresses in statements from becoming links */
    size_t rows;                 /* sessions to show at the most */
};
void das_page_compose(struct das_page *p, const struct das_notice *n, const struct das_style *s);

/* "[critical] INSTANCE: TITLE"; a message without title is called by its text. */
void das_page_title(struct das_page *p, const struct das_notice *n, size_t most);
/* Does the title of so many units leave out some of the text? */
bool das_page_text_is_apart(const struct das_notice *n, enum das_unit unit, size_t most);

#endif

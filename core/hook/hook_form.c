/* hook_form.c - the two small formats that are not JSON: form bodies, and the XML of WeCom. See
 * hook_verify.h. */
#include "core/hook/hook_impl.h"

/* --- forms ------------------------------------------------------------------------------------ */

int das_hook_form_read(struct das_text text, struct das_sign_target *t, struct das_err *err)
{
    struct das_buf wire = {0};
    size_t parts = 1;
    int rc;

    for (size_t i = 0; i < text.len; i++)
        parts += text.ptr[i] == '&';
    if (parts > DAS_HOOK_FORM_MAX)
        return das_fail(err, DAS_E_DATA, "a form with more than %d parts", DAS_HOOK_FORM_MAX);
    das_buf_str(&wire, "/?"); /* a form is what a query is */
    das_buf_text(&wire, text);
    rc = das_buf_ok(&wire, err);
    if (rc == 0)
        rc = das_sign_target_read(t, das_buf_view(&wire), err);
    if (wire.ptr)
        explicit_bzero(wire.ptr, wire.cap);
    das_buf_clear(&wire);
    return rc;
}

int das_hook_form_get(const struct das_sign_target *t, const char *name, struct das_text *value)
{
    int n = 0;

    *value = DAS_TEXT_NULL;
    for (size_t i = 0; i < t->count; i++) {
        if (das_text_is(t->query[i].name, name) && n++ == 0)
            *value = t->query[i].value;
    }
    return n > 1 ? -1 : n;
}

/* --- XML -------------------------------------------------------------------------------------- */

#define XML_DEPTH 16

/* A walk through a document. Whatever is not the little that WeCom sends ends it. */
struct xml {
    const char *p, *end;
    struct das_text open[XML_DEPTH]; /* names of elements that are not closed yet */
    size_t depth;
    const char *name; /* looked for, right below the root */
    struct das_text value;
    int found;     /* how often */
    size_t pieces; /* of text in the element that is looked for */
    bool children; /* it has some */
};

static bool starts(const struct xml *x, const char *with)
{
    size_t n = strlen(with);

    return (size_t)(x->end - x->p) >= n && memcmp(x->p, with, n) == 0;
}

static const char *find(const struct xml *x, const char *what)
{
    return memmem(x->p, (size_t)(x->end - x->p), what, strlen(what));
}

static bool inside(const struct xml *x)
{
    return x->depth == 2 && das_text_is(x->open[1], x->name);
}

static void text(struct xml *x, struct das_text t)
{
    if (!inside(x))
        return;
    x->value = t;
    x->pieces++;
}

static bool read_name(struct xml *x, struct das_text *name)
{
    *name = das_text(x->p, 0);
    while (x->p < x->end &&
           (das_is_digit((unsigned char)*x->p) || *x->p == '_' || *x->p == '-' ||
            (das_lower((unsigned char)*x->p) >= 'a' && das_lower((unsigned char)*x->p) <= 'z')))
        x->p++;
    name->len = (size_t)(x->p - name->ptr);
    return name->len > 0;
}

static bool open_element(struct xml *x)
{
    struct das_text name;
    bool empty;

    x->p++;
    x->children |= inside(x);
    if (x->depth == XML_DEPTH || !read_name(x, &name))
        return false;
    empty = starts(x, "/>");
    if (!empty && !starts(x, ">"))
        return false;
    x->p += empty ? 2 : 1;
    x->open[x->depth++] = name;
    if (inside(x)) {
        x->found++;
        x->pieces = 0;
        x->value = das_text("", 0);
    }
    x->depth -= empty;
    return true;
}

static bool close_element(struct xml *x)
{
    struct das_text name;

    x->p += 2;
    if (!read_name(x, &name) || !starts(x, ">") || !x->depth ||
        !das_text_eq(name, x->open[x->depth - 1]))
        return false;
    if (inside(x) && x->pieces > 1)
        x->children = true; /* text in pieces is none */
    x->p++;
    x->depth--;
    return true;
}

static bool cdata(struct xml *x)
{
    const char *end;

    x->p += 9;
    end = find(x, "]]>");
    if (!end)
        return false;
    text(x, das_text(x->p, (size_t)(end - x->p)));
    x->p = end + 3;
    return true;
}

/* Blanks between elements are nothing. "&" would have to be read. */
static bool plain(struct xml *x)
{
    const char *from = x->p;
    struct das_text t;

    while (x->p < x->end && *x->p != '<')
        x->p++;
    t = das_text_trim(das_text(from, (size_t)(x->p - from)));
    if (!t.len)
        return true;
    if (inside(x) && memchr(t.ptr, '&', t.len))
        return false;
    text(x, t);
    return x->depth > 0;
}

static bool step(struct xml *x)
{
    if (*x->p != '<')
        return plain(x);
    if (starts(x, "<![CDATA["))
        return x->depth > 0 && cdata(x);
    return starts(x, "</") ? close_element(x) : open_element(x);
}

int das_hook_xml_get(struct das_text doc, const char *name, struct das_text *value)
{
    struct xml x = {.p = doc.ptr, .end = doc.ptr + doc.len, .name = name};
    size_t roots = 0;

    *value = DAS_TEXT_NULL;
    if (!doc.len)
        return -1;
    while (x.p < x.end) {
        bool top = x.depth == 0;
        if (!step(&x) || x.children)
            return -1;
        roots += top && x.p[-1] == '>';
    }
    if (x.depth || roots != 1 || x.found > 1)
        return -1;
    *value = x.found ? x.value : DAS_TEXT_NULL;
    return x.found;
}

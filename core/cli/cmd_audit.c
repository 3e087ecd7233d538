/* cmd_audit.c - das audit: what das did and was about to do, and whether that was changed since. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/cli/audit_text.h"
#include "core/cli/cli.h"
#include "core/cli/state.h"
#include "core/store/journal.h"

static const char help[] =
    "das audit list [--unknown] [--kind KIND] [-n N] [-o table|json|csv]\n"
    "das audit show SEQ [-o table|json]\n"
    "das audit verify [--head SEQ:HASH]\n"
    "das audit export [--from SEQ] [-o jsonl|csv]\n"
    "das audit acknowledge SEQ REASON\n"
    "\n"
    "Reads the journal: a record before each kill and one after it, each with the hash of the one\n"
    "before, so that nothing can be changed or left out unnoticed.\n"
    "\n"
    "  list         the last records\n"
    "  show         one record, all of it\n"
    "  verify       every record unchanged and in its place? With --head also: is this the "
    "journal\n"
    "               that had this head, and has nothing been cut off it since?\n"
    "  export       the exact records; the head is printed on standard error: keep it elsewhere\n"
    "  acknowledge  for a kill whose outcome nobody knows: a person has looked into it\n"
    "\n"
    "      --unknown         kills whose outcome nobody knows and nobody has acknowledged\n"
    "      --kind KIND       begin, apply, refused, intent, outcome, respawned, breaker, stop, "
    "...\n"
    "  -n, --last N          so many records, the last ones (100)\n"
    "      --head SEQ:HASH   as verify and export print it\n"
    "      --from SEQ        from this record on\n"
    "  -o, --output FORMAT   list: table, json (a record a line), csv; export: jsonl, csv\n"
    "      --state DIR       instead of the configured state directory\n"
    "      --config FILE     instead of $DAS_CONFIG, ./das.lua, ~/.config/das/das.lua,\n"
    "                        /etc/das/das.lua\n"
    "\n"
    "Examples\n"
    "  das audit list --unknown\n"
    "  das audit acknowledge 17 'server had restarted, the session is gone'\n"
    "  das audit export >journal.jsonl 2>head.txt\n"
    "  das audit verify --head \"$(cat head.txt)\"\n"
    "  das audit list --kind outcome -o json | jq -r 'select(.outcome == \"failed\").note'\n"
    "\n"
    "Exit: 0 done, 1 the journal is not what it was, or cannot be read, 2 usage or "
    "configuration.\n";

enum { O_STATE = 1001, O_UNKNOWN, O_KIND, O_HEAD, O_FROM };

static const struct option options[] = {
    {"help", no_argument, NULL, 'h'},          {"output", required_argument, NULL, 'o'},
    {"config", required_argument, NULL, 1000}, {"state", required_argument, NULL, O_STATE},
    {"unknown", no_argument, NULL, O_UNKNOWN}, {"kind", required_argument, NULL, O_KIND},
    {"last", required_argument, NULL, 'n'},    {"head", required_argument, NULL, O_HEAD},
    {"from", required_argument, NULL, O_FROM}, {NULL, 0, NULL, 0},
};

#define LAST_DEFAULT 100
#define LAST_MAX 1000000

enum format { F_TABLE, F_JSON, F_CSV };

struct audit {
    struct das_common common;
    const char *state, *kind, *output;
    int64_t last, from;
    bool unknown, has_head, has_last;
    struct das_head head;
    char **args;
    int arg_count;
    enum format format;
    struct das_buf dir;
    struct das_store *store;
};

/* --- options ---------------------------------------------------------------------------------- */

static int number_of(const char *what, const char *text, int64_t min, int64_t *out,
                     struct das_err *err)
{
    if (das_parse_int(das_text_of(text), out) && *out >= min)
        return 0;
    return das_fail(err, DAS_E_USAGE, "%s: expected a whole number from %lld up, got \"%s\"", what,
                    (long long)min, text);
}

static int parse_head(struct audit *a, const char *text, struct das_err *err)
{
    const char *colon;

    a->has_head = true;
    if (strncmp(text, "head ", 5) == 0)
        text += 5;
    colon = strchr(text, ':');
    if (!colon || !das_parse_int(das_text(text, (size_t)(colon - text)), &a->head.seq) ||
        a->head.seq < 1 || strlen(colon + 1) != DAS_SHA256_HEX - 1 ||
        strspn(colon + 1, "0123456789abcdef") != DAS_SHA256_HEX - 1)
        return das_fail(err, DAS_E_USAGE,
                        "--head: expected SEQ:HASH with 64 hex digits, as das audit verify prints"
                        " it, got \"%s\"",
                        text);
    memcpy(a->head.hash, colon + 1, DAS_SHA256_HEX);
    return 0;
}

static int set_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct audit *a = arg;

    switch (option) {
    case 'o':
        a->output = value;
        return 0;
    case 'n':
        a->has_last = true;
        if (number_of("-n", value, 1, &a->last, err) < 0)
            return -1;
        if (a->last > LAST_MAX)
            return das_fail(err, DAS_E_USAGE, "-n: at most %d; das audit export gives all",
                            LAST_MAX);
        return 0;
    case O_STATE:
        a->state = value;
        return 0;
    case O_UNKNOWN:
        a->unknown = true;
        return 0;
    case O_KIND:
        a->kind = value;
        return 0;
    case O_HEAD:
        return parse_head(a, value, err);
    case O_FROM:
        return number_of("--from", value, 1, &a->from, err);
    default:
        return das_common_option(&a->common, option, value, err) < 0 ? -1 : 0;
    }
}

/* --- list ------------------------------------------------------------------------------------- */

static int show_record(enum format format, int64_t seq, struct das_text line, struct das_buf *b,
                       struct das_err *err)
{
    if (format == F_JSON) {
        das_buf_text(b, line);
        das_buf_char(b, '\n');
    } else if (format == F_TABLE) {
        das_audit_row(seq, line, das_terminal_width(), b);
    } else {
        das_audit_csv(seq, line, b);
    }
    return das_write_out(b, err);
}

/* The last so many that were asked for. */
struct ring {
    const char *kind;
    struct kept {
        int64_t seq;
        char *line;
        size_t len;
    } * kept;
    size_t size, used, next;
    const int64_t *only; /* or these, by seq */
    size_t only_count;
    struct das_err *err;
};

static int keep(void *arg, int64_t seq, struct das_text line, const char *hash)
{
    struct ring *r = arg;
    struct kept *to;

    (void)hash;
    if (r->only) {
        while (r->only_count && *r->only < seq) {
            r->only++;
            r->only_count--;
        }
        if (!r->only_count)
            return 1;
        if (*r->only != seq)
            return 0;
    }
    if (r->kind && !das_audit_is_kind(line, r->kind))
        return 0;
    to = &r->kept[r->next];
    das_free(to->line);
    *to = (struct kept){seq, das_strndup(line.ptr, line.len), line.len};
    if (!to->line)
        return das_fail_nomem(r->err);
    r->next = (r->next + 1) % r->size;
    r->used += r->used < r->size;
    return 0;
}

static int64_t *unknown_seqs(struct audit *a, size_t *n, struct das_err *err)
{
    int64_t count = das_journal_unknown(a->store, NULL, 0, err), *seqs;

    if (count < 0)
        return NULL;
    seqs = das_calloc((size_t)count + 1, sizeof *seqs);
    if (!seqs) {
        das_fail_nomem(err);
        return NULL;
    }
    *n = (size_t)count;
    count = das_journal_unknown(a->store, seqs, *n, err);
    if (count < 0) {
        das_free(seqs);
        return NULL;
    }
    if ((size_t)count < *n)
        *n = (size_t)count;
    return seqs;
}

static int fill_ring(struct audit *a, struct ring *r, struct das_err *err)
{
    int64_t first = 0, *seqs = NULL;
    struct das_head head;
    int rc;

    if (a->unknown) {
        seqs = unknown_seqs(a, &r->only_count, err);
        if (!seqs)
            return -1;
        r->only = seqs;
        first = r->only_count ? seqs[0] : INT64_MAX;
    } else if (!r->kind) { /* then the last ones are known without reading all */
        if (das_journal_head(a->store, &head, err) < 0)
            return -1;
        first = head.seq - a->last + 1;
    }
    rc = das_journal_each(a->store, first, keep, r, err);
    das_free(seqs);
    return rc < 0 ? -1 : 0;
}

static int list(struct audit *a, struct das_err *err)
{
    struct ring r = {.kind = a->kind, .size = (size_t)a->last, .err = err};
    struct das_buf b = {0};
    int rc = -1;

    r.kept = das_calloc(r.size, sizeof *r.kept);
    if (!r.kept) {
        das_fail_nomem(err);
    } else if (!a->store) {
        fprintf(stderr, "das audit: no journal in %s yet\n", a->dir.ptr);
        rc = 0;
    } else {
        rc = fill_ring(a, &r, err);
    }
    if (a->format == F_TABLE && r.used)
        das_audit_row_head(&b);
    else if (a->format == F_CSV)
        das_audit_csv_head(&b);
    if (rc == 0)
        rc = das_write_out(&b, err);
    for (size_t i = 0; rc == 0 && i < r.used; i++) {
        const struct kept *k = &r.kept[(r.next + r.size - r.used + i) % r.size];
        rc = show_record(a->format, k->seq, das_text(k->line, k->len), &b, err);
    }
    for (size_t i = 0; r.kept && i < r.size; i++)
        das_free(r.kept[i].line);
    das_free(r.kept);
    das_buf_clear(&b);
    return rc;
}

/* --- show ------------------------------------------------------------------------------------- */

struct single {
    int64_t seq;
    enum format format;
    struct das_err *err;
    bool found;
};

static int show_one(void *arg, int64_t seq, struct das_text line, const char *hash)
{
    struct single *one = arg;
    struct das_buf b = {0};
    int rc;

    if (seq != one->seq)
        return 1;
    one->found = true;
    if (one->format != F_TABLE) {
        rc = show_record(one->format, seq, line, &b, one->err);
    } else {
        das_audit_whole(line, hash, &b);
        rc = das_write_out(&b, one->err);
    }
    das_buf_clear(&b);
    return rc < 0 ? -1 : 1;
}

static int show(struct audit *a, struct das_err *err)
{
    struct single one = {.format = a->format, .err = err};

    if (number_of("show", a->args[0], 1, &one.seq, err) < 0 ||
        das_journal_each(a->store, one.seq, show_one, &one, err) < 0)
        return -1;
    return one.found ? 0 : das_fail(err, DAS_E_DATA, "no record %lld", (long long)one.seq);
}

/* --- verify, export, acknowledge -------------------------------------------------------------- */

static int verify(struct audit *a, struct das_err *err)
{
    struct das_head head;

    if (das_journal_verify(a->store, a->has_head ? &a->head : NULL, &head, err) < 0)
        return -1;
    printf("ok: %lld records, head %lld:%s\n", (long long)head.seq, (long long)head.seq, head.hash);
    return 0;
}

struct exporting {
    enum format format;
    struct das_head head;
    struct das_buf b;
    struct das_err *err;
};

static int export_one(void *arg, int64_t seq, struct das_text line, const char *hash)
{
    struct exporting *e = arg;

    e->head.seq = seq;
    snprintf(e->head.hash, sizeof e->head.hash, "%s", hash);
    if (e->format == F_CSV) {
        das_buf_printf(&e->b, "%lld,%s,", (long long)seq, hash);
        das_audit_csv_text(line, &e->b);
        das_buf_str(&e->b, "\r\n");
    } else {
        das_buf_text(&e->b, line);
        das_buf_char(&e->b, '\n');
    }
    return e->b.failed || e->b.len > 60000 ? das_write_out(&e->b, e->err) : 0;
}

static int export(struct audit *a, struct das_err *err)
{
    struct exporting e = {.format = a->format, .err = err};
    int rc;

    if (e.format == F_CSV)
        das_buf_str(&e.b, "seq,sha256,record\r\n");
    rc = das_journal_each(a->store, a->from, export_one, &e, err);
    if (rc == 0)
        rc = das_write_out(&e.b, err);
    if (rc == 0 && fflush(stdout) != 0)
        rc = das_fail(err, DAS_E_IO, "the output could not be written");
    if (rc == 0 && e.head.seq)
        fprintf(stderr, "head %lld:%s\n", (long long)e.head.seq, e.head.hash);
    das_buf_clear(&e.b);
    return rc;
}

/* Who stands behind it: the person who became root, too. */
static int user_name(struct das_buf *b, struct das_err *err)
{
    const struct passwd *pw = getpwuid(getuid());
    const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL;

    if (pw)
        das_buf_str(b, pw->pw_name);
    else
        das_buf_printf(b, "uid %lu", (unsigned long)getuid());
    if (sudo && *sudo)
        das_buf_printf(b, " (sudo: %s)", sudo);
    return das_buf_ok(b, err);
}

static int acknowledge(struct audit *a, struct das_err *err)
{
    struct das_store *store = NULL;
    struct das_buf who = {0};
    int64_t seq;
    int rc = -1;

    if (number_of("acknowledge", a->args[0], 1, &seq, err) == 0 && user_name(&who, err) == 0 &&
        das_store_open(a->dir.ptr, &store, err) == 0)
        rc = das_journal_acknowledge(store, seq, who.ptr, a->args[1], err);
    das_store_close(store);
    das_buf_clear(&who);
    return rc;
}

/* --- which of them ---------------------------------------------------------------------------- */

static const struct verb {
    const char *name;
    int (*run)(struct audit *a, struct das_err *err);
    const char *args; /* what has to follow, for the message */
    int arg_count;
    const char *formats[4]; /* in the order of enum format */
    bool may_be_empty;      /* where there is no journal yet */
} verbs[] = {
    {"list", list, "no argument", 0, {"table", "json", "csv"}, true},
    {"show", show, "SEQ", 1, {"table", "json"}, false},
    {"verify", verify, "no argument", 0, {NULL}, false},
    {"export", export, "no argument", 0, {NULL, "jsonl", "csv"}, false},
    {"acknowledge", acknowledge, "SEQ REASON", 2, {NULL}, false},
};

#define VERBS (sizeof verbs / sizeof verbs[0])

static const struct verb *find_verb(const char *word, struct das_err *err)
{
    const char *names[VERBS], *near;

    for (size_t i = 0; i < VERBS; i++) {
        names[i] = verbs[i].name;
        if (word && strcmp(word, names[i]) == 0)
            return &verbs[i];
    }
    near = word ? das_nearest(word, names, VERBS) : NULL;
    if (near)
        das_fail(err, DAS_E_USAGE, "unknown \"%s\"; did you mean das audit %s?", word, near);
    else
        das_fail(err, DAS_E_USAGE, "expected das audit list, show, verify, export or acknowledge");
    return NULL;
}

static int choose_format(struct audit *a, const struct verb *v, struct das_err *err)
{
    struct das_buf list_of = {0};

    for (int i = 0; i < 3; i++) {
        if (!v->formats[i])
            continue;
        if (a->output ? strcmp(a->output, v->formats[i]) == 0 : list_of.len == 0) {
            a->format = (enum format)i;
            if (a->output) {
                das_buf_clear(&list_of);
                return 0;
            }
        }
        das_buf_printf(&list_of, "%s%s", list_of.len ? ", " : "", v->formats[i]);
    }
    if (a->output)
        das_fail(err, DAS_E_USAGE, "-o: das audit %s knows %s, got \"%s\"", v->name,
                 list_of.len ? list_of.ptr : "no formats", a->output);
    das_buf_clear(&list_of);
    return a->output ? -1 : 0;
}

/* An option that would be passed over in silence is a mistake. */
static int check(struct audit *a, const struct verb *v, struct das_err *err)
{
    bool lists = v->run == list;

    if (a->arg_count != v->arg_count)
        return das_fail(err, DAS_E_USAGE, "%s: expected %s, got %d argument%s", v->name, v->args,
                        a->arg_count, a->arg_count == 1 ? "" : "s");
    if (!lists && (a->unknown || a->kind || a->has_last))
        return das_fail(err, DAS_E_USAGE, "--unknown, --kind and -n are of das audit list");
    if (a->has_head && v->run != verify)
        return das_fail(err, DAS_E_USAGE, "--head is of das audit verify");
    if (a->from && v->run != export)
        return das_fail(err, DAS_E_USAGE, "--from is of das audit export");
    return choose_format(a, v, err);
}

static int run(struct audit *a, struct das_err *err)
{
    const struct verb *v = find_verb(a->args[0], err);

    if (!v)
        return -1;
    a->args++;
    a->arg_count--;
    if (check(a, v, err) < 0)
        return -1;
    if (das_common_state_at(&a->common, a->state, &a->dir, err) < 0 ||
        das_store_open_to_read(a->dir.ptr, &a->store, err) < 0)
        return -1;
    if (!a->store && !v->may_be_empty)
        return das_fail(err, DAS_E_STORE, "no journal in %s yet", a->dir.ptr);
    return v->run(a, err);
}

int das_cmd_audit(int argc, char **argv)
{
    struct audit a = {.last = LAST_DEFAULT};
    const struct das_options o = {help, ":ho:n:", options, set_option, &a};
    struct das_err err;
    int rc = -1;

    if (das_common_init(&a.common, &err) == 0)
        rc = das_options_read(&o, argc, argv, &err);
    a.args = argv + optind;
    a.arg_count = argc - optind;
    if (rc < 0 || (rc == 0 && run(&a, &err) < 0))
        rc = das_complain("audit", &err);
    else
        rc = DAS_EXIT_DONE;
    das_store_close(a.store);
    das_buf_clear(&a.dir);
    das_common_clear(&a.common);
    return rc;
}

/*
 * fleet.c - see fleet.h.
 *
 * Each instance has two turns: one for looking, one for acting, each with a lock of its own, so
 * that neither waits for the other. Whose list it is and what a failed one means to the others,
 * core/cloud/flight.h knows; here is what is fetched.
 */
#include "core/serve/fleet.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/mem.h"
#include "core/cloud/flight.h"

#define ID_STEM 32 /* what two instances may not have in common */
#define ID_LEN 36

/* How long a list that failed is not asked for again; twice as long after each in a row. */
#define PAUSE_MS 250
#define PAUSE_MAX_MS 10000

struct das_member {
    const char *name, *kind; /* name: the inventory's */
    char id[ID_LEN + 1], node[ID_LEN + 1], db_user[ID_LEN + 1];
    const char *const *tags; /* the inventory's texts */
    size_t tag_count;
    int64_t share_ms;

    struct das_source *look; /* the inventory's */
    struct das_tower tower;  /* of what follows */
    struct das_flight flight;
    struct das_seen_list last; /* with snap NULL: none yet */
    uint64_t last_attempt;     /* the flight that brought it */
    int64_t last_began_ms;     /* monotonic */
    struct das_member_health health;

    struct das_source *act;
    struct das_tower turn; /* of what follows */
    bool acting;
};

struct das_fleet {
    struct das_member *members;
    size_t count;
};

/* --- what they are called --------------------------------------------------------------------- */

static bool is_id(const char *id)
{
    size_t len = strlen(id);

    for (size_t i = 0; i < len; i++) {
        unsigned char c = das_lower((unsigned char)id[i]);
        if (!das_is_digit(c) && (c < 'a' || c > 'z'))
            return false;
    }
    return len == ID_STEM ||
           (len == ID_LEN && strncmp(id + ID_STEM, "in", 2) == 0 &&
            das_is_digit((unsigned char)id[34]) && das_is_digit((unsigned char)id[35]));
}

/* The same text gives the same digits, wherever and whenever. */
static int digits_of(const char *what, const char *text, char out[DAS_SHA256_HEX],
                     struct das_err *err)
{
    struct das_buf b = {0};
    int rc;

    das_buf_printf(&b, "das serve %s %s", what, text);
    rc = das_buf_ok(&b, err);
    if (rc == 0)
        rc = das_sha256_hex(das_buf_view(&b), out, err);
    das_buf_clear(&b);
    return rc;
}

static int name_instance(struct das_member *m, const char *given, struct das_err *err)
{
    char digits[DAS_SHA256_HEX];

    if (given && !is_id(given))
        return das_fail(err, DAS_E_CONFIG,
                        "instance \"%s\": id: expected 32 letters and digits, and nothing or "
                        "\"in01\" or the like behind them",
                        m->name);
    if (!given && digits_of("instance", m->name, digits, err) < 0)
        return -1;
    snprintf(m->id, sizeof m->id, "%.*s%s", ID_STEM, given ? given : digits,
             given && given[ID_STEM] ? given + ID_STEM : "in01");
    return 0;
}

/* The rest follows from the id, which may outlive the name. */
static int name_parts(struct das_member *m, struct das_err *err)
{
    char stem[ID_STEM + 1], d[DAS_SHA256_HEX];

    snprintf(stem, sizeof stem, "%.*s", ID_STEM, m->id);
    if (digits_of("database user of", stem, d, err) < 0)
        return -1;
    snprintf(m->node, sizeof m->node, "%sno01", stem);
    /* version 8, variant 8: an UUID whose bits are somebody's own */
    snprintf(m->db_user, sizeof m->db_user, "%.8s-%.4s-8%.3s-8%.3s-%.12s", d, d + 8, d + 12, d + 15,
             d + 18);
    return 0;
}

static const char *kind_of(const char *spec)
{
    static const char *const kinds[] = {"file", "mem", "das"};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t len = strlen(kinds[i]);
        if (strncmp(spec, kinds[i], len) == 0 && spec[len] == ':')
            return kinds[i];
    }
    return "mysql";
}

static struct das_member *same_stem(const struct das_fleet *f, const char *id)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strncmp(f->members[i].id, id, ID_STEM) == 0)
            return &f->members[i];
    }
    return NULL;
}

/* --- all of them ------------------------------------------------------------------------------ */

static void member_clear(struct das_member *m)
{
    das_seen_list_clear(&m->last);
    das_source_close(m->act);
    das_tower_clear(&m->tower);
    das_tower_clear(&m->turn);
}

static int member_init(struct das_fleet *f, struct das_member *m, struct das_inventory *inv,
                       size_t at, struct das_err *err)
{
    const struct das_member *other;

    m->name = das_inventory_name(inv, at);
    m->kind = kind_of(das_inventory_spec(inv, at));
    m->health.age_ms = -1;
    m->tags = das_inventory_tags(inv, at, &m->tag_count);
    if (name_instance(m, das_inventory_id(inv, at), err) < 0 || name_parts(m, err) < 0)
        return -1;
    other = same_stem(f, m->id);
    if (other)
        return das_fail(err, DAS_E_CONFIG,
                        "instances \"%s\" and \"%s\" have the same id %.*s; expected one of its "
                        "own for each",
                        other->name, m->name, ID_STEM, m->id);
    m->look = das_inventory_open(inv, at, err);
    if (m->look && das_inventory_open_again(inv, at, &m->act, err) == 0)
        return 0;
    das_err_prefix(err, "instance \"%s\"", m->name);
    return -1;
}

int das_fleet_new(struct das_inventory *inv, const struct das_fleet_conf *conf,
                  struct das_fleet **out, struct das_err *err)
{
    struct das_fleet *f = das_calloc(1, sizeof *f);
    size_t n = das_inventory_count(inv);

    *out = NULL;
    if (f)
        f->members = das_calloc(n, sizeof *f->members);
    if (!f || !f->members) {
        das_free(f);
        return das_fail_nomem(err);
    }
    for (size_t i = 0; i < n; i++) {
        struct das_member *m = &f->members[i];
        m->share_ms = conf->share_ms;
        das_tower_init(&m->tower);
        das_tower_init(&m->turn);
        if (member_init(f, m, inv, i, err) < 0) {
            member_clear(m);
            das_fleet_free(f);
            return -1;
        }
        f->count++;
    }
    *out = f;
    return 0;
}

void das_fleet_free(struct das_fleet *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++)
        member_clear(&f->members[i]);
    das_free(f->members);
    das_free(f);
}

size_t das_fleet_count(const struct das_fleet *f)
{
    return f->count;
}

struct das_member *das_fleet_at(const struct das_fleet *f, size_t i)
{
    return &f->members[i];
}

struct das_member *das_fleet_find(const struct das_fleet *f, struct das_text id)
{
    struct das_member *m;
    char text[ID_LEN + 1];

    if (!id.ptr || (id.len != ID_STEM && id.len != ID_LEN) || memchr(id.ptr, 0, id.len))
        return NULL;
    memcpy(text, id.ptr, id.len);
    text[id.len] = '\0';
    m = same_stem(f, text);
    return m && (id.len == ID_STEM || strcmp(m->id, text) == 0) ? m : NULL;
}

struct das_member *das_fleet_named(const struct das_fleet *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->members[i].name, name) == 0)
            return &f->members[i];
    }
    return NULL;
}

/* --- one of them ------------------------------------------------------------------------------ */

const char *das_member_name(const struct das_member *m)
{
    return m->name;
}

const char *das_member_id(const struct das_member *m)
{
    return m->id;
}

const char *das_member_node(const struct das_member *m)
{
    return m->node;
}

const char *das_member_db_user(const struct das_member *m)
{
    return m->db_user;
}

const char *const *das_member_tags(const struct das_member *m, size_t *count)
{
    *count = m->tag_count;
    return m->tags;
}

const char *das_member_kind(const struct das_member *m)
{
    return m->kind;
}

struct das_source *das_member_source(const struct das_member *m)
{
    return m->look;
}

/* --- looking ---------------------------------------------------------------------------------- */

static int64_t until_left(void *until_ms)
{
    int64_t left = *(const int64_t *)until_ms - das_clock_monotonic_ms();

    return left > 0 ? left : 0;
}

/* Young enough for everybody, or brought by a flight that this caller has waited for. Its age is
 * counted from when it was asked for: it shows no later moment for certain. */
static bool is_good_for(const struct das_member *m, uint64_t waited)
{
    if (!m->last.snap)
        return false;
    return (waited && m->last_attempt >= waited) ||
           das_clock_monotonic_ms() - m->last_began_ms < m->share_ms;
}

void das_seen_list_clear(struct das_seen_list *l)
{
    das_written_release(l->written);
    das_snapshot_release(l->snap);
    *l = (struct das_seen_list){0};
}

static void give(const struct das_member *m, bool shared, struct das_seen_list *out)
{
    *out = m->last;
    das_snapshot_retain(out->snap);
    das_written_retain(out->written);
    out->shared = shared;
}

/* With the lock: what came takes the place of the last list. */
static int take_over(struct das_member *m, struct das_snapshot *snap, int64_t began_ms,
                     int64_t began_unix_ms, struct das_err *err)
{
    /* the clock of an instance in memory stands where its recording was made */
    int64_t told = strcmp(m->kind, "mem") == 0 ? 0 : das_snapshot_time(snap);
    struct das_written *written = das_written_new(snap, err);

    if (!written) {
        das_snapshot_release(snap);
        return -1;
    }
    das_seen_list_clear(&m->last);
    m->last = (struct das_seen_list){snap, written, told ? told : began_unix_ms / 1000, false};
    m->last_attempt = m->flight.attempt;
    m->last_began_ms = began_ms;
    return 0;
}

static int64_t pause_after(int failures)
{
    int64_t ms = PAUSE_MS;

    while (failures-- > 0 && ms < PAUSE_MAX_MS)
        ms *= 2;
    return ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS;
}

/* The list of this thread's flight; with the lock, which is let go meanwhile. */
static int fetch(struct das_member *m, const struct das_patience *patience, struct das_err *err)
{
    const struct das_query everybody = {.exhaustive = true};
    int64_t began_ms = das_clock_monotonic_ms(), began_unix_ms = das_clock_unix_ms();
    struct das_snapshot *snap = NULL;
    bool impatient;
    int rc;

    m->health.asked = true;
    m->health.lists++;
    pthread_mutex_unlock(&m->tower.lock);
    das_source_set_patience(m->look, patience);
    rc = das_source_list(m->look, &everybody, &snap, err);
    das_source_set_patience(m->look, NULL);
    pthread_mutex_lock(&m->tower.lock);
    /* others may have more time: one of them asks again */
    impatient = rc < 0 && das_patience_left(patience) <= 0;
    if (rc == 0)
        rc = take_over(m, snap, began_ms, began_unix_ms, err);
    m->health.good = rc == 0;
    if (rc < 0)
        snprintf(m->health.why, sizeof m->health.why, "%.299s", err->msg);
    das_flight_land(&m->flight, &m->tower, rc < 0 && !impatient ? err : NULL,
                    rc < 0 && !impatient ? pause_after(m->flight.failures) : 0);
    return rc;
}

int das_member_look(struct das_member *m, int64_t until_ms, struct das_seen_list *out,
                    struct das_err *err)
{
    const struct das_patience patience = {until_left, &until_ms};
    enum das_turn turn = DAS_TURN_AGAIN;
    uint64_t waited = 0;
    int rc = -1;

    *out = (struct das_seen_list){0};
    pthread_mutex_lock(&m->tower.lock);
    while (turn == DAS_TURN_AGAIN) {
        if (is_good_for(m, waited)) {
            m->health.shared++;
            give(m, true, out);
            rc = 0;
            break;
        }
        if (!m->flight.busy && das_patience_left(&patience) <= 0) {
            das_fail(err, DAS_E_TIMEOUT, "the time is up");
            break;
        }
        turn = das_flight_board(&m->flight, &m->tower, &waited, &patience, err);
    }
    if (turn == DAS_TURN_MINE) {
        rc = fetch(m, &patience, err);
        if (rc == 0)
            give(m, false, out);
    }
    pthread_mutex_unlock(&m->tower.lock);
    return rc;
}

void das_member_health(struct das_member *m, struct das_member_health *out)
{
    pthread_mutex_lock(&m->tower.lock);
    *out = m->health;
    out->age_ms = m->last.snap ? das_clock_monotonic_ms() - m->last_began_ms : -1;
    pthread_mutex_unlock(&m->tower.lock);
    if (out->good)
        out->why[0] = '\0';
}

/* --- acting ----------------------------------------------------------------------------------- */

int das_member_enter(struct das_member *m, int64_t until_ms, struct das_source **out,
                     struct das_err *err)
{
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    int rc = 0;

    *out = NULL;
    pthread_mutex_lock(&m->turn.lock);
    while (m->acting && das_clock_monotonic_ms() < until_ms)
        pthread_cond_timedwait(&m->turn.changed, &m->turn.lock, &until);
    if (m->acting) {
        rc = das_fail(err, DAS_E_TIMEOUT, "instance \"%s\": other kills are under way there",
                      m->name);
    } else {
        m->acting = true;
        *out = m->act;
    }
    pthread_mutex_unlock(&m->turn.lock);
    return rc;
}

void das_member_leave(struct das_member *m)
{
    pthread_mutex_lock(&m->turn.lock);
    m->acting = false;
    pthread_cond_signal(&m->turn.changed);
    pthread_mutex_unlock(&m->turn.lock);
}

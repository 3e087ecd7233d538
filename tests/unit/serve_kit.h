/*
 * serve_kit.h - instances in memory behind a fleet, a state directory, rules of a test's own, and
 * what the journal says.
 */
#ifndef DAS_TESTS_SERVE_KIT_H
#define DAS_TESTS_SERVE_KIT_H

#include "core/serve/killer.h"
#include "core/source/memory.h"
#include "core/store/journal.h"
#include "core/store/task.h"
#include "tests/unit/kit.h"
#include "tests/unit/temp_file.h"
#include "tests/unit/temp_state.h"

#define LIST_HEAD "ID\tUSER\tHOST\tDB\tCOMMAND\tTIME\tSTATE\tINFO\n"

static struct das_err err;
static struct das_inventory *inventory;
static struct das_fleet *fleet;
static struct das_policy_rules rules; /* of killer */
static atomic_int cancel;
static struct das_killer killer;

/* One more instance, with the sessions of a recorded list. Before fleet_open(). */
static inline void add_instance(const char *name, const char *list, size_t len)
{
    char spec[200];
    const struct das_source_conf conf = {.name = name, .spec = spec};

    snprintf(spec, sizeof spec, "mem:%s", temp_write(list, len));
    if (!inventory)
        inventory = das_inventory_new(&err);
    if (!inventory || das_inventory_add(inventory, &conf, &err) < 0) {
        tap_diag("%s: %s", name, err.msg);
        exit(1);
    }
}

/* And a killer that may do anything. */
static inline void fleet_open(void)
{
    const struct das_fleet_conf conf = {.share_ms = 0};

    if (das_fleet_new(inventory, &conf, &fleet, &err) < 0) {
        tap_diag("fleet: %s", err.msg);
        exit(1);
    }
    rules = allow_all;
    atomic_store(&cancel, 0);
    killer = (struct das_killer){.state_dir = temp_state_dir(), .rules = &rules, .cancel = &cancel};
}

static inline void fleet_close(void)
{
    das_fleet_free(fleet);
    das_inventory_free(inventory);
    fleet = NULL;
    inventory = NULL;
    temp_clear();
}

/* How many sessions an instance has. */
static inline uint32_t alive(struct das_member *m)
{
    struct das_seen_list at;
    uint32_t n;

    if (das_member_look(m, INT64_MAX / 4, &at, &err) < 0) {
        tap_diag("look: %s", err.msg);
        exit(1);
    }
    n = das_snapshot_rows(at.snap);
    das_seen_list_clear(&at);
    return n;
}

static inline bool lives(struct das_member *m, int64_t id)
{
    struct das_seen_list at;
    bool found;

    if (das_member_look(m, INT64_MAX / 4, &at, &err) < 0)
        exit(1);
    found = das_snapshot_find(at.snap, id) >= 0;
    das_seen_list_clear(&at);
    return found;
}

/* --- journal
 * -------------------------------------------------------------------------------------- */

struct sought {
    int64_t after;
    const char *text, *also; /* also: NULL: anything */
    int found;
};

static inline int seek_record(void *arg, int64_t seq, struct das_text line, const char *hash)
{
    struct sought *s = arg;

    (void)hash;
    s->found += seq > s->after && memmem(line.ptr, line.len, s->text, strlen(s->text)) &&
                (!s->also || memmem(line.ptr, line.len, s->also, strlen(s->also)));
    return 0;
}

/* How many records after seq hold both? */
static inline int records_with(int64_t seq, const char *text, const char *also)
{
    struct sought s = {.after = seq, .text = text, .also = also};

    if (das_journal_each(temp_store(), 0, seek_record, &s, &err) < 0)
        exit(1);
    return s.found;
}

static inline int64_t journal_head(void)
{
    struct das_head h;

    return das_journal_head(temp_store(), &h, &err) < 0 ? -1 : h.seq;
}

#endif

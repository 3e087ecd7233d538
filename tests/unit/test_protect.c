/* test_protect.c - who may never be killed: das's own, the server's, whoever replicates. */
#include "core/plan/protect.h"

#include "tests/unit/kit.h"

static struct das_err err;

static struct das_session session(int64_t id, const char *user, const char *command)
{
    struct das_session s = kit_session(id);

    s.user = user ? das_text_of(user) : DAS_TEXT_NULL;
    s.command = das_text_of(command);
    return s;
}

/* The reason, or "-"; good until the next call. */
static const char *why(const struct das_protect *p, const struct das_roles *roles,
                       const struct das_snapshot *snap, const struct das_session *s)
{
    static char out[400];
    struct das_buf b = {0};
    bool is = das_protected(p, roles, snap, s, &b);

    snprintf(out, sizeof out, "%s", is ? b.ptr : "-");
    if (!is && b.len)
        snprintf(out, sizeof out, "not protected, but \"%s\"", b.ptr);
    das_buf_clear(&b);
    return out;
}

static void built_in(void)
{
    static const struct {
        const char *user, *command, *state, *want;
    } cases[] = {
        {"repl", "Binlog Dump", "", "replication"},
        {"repl", "Binlog Dump GTID", "", "replication"},
        {"repl", "binlog dump", "", "replication"},
        {"repl", "Register Slave", "", "replication"},
        {"repl", "Register Replica", "", "replication"},
        {"repl", "Table Dump", "", "replication"},
        {"x", "Slave_IO", "", "replication"},
        {"x", "Slave_SQL", "", "replication"},
        {"x", "Slave_worker", "", "replication"},
        {"x", "Group Replication Data Stream subscription", "", "replication"},
        {"x", "Subscribe Group Replication Stream", "", "replication"},
        {"x", "clone", "", "replication"},
        {"x", "Daemon", "", "server thread"},
        {"x", "Killed", "", "already being killed"},
        {"system user", "Sleep", "wsrep aborter idle", "replication thread"},
        {"System User", "Connect", "", "replication thread"},
        {"event_scheduler", "Daemon", "", "event scheduler"},
        {"mariadb.sys", "Query", "", "system account"},
        {"mysql.session", "Query", "", "system account"},
        {"mysql.anything", "Query", "", "system account"},
        {"rdsRepl", "Query", "", "platform account"},
        {"app", "Query", "wsrep: initiating replication for write set (9)", "replication"},
        {"app", "Query", "WSREP: certifying", "replication"},
        {"app", "Query", "waiting for wsrep", "-"},
        {"app", "Query", "wsre", "-"},
        {"app", "Slave", "", "-"},
        {"app", "Binlog", "", "-"},
        {"mysql.", "Query", "", "-"},
        {"app", "Query", "", "-"},
        {NULL, "Query", "", "-"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct das_session s = session(1, cases[i].user, cases[i].command);
        struct das_snapshot *snap;
        s.state = das_text_of(cases[i].state);
        snap = kit_snapshot(&s, 1);
        is_str(why(NULL, NULL, snap, &s), cases[i].want, "%s, %s, \"%s\"",
               cases[i].user ? cases[i].user : "NULL", cases[i].command, cases[i].state);
        das_snapshot_release(snap);
    }
}

static void own(void)
{
    struct das_session list[] = {session(1, "das", "Query"), session(2, "DAS", "Sleep"),
                                 session(3, "app", "Query"), session(4, NULL, "Query"),
                                 session(5, "", "Query"), session(6, "app", "Query")};
    struct das_snapshot *snap = kit_snapshot(list, 6), *derived;
    const uint32_t rows[] = {1, 2};

    is_str(why(NULL, NULL, snap, &list[0]), "-", "nobody is das without being told");
    is_str(why(NULL, NULL, snap, &list[4]), "-", "nor has nobody's name");
    must(das_snapshot_add_own(snap, 1, &err) == 0 && das_snapshot_add_own(snap, 6, &err) == 0 &&
             das_snapshot_set_own_user(snap, das_text_of("Das"), &err) == 0,
         "told");
    is_str(why(NULL, NULL, snap, &list[0]), "das's own session", "by its id");
    is_str(why(NULL, NULL, snap, &list[5]), "das's own session", "whoever its user is");
    is_str(why(NULL, NULL, snap, &list[1]), "a session of das's own user", "in any case");
    is_str(why(NULL, NULL, snap, &list[2]), "-", "others are not");
    is_str(why(NULL, NULL, snap, &list[3]), "-", "nor is NULL");
    derived = das_snapshot_derive(snap, rows, 2, &err);
    must(derived != NULL, "derived");
    das_snapshot_release(snap);
    is_str(why(NULL, NULL, derived, &list[1]), "a session of das's own user",
           "a part of the list knows it too");
    ok(das_snapshot_is_own(derived, 6), "and the own connections");
    must(das_snapshot_set_own_user(derived, DAS_TEXT_NULL, &err) == 0, "no user");
    is_str(why(NULL, NULL, derived, &list[1]), "-", "no user, no protection by it");
    das_snapshot_release(derived);
}

static void roles(void)
{
    struct das_session list[] = {session(1, "repl", "Binlog Dump GTID"),
                                 session(2, "REPL", "Sleep"), session(3, "app", "Query"),
                                 session(4, "gr", "Register Replica"),
                                 session(5, "", "Binlog Dump"), session(6, "", "Query"),
                                 session(7, "repl", "Binlog Dump"), session(8, "c", "clone")};
    struct das_snapshot *all = kit_snapshot(list, 8), *few = kit_snapshot(&list[1], 2);
    struct das_roles r;

    das_roles_init(&r);
    is_str(why(NULL, &r, all, &list[1]), "-", "before anybody looked");
    must(das_roles_collect(all, &r, &err) == 0, "collected");
    is_int(r.count, 2, "two users, each once");
    is_str(why(NULL, &r, few, &list[1]), "user REPL replicates here",
           "all sessions of a user that replicates, in any case");
    is_str(why(NULL, &r, few, &list[2]), "-", "nobody else");
    is_str(why(NULL, &r, all, &list[0]), "replication", "the one that does it says so");
    is_str(why(NULL, &r, all, &list[5]), "-", "no name is no user");
    must(das_roles_collect(few, &r, &err) == 0, "a list without replication");
    is_int(r.count, 2, "forgets nobody");
    das_roles_clear(&r);
    is_int(r.count, 0, "cleared");
    must(das_roles_collect(few, &r, &err) == 0, "only that one");
    is_str(why(NULL, &r, few, &list[1]), "-", "a list of some sessions cannot tell");
    das_roles_clear(&r);

    for (long n = 1; n < 20; n++) {
        int rc;
        das_roles_init(&r);
        das_alloc_fail_at(n);
        rc = das_roles_collect(all, &r, &err);
        if (!das_alloc_failed()) {
            ok(rc == 0 && n > 2, "enough memory after %ld allocations", n - 1);
            n = 20;
        } else {
            ok(rc < 0 && err.code == DAS_E_NOMEM, "without memory (%ld) it fails", n);
        }
        das_alloc_fail_at(0);
        das_roles_clear(&r);
    }
    das_snapshot_release(all);
    das_snapshot_release(few);
}

static void filters(void)
{
    struct das_session app = session(1, "app", "Query"), old = app;
    struct das_snapshot *snap = kit_snapshot(&app, 1);
    struct das_filter *f = kit_filter("trx_time", "5"), *none = kit_filter(NULL, NULL);
    struct das_protect p;

    das_protect_init(&p);
    ok(das_protect_add(&p, none, &err) < 0 && err.code == DAS_E_USAGE, "no criterion, no filter");
    must(das_protect_add(&p, f, &err) == 0, "a filter");
    das_filter_release(f);
    das_filter_release(none);
    is_str(why(&p, NULL, snap, &app), "protected by {trx_time=5}", "a doubt protects");
    app.trx_time = DAS_ABSENT;
    is_str(why(&p, NULL, snap, &app), "-", "certainty does not");
    old.trx_time = 6;
    is_str(why(&p, NULL, snap, &old), "protected by {trx_time=5}", "a match does");
    das_protect_clear(&p);
    das_snapshot_release(snap);
}

int main(void)
{
    built_in();
    own();
    roles();
    filters();
    return tap_done();
}

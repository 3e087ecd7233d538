/* protect.c - see protect.h. */
#include "core/plan/protect.h"

#include <string.h>

#include "core/base/mem.h"

/* Users that belong to the server or to the platform it runs on. Compared in any case: a doubt
 * protects. */
static const struct {
    const char *user;
    const char *why;
} users[] = {
    {"system user", "replication thread"},
    {"event_scheduler", "event scheduler"},
    {"mariadb.sys", "system account"},
    {"mysql.sys", "system account"},
    {"mysql.session", "system account"},
    {"mysql.infoschema", "system account"},
    {"cloudsqladmin", "platform account"},
    {"azure_superuser", "platform account"},
    {"rdsadmin", "platform account"},
    {"rdsbackup", "platform account"},
    {"rdsmetric", "platform account"},
    {"rdsRepl", "platform account"},
};

static const struct {
    const char *command; /* a trailing % means "begins with" */
    const char *why;
    bool role; /* whoever does this replicates with all his sessions */
} commands[] = {
    {"Binlog Dump%", "replication", true},
    {"Slave_%", "replication", true},
    {"Register Slave", "replication", true},
    {"Register Replica", "replication", true},
    {"Table Dump", "replication", true},
    {"Group Replication%", "replication", true},
    {"Subscribe Group Replication%", "replication", true},
    {"clone", "replication", false},
    {"Daemon", "server thread", false},
    {"Killed", "already being killed", false},
};

void das_protect_init(struct das_protect *p)
{
    memset(p, 0, sizeof *p);
}

void das_protect_clear(struct das_protect *p)
{
    for (size_t i = 0; i < p->count; i++)
        das_filter_release(p->filters[i]);
    das_free(p->filters);
    das_protect_init(p);
}

int das_protect_add(struct das_protect *p, struct das_filter *f, struct das_err *err)
{
    struct das_filter **bigger;

    if (!das_filter_can_match(f))
        return das_fail(err, DAS_E_USAGE, "protect: the filter has no criterion");
    bigger = das_grow(p->filters, p->count + 1, sizeof *bigger);
    if (!bigger)
        return das_fail_nomem(err);
    p->filters = bigger;
    p->filters[p->count++] = das_filter_retain(f);
    return 0;
}

/* --- who replicates ------------------------------------------------------------------------- */

static bool text_begins(struct das_text t, const char *with)
{
    size_t len = strlen(with);

    return t.ptr && t.len >= len && das_text_ieq(das_text(t.ptr, len), das_text(with, len));
}

static bool command_is(struct das_text t, const char *command)
{
    size_t len = strlen(command);

    if (command[len - 1] != '%')
        return das_text_iis(t, command);
    return t.ptr && t.len >= len - 1 &&
           das_text_ieq(das_text(t.ptr, len - 1), das_text(command, len - 1));
}

static bool is_role(struct das_text command)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (commands[i].role && command_is(command, commands[i].command))
            return true;
    }
    return false;
}

void das_roles_init(struct das_roles *r)
{
    memset(r, 0, sizeof *r);
}

void das_roles_clear(struct das_roles *r)
{
    for (size_t i = 0; i < r->count; i++)
        das_free(r->users[i]);
    das_free(r->users);
    das_roles_init(r);
}

static bool has_role(const struct das_roles *r, struct das_text user)
{
    for (size_t i = 0; r && i < r->count; i++) {
        if (das_text_iis(user, r->users[i]))
            return true;
    }
    return false;
}

static int add_role(struct das_roles *r, struct das_text user, struct das_err *err)
{
    char **bigger, *copy;

    if (user.len == 0 || has_role(r, user)) /* an anonymous user's sessions are not one user's */
        return 0;
    bigger = das_grow(r->users, r->count + 1, sizeof *bigger);
    if (!bigger)
        return das_fail_nomem(err);
    r->users = bigger;
    copy = das_strndup(user.ptr, user.len);
    if (!copy)
        return das_fail_nomem(err);
    r->users[r->count++] = copy;
    return 0;
}

int das_roles_collect(const struct das_snapshot *snap, struct das_roles *r, struct das_err *err)
{
    const uint32_t *user = das_snapshot_dict_column(snap, DAS_D_USER);
    const uint32_t *command = das_snapshot_dict_column(snap, DAS_D_COMMAND);

    for (uint32_t n = 0; n < das_snapshot_dict_size(snap, DAS_D_COMMAND); n++) {
        if (!is_role(das_snapshot_dict_text(snap, DAS_D_COMMAND, n)))
            continue;
        for (uint32_t row = 0; row < das_snapshot_rows(snap); row++) {
            if (command[row] == n &&
                add_role(r, das_snapshot_dict_text(snap, DAS_D_USER, user[row]), err) < 0)
                return -1;
        }
    }
    return 0;
}

/* --- is it protected ------------------------------------------------------------------------ */

static const char *built_in(const struct das_session *s)
{
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        if (das_text_iis(s->user, users[i].user))
            return users[i].why;
    }
    if (s->user.len > 6 && text_begins(s->user, "mysql."))
        return "system account";
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (command_is(s->command, commands[i].command))
            return commands[i].why;
    }
    /* Galera: its appliers, and sessions whose commit is on its way through the cluster */
    return text_begins(s->state, "wsrep") ? "replication" : NULL;
}

static const char *own(const struct das_snapshot *snap, const struct das_session *s)
{
    struct das_text user = das_snapshot_own_user(snap);

    if (das_snapshot_is_own(snap, s->id))
        return "das's own session";
    return user.ptr && s->user.ptr && das_text_ieq(user, s->user) ? "a session of das's own user"
                                                                  : NULL;
}

bool das_protected_by(const struct das_protect *p, const struct das_session *s,
                      struct das_buf *reason)
{
    for (size_t i = 0; p && i < p->count; i++) {
        if (das_filter_test(p->filters[i], s) != DAS_NO) {
            das_buf_str(reason, "protected by ");
            das_filter_print(p->filters[i], reason);
            return true;
        }
    }
    return false;
}

bool das_protected(const struct das_protect *p, const struct das_roles *roles,
                   const struct das_snapshot *snap, const struct das_session *s,
                   struct das_buf *reason)
{
    const char *why = own(snap, s);

    if (!why)
        why = built_in(s);
    if (why) {
        das_buf_str(reason, why);
        return true;
    }
    if (s->user.ptr && has_role(roles, s->user)) {
        das_buf_str(reason, "user ");
        das_buf_text(reason, s->user);
        das_buf_str(reason, " replicates here");
        return true;
    }
    return das_protected_by(p, s, reason);
}

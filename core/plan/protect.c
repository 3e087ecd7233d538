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
} commands[] = {
    {"Binlog Dump%", "replication"},
    {"Slave_%", "replication"},
    {"Register Slave", "replication"},
    {"Register Replica", "replication"},
    {"Table Dump", "replication"},
    {"Group Replication%", "replication"},
    {"Subscribe Group Replication%", "replication"},
    {"clone", "replication"},
    {"Daemon", "server thread"},
    {"Killed", "already being killed"},
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

static bool command_is(struct das_text t, const char *command)
{
    size_t len = strlen(command);

    if (command[len - 1] != '%')
        return das_text_iis(t, command);
    return t.ptr && t.len >= len - 1 &&
           das_text_ieq(das_text(t.ptr, len - 1), das_text(command, len - 1));
}

static const char *built_in(const struct das_session *s)
{
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        if (das_text_iis(s->user, users[i].user))
            return users[i].why;
    }
    if (s->user.ptr && s->user.len > 6 && das_text_ieq(das_text(s->user.ptr, 6),
                                                       das_text("mysql.", 6)))
        return "system account";
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (command_is(s->command, commands[i].command))
            return commands[i].why;
    }
    return NULL;
}

bool das_protected(const struct das_protect *p, const struct das_snapshot *snap,
                   const struct das_session *s, struct das_buf *reason)
{
    const char *why = das_snapshot_is_own(snap, s->id) ? "das's own session" : built_in(s);

    if (why) {
        das_buf_str(reason, why);
        return true;
    }
    for (size_t i = 0; p && i < p->count; i++) {
        if (das_filter_test(p->filters[i], s) != DAS_NO) {
            das_buf_str(reason, "protected by ");
            das_filter_print(p->filters[i], reason);
            return true;
        }
    }
    return false;
}

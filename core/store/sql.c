/*
 * sql.c - all SQL of das: the tables and every statement. Nothing is ever put together from values.
 *
 * The journal is the truth. open_intents, unknown_intents and applied are only what its records
 * say, kept in the same transaction so that nobody has to read all of it; das_journal_verify()
 * compares.
 */
#include "core/store/store_impl.h"

static const char format_1[] =
    "CREATE TABLE journal(seq INTEGER PRIMARY KEY, line TEXT NOT NULL, hash TEXT NOT NULL) STRICT;"
    "CREATE TABLE open_intents(seq INTEGER PRIMARY KEY, run TEXT NOT NULL) STRICT;"
    "CREATE TABLE unknown_intents(seq INTEGER PRIMARY KEY) STRICT;"
    "CREATE TABLE applied(seq INTEGER PRIMARY KEY, plan TEXT NOT NULL) STRICT;"
    "CREATE INDEX applied_plan ON applied(plan);"

    /* at_ms is when the kill was spent; a reservation counts as if it were spent in the far future,
     * so that it is within every window. */
    "CREATE TABLE kills(id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL,"
    " instance TEXT NOT NULL, policy TEXT NOT NULL, user BLOB NOT NULL,"
    " fingerprint INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX kills_run ON kills(run, at_ms);"
    "CREATE INDEX kills_at ON kills(at_ms);"
    "CREATE INDEX kills_instance ON kills(instance, at_ms);"
    "CREATE INDEX kills_user ON kills(instance, user, at_ms);"

    "CREATE TABLE breakers(policy TEXT NOT NULL, instance TEXT NOT NULL, state INTEGER NOT NULL,"
    " since_ms INTEGER NOT NULL, respawns INTEGER NOT NULL, reason TEXT NOT NULL,"
    " PRIMARY KEY(policy, instance)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE matches(id INTEGER PRIMARY KEY AUTOINCREMENT, policy TEXT NOT NULL,"
    " instance TEXT NOT NULL, count INTEGER NOT NULL) STRICT;"
    "CREATE INDEX matches_of ON matches(policy, instance, id);";

/* What das serve has to remember. killed: what the journal says of kills, up to the record where
 * history stands; of a session that an apply killed there is one row. */
static const char format_2[] =
    "CREATE TABLE tasks(id INTEGER PRIMARY KEY AUTOINCREMENT, instance TEXT NOT NULL,"
    " user BLOB NOT NULL, host BLOB NOT NULL, db BLOB NOT NULL, command BLOB NOT NULL,"
    " info BLOB NOT NULL, time INTEGER NOT NULL, manual INTEGER NOT NULL,"
    " duration INTEGER NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,"
    " running INTEGER NOT NULL, who TEXT NOT NULL) STRICT;"
    "CREATE INDEX tasks_instance ON tasks(instance, id);"
    "CREATE INDEX tasks_running ON tasks(instance, id) WHERE running = 1;"
    "CREATE TABLE task_switches(instance TEXT PRIMARY KEY, is_on INTEGER NOT NULL) STRICT;"

    "CREATE TABLE killed(seq INTEGER PRIMARY KEY, apply INTEGER NOT NULL,"
    " instance TEXT NOT NULL, task INTEGER NOT NULL, session INTEGER NOT NULL, user BLOB,"
    " host BLOB, db BLOB, command BLOB, state BLOB, info BLOB, time INTEGER,"
    " kill_ms INTEGER NOT NULL, source TEXT NOT NULL, unknown INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX killed_session ON killed(apply, session);"
    "CREATE INDEX killed_instance ON killed(instance, kill_ms);"
    "CREATE TABLE history(id INTEGER PRIMARY KEY CHECK(id = 1), seq INTEGER NOT NULL) STRICT;"
    "INSERT INTO history(id, seq) VALUES(1, 0);"

    "CREATE TABLE access(n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL,"
    " name TEXT NOT NULL, actions TEXT NOT NULL, instances TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, revoked_ms INTEGER NOT NULL,"
    " secret BLOB NOT NULL) STRICT;"
    "CREATE TABLE seen(signature BLOB PRIMARY KEY, until_ms INTEGER NOT NULL) STRICT,"
    " WITHOUT ROWID;"
    "CREATE INDEX seen_until ON seen(until_ms);";

/* Messages to people. tat_ms: when the channel would be free again if nothing were saved up. */
#define OUTBOX_TABLES                                                                              \
    "CREATE TABLE outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, delivery TEXT NOT NULL UNIQUE,"     \
    " channel TEXT NOT NULL, dedup BLOB NOT NULL, event INTEGER NOT NULL, alone INTEGER NOT NULL," \
    " message BLOB NOT NULL, state INTEGER NOT NULL, created_ms INTEGER NOT NULL,"                 \
    " due_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, claim_ms INTEGER NOT NULL,"            \
    " ended_ms INTEGER NOT NULL, tries INTEGER NOT NULL, repeats INTEGER NOT NULL,"                \
    " ref TEXT NOT NULL, code TEXT NOT NULL, error TEXT NOT NULL, part_of TEXT NOT NULL) STRICT;"  \
    "CREATE INDEX outbox_waiting ON outbox(channel, id) WHERE state = 0;"                          \
    "CREATE INDEX outbox_dedup ON outbox(channel, dedup, id);"                                     \
    "CREATE INDEX outbox_ended ON outbox(ended_ms) WHERE state <> 0;"                              \
    "CREATE TABLE outbox_pace(channel TEXT PRIMARY KEY, tat_ms INTEGER NOT NULL,"                  \
    " blocked_ms INTEGER NOT NULL, digest_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

/* What came to hooks. proof: the id stands for a signature that does not cover the ids. */
#define DELIVERY_TABLES                                                                     \
    "CREATE TABLE deliveries(hook TEXT NOT NULL, proof INTEGER NOT NULL, id TEXT NOT NULL," \
    " first_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, times INTEGER NOT NULL,"        \
    " PRIMARY KEY(hook, proof, id)) STRICT, WITHOUT ROWID;"                                 \
    "CREATE INDEX deliveries_until ON deliveries(until_ms);"

static const char format_3[] = OUTBOX_TABLES DELIVERY_TABLES;

/* Kills that people have to say yes to. seq: of the records that say what was asked for, and voted.
 * Links and forms are known by their SHA-256. */
static const char format_4[] =
    "CREATE TABLE approvals(n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL,"
    " plan BLOB NOT NULL, subject TEXT NOT NULL, state INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL, claim TEXT NOT NULL, delivery TEXT NOT NULL,"
    " decided_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, note TEXT NOT NULL,"
    " result BLOB NOT NULL) STRICT;"
    "CREATE INDEX approvals_open ON approvals(n) WHERE state < 3;"
    "CREATE INDEX approvals_subject ON approvals(subject, n);"
    "CREATE TABLE approval_votes(n INTEGER PRIMARY KEY, approval TEXT NOT NULL,"
    " person TEXT NOT NULL, seq INTEGER NOT NULL, UNIQUE(approval, person)) STRICT;"
    "CREATE TABLE approval_links(hash TEXT PRIMARY KEY, approval TEXT NOT NULL,"
    " person TEXT NOT NULL, used_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE approval_forms(n INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE,"
    " link TEXT NOT NULL, until_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX approval_forms_link ON approval_forms(link, n);";

/* Runbooks. A key is had by one open run at a time; dry runs have keys of their own. stretches:
 * each process that carried a run on, by its run id. notes: what happened in a step, for people. */
static const char format_5[] =
    "CREATE TABLE runbooks(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,"
    " path TEXT NOT NULL, sha256 TEXT NOT NULL, instances TEXT NOT NULL, params TEXT NOT NULL,"
    " key TEXT NOT NULL, armed INTEGER NOT NULL, who TEXT NOT NULL, status INTEGER NOT NULL,"
    " run TEXT NOT NULL, started_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL,"
    " ended_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, wake_ms INTEGER NOT NULL,"
    " cancel INTEGER NOT NULL, error TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX runbooks_key ON runbooks(key, armed) WHERE status < 3;"
    "CREATE TABLE stretches(id INTEGER PRIMARY KEY, run TEXT NOT NULL, runbook INTEGER NOT NULL,"
    " who TEXT NOT NULL, began_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,"
    " how TEXT NOT NULL) STRICT;"
    "CREATE INDEX stretches_of ON stretches(runbook);"
    "CREATE INDEX stretches_run ON stretches(run);"
    "CREATE TABLE steps(runbook INTEGER NOT NULL, n INTEGER NOT NULL, name TEXT NOT NULL,"
    " kind INTEGER NOT NULL, status INTEGER NOT NULL, acts INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, failures INTEGER NOT NULL, begun_ms INTEGER NOT NULL,"
    " ended_ms INTEGER NOT NULL, wake_ms INTEGER NOT NULL, asks TEXT NOT NULL,"
    " result TEXT NOT NULL, error TEXT NOT NULL, who TEXT NOT NULL, reason TEXT NOT NULL,"
    " PRIMARY KEY(runbook, n)) STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX steps_name ON steps(runbook, name);"
    "CREATE TABLE step_notes(id INTEGER PRIMARY KEY AUTOINCREMENT, runbook INTEGER NOT NULL,"
    " n INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, note TEXT NOT NULL) STRICT;"
    "CREATE INDEX step_notes_of ON step_notes(runbook, id);"
    "CREATE TABLE runbook_modules(runbook INTEGER NOT NULL, path TEXT NOT NULL,"
    " sha256 TEXT NOT NULL, PRIMARY KEY(runbook, path)) STRICT, WITHOUT ROWID;";

/* Questions whose message does not show yet that they are over; and what hooks have taken and what
 * is not done yet. run: whose it is; begun: the run that began it. work is sealed. */
static const char format_6[] =
    "CREATE INDEX step_notes_asked ON step_notes(runbook, n) WHERE kind = 'asked';"
    "CREATE TABLE hook_work(n INTEGER PRIMARY KEY, hook TEXT NOT NULL,"
    " run TEXT NOT NULL, begun TEXT NOT NULL, fresh TEXT NOT NULL, at_ms INTEGER NOT NULL,"
    " until_ms INTEGER NOT NULL, work BLOB NOT NULL) STRICT;";

const char *const das_store_steps[DAS_STORE_FORMAT] = {format_1, format_2, format_3,
                                                       format_4, format_5, format_6};

#define UNSPENT "9223372036854775807"
#define UNKNOWN_TIME "-9223372036854775808"
#define TASKS                                                                               \
    "SELECT id, instance, user, host, db, command, info, time, manual, duration, start_ms," \
    " end_ms, running, who FROM tasks"

#define OUTBOX_ITEM "SELECT id, delivery, message, created_ms, tries, repeats FROM outbox"
#define RUNBOOKS                                                                             \
    "SELECT id, name, path, sha256, instances, params, key, armed, who, status, run,"        \
    " started_ms, changed_ms, ended_ms, until_ms, wake_ms, cancel, error FROM runbooks"
#define STEPS                                                                                \
    "SELECT n, name, kind, status, acts, attempts, failures, begun_ms, ended_ms, wake_ms,"   \
    " asks, result, error, who, reason FROM steps"

const char *const das_queries[DAS_QUERIES] = {
    [DAS_Q_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [DAS_Q_BEGIN_READ] = "BEGIN",
    [DAS_Q_COMMIT] = "COMMIT",
    [DAS_Q_ROLLBACK] = "ROLLBACK",

    [DAS_Q_HEAD] = "SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1",
    [DAS_Q_APPEND] = "INSERT INTO journal(seq, line, hash) VALUES(?1, ?2, ?3)",
    [DAS_Q_RECORDS] = "SELECT seq, line, hash FROM journal WHERE seq >= ?1 ORDER BY seq",
    [DAS_Q_OPEN_ADD] = "INSERT INTO open_intents(seq, run) VALUES(?1, ?2)",
    [DAS_Q_OPEN_DROP] = "DELETE FROM open_intents WHERE seq = ?1",
    [DAS_Q_OPEN_FIRST] = "SELECT min(seq) FROM open_intents WHERE run = ?1",
    [DAS_Q_OPEN_ALL] = "SELECT seq, run FROM open_intents ORDER BY seq",
    [DAS_Q_UNKNOWN_ADD] = "INSERT INTO unknown_intents(seq) VALUES(?1)",
    [DAS_Q_UNKNOWN_DROP] = "DELETE FROM unknown_intents WHERE seq = ?1",
    [DAS_Q_UNKNOWN_HAS] = "SELECT count(*) FROM unknown_intents WHERE seq = ?1",
    [DAS_Q_UNKNOWN_ALL] = "SELECT seq FROM unknown_intents ORDER BY seq",
    [DAS_Q_DOUBTFUL] = "SELECT seq, '' FROM unknown_intents"
                       " UNION ALL SELECT seq, run FROM open_intents ORDER BY 1",
    [DAS_Q_APPLIED_ADD] = "INSERT INTO applied(seq, plan) VALUES(?1, ?2)",
    [DAS_Q_APPLIED_HAS] = "SELECT EXISTS(SELECT 1 FROM applied WHERE plan = ?1)",
    [DAS_Q_APPLIED_ALL] = "SELECT seq, plan FROM applied ORDER BY seq",
    [DAS_Q_OWING_RUNS] = "SELECT run FROM open_intents WHERE run > ?1"
                         " UNION SELECT run FROM kills WHERE at_ms = " UNSPENT " AND run > ?1"
                         " ORDER BY 1 LIMIT 1",

    [DAS_Q_RESERVE] = "INSERT INTO kills(run, instance, policy, user, fingerprint, at_ms)"
                      " VALUES(?1, ?2, ?3, ?4, ?5, " UNSPENT ")",
    [DAS_Q_SPEND] = "UPDATE kills SET at_ms = ?3 WHERE id = ?1 AND run = ?2 AND at_ms = " UNSPENT,
    [DAS_Q_GIVE_BACK] = "DELETE FROM kills WHERE id = ?1 AND run = ?2 AND at_ms = " UNSPENT,
    [DAS_Q_GIVE_BACK_RUN] = "DELETE FROM kills WHERE run = ?1 AND at_ms = " UNSPENT,
    /* A runbook is one run, however many processes carried it on. */
    [DAS_Q_COUNT_RUN] = "SELECT count(*) FROM kills WHERE at_ms > ?1 AND run IN (SELECT ?2 UNION"
                        " SELECT run FROM stretches WHERE runbook ="
                        " (SELECT runbook FROM stretches WHERE run = ?2 AND ended_ms = 0))",
    [DAS_Q_COUNT_ALL] = "SELECT count(*) FROM kills WHERE at_ms > ?1",
    [DAS_Q_COUNT_INSTANCE] = "SELECT count(*) FROM kills WHERE at_ms > ?1 AND instance = ?2",
    [DAS_Q_COUNT_USER] =
        "SELECT count(*) FROM kills WHERE at_ms > ?1 AND instance = ?2 AND user = ?3",
    [DAS_Q_COUNT_RECENT] = "SELECT count(*) FROM kills WHERE at_ms >= ?1 AND at_ms < " UNSPENT
                           " AND instance = ?2 AND user = ?3 AND fingerprint = ?4",

    [DAS_Q_BREAKER_GET] = "SELECT state, since_ms, respawns, reason FROM breakers"
                          " WHERE policy = ?1 AND instance = ?2",
    [DAS_Q_BREAKER_PUT] = "INSERT OR REPLACE INTO"
                          " breakers(policy, instance, state, since_ms, respawns, reason)"
                          " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [DAS_Q_BREAKER_ALL] = "SELECT state, since_ms, respawns, reason, policy, instance FROM breakers"
                          " ORDER BY policy, instance",
    [DAS_Q_MATCHES_COUNT] = "SELECT count(*) FROM matches WHERE policy = ?1 AND instance = ?2",
    [DAS_Q_MATCHES_LAST] = "SELECT count FROM (SELECT id, count FROM matches"
                           " WHERE policy = ?1 AND instance = ?2 ORDER BY id DESC LIMIT ?3)"
                           " ORDER BY count",
    [DAS_Q_MATCHES_ADD] = "INSERT INTO matches(policy, instance, count) VALUES(?1, ?2, ?3)",
    [DAS_Q_MATCHES_TRIM] = "DELETE FROM matches WHERE policy = ?1 AND instance = ?2 AND id <="
                           " (SELECT id FROM matches WHERE policy = ?1 AND instance = ?2"
                           " ORDER BY id DESC LIMIT 1 OFFSET ?3)",

    /* What was only reserved is the run's own affair. */
    [DAS_Q_CARRY_KILLS] = "SELECT run, instance, policy, user, fingerprint, at_ms FROM kills"
                          " WHERE at_ms >= ?1 AND at_ms < " UNSPENT " ORDER BY id",
    [DAS_Q_CARRY_KILL] = "INSERT INTO kills(run, instance, policy, user, fingerprint, at_ms)"
                         " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [DAS_Q_CARRY_BREAKERS] = "SELECT policy, instance, state, since_ms, respawns, reason"
                             " FROM breakers WHERE ?1 IS NOT NULL ORDER BY policy, instance",
    [DAS_Q_CARRY_MATCHES] = "SELECT policy, instance, count FROM matches WHERE ?1 IS NOT NULL"
                            " ORDER BY id",

    [DAS_Q_TASK_ADD] = "INSERT INTO tasks(instance, user, host, db, command, info, time, manual,"
                       " duration, start_ms, end_ms, running, who)"
                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 1, ?12)",
    [DAS_Q_TASK_RUNNING] = "SELECT count(*) FROM tasks WHERE running = 1 AND instance = ?1",
    [DAS_Q_TASK_RUNS] =
        "SELECT count(*) FROM tasks WHERE id = ?1 AND instance = ?2 AND running = 1",
    [DAS_Q_TASK_FIRST] = "SELECT min(id) FROM tasks WHERE running = 1 AND instance = ?1",
    [DAS_Q_TASK_DUE] = TASKS " WHERE running = 1 AND manual = 0 AND end_ms <= ?1"
                             " ORDER BY end_ms, id LIMIT 1",
    [DAS_Q_TASK_DUE_ANY] = "SELECT EXISTS(SELECT 1 FROM tasks"
                           " WHERE running = 1 AND manual = 0 AND end_ms <= ?1)",
    [DAS_Q_TASK_STOP] = "UPDATE tasks SET running = 0, end_ms = max(start_ms, ?2) WHERE id = ?1",
    [DAS_Q_TASK_END] = "UPDATE tasks SET running = 0 WHERE id = ?1",
    [DAS_Q_TASKS] = TASKS " ORDER BY running DESC, id DESC LIMIT ?1",
    [DAS_Q_TASKS_RUNNING] = TASKS " WHERE running = 1 ORDER BY id DESC LIMIT ?1",
    [DAS_Q_TASKS_OF] = TASKS " WHERE instance = ?2 ORDER BY running DESC, id DESC LIMIT ?1",
    [DAS_Q_TASKS_OF_RUNNING] =
        TASKS " WHERE running = 1 AND instance = ?2 ORDER BY id DESC LIMIT ?1",
    [DAS_Q_SWITCH_GET] = "SELECT is_on FROM task_switches WHERE instance = ?1",
    [DAS_Q_SWITCH_PUT] = "INSERT OR REPLACE INTO task_switches(instance, is_on) VALUES(?1, ?2)",

    [DAS_Q_HISTORY_STANDS] = "SELECT (SELECT seq FROM history), (SELECT max(seq) FROM journal)",
    [DAS_Q_HISTORY_MOVE] = "INSERT OR REPLACE INTO history(id, seq) VALUES(1, ?1)",
    [DAS_Q_HISTORY_SLICE] = "SELECT seq, line FROM journal WHERE seq > ?1 AND seq <= ?2"
                            " ORDER BY seq LIMIT ?3",
    [DAS_Q_RECORD] = "SELECT line FROM journal WHERE seq = ?1",
    [DAS_Q_KILLED_PUT] = "INSERT OR REPLACE INTO killed(seq, apply, instance, task, session, user,"
                         " host, db, command, state, info, time, kill_ms, source, unknown)"
                         " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
                         " nullif(?12, " UNKNOWN_TIME "), ?13, ?14, ?15)",
    [DAS_Q_KILLED_COUNT] =
        "SELECT count(*) FROM killed WHERE instance = ?1 AND kill_ms BETWEEN ?2 AND ?3",
    [DAS_Q_KILLED_PAGE] = "SELECT instance, task, session, user, host, db, command, state, info,"
                          " ifnull(time, " UNKNOWN_TIME "), kill_ms, source, unknown FROM killed"
                          " WHERE instance = ?1 AND kill_ms BETWEEN ?2 AND ?3"
                          " ORDER BY kill_ms DESC, seq DESC LIMIT ?4 OFFSET ?5",

    [DAS_Q_ACCESS_ADD] = "INSERT INTO access(id, kind, name, actions, instances, created_ms,"
                         " expires_ms, revoked_ms, secret)"
                         " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [DAS_Q_ACCESS_HAS] = "SELECT count(*) FROM access WHERE id = ?1",
    [DAS_Q_ACCESS_REVOKE] = "UPDATE access SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms = 0",
    [DAS_Q_ACCESS_ALL] = "SELECT id, kind, name, actions, instances, created_ms, expires_ms,"
                         " revoked_ms, secret FROM access ORDER BY created_ms, n",
    [DAS_Q_SEEN_PURGE] = "DELETE FROM seen WHERE until_ms < ?1",
    [DAS_Q_SEEN_ADD] = "INSERT OR IGNORE INTO seen(signature, until_ms) VALUES(?1, ?2)",
    [DAS_Q_VERSION] = "PRAGMA data_version",

    [DAS_Q_OUTBOX_ADD] = "INSERT INTO outbox(delivery, channel, dedup, event, alone, message, state,"
                         " created_ms, due_ms, expires_ms, claim_ms, ended_ms, tries, repeats, ref,"
                         " code, error, part_of)"
                         " VALUES(?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?7, ?8, 0, 0, 0, 0, '', '', '', '')",
    [DAS_Q_OUTBOX_SAME] = "SELECT id, delivery, event, created_ms, state FROM outbox"
                          " WHERE channel = ?1 AND dedup = ?2 ORDER BY id DESC LIMIT 1",
    [DAS_Q_OUTBOX_REPEAT] = "UPDATE outbox SET repeats = repeats + 1 WHERE id = ?1",
    [DAS_Q_OUTBOX_FULL] = "SELECT count(*) FROM outbox WHERE channel = ?1 AND state = 0",
    [DAS_Q_OUTBOX_EXPIRE] = "UPDATE outbox SET state = 2, ended_ms = ?2, code = 'expired',"
                            " error = error || iif(error = '', '', '; ') || 'not sent in time'"
                            " WHERE channel = ?1 AND state = 0 AND expires_ms <= ?2"
                            " AND claim_ms <= ?2",
    /* no row: NULL, which reads as 0 */
    [DAS_Q_OUTBOX_NEXT] = "SELECT min(max(due_ms, claim_ms)) FROM outbox"
                          " WHERE channel = ?1 AND state = 0",
    [DAS_Q_OUTBOX_DUE] = "SELECT id, alone, part_of FROM outbox WHERE channel = ?1 AND state = 0"
                         " AND due_ms <= ?2 AND claim_ms <= ?2 AND (?3 = 0 OR alone = 1)"
                         " ORDER BY id LIMIT 1",
    [DAS_Q_OUTBOX_GROUP] = OUTBOX_ITEM " WHERE channel = ?1 AND state = 0 AND part_of = ?2"
                                       " ORDER BY id",
    [DAS_Q_OUTBOX_LOOSE] = OUTBOX_ITEM " WHERE channel = ?1 AND state = 0 AND due_ms <= ?2"
                                       " AND claim_ms <= ?2 AND part_of = '' AND id >= ?3"
                                       " AND (?4 > 1 AND alone = 0 OR id = ?3)"
                                       " ORDER BY id LIMIT ?4",
    [DAS_Q_OUTBOX_CLAIM] = "UPDATE outbox SET claim_ms = ?2, tries = tries + 1, part_of = ?3"
                           " WHERE id = ?1",
    [DAS_Q_OUTBOX_SENT] = "UPDATE outbox SET state = 1, ended_ms = ?2, claim_ms = 0, ref = ?3,"
                          " code = '', error = '' WHERE id = ?1 AND state = 0",
    [DAS_Q_OUTBOX_LATER] = "UPDATE outbox SET due_ms = ?2, claim_ms = 0, code = ?3, error = ?4"
                           " WHERE id = ?1 AND state = 0",
    [DAS_Q_OUTBOX_FAILED] = "UPDATE outbox SET state = 2, ended_ms = ?2, claim_ms = 0, code = ?3,"
                            " error = ?4 WHERE id = ?1 AND state = 0",
    [DAS_Q_OUTBOX_REF] = "SELECT ref FROM outbox WHERE delivery = ?1 AND channel = ?2"
                         " AND state = 1 AND part_of = ''",
    [DAS_Q_OUTBOX_MESSAGE] = "SELECT message FROM outbox WHERE delivery = ?1",
    [DAS_Q_OUTBOX_ALL] = "SELECT id, delivery, channel, code, error, ref, part_of, dedup, message,"
                         " state, claim_ms, created_ms, due_ms, expires_ms, ended_ms, tries, repeats"
                         " FROM outbox WHERE (?1 = '' OR channel = ?1) AND (?2 < 0 OR state = ?2)"
                         " ORDER BY id DESC LIMIT ?3",
    [DAS_Q_OUTBOX_COUNT] = "SELECT count(*) FROM outbox WHERE state = ?1",
    [DAS_Q_OUTBOX_PURGE] = "DELETE FROM outbox WHERE state <> 0 AND ended_ms < ?1",
    [DAS_Q_PACE_GET] = "SELECT tat_ms, blocked_ms, digest_ms FROM outbox_pace WHERE channel = ?1",
    [DAS_Q_PACE_PUT] = "INSERT OR REPLACE INTO outbox_pace(channel, tat_ms, blocked_ms, digest_ms)"
                       " VALUES(?1, ?2, ?3, ?4)",
    [DAS_Q_PACE_BLOCK] = "UPDATE outbox_pace SET blocked_ms = ?2 WHERE channel = ?1",
    [DAS_Q_DELIVERY_PURGE] = "DELETE FROM deliveries WHERE until_ms < ?1",
    [DAS_Q_DELIVERY_HAS] =
        "SELECT count(*) FROM deliveries WHERE hook = ?1 AND proof = ?2 AND id = ?3",
    [DAS_Q_DELIVERY_ADD] = "INSERT OR IGNORE INTO"
                           " deliveries(hook, proof, id, first_ms, until_ms, times)"
                           " VALUES(?1, ?2, ?3, ?4, ?5, 1)",
    [DAS_Q_DELIVERY_AGAIN] = "UPDATE deliveries SET times = times + 1,"
                             " until_ms = max(until_ms, ?4)"
                             " WHERE hook = ?1 AND proof = ?2 AND id = ?3",
    [DAS_Q_DELIVERY_DROP] = "DELETE FROM deliveries WHERE hook = ?1 AND proof = ?2 AND id = ?3",

    [DAS_Q_WORK_ADD] = "INSERT INTO hook_work(hook, run, begun, fresh, at_ms, until_ms, work)"
                       " VALUES(?1, ?2, '', ?3, ?4, ?5, ?6)",
    [DAS_Q_WORK_BEGIN] = "UPDATE hook_work SET begun = ?3 WHERE n = ?1 AND run = ?2",
    [DAS_Q_WORK_DROP] = "DELETE FROM hook_work WHERE n = ?1 AND run = ?2",
    [DAS_Q_WORK_RUNS] = "SELECT DISTINCT run FROM hook_work WHERE run <> ?1",
    [DAS_Q_WORK_OTHERS] = "SELECT n, run, hook, at_ms, until_ms, begun, fresh, work FROM hook_work"
                          " WHERE run <> ?1 ORDER BY n",
    [DAS_Q_WORK_CLAIM] = "UPDATE hook_work SET run = ?2 WHERE n = ?1",

    [DAS_Q_APPROVAL_ADD] = "INSERT INTO approvals(id, seq, plan, subject, state, expires_ms, claim,"
                           " delivery, decided_ms, ended_ms, note, result)"
                           " VALUES(?1, ?2, ?3, ?4, 0, ?5, '', '', 0, 0, '', x'')",
    [DAS_Q_APPROVAL_SAME] = "SELECT id FROM approvals WHERE subject = ?1 AND expires_ms > ?2"
                            " AND state IN (0, 1, 2, 4) ORDER BY n DESC LIMIT 1",
    [DAS_Q_APPROVAL_GET] = "SELECT seq, plan, state, expires_ms, claim, delivery, decided_ms,"
                           " ended_ms, note, result FROM approvals WHERE id = ?1",
    [DAS_Q_APPROVAL_VOTES] = "SELECT person, seq FROM approval_votes WHERE approval = ?1"
                             " ORDER BY n",
    [DAS_Q_APPROVAL_VOTE] = "INSERT INTO approval_votes(approval, person, seq)"
                            " VALUES(?1, ?2, ?3)",
    [DAS_Q_APPROVAL_STATE] = "UPDATE approvals SET state = ?2, decided_ms = iif(?3, ?3, decided_ms),"
                             " ended_ms = iif(?4, ?4, ended_ms) WHERE id = ?1",
    [DAS_Q_APPROVAL_CLAIM] = "UPDATE approvals SET claim = ?2 WHERE id = ?1",
    [DAS_Q_APPROVAL_NOTE] = "UPDATE approvals SET note = ?2 WHERE id = ?1",
    [DAS_Q_APPROVAL_RESULT] = "UPDATE approvals SET result = ?2 WHERE id = ?1",
    [DAS_Q_APPROVAL_DELIVERY] = "UPDATE approvals SET delivery = ?2 WHERE id = ?1",
    [DAS_Q_APPROVAL_ALL] = "SELECT id, state FROM approvals ORDER BY n DESC",
    [DAS_Q_APPROVAL_OPEN] = "SELECT id, state FROM approvals WHERE state < 3 ORDER BY n DESC",
    [DAS_Q_APPROVAL_SILENT] = "SELECT id, state FROM approvals WHERE state < 3 AND state = 0"
                              " AND delivery = '' ORDER BY n",
    [DAS_Q_APPROVAL_PENDING] = "SELECT id, state FROM approvals WHERE state < 3"
                               " AND (state > 0 OR expires_ms <= ?1) ORDER BY n",
    [DAS_Q_APPROVAL_COUNT] = "SELECT count(*) FILTER (WHERE state = 0),"
                             " count(*) FILTER (WHERE state > 0) FROM approvals WHERE state < 3",
    [DAS_Q_RECORD_HASH] = "SELECT line, hash FROM journal WHERE seq = ?1",
    [DAS_Q_APPLIED_SEQ] = "SELECT min(seq) FROM applied WHERE plan = ?1",
    [DAS_Q_OPEN_COUNT] = "SELECT count(*) FROM open_intents WHERE seq = ?1",
    [DAS_Q_LINK_ADD] = "INSERT INTO approval_links(hash, approval, person, used_ms)"
                       " VALUES(?1, ?2, ?3, 0)",
    [DAS_Q_LINK_GET] = "SELECT approval, person, used_ms FROM approval_links WHERE hash = ?1",
    [DAS_Q_LINK_USE] = "UPDATE approval_links SET used_ms = ?2 WHERE hash = ?1 AND used_ms = 0",
    [DAS_Q_FORM_ADD] = "INSERT INTO approval_forms(hash, link, until_ms) VALUES(?1, ?2, ?3)",
    [DAS_Q_FORM_TRIM] = "DELETE FROM approval_forms WHERE link = ?1 AND n <= (SELECT n FROM"
                        " approval_forms WHERE link = ?1 ORDER BY n DESC LIMIT 1 OFFSET ?2)",
    [DAS_Q_FORM_TAKE] = "DELETE FROM approval_forms WHERE hash = ?1 AND link = ?2"
                        " AND until_ms > ?3",
    [DAS_Q_RUNBOOK_ADD] = "INSERT INTO runbooks(name, path, sha256, instances, params, key, armed,"
                          " who, status, run, started_ms, changed_ms, ended_ms, until_ms, wake_ms,"
                          " cancel, error)"
                          " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?10, 0, ?11, 0, 0, '')",
    [DAS_Q_RUNBOOK_GET] = RUNBOOKS " WHERE id = ?1",
    [DAS_Q_RUNBOOK_ALL] = RUNBOOKS " ORDER BY id DESC LIMIT ?1",
    [DAS_Q_RUNBOOK_OPEN] = RUNBOOKS " WHERE status < 3 ORDER BY id DESC LIMIT ?1",
    [DAS_Q_RUNBOOK_SAME_KEY] =
        "SELECT id FROM runbooks WHERE key = ?1 AND armed = ?2 AND status < 3",
    [DAS_Q_RUNBOOK_CLAIM] = "UPDATE runbooks SET status = 0, run = ?2, changed_ms = ?3, wake_ms = 0"
                            " WHERE id = ?1",
    [DAS_Q_RUNBOOK_OWN] = "SELECT 1 + cancel FROM runbooks WHERE id = ?1 AND run = ?2"
                          " AND status = 0",
    /* ended_ms: only of what has ended */
    [DAS_Q_RUNBOOK_SET] = "UPDATE runbooks SET status = ?2, changed_ms = ?3,"
                          " ended_ms = iif(?2 >= 3, ?3, 0), run = '', wake_ms = 0, error = ?4"
                          " WHERE id = ?1",
    [DAS_Q_RUNBOOK_WAIT] = "UPDATE runbooks SET status = 1, changed_ms = ?2, run = '',"
                           " wake_ms = ?3 WHERE id = ?1",
    [DAS_Q_RUNBOOK_WAKE] = "UPDATE runbooks SET changed_ms = ?2, wake_ms = min(wake_ms, ?2)"
                           " WHERE id = ?1",
    [DAS_Q_RUNBOOK_SCRIPT] = "UPDATE runbooks SET sha256 = ?2 WHERE id = ?1",
    [DAS_Q_RUNBOOK_CANCEL] = "UPDATE runbooks SET cancel = 1 WHERE id = ?1",
    [DAS_Q_STRETCH_ADD] = "INSERT INTO stretches(run, runbook, who, began_ms, ended_ms,"
                          " how) VALUES(?1, ?2, ?3, ?4, 0, '')",
    [DAS_Q_STRETCH_END] = "UPDATE stretches SET ended_ms = ?2, how = ?3"
                           " WHERE run = ?1 AND ended_ms = 0",
    [DAS_Q_STRETCH_OF] = "SELECT who, began_ms, ended_ms, how FROM stretches WHERE runbook = ?1"
                         " ORDER BY id",
    [DAS_Q_STRETCH_RUNBOOK] = "SELECT min(runbook) FROM stretches WHERE run = ?1",
    [DAS_Q_STEP_PUT] = "INSERT OR REPLACE INTO steps(runbook, n, name, kind, status, acts,"
                       " attempts, failures, begun_ms, ended_ms, wake_ms, asks, result, error, who,"
                       " reason) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
                       " ?14, ?15, ?16)",
    [DAS_Q_STEP_NEXT] = "SELECT ifnull(max(n), 0) + 1 FROM steps WHERE runbook = ?1",
    [DAS_Q_STEP_GET] = STEPS " WHERE runbook = ?1 AND name = ?2",
    [DAS_Q_STEP_AT] = STEPS " WHERE runbook = ?1 AND n = ?2",
    [DAS_Q_STEP_ALL] = STEPS " WHERE runbook = ?1 ORDER BY n",
    [DAS_Q_STEP_ACTS] = "UPDATE steps SET acts = 1 WHERE runbook = ?1 AND n = ?2",
    [DAS_Q_NOTE_ADD] = "INSERT INTO step_notes(runbook, n, at_ms, kind, note)"
                       " VALUES(?1, ?2, ?3, ?4, ?5)",
    [DAS_Q_NOTE_ALL] = "SELECT n, at_ms, kind, note FROM step_notes WHERE runbook = ?1 ORDER BY id",
    [DAS_Q_QUESTION_DUE] =
        "SELECT * FROM (SELECT s.runbook AS runbook, s.n AS n, '' FROM runbooks r"
        " JOIN steps s ON s.runbook = r.id"
        " WHERE r.status < 3 AND s.kind = 1 AND s.status = 1 AND json_valid(s.asks)"
        " AND json_extract(s.asks, '$.channel') IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM step_notes t WHERE t.runbook = s.runbook AND t.n = s.n"
        " AND t.kind IN ('asked', 'told'))"
        " UNION ALL SELECT t.runbook, t.n, t.note FROM step_notes t"
        " JOIN steps s ON s.runbook = t.runbook AND s.n = t.n JOIN runbooks r ON r.id = t.runbook"
        " WHERE t.kind = 'asked' AND (s.status <> 1 OR r.status >= 3))"
        " WHERE (runbook, n) > (?1, ?2) ORDER BY runbook, n LIMIT ?3",
    [DAS_Q_QUESTION_ASKED] =
        "INSERT INTO step_notes(runbook, n, at_ms, kind, note) SELECT ?1, ?2, ?3, 'asked', ?4"
        " WHERE NOT EXISTS (SELECT 1 FROM step_notes WHERE runbook = ?1 AND n = ?2"
        " AND kind IN ('asked', 'told'))",
    [DAS_Q_QUESTION_TOLD] = "UPDATE step_notes SET kind = 'told' WHERE runbook = ?1 AND n = ?2"
                            " AND kind = 'asked'",
    [DAS_Q_RUNBOOK_COUNT] =
        "SELECT count(*), count(*) FILTER (WHERE status = 2), ifnull(sum((SELECT count(*) FROM"
        " steps s WHERE s.runbook = r.id AND s.kind = 1 AND s.status = 1)), 0)"
        " FROM runbooks r WHERE status < 3",
    [DAS_Q_MODULE_GET] = "SELECT sha256 FROM runbook_modules WHERE runbook = ?1 AND path = ?2",
    [DAS_Q_MODULE_PUT] = "INSERT OR REPLACE INTO runbook_modules(runbook, path, sha256)"
                         " VALUES(?1, ?2, ?3)",
};

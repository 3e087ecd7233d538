/*
 * churn.c - database clients that run, end, reconnect and change what they do as fast as they can,
 * and write down what became of every statement. For the tests that kill some of them.
 *
 *     churn SOCKET LOG CLIENTS FIRST SEED
 *
 * Client number c (FIRST, FIRST+1, ...) works in a thread of its own, on its own row of shop.t, as
 * one of app1 .. app4; every tenth is "keep", whom nobody may kill. What takes long waits for a
 * lock that one more "keep" holds. (Not SLEEP(): all of them share a mutex in MariaDB, and a KILL
 * of one can hold up the others, and itself, for two seconds.) Prints "ready" when all have been
 * connected once. When standard input ends it prints counts ("name number", one a line) and exits
 * in the middle of whatever the clients do.
 *
 * LOG has a line for each statement and each pause, tabs between the fields:
 *     START END   Unix microseconds
 *     CONNECTION  its id
 *     USER
 *     KIND        short, long, same, trx, quick; idle and pause: nothing was running; change: user;
 *                 ping: no statement either, but MariaDB gives the session another query id
 *     TOKEN       "c17 n123", as in the comment of the statement. Unique, but for kind same, which
 *                 is one text several times. idle and pause have that of the statement before them
 *     QUERY_ID    of the statement, where it asked for it; else 0
 *     RESULT      ok; interrupted (error 1317, or GET_LOCK() is NULL); lost: the connection was
 *                 gone; error NUMBER
 */
#include <mysql.h>

#include <errmsg.h>
#include <mysqld_error.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define APP_USERS 4
#define LOCKED_ROWS 1000 /* of shop.t, those with a larger a are locked */
/* The last statement before a pause asks for its own query id: it stays the session's while it
 * sleeps, and is how a plan names it. */
#define OWN_QUERY_ID "FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()"

struct client {
    pthread_t thread;
    unsigned number;
    uint64_t random;
    MYSQL *my; /* NULL: not connected */
    unsigned long connection;
    char user[16];
    unsigned statements; /* n of the token */
    char token[32];
    unsigned long long query_id; /* 0: not asked for */
};

static const char *socket_path;
static FILE *record;
static pthread_mutex_t record_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint ready;
static atomic_ulong statements, connects, interrupted, lost, errors, refused;

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* xorshift64*: the same seed, the same life, as far as the server lets it. */
static unsigned below(struct client *c, unsigned n)
{
    c->random ^= c->random >> 12;
    c->random ^= c->random << 25;
    c->random ^= c->random >> 27;
    return (unsigned)((c->random * 2685821657736338717ull) >> 33) % n;
}

static void note(const struct client *c, int64_t start, const char *kind, const char *result)
{
    pthread_mutex_lock(&record_lock);
    fprintf(record, "%lld\t%lld\t%lu\t%s\t%s\t%s\t%llu\t%s\n", (long long)start,
            (long long)now_us(), c->connection, c->user, kind, c->token, c->query_id, result);
    pthread_mutex_unlock(&record_lock);
}

static int is_lost(unsigned number)
{
    return number == CR_SERVER_LOST || number == CR_SERVER_GONE_ERROR ||
           number == ER_CONNECTION_KILLED || number == CR_SERVER_LOST_EXTENDED;
}

static void close_client(struct client *c)
{
    if (c->my)
        mysql_close(c->my);
    c->my = NULL;
}

/* Writes down how it went; false when the session cannot go on. */
static int result(struct client *c, int64_t start, const char *kind, unsigned number)
{
    char text[32] = "ok";

    atomic_fetch_add(&statements, 1);
    if (number == ER_QUERY_INTERRUPTED) {
        atomic_fetch_add(&interrupted, 1);
        strcpy(text, "interrupted");
    } else if (is_lost(number)) {
        atomic_fetch_add(&lost, 1);
        strcpy(text, "lost");
    } else if (number) {
        atomic_fetch_add(&errors, 1);
        snprintf(text, sizeof text, "error %u", number);
    }
    note(c, start, kind, text);
    if (number && number != ER_QUERY_INTERRUPTED)
        close_client(c);
    return c->my != NULL;
}

/* Does nothing for so long, but sees at once when the connection ends. */
static int rest(struct client *c, const char *kind, unsigned ms)
{
    struct pollfd p = {.fd = mysql_get_socket(c->my), .events = POLLIN};
    int64_t start = now_us();

    if (poll(&p, 1, (int)ms) == 0) {
        note(c, start, kind, "ok");
        return 1;
    }
    atomic_fetch_add(&lost, 1);
    note(c, start, kind, "lost");
    close_client(c);
    return 0;
}

/* What a result says: the query id, where it was asked for, and a lock that was not got because
 * somebody killed the statement. */
static unsigned read_result(struct client *c, MYSQL_RES *res, const char *sql)
{
    unsigned columns = mysql_num_fields(res);
    MYSQL_ROW row = mysql_fetch_row(res);

    if (!row)
        return 0;
    if (row[0] && strncmp(sql, "SELECT QUERY_ID", 15) == 0)
        c->query_id = strtoull(row[0], NULL, 10);
    return !row[columns - 1] && strstr(sql, "GET_LOCK") ? ER_QUERY_INTERRUPTED : 0;
}

/* The session goes on only after a while: who is interrupted does not try again at once. (A kill of
 * the connection ends its statement first.) */
static int run(struct client *c, const char *kind, const char *sql)
{
    int64_t start = now_us();
    unsigned number = 0;
    MYSQL_RES *res;

    c->query_id = 0;
    if (mysql_real_query(c->my, sql, strlen(sql)) == 0 &&
        (res = mysql_store_result(c->my)) != NULL) {
        number = read_result(c, res, sql);
        mysql_free_result(res);
    }
    if (mysql_errno(c->my))
        number = mysql_errno(c->my);
    if (number == ER_LOCK_WAIT_TIMEOUT) /* as planned */
        number = 0;
    if (!result(c, start, kind, number))
        return 0;
    return number == 0 || rest(c, "pause", 100 + below(c, 200));
}

static void new_token(struct client *c)
{
    snprintf(c->token, sizeof c->token, "c%u n%u", c->number, ++c->statements);
}

static int run_new(struct client *c, const char *kind, const char *text)
{
    char sql[256];

    new_token(c);
    snprintf(sql, sizeof sql, "%s /* %s */", text, c->token);
    return run(c, kind, sql);
}

/* For one of two kinds of lock; the second makes it a transaction, too. */
static int wait_ms(struct client *c, const char *kind, unsigned ms)
{
    char text[128];

    if (ms < 1000 || below(c, 3) > 0)
        snprintf(text, sizeof text, "SELECT GET_LOCK('g%u', %u.%03u)", c->number, ms / 1000,
                 ms % 1000);
    else
        snprintf(text, sizeof text, "SET STATEMENT innodb_lock_wait_timeout = %u FOR "
                 "SELECT b FROM t WHERE a = %u FOR UPDATE", ms / 1000, LOCKED_ROWS + c->number);
    return run_new(c, kind, text);
}

/* --- what clients do -------------------------------------------------------------------------- */

static void any_user(struct client *c, char *user, size_t size)
{
    if (c->number % 10 == 0)
        snprintf(user, size, "keep");
    else
        snprintf(user, size, "app%u", 1 + below(c, APP_USERS));
}

static void connect_client(struct client *c)
{
    c->my = mysql_init(NULL);
    if (!c->my)
        abort();
    any_user(c, c->user, sizeof c->user);
    if (!mysql_real_connect(c->my, NULL, c->user, NULL, "shop", 0, socket_path, 0)) {
        atomic_fetch_add(&refused, 1);
        close_client(c);
        usleep(50000);
        return;
    }
    c->connection = mysql_thread_id(c->my);
    snprintf(c->token, sizeof c->token, "-");
    c->query_id = 0;
    atomic_fetch_add(&connects, 1);
}

static int ping(struct client *c)
{
    int64_t start = now_us();

    new_token(c);
    c->query_id = 0;
    mysql_ping(c->my);
    return result(c, start, "ping", mysql_errno(c->my));
}

/* Waits in a transaction, with a ping in between or without. */
static int idle(struct client *c)
{
    unsigned ms = 3000 + below(c, 20000);

    if (below(c, 3) > 0)
        return rest(c, "idle", ms);
    return rest(c, "idle", ms / 2) && ping(c) && rest(c, "idle", ms / 2);
}

/* A transaction that waits for its client, or runs something long. */
static void transaction(struct client *c)
{
    char sql[64];
    int go_on;

    snprintf(sql, sizeof sql, "UPDATE t SET b = b + 1 WHERE a = %u", c->number);
    if (!run_new(c, "trx", "START TRANSACTION") || !run_new(c, "trx", sql))
        return;
    if (below(c, 3) > 0)
        go_on = run_new(c, "trx", "SELECT QUERY_ID " OWN_QUERY_ID) && idle(c);
    else
        go_on = wait_ms(c, "long", 1000 + below(c, 6000));
    if (go_on)
        run_new(c, "trx", below(c, 2) ? "COMMIT" : "ROLLBACK");
}

/* One text, to the byte, several times: only the query id tells one from the other. */
static void same_again(struct client *c)
{
    unsigned times = 3 + below(c, 6), ms = 20 + below(c, 700);
    char sql[256];

    new_token(c);
    snprintf(sql, sizeof sql, "SELECT QUERY_ID, GET_LOCK('g%u', 0.%03u) " OWN_QUERY_ID " /* %s */",
             c->number, ms, c->token);
    while (times-- > 0 && run(c, "same", sql))
        ;
}

/* The same connection belongs to somebody else afterwards; now and then to one who is protected. */
static void change_user(struct client *c)
{
    int64_t start = now_us();
    char user[sizeof c->user];

    any_user(c, user, sizeof user);
    if (below(c, 5) == 0)
        strcpy(user, "keep");
    new_token(c);
    c->query_id = 0;
    mysql_change_user(c->my, user, NULL, "shop");
    if (mysql_errno(c->my) == 0)
        strcpy(c->user, user);
    result(c, start, "change", mysql_errno(c->my));
}

static void leave(struct client *c)
{
    if (below(c, 3) == 0) /* without a word */
        shutdown(mysql_get_socket(c->my), SHUT_RDWR);
    close_client(c);
}

static void do_something(struct client *c)
{
    unsigned what = below(c, 1000);

    if (c->number % 8 == 0 && what >= 340) /* a busy one: little but short statements */
        what = below(c, 340);
    if (what < 300) {
        wait_ms(c, "short", 1 + below(c, 100));
    } else if (what < 330) {
        for (int i = 0; i < 20 && run_new(c, "quick", "SELECT 1"); i++)
            ;
    } else if (what < 700) {
        wait_ms(c, "long", 1500 + below(c, 7000));
    } else if (what < 860) {
        transaction(c);
    } else if (what < 940) {
        same_again(c);
    } else if (what < 970) {
        leave(c);
    } else {
        change_user(c);
    }
}

static void *live(void *arg)
{
    struct client *c = arg;
    int first = 1;

    mysql_thread_init();
    for (;;) {
        if (!c->my)
            connect_client(c);
        else
            do_something(c);
        if (first && c->my)
            atomic_fetch_add(&ready, 1);
        first = first && !c->my;
    }
    return NULL;
}

/* Holds what everybody waits for, to the end. */
static int lock_all(unsigned first, unsigned count)
{
    MYSQL *my = mysql_init(NULL);
    char sql[64];
    MYSQL_RES *res;

    if (!my || !mysql_real_connect(my, NULL, "keep", NULL, "shop", 0, socket_path, 0))
        return -1;
    for (unsigned i = 0; i <= count; i++) {
        snprintf(sql, sizeof sql, "SELECT GET_LOCK('g%u', 0)", first + i);
        if (i == count)
            snprintf(sql, sizeof sql, "SELECT b FROM t WHERE a > %u FOR UPDATE", LOCKED_ROWS);
        if ((i == count && mysql_query(my, "START TRANSACTION")) || mysql_query(my, sql) ||
            !(res = mysql_store_result(my)))
            return -1;
        mysql_free_result(res);
    }
    return 0;
}

int main(int argc, char **argv)
{
    unsigned count = argc == 6 ? (unsigned)atoi(argv[3]) : 0;
    struct client *clients = calloc(count ? count : 1, sizeof *clients);
    pthread_attr_t attr;
    char c;

    if (!count || !clients || mysql_library_init(0, NULL, NULL)) {
        fprintf(stderr, "usage: churn SOCKET LOG CLIENTS FIRST SEED\n");
        return 2;
    }
    socket_path = argv[1];
    record = fopen(argv[2], "w");
    if (!record) {
        perror(argv[2]);
        return 1;
    }
    if (lock_all((unsigned)atoi(argv[4]), count) < 0) {
        fprintf(stderr, "churn: cannot lock what the clients wait for\n");
        return 1;
    }
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    for (unsigned i = 0; i < count; i++) {
        clients[i].number = (unsigned)atoi(argv[4]) + i;
        clients[i].random = strtoull(argv[5], NULL, 10) * 1000003u + clients[i].number + 1;
        if (pthread_create(&clients[i].thread, &attr, live, &clients[i]) != 0)
            abort();
    }
    while (atomic_load(&ready) < count)
        usleep(10000);
    puts("ready");
    fflush(stdout);
    while (read(0, &c, 1) > 0)
        ;
    pthread_mutex_lock(&record_lock); /* nothing is written any more, and no line is half written */
    printf("statements %lu\nconnects %lu\ninterrupted %lu\nlost %lu\nerrors %lu\nrefused %lu\n",
           atomic_load(&statements), atomic_load(&connects), atomic_load(&interrupted),
           atomic_load(&lost), atomic_load(&errors), atomic_load(&refused));
    fflush(stdout);
    _exit(fflush(record) == 0 ? 0 : 1);
}

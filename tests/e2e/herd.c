/*
 * herd.c - many database connections in one process, each busy with what a test says.
 *
 *     herd /path/to/socket | HOST:PORT  [PASSWORD_ENV]
 *
 * Standard input, one command a line, fields separated by tabs; \t \n \\ and \xHH in a field:
 *     USER  DB  SQL      opens a connection, sends SQL (may be empty) and does not wait for it;
 *                        prints the connection id, or "! why"
 *     @N    SQL          reads the result of connection N (counted from 1), then sends SQL (may be
 *                        empty); prints "@N ok" or "@N error NUMBER text" about the result
 *     ?N                 pings connection N, which must have no statement under way; prints "@N ok"
 * At the end of the input all connections close. For tests only; it waits as long as it takes.
 */
#include <mysql.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct member {
    MYSQL *my;    /* NULL: could not connect */
    int pending;  /* a statement was sent and its result not read */
};

static struct member *herd;
static size_t herd_count, herd_cap;
static const char *socket_path, *host, *password;
static unsigned port;

static int hex(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static size_t unescape(char *s)
{
    char *to = s;

    for (char *p = s; *p; p++) {
        if (*p != '\\' || !p[1]) {
            *to++ = *p;
            continue;
        }
        p++;
        if (*p == 'x' && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
            *to++ = (char)(hex(p[1]) << 4 | hex(p[2]));
            p += 2;
        } else {
            *to++ = *p == 't' ? '\t' : *p == 'n' ? '\n' : *p;
        }
    }
    *to = '\0';
    return (size_t)(to - s);
}

static void send_sql(struct member *m, const char *sql, size_t len)
{
    if (len && mysql_send_query(m->my, sql, len) == 0)
        m->pending = 1;
}

static void open_member(char *user, char *db, char *sql)
{
    struct member m = {mysql_init(NULL), 0};

    if (herd_count == herd_cap) {
        herd_cap = herd_cap ? herd_cap * 2 : 64;
        herd = realloc(herd, herd_cap * sizeof *herd);
        if (!herd)
            abort();
    }
    unescape(user);
    unescape(db);
    mysql_options(m.my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (!mysql_real_connect(m.my, host, user, password, *db ? db : NULL, port, socket_path, 0)) {
        printf("! %s\n", mysql_error(m.my));
        mysql_close(m.my);
        m.my = NULL;
    } else {
        printf("%lu\n", mysql_thread_id(m.my));
        send_sql(&m, sql, unescape(sql));
    }
    herd[herd_count++] = m;
}

static void next_statement(char *line)
{
    char *tab = strchr(line, '\t');
    unsigned long n = strtoul(line + 1, NULL, 10);
    struct member *m = n >= 1 && n <= herd_count ? &herd[n - 1] : NULL;

    if (!m || !m->my || !tab) {
        printf("! no connection %lu\n", n);
        return;
    }
    if (m->pending && mysql_read_query_result(m->my)) {
        printf("@%lu error %u %s\n", n, mysql_errno(m->my), mysql_error(m->my));
    } else {
        MYSQL_RES *res = m->pending ? mysql_store_result(m->my) : NULL;
        unsigned number = mysql_errno(m->my);
        if (res)
            mysql_free_result(res);
        if (m->pending && number)
            printf("@%lu error %u %s\n", n, number, mysql_error(m->my));
        else
            printf("@%lu ok\n", n);
    }
    m->pending = 0;
    send_sql(m, tab + 1, unescape(tab + 1));
}

static void ping(const char *line)
{
    unsigned long n = strtoul(line + 1, NULL, 10);
    struct member *m = n >= 1 && n <= herd_count ? &herd[n - 1] : NULL;

    if (!m || !m->my || m->pending)
        printf("! no connection %lu that could be pinged\n", n);
    else
        printf("@%lu %s\n", n, mysql_ping(m->my) ? mysql_error(m->my) : "ok");
}

int main(int argc, char **argv)
{
    struct rlimit files;
    char *line = NULL, *colon;
    size_t cap = 0;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: herd SOCKET|HOST:PORT [PASSWORD_ENV]\n");
        return 2;
    }
    if (argv[1][0] == '/') {
        socket_path = argv[1];
    } else if ((colon = strrchr(argv[1], ':')) != NULL) {
        *colon = '\0';
        host = argv[1];
        port = (unsigned)strtoul(colon + 1, NULL, 10);
    }
    password = argc > 2 ? getenv(argv[2]) : NULL;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    while (getline(&line, &cap, stdin) > 0) {
        char *db, *sql;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '@') {
            next_statement(line);
        } else if (line[0] == '?') {
            ping(line);
        } else if ((db = strchr(line, '\t')) && (sql = strchr(db + 1, '\t'))) {
            *db++ = '\0';
            *sql++ = '\0';
            open_member(line, db, sql);
        } else {
            puts("! expected USER<tab>DB<tab>SQL or @N<tab>SQL");
        }
        fflush(stdout);
    }
    free(line);
    /* The sockets close with the process: closing politely would wait for running statements. */
    free(herd);
    return 0;
}

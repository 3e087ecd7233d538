/*
 * kills.c - both ends of a kill, for measuring it.
 *
 *     kills victims SOCKET N    N connections that wait for a lock. For each line of standard input
 *                               all of them send a statement and "ready" is printed; when the last
 *                               one was interrupted, when that was: microseconds of the monotonic
 *                               clock
 *     kills bare SOCKET         what a client without das must do: lists the victims and ends the
 *                               statement of each, one KILL QUERY ID after the other on one
 *                               connection. Prints how many, and the microseconds for all of them
 */
#include <mysql.h>

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX 1000

static const char statement[] = "SELECT GET_LOCK('bench', 1000) /* victim */";

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void die(MYSQL *my)
{
    fprintf(stderr, "kills: %s\n", mysql_error(my));
    exit(1);
}

static MYSQL *connect_to(const char *socket, const char *user)
{
    MYSQL *my = mysql_init(NULL);

    if (!my || !mysql_real_connect(my, NULL, user, "", NULL, 0, socket, 0))
        die(my);
    return my;
}

static void ask(MYSQL *my, const char *sql)
{
    if (mysql_query(my, sql))
        die(my);
    mysql_free_result(mysql_store_result(my));
}

/* Until every one has an answer; an interrupted GET_LOCK() answers too. */
static int64_t wait_for_all(MYSQL **my, nfds_t n)
{
    static struct pollfd fds[MAX];
    int64_t last = 0;

    for (nfds_t i = 0; i < n; i++)
        fds[i] = (struct pollfd){.fd = mysql_get_socket(my[i]), .events = POLLIN};
    for (nfds_t left = n; left > 0;) {
        if (poll(fds, n, -1) < 0)
            exit(1);
        last = now_us();
        for (nfds_t i = 0; i < n; i++) {
            if (!fds[i].revents)
                continue;
            if (mysql_read_query_result(my[i]) == 0)
                mysql_free_result(mysql_store_result(my[i]));
            fds[i].fd = -1;
            fds[i].revents = 0;
            left--;
        }
    }
    return last;
}

static int victims(const char *socket, nfds_t n)
{
    static MYSQL *my[MAX];
    MYSQL *gate = connect_to(socket, "gate");
    char line[16];

    ask(gate, "SELECT GET_LOCK('bench', 0)");
    for (nfds_t i = 0; i < n; i++)
        my[i] = connect_to(socket, "app");
    while (fgets(line, sizeof line, stdin)) {
        for (nfds_t i = 0; i < n; i++) {
            if (mysql_send_query(my[i], statement, sizeof statement - 1))
                die(my[i]);
        }
        puts("ready");
        fflush(stdout);
        printf("%lld\n", (long long)wait_for_all(my, n));
        fflush(stdout);
    }
    return 0;
}

static int bare(const char *socket)
{
    static char kills[MAX][64];
    MYSQL *my = connect_to(socket, "root");
    MYSQL_RES *res;
    MYSQL_ROW row;
    int64_t start;
    int n = 0;

    if (mysql_query(my, "SELECT QUERY_ID FROM information_schema.PROCESSLIST "
                        "WHERE USER = 'app' AND COMMAND = 'Query'") ||
        !(res = mysql_store_result(my)))
        die(my);
    while (n < MAX && (row = mysql_fetch_row(res)) != NULL)
        snprintf(kills[n++], sizeof kills[0], "KILL QUERY ID %s", row[0]);
    mysql_free_result(res);
    start = now_us();
    for (int i = 0; i < n; i++)
        ask(my, kills[i]);
    printf("%d %lld\n", n, (long long)(now_us() - start));
    mysql_close(my);
    return 0;
}

int main(int argc, char **argv)
{
    nfds_t n = argc > 3 ? (nfds_t)strtoul(argv[3], NULL, 10) : 0;

    if (argc == 4 && strcmp(argv[1], "victims") == 0 && n >= 1 && n <= MAX)
        return victims(argv[2], n);
    if (argc == 3 && strcmp(argv[1], "bare") == 0)
        return bare(argv[2]);
    fprintf(stderr, "usage: kills victims SOCKET N | kills bare SOCKET\n");
    return 2;
}

/*
 * bare.c - what a client without das must do: fetch the columns of all sessions, N times.
 *
 *     bare SOCKET N
 */
#include <mysql.h>

#include <stdio.h>
#include <stdlib.h>

static const char *const queries[] = {
    "SELECT -1, UNIX_TIMESTAMP(), 0 UNION ALL SELECT trx_mysql_thread_id, "
    "TIMESTAMPDIFF(SECOND, trx_started, NOW()), trx_rows_modified FROM "
    "information_schema.INNODB_TRX",
    "SELECT ID, USER, HOST, DB, COMMAND, TIME, STATE, INFO_BINARY, TIME_MS, QUERY_ID, "
    "EXAMINED_ROWS, PROGRESS FROM information_schema.PROCESSLIST",
};

static size_t fetch(MYSQL *my, const char *sql)
{
    size_t rows = 0;
    MYSQL_RES *res;

    if (mysql_query(my, sql) || !(res = mysql_use_result(my))) {
        fprintf(stderr, "bare: %s\n", mysql_error(my));
        exit(1);
    }
    while (mysql_fetch_row(res))
        rows++;
    mysql_free_result(res);
    return rows;
}

int main(int argc, char **argv)
{
    MYSQL *my = mysql_init(NULL);
    size_t rows = 0;

    if (argc < 3 || !my)
        return 2;
    mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (!mysql_real_connect(my, NULL, "root", "", NULL, 0, argv[1], 0)) {
        fprintf(stderr, "bare: %s\n", mysql_error(my));
        return 1;
    }
    for (int i = 0; i < atoi(argv[2]); i++)
        rows = fetch(my, queries[0]) + fetch(my, queries[1]);
    printf("%zu\n", rows);
    mysql_close(my);
    return 0;
}

/*
 * any_filter.h - random filters and random nasty sessions for them. Both are made of the same words,
 * so that they meet, and of odd bytes put together, so that nothing is taken for granted.
 */
#ifndef DAS_TESTS_ANY_FILTER_H
#define DAS_TESTS_ANY_FILTER_H

#include "tests/unit/kit.h"

/* --- texts ------------------------------------------------------------------------------------- */

static const char *const any_users[] = {"app", "App", "app_1", "appx1", "a%p", "", "o'brien", "root",
                                        "\xf0\x9f\x98\x80", "caf\xc3\xa9", "\xff\xfe", "app "};
static const char *const any_hosts[] = {
    "10.0.0.7:51000", "10.0.0.71:51000", "localhost", "", ":", "db1:1", "DB1:1", "[::1]:3306",
    "[fe80::1]:3306", "[fe80::1:5]:3306", "fe80::1:3306", "fe80::1", "[fe80::1]", "[a]b", "[a]b:1",
    "a:b]", "[", "]", "[]", "[]:1", "[::1", "::1]:5", "h%:1"};
static const char *const any_commands[] = {"Query", "query", "Sleep", "Connect", "Binlog Dump", "",
                                           "Killed", "Quer"};
static const char *const any_states[] = {"", "Sending data", "sending DATA", "updating", "%"};
static const char *const any_statements[] = {
    "", "select 1", "SELECT a FROM b WHERE c", "from x select y", "selectfrom", "s%t~u_v",
    "insert into t values ('select from')", "\xff select \xfe from", "sel"};

static const char *const any_user_patterns[] = {"app", "app%", "%", "a\\%p", "app_1", "%p", "a%1",
                                                "o'brien", "\xff%", "%\xa9"};
static const char *const any_host_patterns[] = {
    "10.0.0.7", "10.0.0.7%", "10.0.0.7:%", "%", "%:%", "localhost", "db1", "Db1:1", "[::1]", "::1",
    "[fe80::1]", "[fe80::1]:%", "[fe80::1]%", "[fe80::%]", "[%]:3306", "[%", "fe80::1:%", "%]", "[]",
    "a", "ab", "a%b", "[a]b", "%:1", "h\\%:1", ":", "[::1]:3306", "::1:3306"};
static const char *const any_command_names[] = {"Query", "sLEEP", "Connect", "Binlog Dump"};
static const char *const any_state_patterns[] = {"sending%", "%", "updating", "\\%"};
static const char *const any_infos[] = {"select", "select~from", "FROM~select", "%", "~t~", "s~e~l",
                                        "\xff", "select~from~where"};

#define ANY_ROOM 64 /* bytes that a text of odd pieces may need */

/* 1 to 4 pieces, perhaps with NULs in between. */
static inline struct das_text any_bytes(char room[ANY_ROOM])
{
    static const char *const pieces[] = {"a", "pp", "%", "\\%", "\xff", "\xc3", "\xc3\xa9", "\"", "\\",
                                         "\x01", "[", "]", "::1", "10.0.0.7", ":33", "~", "SELECT"};
    size_t len = 0;

    for (size_t n = 1 + kit_below(4); n > 0; n--) {
        const char *p = KIT_PICK(pieces);
        memcpy(room + len, p, strlen(p));
        len += strlen(p);
        if (kit_below(30) == 0)
            room[len++] = '\0';
    }
    return das_text(room, len);
}

static inline struct das_text any_text(const char *const *words, size_t n, char room[ANY_ROOM])
{
    return kit_below(4) ? das_text_of(kit_pick(words, n)) : any_bytes(room);
}

#define ANY_TEXT(words, room) any_text(words, sizeof(words) / sizeof(words)[0], room)

/* --- numbers ----------------------------------------------------------------------------------- */

static inline int64_t any_number(void)
{
    static const int64_t edges[] = {0, 1, 4, 5, 6, 60, DAS_TIME_MAX};

    return kit_below(3) ? edges[kit_below(sizeof edges / sizeof *edges)] : (int64_t)kit_below(200);
}

/* --- sessions ---------------------------------------------------------------------------------- */

struct any_room {
    char texts[5][ANY_ROOM]; /* of one session, for as long as it is used */
};

static inline int64_t any_measure(bool may_be_absent)
{
    switch (kit_below(may_be_absent ? 4 : 3)) {
    case 0:
        return DAS_UNKNOWN;
    case 3:
        return DAS_ABSENT;
    default:
        return any_number();
    }
}

static inline struct das_session any_session(struct any_room *room)
{
    struct das_session s = kit_session((int64_t)kit_below(12));
    struct das_text *texts[] = {&s.user, &s.host, &s.db, &s.command, &s.state, &s.sql_info};

    s.user = ANY_TEXT(any_users, room->texts[0]);
    s.host = ANY_TEXT(any_hosts, room->texts[1]);
    s.db = ANY_TEXT(any_users, room->texts[2]);
    s.command = das_text_of(KIT_PICK(any_commands));
    s.state = ANY_TEXT(any_states, room->texts[3]);
    s.sql_info = ANY_TEXT(any_statements, room->texts[4]);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (kit_below(6) == 0)
            *texts[i] = DAS_TEXT_NULL;
    }
    s.state_duration = any_measure(false);
    s.trx_time = any_measure(true);
    s.rows_modified = any_measure(true);
    return s;
}

/* --- filters ----------------------------------------------------------------------------------- */

/* One more criterion. Of odd bytes there may be none made ("~" alone has no keyword): left out. */
static inline void any_criterion(struct das_filter *f)
{
    static const char *const numbers[] = {"time", "trx_time", "rows_modified"};
    struct das_value v = {.kind = DAS_V_TEXT};
    struct das_err err;
    char room[ANY_ROOM];
    const char *key;
    int64_t ids[5];

    switch (kit_below(13)) {
    case 0:
    case 1:
    case 2:
        key = KIT_PICK(numbers);
        v = (struct das_value){.kind = DAS_V_INT, .integer = any_number()};
        break;
    case 3:
        key = "id";
        for (size_t i = 0; i < 5; i++)
            ids[i] = (int64_t)kit_below(13) - 1;
        v = (struct das_value){.kind = DAS_V_INTS, .ints = ids, .count = 1 + kit_below(5)};
        break;
    case 4:
        key = "all";
        v = (struct das_value){.kind = DAS_V_BOOL, .boolean = true};
        break;
    case 5:
        key = "task_type";
        v.text = das_text_of("auto");
        break;
    case 6:
        key = "task_duration";
        v = (struct das_value){.kind = DAS_V_INT, .integer = 10 + (int64_t)kit_below(100)};
        break;
    case 7:
        key = "command";
        v.text = das_text_of(KIT_PICK(any_command_names));
        break;
    case 8:
        key = "state";
        v.text = ANY_TEXT(any_state_patterns, room);
        break;
    case 9:
        key = "info";
        v.text = ANY_TEXT(any_infos, room);
        break;
    case 10:
    case 11:
        key = "host";
        v.text = ANY_TEXT(any_host_patterns, room);
        break;
    default:
        key = kit_below(2) ? "user" : "db";
        v.text = ANY_TEXT(any_user_patterns, room);
    }
    if (das_filter_set(f, key, &v, &err) < 0 && v.text.ptr != room) {
        tap_diag("%s: %s", key, err.msg);
        exit(1);
    }
}

static inline struct das_filter *any_filter(int depth)
{
    struct das_filter *f;

    switch (depth > 0 ? kit_below(5) : 0) {
    case 2:
        return kit_not(any_filter(depth - 1));
    case 3:
        f = any_filter(depth - 1);
        return kit_and(f, any_filter(depth - 1));
    case 4:
        f = any_filter(depth - 1);
        return kit_or(f, any_filter(depth - 1));
    default:
        f = kit_filter(NULL, NULL);
        for (size_t n = kit_below(4); n > 0; n--)
            any_criterion(f);
        return f;
    }
}

#endif

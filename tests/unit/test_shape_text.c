/* test_shape_text.c - objects of the cloud as a table, JSON and CSV: every type, what is not told,
 * and text that would drive a terminal. */
#include "core/cli/shape_text.h"

#include "tests/unit/tap.h"

struct part {
    struct das_text name;
};

struct thing {
    struct das_text name, info;
    int64_t n, s, ms, moment;
    int flag;
    struct das_cloud_list parts;
};

static const struct das_shape_field part_fields[] = {
    DAS_FIELD(part, name, "name", DAS_SHAPE_TEXT, false),
};
static const struct das_shape part_shape = DAS_SHAPE("part", part, part_fields);

static const struct das_shape_field fields[] = {
    DAS_FIELD(thing, name, "name", DAS_SHAPE_TEXT, false),
    DAS_FIELD(thing, n, "n", DAS_SHAPE_INT, false),
    DAS_FIELD(thing, s, "s", DAS_SHAPE_SECONDS, false),
    DAS_FIELD(thing, ms, "ms", DAS_SHAPE_MS, false),
    DAS_FIELD(thing, moment, "moment", DAS_SHAPE_MOMENT, false),
    DAS_FIELD(thing, flag, "flag", DAS_SHAPE_BOOL, false),
    DAS_FIELD_LIST(thing, parts, "parts", &part_shape),
    DAS_FIELD(thing, info, "info", DAS_SHAPE_TEXT, false),
};
static const struct das_shape shape = DAS_SHAPE("thing", thing, fields);

static struct part part_list[2];
static struct thing things[2];
static struct das_cloud_list lists[2];
static struct das_buf out;

static void stage(void)
{
    part_list[0].name = das_text_of("a");
    part_list[1].name = das_text_of("b\"");
    things[0] = (struct thing){.name = das_text_of("orders"), .info = das_text_of("select 1, \x1b[2J2\nfrom x"),
                               .n = INT64_MAX, .s = 0, .ms = 1766655104250, .moment = 1766655104,
                               .flag = 1, .parts = {&part_shape, part_list, 2}};
    things[1] = (struct thing){.name = DAS_TEXT_NULL, .info = das_text_of(""),
                               .n = DAS_CLOUD_NOT_TOLD, .s = DAS_CLOUD_NOT_TOLD, .ms = 0,
                               .moment = DAS_CLOUD_NOT_TOLD, .flag = -1,
                               .parts = {&part_shape, NULL, 0}};
    /* two pages of one each */
    lists[0] = (struct das_cloud_list){&shape, &things[0], 1};
    lists[1] = (struct das_cloud_list){&shape, &things[1], 1};
}

static const struct das_shape_rows rows = {&shape, lists, 2}, none = {&shape, NULL, 0};

static const char *table(const struct das_shape_rows *r, const char *const *columns, size_t width)
{
    das_buf_reset(&out);
    das_shape_table(r, columns, width, &out);
    return out.ptr;
}

/* The longest line, in bytes: the texts of this test are ASCII. */
static size_t widest(const char *text)
{
    size_t most = 0;

    for (size_t n = 0; *text; text++) {
        n = *text == '\n' ? 0 : n + 1;
        if (n > most)
            most = n;
    }
    return most;
}

static void tables(void)
{
    static const char *const all[] = {"name", "n", "s", "ms", "moment", "flag", "parts", "info", NULL};
    static const char *const some[] = {"name", "info", NULL};
    static const char *const optional[] = {"name", "-n", "s", "-moment", "info", NULL};
    static const char *const unknown[] = {"nothing", NULL};
    static const char long_name[] = "a-name-that-is-far-longer-than-the-forty-cells-of-a-column";

    is_str(table(&rows, all, 0),
           "name    n                    s  ms                    moment                flag  parts  info\n"
           "orders  9223372036854775807  0  2025-12-25T09:31:44Z  2025-12-25T09:31:44Z  yes   2      select 1, [2J2 from x\n"
           "-       -                    -  -                     -                     -     0      -\n",
           "every type, what is not told, and no control character");
    is_str(table(&none, some, 80), "name  info\n", "no rows: the head line");
    table(&rows, unknown, 80);
    is_int(out.len, 0, "a column that there is none of is left out");
    is_str(table(&rows, some, 26), "name    info\norders  select 1, [2J2 f..\n-       -\n",
           "the last column has what is left");
    things[0].name = das_text_of(long_name);
    ok(widest(table(&rows, some, 0)) == 40 + 2 + 21, "a text column has at most 40 cells");
    ok(widest(table(&rows, some, 50)) <= 50, "and fewer where the line is short");
    ok(widest(table(&rows, some, 30)) <= 30, "so that the last one has its least");
    ok(widest(table(&rows, some, 10)) == 8 + 2 + 16, "below that the line is longer than asked");
    things[0].name = das_text_of("orders");
    is_str(table(&rows, optional, 80),
           "name    n                    s  moment                info\n"
           "orders  9223372036854775807  0  2025-12-25T09:31:44Z  select 1, [2J2 from x\n"
           "-       -                    -  -                     -\n",
           "all of it has room");
    is_str(table(&rows, optional, 60),
           "name    n                    s  info\n"
           "orders  9223372036854775807  0  select 1, [2J2 from x\n"
           "-       -                    -  -\n",
           "what is optional is left out, the last one first");
    is_str(table(&rows, optional, 30), "name    s  info\norders  0  select 1, [2J2 fr..\n-       -  -\n",
           "then the others of them");
}

static void json(void)
{
    das_buf_reset(&out);
    das_shape_json(&rows, &out);
    is_str(out.ptr,
           "[{\"name\":\"orders\",\"n\":9223372036854775807,\"s\":0,\"ms\":\"2025-12-25T09:31:44.250Z\","
           "\"moment\":\"2025-12-25T09:31:44Z\",\"flag\":true,\"parts\":[{\"name\":\"a\"},{\"name\":\"b\\\"\"}],"
           "\"info\":\"select 1, \\u001b[2J2\\nfrom x\"},"
           "{\"name\":null,\"n\":null,\"s\":null,\"ms\":null,\"moment\":null,\"flag\":null,\"parts\":[],"
           "\"info\":\"\"}]",
           "all fields, the lists among them, moments with their thousandths");
    das_buf_reset(&out);
    das_shape_json(&none, &out);
    is_str(out.ptr, "[]", "no rows");
    things[0].ms = INT64_MAX;
    things[0].moment = INT64_MAX;
    das_buf_reset(&out);
    das_shape_json(&rows, &out);
    has_str(out.ptr, "\"ms\":\"9223372036854775807\",\"moment\":\"9223372036854775807\"",
            "a moment that no calendar has");
    stage();
}

static void csv(void)
{
    das_buf_reset(&out);
    das_shape_csv(&rows, &out);
    is_str(out.ptr,
           "name,n,s,ms,moment,flag,info\r\n"
           "orders,9223372036854775807,0,2025-12-25T09:31:44.250Z,2025-12-25T09:31:44Z,true,"
           "\"select 1,  [2J2\nfrom x\"\r\n"
           ",,,,,,\"\"\r\n",
           "all but the lists; no escape that a terminal obeys");
    things[0].info = das_text("a\x9b" "b\xc2\x9b" "c\0\"d", 9);
    das_buf_reset(&out);
    das_shape_csv(&rows, &out);
    has_str(out.ptr, "\"a\xef\xbf\xbd" "b c \"\"d\"", "nor one of eight bits, nor bytes that are no text");
    stage();
}

int main(void)
{
    stage();
    tables();
    json();
    csv();
    das_buf_clear(&out);
    return tap_done();
}

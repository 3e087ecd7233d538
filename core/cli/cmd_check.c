/* cmd_check.c - das check: reads scripts without running them, and says what is wrong with them. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bindings/check_script.h"
#include "core/base/json.h"
#include "core/cli/check_config.h"

static const char help[] =
    "das check [-o text|json] [--config FILE] [PATH...]\n"
    "\n"
    "Reads Lua policies without running them: syntax, undeclared globals, names that das does not\n"
    "have, filters and options that it would refuse, filters that hit everything or nothing, keys\n"
    "given twice, unused locals. Then says what the script has to be granted. Of a folder all\n"
    "*.lua below it are read, except editor stubs (---@meta).\n"
    "\n"
    "Of das.lua: whether it can be read, and the secrets that it names; whether the scripts of hooks\n"
    "and policies have the grants that they need, and hooks people who may use them. Then lists\n"
    "hooks with their addresses, channels and policies. Without PATH it is the das.lua in use.\n"
    "\n"
    "  -o, --output FORMAT   text: FILE:LINE:COLUMN: SEVERITY: MESSAGE\n"
    "                        json: {\"files\": [{\"path\", \"findings\": [{\"line\", \"column\",\n"
    "                        \"severity\", \"code\", \"message\"}], \"grants\": [...]}], \"findings\": N}\n"
    "      --config FILE     a das.lua of another name\n"
    "      --names           instead: everything that a script can name, as JSON\n"
    "\n"
    "A comment \"das check: ignore\" silences its line. A grant that ends in ? depends on a value\n"
    "that is only known at run time.\n"
    "\n"
    "Examples\n"
    "  das check scripts/\n"
    "  das check /etc/das/das.lua\n"
    "  das check -o json policy.lua | jq '.files[].findings[]'\n"
    "\n"
    "Exit: 0 nothing found, 1 findings, or a file that cannot be read, 2 usage.\n";

enum { O_CONFIG = 1000, O_NAMES };

static const struct option options[] = {
    {"help", no_argument, NULL, 'h'},
    {"output", required_argument, NULL, 'o'},
    {"names", no_argument, NULL, O_NAMES},
    {"config", required_argument, NULL, O_CONFIG},
    {NULL, 0, NULL, 0},
};

struct totals {
    bool json, names;
    const char *config;
    size_t findings, failed;
    struct das_buf out;
};

/* --- files ------------------------------------------------------------------------------------ */

static bool ends_in(const char *name, const char *end)
{
    size_t len = strlen(name), n = strlen(end);

    return len > n && strcmp(name + len - n, end) == 0;
}

/* A stub describes an API to an editor and is never run. */
static bool is_stub(const char *path)
{
    char start[8] = "";
    FILE *f = fopen(path, "rb");

    if (f) {
        start[fread(start, 1, sizeof start - 1, f)] = '\0';
        fclose(f);
    }
    return strcmp(start, "---@met") == 0;
}

/* das.lua is data and no script, wherever it is. */
static bool is_config(const char *path)
{
    const char *slash = strrchr(path, '/');

    return strcmp(slash ? slash + 1 : path, "das.lua") == 0;
}

static void check_file(struct totals *t, const char *path, bool config);

/* A script that das.lua names. */
static void check_named(void *arg, const char *path)
{
    struct totals *t = arg;

    if (!t->json && t->out.len) {
        fwrite(t->out.ptr, 1, t->out.len, stdout);
        das_buf_reset(&t->out);
    }
    check_file(t, path, false);
}

static void check_file(struct totals *t, const char *path, bool config)
{
    size_t found = 0;
    struct das_err err;
    int rc;

    if (t->json)
        das_json_comma(&t->out);
    rc = config ? das_check_config(path, t->json, &t->out, &found, check_named, t, &err)
                : das_check_script(path, t->json, &t->out, &found, &err);
    if (rc < 0) {
        if (t->json && t->out.len && t->out.ptr[t->out.len - 1] == ',')
            t->out.ptr[--t->out.len] = '\0';
        das_complain("check", &err);
        t->failed++;
    }
    t->findings += found;
    if (!t->json && t->out.len) {
        fwrite(t->out.ptr, 1, t->out.len, stdout);
        das_buf_reset(&t->out);
    }
}

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int check_path(struct totals *t, const char *path, bool named, struct das_err *err)
{
    struct dirent **entries = NULL;
    struct das_buf below = {0};
    struct stat st;
    int n, rc = 0;

    if (strcmp(path, "-") == 0 || stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
        if (named || (ends_in(path, ".lua") && S_ISREG(st.st_mode) && !is_stub(path)))
            check_file(t, path, is_config(path));
        return 0;
    }
    n = scandir(path, &entries, visible, alphasort);
    if (n < 0) {
        das_fail(err, DAS_E_IO, "%s: %s", path, strerror(errno));
        das_complain("check", err);
        t->failed++;
        return 0;
    }
    for (int i = 0; i < n; i++) {
        das_buf_reset(&below);
        das_buf_printf(&below, "%s%s%s", path, ends_in(path, "/") ? "" : "/", entries[i]->d_name);
        if (rc == 0)
            rc = das_buf_ok(&below, err);
        if (rc == 0)
            rc = check_path(t, below.ptr, false, err);
        free(entries[i]);
    }
    free(entries);
    das_buf_clear(&below);
    return rc;
}

static int check_all(struct totals *t, int n, char **paths, struct das_err *err)
{
    if (t->json)
        das_buf_str(&t->out, "{\"files\":[");
    if (t->config)
        check_file(t, t->config, true);
    for (int i = 0; i < n; i++) {
        if (check_path(t, paths[i], true, err) < 0)
            return -1;
    }
    if (t->json) {
        das_buf_char(&t->out, ']');
        das_json_key_int(&t->out, "findings", (int64_t)t->findings);
        das_buf_str(&t->out, "}\n");
        if (das_buf_ok(&t->out, err) < 0)
            return -1;
        fwrite(t->out.ptr, 1, t->out.len, stdout);
    }
    return t->findings || t->failed ? DAS_EXIT_FAILED : DAS_EXIT_DONE;
}

static int print_names(struct das_buf *b, struct das_err *err)
{
    if (das_check_names(b, err) < 0)
        return -1;
    fwrite(b->ptr, 1, b->len, stdout);
    return DAS_EXIT_DONE;
}

static int take_option(void *arg, int option, const char *value, struct das_err *err)
{
    struct totals *t = arg;

    if (option == O_NAMES) {
        t->names = true;
        return 0;
    }
    if (option == O_CONFIG) {
        t->config = value;
        return 0;
    }
    t->json = strcmp(value, "json") == 0;
    if (!t->json && strcmp(value, "text") != 0)
        return das_fail(err, DAS_E_USAGE, "-o: expected text or json, got \"%s\"", value);
    return 0;
}

/* Without any path it is the configuration in use. */
static int choose(struct totals *t, int paths, struct das_buf *found, struct das_err *err)
{
    int rc = paths || t->config ? 0 : das_find_config(found, err);

    if (rc > 0)
        t->config = found->ptr;
    if (rc == 0 && !paths && !t->config)
        return das_fail(err, DAS_E_USAGE, "which scripts? das check --help shows examples");
    return rc < 0 ? -1 : 0;
}

int das_cmd_check(int argc, char **argv)
{
    struct totals t = {0};
    struct das_buf found = {0};
    const struct das_options o = {help, ":ho:", options, take_option, &t};
    struct das_err err;
    int rc = das_options_read(&o, argc, argv, &err);

    if (rc > 0)
        rc = DAS_EXIT_DONE;
    else if (rc == 0 && t.names)
        rc = print_names(&t.out, &err);
    else if (rc == 0 && choose(&t, argc - optind, &found, &err) < 0)
        rc = -1;
    else if (rc == 0)
        rc = check_all(&t, argc - optind, argv + optind, &err);
    if (rc < 0)
        rc = das_complain("check", &err);
    das_buf_clear(&t.out);
    das_buf_clear(&found);
    return rc;
}

/* mysql_login.c - see mysql_login.h. */
#include "core/source/mysql_login.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/base/private_file.h"
#include "core/base/text.h"

static int from_file(const char *path, struct das_mysql_login *out, struct das_err *err)
{
    struct das_private s;
    int rc = -1;
    size_t len;

    if (das_private_read(path, &s, err) < 0) {
        das_err_prefix(err, "password_file");
        return -1;
    }
    len = strcspn(s.ptr, "\r\n");
    if (s.exposed) {
        das_private_exposed(path, "password", err);
        das_err_prefix(err, "password_file");
    } else if (!len) {
        das_fail(err, DAS_E_CONFIG, "password_file: %s: the first line is empty, expected the "
                                    "password there", path);
    } else if (!(out->password = das_strndup(s.ptr, len))) {
        das_fail_nomem(err);
    } else {
        rc = 0;
    }
    das_private_clear(&s);
    return rc;
}

static int from_env(const char *name, struct das_mysql_login *out, struct das_err *err)
{
    const char *value = getenv(name);

    if (!value)
        return das_fail(err, DAS_E_CONFIG,
                        "password_env: the environment variable %s is not set", name);
    out->password = das_strdup(value);
    return out->password ? 0 : das_fail_nomem(err);
}

/* --- ~/.my.cnf ----------------------------------------------------------------------------- */

static bool is_our_group(struct das_text line)
{
    static const char *const groups[] = {"[client]", "[client-server]", "[client-mariadb]"};

    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        size_t n = strlen(groups[i]);
        if (line.len >= n && memcmp(line.ptr, groups[i], n) == 0)
            return true;
    }
    return false;
}

/* The value as the clients read it: in quotes or up to an unquoted "#", with \s for a space and
 * the usual escapes. In place: the result is never longer. */
static size_t unquote(char *v, size_t len)
{
    char quote = len && (v[0] == '"' || v[0] == '\'') ? v[0] : '\0';
    size_t n = 0;

    for (size_t i = quote ? 1 : 0; i < len; i++) {
        char c = v[i];
        if (quote ? c == quote : c == '#')
            break;
        if (c == '\\' && i + 1 < len) {
            static const char from[] = "nrtbs\\\"'", to[] = "\n\r\t\b \\\"'";
            const char *known = strchr(from, v[i + 1]);
            if (known) {
                c = to[known - from];
                i++;
            }
        }
        v[n++] = c;
    }
    while (!quote && n && das_is_space((unsigned char)v[n - 1]))
        n--;
    return n;
}

static int set_option(char **slot, char *value, size_t len, struct das_err *err)
{
    char *copy = das_strndup(value, unquote(value, len));

    if (!copy)
        return das_fail_nomem(err);
    if (*slot)
        explicit_bzero(*slot, strlen(*slot)); /* a later line wins */
    das_free(*slot);
    *slot = copy;
    return 0;
}

static int parse_line(char *line, size_t len, bool *ours, struct das_mysql_login *found,
                      struct das_err *err)
{
    struct das_text t = das_text_trim(das_text(line, len)), key;
    char *value;
    const char *eq;

    if (!t.len || t.ptr[0] == '#' || t.ptr[0] == ';' || t.ptr[0] == '!')
        return 0;
    if (t.ptr[0] == '[') {
        *ours = is_our_group(t);
        return 0;
    }
    eq = memchr(t.ptr, '=', t.len);
    if (!*ours || !eq)
        return 0;
    key = das_text_trim(das_text(t.ptr, (size_t)(eq - t.ptr)));
    len = t.len - (size_t)(eq + 1 - t.ptr);
    value = line + (eq + 1 - line);
    while (len && das_is_space((unsigned char)*value)) {
        value++;
        len--;
    }
    if (das_text_is(key, "user"))
        return set_option(&found->user, value, len, err);
    if (das_text_is(key, "password"))
        return set_option(&found->password, value, len, err);
    return 0;
}

static int parse_cnf(struct das_private *s, struct das_mysql_login *found, struct das_err *err)
{
    bool ours = false;

    for (char *line = s->ptr; *line;) {
        size_t len = strcspn(line, "\n");
        char *next = line + len + (line[len] == '\n');
        if (parse_line(line, len, &ours, found, err) < 0)
            return -1;
        line = next;
    }
    return 0;
}

static int cnf_path(char *out, size_t size)
{
    const char *home = getenv("HOME");
    char buf[1024];
    struct passwd pw, *got = NULL;
    int n;

    if (!home || !*home) {
        if (getpwuid_r(geteuid(), &pw, buf, sizeof buf, &got) != 0 || !got)
            return -1;
        home = pw.pw_dir;
    }
    n = snprintf(out, size, "%s/.my.cnf", home);
    return n > 0 && (size_t)n < size ? 0 : -1;
}

static int from_cnf(struct das_mysql_login *out, bool want_password, struct das_err *err)
{
    struct das_mysql_login found = {NULL, NULL};
    struct das_private s;
    char path[PATH_MAX];
    int rc = -1;

    if (cnf_path(path, sizeof path) < 0)
        return 0; /* no home: nothing to read */
    if (das_private_read(path, &s, err) < 0)
        return s.missing ? 0 : -1;
    if (parse_cnf(&s, &found, err) < 0)
        goto done;
    if (want_password && found.password && s.exposed) {
        das_private_exposed(path, "password", err);
        goto done;
    }
    if (!out->user) {
        out->user = found.user;
        found.user = NULL;
    }
    if (want_password) {
        out->password = found.password;
        found.password = NULL;
    }
    rc = 0;
done:
    das_private_clear(&s);
    das_mysql_login_clear(&found);
    return rc;
}

int das_mysql_login_read(const char *user, const char *file, const char *env,
                         struct das_mysql_login *out, struct das_err *err)
{
    memset(out, 0, sizeof *out);
    if (user && !(out->user = das_strdup(user))) {
        das_fail_nomem(err);
        goto fail;
    }
    if (file) {
        if (from_file(file, out, err) < 0)
            goto fail;
    } else if (env && from_env(env, out, err) < 0) {
        goto fail;
    }
    if ((!out->user || !out->password) && from_cnf(out, !out->password, err) < 0)
        goto fail;
    return 0;
fail:
    das_mysql_login_clear(out);
    return -1;
}

void das_mysql_login_clear(struct das_mysql_login *l)
{
    if (l->password)
        explicit_bzero(l->password, strlen(l->password));
    das_free(l->password);
    das_free(l->user);
    memset(l, 0, sizeof *l);
}

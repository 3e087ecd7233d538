/*
 * serve_conf.c - see serve_conf.h. Owns the defaults, and the rules for addresses that das.lua and
 * the command line share. Reads no file and opens nothing.
 */
#include "bindings/serve_conf.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "bindings/limits.h"
#include "core/base/mem.h"
#include "core/http/address.h"

static const struct das_serve_conf defaults = {
    .task_every_ms = 5000,
    .share_ms = 250,
    .connections = 1024,
    .connections_per_address = 128,
    .header_bytes = (uint64_t)16 << 10,
    .body_bytes = (uint64_t)256 << 10,
    .deadline_ms = 30000,
    .drain_ms = 30000,
    .rate = 100,
    .hook_workers = 4,
    .hook_queue = 64,
    .workers = 8,
};

void das_serve_conf_init(struct das_serve_conf *c)
{
    *c = defaults;
    c->policy = das_policy_rules_default;
}

static void clear_listen(struct das_serve_conf *c)
{
    for (size_t i = 0; i < c->listen_count; i++)
        das_free(c->listen[i]);
    memset(c->listen, 0, sizeof c->listen);
    c->listen_count = 0;
}

void das_serve_conf_clear(struct das_serve_conf *c)
{
    clear_listen(c);
    das_free(c->certificate);
    das_free(c->key);
    das_free(c->region);
    das_free(c->project);
    das_free(c->url);
    das_policy_rules_clear(&c->policy);
    das_serve_conf_init(c);
}

/* --- addresses -------------------------------------------------------------------------------- */

struct address {
    char host[INET6_ADDRSTRLEN]; /* without brackets */
    bool v6, loopback;
    int64_t port;
};

/* "127.0.0.1:7070", "localhost:7070", "[::1]:7070" */
static bool read_address(const char *text, struct address *a)
{
    const char *colon = strrchr(text, ':'), *why = "";
    size_t len = colon ? (size_t)(colon - text) : 0;
    struct in6_addr v6;
    struct in_addr v4;

    a->v6 = len > 2 && text[0] == '[' && text[len - 1] == ']';
    if (a->v6) {
        text++;
        len -= 2;
    }
    if (!len || len >= sizeof a->host || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        !das_parse_int(das_text_of(colon + 1), &a->port) || a->port > 65535)
        return false;
    memcpy(a->host, text, len);
    a->host[len] = '\0';
    if (!a->v6 && strcmp(a->host, "localhost") == 0)
        snprintf(a->host, sizeof a->host, "127.0.0.1");
    if (a->v6 ? inet_pton(AF_INET6, a->host, &v6) != 1 : inet_pton(AF_INET, a->host, &v4) != 1)
        return false;
    a->loopback =
        das_address_judge_text(a->host, &why) == DAS_ADDRESS_INSIDE && strcmp(why, "loopback") == 0;
    return true;
}

static int add_address(struct das_serve_conf *c, const char *text, struct das_err *err)
{
    struct address a;
    char whole[INET6_ADDRSTRLEN + 16];

    if (!read_address(text, &a))
        return das_fail(err, DAS_E_CONFIG,
                        "listen: expected a numeric address and a port such as "
                        "\"127.0.0.1:7070\" or \"[::1]:7070\", got \"%s\"",
                        text);
    if (!a.loopback && !c->certificate && !c->insecure)
        return das_fail(err, DAS_E_CONFIG,
                        "listen: other machines reach %s; expected tls = { certificate = "
                        "\"PATH\", key = \"PATH\" } besides, or insecure = true",
                        text);
    snprintf(whole, sizeof whole, "%s%s%s:%d", a.v6 ? "[" : "", a.host, a.v6 ? "]" : "",
             (int)a.port);
    for (size_t i = 0; i < c->listen_count; i++) {
        if (a.port && strcmp(c->listen[i], whole) == 0)
            return das_fail(err, DAS_E_CONFIG, "listen: %s is there twice", whole);
    }
    c->listen[c->listen_count] = das_strdup(whole);
    if (!c->listen[c->listen_count])
        return das_fail_nomem(err);
    c->listen_count++;
    return 0;
}

int das_serve_conf_listen(struct das_serve_conf *c, const char *const *list, size_t n,
                          struct das_err *err)
{
    if (n == 0 || n > DAS_SERVE_LISTEN_MAX)
        return das_fail(err, DAS_E_CONFIG, "listen: expected 1 to %d addresses, got %zu",
                        DAS_SERVE_LISTEN_MAX, n);
    clear_listen(c);
    for (size_t i = 0; i < n; i++) {
        if (add_address(c, list[i], err) < 0)
            return -1;
    }
    return 0;
}

/*
 * source.h - where sessions come from: a file, memory, a MariaDB or MySQL server.
 *
 * Every kind stands behind this one interface and gives the same session. This header can only
 * look; the way to kill is in source_kill.h, which core/plan alone includes.
 *
 * A source is used by one thread at a time.
 */
#ifndef DAS_SOURCE_SOURCE_H
#define DAS_SOURCE_SOURCE_H

#include "core/session/filter.h"
#include "core/session/snapshot.h"

struct das_source;

/* How to reach an instance. Strings are borrowed for the call. */
struct das_source_conf {
    const char *name;          /* what people call it; NULL: the spec itself */
    const char *spec;          /* "file:PATH", "mem:PATH", "mysql://user@host:port/?socket=&ssl=" */
    const char *password_file; /* or NULL: first line is the password */
    const char *password_env;  /* or NULL: name of an environment variable */
    const char *const *tags;   /* for grants; may be NULL */
    size_t tag_count;
};

/* Does text begin like a spec ("mem:", "mysql:")? Else it is a name. */
bool das_source_is_spec(const char *text);

/* Opens without touching the network: the first list connects. */
int das_source_open(const struct das_source_conf *conf, struct das_source **out,
                    struct das_err *err);
void das_source_close(struct das_source *s); /* NULL is fine */

const char *das_source_name(const struct das_source *s);

/* All sessions now, or only those that filter could match where the source can tell (filter NULL:
 * all). The caller owns one reference to *out. What was left out or could not be seen is in the
 * snapshot: complete, partial, warnings; which server
 * answered is in its identity. */
int das_source_list(struct das_source *s, const struct das_filter *filter,
                    struct das_snapshot **out, struct das_err *err);

#endif

/* source_impl.h - what a kind of source implements. Private to core/source. */
#ifndef DAS_SOURCE_SOURCE_IMPL_H
#define DAS_SOURCE_SOURCE_IMPL_H

#include "core/source/source.h"
#include "core/source/source_kill.h"

struct das_source_ops {
    int (*list)(struct das_source *s, const struct das_query *q, struct das_snapshot **out,
                struct das_err *err);
    /* NULL: this kind cannot kill */
    enum das_kill_result (*kill)(struct das_source *s, const struct das_kill_order *order,
                                 struct das_err *err);
    void (*close)(struct das_source *s); /* frees all but the base */
    /* See das_source_cannot_soft(). NULL: this kind cannot. */
    const char *(*cannot_soft)(const struct das_source *s);
    /* One more handle on the same instance. NULL: it is opened anew. */
    int (*again)(struct das_source *s, struct das_source **out, struct das_err *err);
    const char *cannot_statement; /* NULL: it can */
    const char *kill_window;      /* NULL: there is none worth a word */
    bool blind_to_ids;            /* das_source_finds_ids() is false */
    int64_t pace_ms;
};

/* First member of each kind's own struct. */
struct das_source {
    const struct das_source_ops *ops;
    char *name;
    struct das_patience patience;
    const struct das_source_listener *listener; /* or NULL */
};

/* A copy of name becomes that of a source that was not opened by a spec. */
int das_source_set_name(struct das_source *s, const char *name, struct das_err *err);

/* Each kind allocates its struct (das_calloc), fills base.ops and returns it; rest is what follows
 * the scheme in the spec. source.c sets the name and calls ops->close then das_free(). */
int das_source_open_file(const char *rest, const struct das_source_conf *conf,
                         struct das_source **out, struct das_err *err);
int das_source_open_memory(const char *rest, const struct das_source_conf *conf,
                           struct das_source **out, struct das_err *err);
int das_source_open_cloud(const char *rest, const struct das_source_conf *conf,
                          struct das_source **out, struct das_err *err);
int das_source_open_mariadb(const char *rest, const struct das_source_conf *conf,
                            struct das_source **out, struct das_err *err);

#endif

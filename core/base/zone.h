/*
 * zone.h - time zones from the system's database (/usr/share/zoneinfo, TZif files), read here,
 * because the C library knows one zone for the whole process and TZ cannot be changed between
 * threads.
 */
#ifndef DAS_BASE_ZONE_H
#define DAS_BASE_ZONE_H

#include "core/base/buf.h"

struct das_zone; /* immutable once made */

/* "Asia/Shanghai". DAS_E_USAGE names a zone that is not there. UTC needs no file. */
struct das_zone *das_zone_load(const char *name, struct das_err *err);
/* The bytes of a TZif file (RFC 8536), versions 1 to 4, without leap seconds. */
struct das_zone *das_zone_parse(struct das_text bytes, const char *name, struct das_err *err);
void das_zone_free(struct das_zone *z); /* NULL is fine */
const char *das_zone_name(const struct das_zone *z);

/* Seconds east of UTC at that moment. */
int64_t das_zone_offset(const struct das_zone *z, int64_t unix_s);
/* The first (or the last) moment at which a clock there shows the local time; where the clock jumped
 * over it, the moment of the jump. Local times are seconds since 1970 by that clock. */
int64_t das_zone_instant(const struct das_zone *z, int64_t local_s, bool last);

#endif

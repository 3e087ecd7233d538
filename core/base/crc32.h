/*
 * crc32.h - the CRC-32 that zip, PNG and gzip use, for finding damage in what das wrote itself.
 *
 * No protection against anybody who wants the damage not to be found.
 */
#ifndef DAS_BASE_CRC32_H
#define DAS_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

struct das_crc32 {
    uint32_t table[8][256];
};

void das_crc32_init(struct das_crc32 *c);
/* Of len bytes behind those that gave crc; 0 begins. */
uint32_t das_crc32_add(const struct das_crc32 *c, uint32_t crc, const void *p, size_t len);

#endif

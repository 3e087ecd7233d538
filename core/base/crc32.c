/* crc32.c - see crc32.h. Eight tables, so that eight bytes are one step. */
#include "core/base/crc32.h"

#define POLYNOMIAL 0xedb88320u /* bits reversed */

void das_crc32_init(struct das_crc32 *c)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t r = i;

        for (int bit = 0; bit < 8; bit++)
            r = r & 1 ? r >> 1 ^ POLYNOMIAL : r >> 1;
        c->table[0][i] = r;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int t = 1; t < 8; t++)
            c->table[t][i] = c->table[t - 1][i] >> 8 ^ c->table[0][c->table[t - 1][i] & 0xff];
    }
}

uint32_t das_crc32_add(const struct das_crc32 *c, uint32_t crc, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    uint32_t r = ~crc;

    for (; len >= 8; p += 8, len -= 8) {
        r ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        r = c->table[7][r & 0xff] ^ c->table[6][r >> 8 & 0xff] ^ c->table[5][r >> 16 & 0xff] ^
            c->table[4][r >> 24] ^ c->table[3][p[4]] ^ c->table[2][p[5]] ^ c->table[1][p[6]] ^
            c->table[0][p[7]];
    }
    while (len--)
        r = r >> 8 ^ c->table[0][(r ^ *p++) & 0xff];
    return ~r;
}

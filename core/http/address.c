/* address.c - see address.h. The ranges are those of IANA's special-purpose registries. */
#include "core/http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char link_local[] = "link-local";
static const char metadata[] = "a cloud metadata service";
static const char unspecified[] = "the unspecified address";
static const char multicast[] = "multicast";
static const char reserved[] = "reserved";
static const char loopback[] = "loopback";
static const char private_net[] = "a private network";

/* The first row that fits decides: single addresses stand before their networks. */
static const struct {
    uint32_t net;
    int bits;
    enum das_address kind;
    const char *why;
} v4[] = {
    {0xa9fea9fe, 32, DAS_ADDRESS_NEVER, metadata},    /* 169.254.169.254 */
    {0x646464c8, 32, DAS_ADDRESS_NEVER, metadata},    /* 100.100.100.200 */
    {0xa83f8110, 32, DAS_ADDRESS_NEVER, metadata},    /* 168.63.129.16 */
    {0xc00000c0, 32, DAS_ADDRESS_NEVER, metadata},    /* 192.0.0.192 */
    {0xffffffff, 32, DAS_ADDRESS_NEVER, "broadcast"},
    {0x00000000, 8, DAS_ADDRESS_NEVER, unspecified},  /* 0.x.y.z reaches this machine on Linux */
    {0xa9fe0000, 16, DAS_ADDRESS_NEVER, link_local},
    {0x7f000000, 8, DAS_ADDRESS_INSIDE, loopback},
    {0x0a000000, 8, DAS_ADDRESS_INSIDE, private_net},
    {0xac100000, 12, DAS_ADDRESS_INSIDE, private_net},
    {0xc0a80000, 16, DAS_ADDRESS_INSIDE, private_net},
    {0x64400000, 10, DAS_ADDRESS_INSIDE, private_net}, /* carrier-grade NAT */
    {0xc6120000, 15, DAS_ADDRESS_INSIDE, private_net}, /* benchmarks */
    {0xc0000000, 24, DAS_ADDRESS_NEVER, reserved},
    {0xc0000200, 24, DAS_ADDRESS_NEVER, reserved},     /* documentation */
    {0xc6336400, 24, DAS_ADDRESS_NEVER, reserved},
    {0xcb007100, 24, DAS_ADDRESS_NEVER, reserved},
    {0xc0586300, 24, DAS_ADDRESS_NEVER, reserved},     /* 6to4 relays */
    {0xe0000000, 4, DAS_ADDRESS_NEVER, multicast},
    {0xf0000000, 4, DAS_ADDRESS_NEVER, reserved},
};

static enum das_address judge_v4(uint32_t ip, const char **why)
{
    for (size_t i = 0; i < sizeof v4 / sizeof *v4; i++) {
        if ((ip ^ v4[i].net) >> (32 - v4[i].bits) == 0) {
            *why = v4[i].why;
            return v4[i].kind;
        }
    }
    *why = "public";
    return DAS_ADDRESS_PUBLIC;
}

static const struct {
    uint8_t net[16];
    int bits;
    enum das_address kind;
    const char *why;
} v6[] = {
    {{0xfd, 0x00, 0x0e, 0xc2}, 32, DAS_ADDRESS_NEVER, metadata},
    {{0xfd, 0x20, 0x00, 0xce}, 32, DAS_ADDRESS_NEVER, metadata},
    {{0}, 128, DAS_ADDRESS_NEVER, unspecified},
    {{[15] = 1}, 128, DAS_ADDRESS_INSIDE, loopback},
    {{0xfe, 0x80}, 10, DAS_ADDRESS_NEVER, link_local},
    {{0xfe, 0xc0}, 10, DAS_ADDRESS_INSIDE, private_net}, /* site-local, of old */
    {{0xfc}, 7, DAS_ADDRESS_INSIDE, private_net},
    {{0xff}, 8, DAS_ADDRESS_NEVER, multicast},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, DAS_ADDRESS_NEVER, reserved}, /* documentation */
    {{0x20, 0x01}, 32, DAS_ADDRESS_NEVER, "a tunnel"},           /* Teredo */
    {{0x20}, 3, DAS_ADDRESS_PUBLIC, "public"},
    {{0}, 0, DAS_ADDRESS_NEVER, reserved}, /* all else, deprecated and local IPv4 forms too */
};

/* IPv6 addresses that are an IPv4 address in disguise, and where in them it stands. */
static const struct {
    uint8_t net[16];
    int bits;
    int at;
    bool translated; /* by a gateway, which has no business with inside addresses */
} disguises[] = {
    {{[10] = 0xff, [11] = 0xff}, 96, 12, false},           /* ::ffff:a.b.c.d, mapped */
    {{[8] = 0xff, [9] = 0xff}, 96, 12, true},              /* ::ffff:0:a.b.c.d, SIIT */
    {{0x00, 0x64, 0xff, 0x9b}, 96, 12, true},              /* 64:ff9b::a.b.c.d, NAT64 */
    {{0x20, 0x02}, 16, 2, true},                           /* 2002:ab:cd::, 6to4 */
};

static bool in_net(const uint8_t *ip, const uint8_t *net, int bits)
{
    int whole = bits / 8, rest = bits % 8;

    if (memcmp(ip, net, (size_t)whole) != 0)
        return false;
    return rest == 0 || (ip[whole] ^ net[whole]) >> (8 - rest) == 0;
}

static enum das_address judge_v6(const uint8_t *ip, const char **why)
{
    for (size_t i = 0; i < sizeof disguises / sizeof *disguises; i++) {
        const uint8_t *p = ip + disguises[i].at;
        enum das_address kind;
        if (!in_net(ip, disguises[i].net, disguises[i].bits))
            continue;
        kind = judge_v4((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3],
                        why);
        return disguises[i].translated && kind != DAS_ADDRESS_PUBLIC ? DAS_ADDRESS_NEVER : kind;
    }
    for (size_t i = 0; i < sizeof v6 / sizeof *v6; i++) {
        if (in_net(ip, v6[i].net, v6[i].bits)) {
            *why = v6[i].why;
            return v6[i].kind;
        }
    }
    *why = reserved;
    return DAS_ADDRESS_NEVER;
}

enum das_address das_address_judge(const struct sockaddr *sa, const char **why)
{
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        return judge_v4(ntohl(in.sin_addr.s_addr), why);
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        return judge_v6(in6.sin6_addr.s6_addr, why);
    }
    *why = "no internet address";
    return DAS_ADDRESS_NEVER;
}

enum das_address das_address_judge_text(const char *ip, const char **why)
{
    struct in_addr in;
    struct in6_addr in6;

    if (inet_pton(AF_INET, ip, &in) == 1)
        return judge_v4(ntohl(in.s_addr), why);
    if (inet_pton(AF_INET6, ip, &in6) == 1)
        return judge_v6(in6.s6_addr, why);
    *why = "no internet address";
    return DAS_ADDRESS_NEVER;
}

void das_address_text(const struct sockaddr *sa, char out[DAS_ADDRESS_TEXT])
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    const char *text = NULL;

    if (sa->sa_family == AF_INET) {
        memcpy(&in, sa, sizeof in);
        text = inet_ntop(AF_INET, &in.sin_addr, out, DAS_ADDRESS_TEXT);
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&in6, sa, sizeof in6);
        text = inet_ntop(AF_INET6, &in6.sin6_addr, out, DAS_ADDRESS_TEXT);
    }
    if (!text)
        snprintf(out, DAS_ADDRESS_TEXT, "family %d", (int)sa->sa_family);
}

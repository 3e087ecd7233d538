/* test_http_address.c - which addresses are public, inside, or never to be reached. */
#include "core/http/address.h"

#include <arpa/inet.h>

#include "tests/unit/tap.h"

static void judged(const char *ip, enum das_address want, const char *why_want)
{
    const char *why = NULL;
    enum das_address got = das_address_judge_text(ip, &why);

    if (!ok(got == want && why && strstr(why, why_want), "%s: %s", ip, why_want))
        tap_diag("got %d, %s", (int)got, why ? why : "(null)");
}

static void ranges(void)
{
    static const char *const public[] = {
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
        "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255",
        "172.32.0.0", "192.167.255.255", "192.169.0.0", "168.63.129.15", "198.17.255.255",
        "198.20.0.0", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450:4001::1",
        "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"};
    static const char *const inside[] = {
        "10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0",
        "192.168.255.255", "100.64.0.0", "100.127.255.255", "198.18.0.1", "fc00::", "fd12:3456::1",
        "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::ffff:10.1.2.3", "::ffff:a01:203", "fec0::1"};
    static const char *const local[] = {"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1",
                                        "0:0:0:0:0:ffff:7f00:1"};
    static const char *const meta[] = {"169.254.169.254", "100.100.100.200", "168.63.129.16",
                                       "192.0.0.192", "fd00:ec2::254", "fd20:ce::254",
                                       "::ffff:169.254.169.254", "::ffff:a9fe:a9fe",
                                       "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
                                       "::ffff:0:169.254.169.254", "64:ff9b::100.100.100.200"};
    static const char *const link[] = {"169.254.0.0", "169.254.255.255", "fe80::1", "febf::1",
                                       "::ffff:169.254.1.1", "64:ff9b::169.254.1.1"};
    static const char *const never[] = {
        "192.0.2.1", "198.51.100.1", "203.0.113.255", "192.88.99.1", "240.0.0.1",
        "255.255.255.254", "2001:db8::1", "100::1", "4000::1", "::2", "::7f00:1", "64:ff9b:1::1"};

    for (size_t i = 0; i < sizeof public / sizeof *public; i++)
        judged(public[i], DAS_ADDRESS_PUBLIC, "public");
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        judged(inside[i], DAS_ADDRESS_INSIDE, "a private network");
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        judged(local[i], DAS_ADDRESS_INSIDE, "loopback");
    for (size_t i = 0; i < sizeof meta / sizeof *meta; i++)
        judged(meta[i], DAS_ADDRESS_NEVER, "metadata");
    for (size_t i = 0; i < sizeof link / sizeof *link; i++)
        judged(link[i], DAS_ADDRESS_NEVER, "link-local");
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        judged(never[i], DAS_ADDRESS_NEVER, "reserved");
    judged("0.0.0.0", DAS_ADDRESS_NEVER, "unspecified");
    judged("0.1.2.3", DAS_ADDRESS_NEVER, "unspecified");
    judged("::", DAS_ADDRESS_NEVER, "unspecified");
    judged("::ffff:0.0.0.0", DAS_ADDRESS_NEVER, "unspecified");
    judged("224.0.0.1", DAS_ADDRESS_NEVER, "multicast");
    judged("239.255.255.255", DAS_ADDRESS_NEVER, "multicast");
    judged("ff02::1", DAS_ADDRESS_NEVER, "multicast");
    judged("255.255.255.255", DAS_ADDRESS_NEVER, "broadcast");
    judged("2001::1", DAS_ADDRESS_NEVER, "tunnel");
    judged("64:ff9b::10.0.0.1", DAS_ADDRESS_NEVER, "private");
    judged("64:ff9b::127.0.0.1", DAS_ADDRESS_NEVER, "loopback");
    judged("2002:7f00:1::1", DAS_ADDRESS_NEVER, "loopback");
    judged("localhost", DAS_ADDRESS_NEVER, "no internet address");
    judged("", DAS_ADDRESS_NEVER, "no internet address");
}

static void structures(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr other = {.sa_family = AF_UNIX};
    char text[DAS_ADDRESS_TEXT];
    const char *why = NULL;

    inet_pton(AF_INET, "169.254.169.254", &in.sin_addr);
    is_int(das_address_judge((struct sockaddr *)&in, &why), DAS_ADDRESS_NEVER, "an IPv4 address");
    das_address_text((struct sockaddr *)&in, text);
    is_str(text, "169.254.169.254", "and its text");
    inet_pton(AF_INET6, "::1", &in6.sin6_addr);
    is_int(das_address_judge((struct sockaddr *)&in6, &why), DAS_ADDRESS_INSIDE, "an IPv6 address");
    das_address_text((struct sockaddr *)&in6, text);
    is_str(text, "::1", "and its text");
    is_int(das_address_judge(&other, &why), DAS_ADDRESS_NEVER, "any other family");
    das_address_text(&other, text);
    has_str(text, "family", "has a text too");
}

int main(void)
{
    ranges();
    structures();
    return tap_done();
}

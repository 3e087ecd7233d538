/* test_digest.c - SHA-256 against the published vectors, and the 64-bit digest. */
#include "core/base/digest.h"

#include "tests/unit/kit.h"

static void vector(const char *text, size_t len, const char *want)
{
    char hex[DAS_SHA256_HEX];
    struct das_err err = {0};

    ok(das_sha256_hex(das_text(text, len), hex, &err) == 0, "%zu bytes hash", len);
    is_str(hex, want, "to the published value");
}

int main(void)
{
    static char million[1000000];
    struct das_err err = {0};
    uint64_t a = 1, b = 1;

    vector("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    vector("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    vector("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(million, 'a', sizeof million);
    vector(million, sizeof million,
           "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");

    ok(das_digest64(DAS_TEXT_NULL, &a, &err) == 0 && a == 0, "NULL has no digest");
    ok(das_digest64(das_text("", 0), &a, &err) == 0 && a == 0xe3b0c44298fc1c14, "\"\" has one");
    ok(das_digest64(das_text_of("abc"), &b, &err) == 0 && b == 0xba7816bf8f01cfea,
       "the first 8 bytes, big end first");
    return tap_done();
}

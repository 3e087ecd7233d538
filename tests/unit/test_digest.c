/* test_digest.c - SHA-256 against the published vectors, whole and in pieces. */
#include "core/base/digest.h"

#include "tests/unit/kit.h"

static void vector(const char *text, size_t len, const char *want)
{
    char hex[DAS_SHA256_HEX], pieces[DAS_SHA256_HEX];
    struct das_err err = {0};
    struct das_sha256 *h = das_sha256_new(&err);

    must(h, "a hash");
    ok(das_sha256_hex(das_text(text, len), hex, &err) == 0, "%zu bytes hash", len);
    is_str(hex, want, "to the published value");
    for (size_t i = 0; i < len; i += 7)
        das_sha256_add(h, das_text(text + i, len - i < 7 ? len - i : 7), &err);
    ok(das_sha256_read(h, pieces, &err) == 0, "in pieces too");
    is_str(pieces, want, "to the same");
    das_sha256_free(h);
}

int main(void)
{
    static char million[1000000];
    struct das_err err = {0};
    struct das_sha256 *h;
    char hex[DAS_SHA256_HEX];
    uint64_t a = 1, b = 1;

    vector("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    vector("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    vector("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(million, 'a', sizeof million);
    vector(million, sizeof million,
           "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");

    h = das_sha256_new(&err);
    must(h, "a hash");
    das_sha256_add(h, das_text_of("ab"), &err);
    das_sha256_read(h, hex, &err);
    das_sha256_add(h, das_text_of("c"), &err);
    das_sha256_read(h, hex, &err);
    is_str(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
           "reading in between does not end it");
    das_sha256_free(h);
    das_sha256_free(NULL);

    ok(das_digest64(DAS_TEXT_NULL, &a, &err) == 0 && a == 0, "NULL has no digest");
    ok(das_digest64(das_text("", 0), &a, &err) == 0 && a == 0xe3b0c44298fc1c14, "\"\" has one");
    ok(das_digest64(das_text_of("abc"), &b, &err) == 0 && b == 0xba7816bf8f01cfea,
       "the first 8 bytes, big end first");

    das_alloc_fail_at(1);
    ok(!das_sha256_new(&err) && err.code == DAS_E_NOMEM, "no memory is said");
    das_alloc_fail_at(0);
    return tap_done();
}

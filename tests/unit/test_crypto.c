/*
 * test_crypto.c - hashes, HMAC, text forms, AES-CBC, sealing and Ed25519 against published vectors:
 * FIPS 180, RFC 2202, RFC 4231, RFC 4648, NIST SP 800-38A, the GCM specification, RFC 8032.
 */
#include "core/base/crypto.h"

#include "tests/unit/kit.h"

static struct das_err err;

#define T(s) das_text(s, sizeof(s) - 1)

/* A string of hex digits as bytes; four live at a time. */
static struct das_text un(const char *hex)
{
    static struct das_buf ring[4];
    static unsigned next;
    struct das_buf *b = &ring[next++ % 4];

    das_buf_clear(b);
    if (das_hex_decode(das_text_of(hex), b, &err) < 0) {
        tap_diag("%s: %s", hex, err.msg);
        exit(1);
    }
    return das_buf_view(b);
}

static const char *hex(struct das_text t)
{
    static struct das_buf b;

    das_buf_reset(&b);
    das_hex_encode(t, &b);
    return b.ptr ? b.ptr : "";
}

static const char *hashed(enum das_hash kind, struct das_text data)
{
    struct das_hash_value v;

    return das_hash(kind, data, &v, &err) < 0 ? NULL : hex(das_text((char *)v.bytes, v.len));
}

static const char *mac(enum das_hash kind, struct das_text key, struct das_text data)
{
    struct das_hash_value v;

    return das_hmac(kind, key, data, &v, &err) < 0 ? NULL : hex(das_text((char *)v.bytes, v.len));
}

static void hashes(void)
{
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    struct das_buf million = {0};

    das_buf_fill(&million, 'a', 1000000);
    is_str(hashed(DAS_SHA1, T("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d", "SHA-1 abc");
    is_str(hashed(DAS_SHA1, T(two_blocks)), "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
           "SHA-1 of two blocks");
    is_str(hashed(DAS_SHA1, das_buf_view(&million)), "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
           "SHA-1 of a million a");
    is_str(hashed(DAS_SHA256, DAS_TEXT_NULL),
           "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "SHA-256 of nothing");
    is_str(hashed(DAS_SHA256, T("abc")),
           "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "SHA-256 abc");
    is_str(hashed(DAS_SHA256, T(two_blocks)),
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
           "SHA-256 of two blocks");
    is_str(hashed(DAS_SHA256, das_buf_view(&million)),
           "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
           "SHA-256 of a million a");
    is_str(hashed(DAS_SHA512, T("abc")),
           "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
           "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
           "SHA-512 abc");
    das_buf_clear(&million);
    is_int(das_hash_find("sha256"), DAS_SHA256, "hashes have names");
    ok(das_hash_find("md5") < 0 && das_hash_find("") < 0, "and not others");
}

static void macs(void)
{
    char key[131];

    memset(key, 0x0b, sizeof key);
    is_str(mac(DAS_SHA256, das_text(key, 20), T("Hi There")),
           "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", "RFC 4231 case 1");
    is_str(mac(DAS_SHA512, das_text(key, 20), T("Hi There")),
           "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
           "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
           "case 1, SHA-512");
    is_str(mac(DAS_SHA256, T("Jefe"), T("what do ya want for nothing?")),
           "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "case 2");
    memset(key, 0xaa, sizeof key);
    is_str(mac(DAS_SHA256, das_text(key, 131),
               T("Test Using Larger Than Block-Size Key - Hash Key First")),
           "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", "case 6: a long key");
    is_str(mac(DAS_SHA1, T("Jefe"), T("what do ya want for nothing?")),
           "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", "RFC 2202 case 2");
    is_str(mac(DAS_SHA256, DAS_TEXT_NULL, DAS_TEXT_NULL),
           "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
           "neither key nor data");
    ok(das_bytes_equal(T("abc"), T("abc")) && das_bytes_equal(DAS_TEXT_NULL, T("")), "equal");
    ok(!das_bytes_equal(T("abc"), T("abd")) && !das_bytes_equal(T("abc"), T("ab")) &&
           !das_bytes_equal(T("a\0b"), T("a\0c")),
       "not equal");
}

/* --- text forms ---------------------------------------------------------------------------------- */

static void base64_pair(const char *plain, const char *padded, const char *url)
{
    struct das_buf b = {0};

    das_base64_encode(DAS_BASE64, das_text_of(plain), &b);
    is_str(b.ptr ? b.ptr : "", padded, "base64 of \"%s\"", plain);
    das_buf_reset(&b);
    das_base64_encode(DAS_BASE64URL, das_text_of(plain), &b);
    is_str(b.ptr ? b.ptr : "", url, "and base64url");
    das_buf_reset(&b);
    ok(das_base64_decode(DAS_BASE64, true, das_text_of(padded), &b, &err) == 0 &&
           das_base64_decode(DAS_BASE64URL, true, das_text_of(url), &b, &err) == 0 &&
           b.len == 2 * strlen(plain) && memcmp(das_buf_view(&b).ptr, plain, strlen(plain)) == 0,
       "and back");
    das_buf_clear(&b);
}

static void no_base64(enum das_base64 kind, bool strict, const char *text, const char *why)
{
    struct das_buf b = {0};

    err.msg[0] = '\0';
    ok(das_base64_decode(kind, strict, das_text_of(text), &b, &err) < 0 && err.code == DAS_E_DATA,
       "%zu characters are refused", strlen(text));
    has_str(err.msg, why, "because");
    das_buf_clear(&b);
}

static void lenient(enum das_base64 kind, const char *text, const char *want)
{
    struct das_buf b = {0};

    ok(das_base64_decode(kind, false, das_text_of(text), &b, &err) == 0, "\"%s\" will do", text);
    is_str(hex(das_buf_view(&b)), want, "and means");
    das_buf_clear(&b);
}

static void text_forms(void)
{
    struct das_buf b = {0};
    int bad = 0;

    base64_pair("", "", "");
    base64_pair("f", "Zg==", "Zg");
    base64_pair("fo", "Zm8=", "Zm8");
    base64_pair("foo", "Zm9v", "Zm9v");
    base64_pair("foob", "Zm9vYg==", "Zm9vYg");
    base64_pair("fooba", "Zm9vYmE=", "Zm9vYmE");
    base64_pair("foobar", "Zm9vYmFy", "Zm9vYmFy");
    base64_pair("\xfb\xff\xfe", "+//+", "-__-");
    no_base64(DAS_BASE64, true, "Zg", "2 characters, 0 of them padding");
    no_base64(DAS_BASE64, true, "Zg=", "padding");
    no_base64(DAS_BASE64, true, "Zg===", "padding");
    no_base64(DAS_BASE64, true, "Zm9v====", "position 5");
    no_base64(DAS_BASE64, true, "=", "padding");
    no_base64(DAS_BASE64, true, "====", "position 1");
    no_base64(DAS_BASE64, true, "Z", "1 characters");
    no_base64(DAS_BASE64, true, "Zm9v\n", "5 characters");
    no_base64(DAS_BASE64, true, "Zm9 ", "position 4");
    no_base64(DAS_BASE64, true, "Z=9v", "position 2");
    no_base64(DAS_BASE64, true, "-__-", "position 1");
    no_base64(DAS_BASE64, true, "Zh==", "left over");
    no_base64(DAS_BASE64, true, "Zm9=", "left over");
    no_base64(DAS_BASE64URL, true, "+//+", "position 1");
    no_base64(DAS_BASE64URL, true, "Zg==", "padding");
    no_base64(DAS_BASE64, false, "Zm9v\nZg", "position 5");
    no_base64(DAS_BASE64, false, "Zg=", "padding");
    lenient(DAS_BASE64, "Zg", "66");
    lenient(DAS_BASE64, "Zg==", "66");
    lenient(DAS_BASE64, "Zh==", "66");
    lenient(DAS_BASE64URL, "Zm9=", "666f");

    is_str(hex(T("\x00\x7f\xff")), "007fff", "hex is lower case");
    ok(das_hex_decode(T("00fFAb"), &b, &err) == 0 && b.len == 3 &&
           memcmp(b.ptr, "\x00\xff\xab", 3) == 0,
       "either case in");
    ok(das_hex_decode(T("abc"), &b, &err) < 0 && strstr(err.msg, "odd"), "half a byte");
    ok(das_hex_decode(T("0g"), &b, &err) < 0 && strstr(err.msg, "position 2"), "no digit");
    ok(das_hex_decode(T("0x"), &b, &err) < 0 && err.code == DAS_E_DATA, "nor a prefix");
    for (int i = 0; i < 5000; i++) {
        unsigned char raw[50];
        struct das_buf text = {0}, back = {0};
        size_t len = kit_below(sizeof raw);
        enum das_base64 kind = kit_below(2) ? DAS_BASE64 : DAS_BASE64URL;
        for (size_t k = 0; k < len; k++)
            raw[k] = (unsigned char)kit_random();
        das_base64_encode(kind, das_text((char *)raw, len), &text);
        bad += das_base64_decode(kind, true, das_buf_view(&text), &back, &err) < 0 ||
               !das_bytes_equal(das_buf_view(&back), das_text((char *)raw, len));
        das_buf_clear(&text);
        das_buf_clear(&back);
    }
    ok(!bad, "5000 random values come back");
    das_buf_clear(&b);
}

/* --- AES ------------------------------------------------------------------------------------------ */

#define NIST_IV "000102030405060708090a0b0c0d0e0f"
#define NIST_PLAIN                                                                                 \
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"                             \
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"

static const char *plain_of(struct das_text key, struct das_text iv, struct das_text data,
                            enum das_padding padding)
{
    static struct das_buf b;

    das_buf_reset(&b);
    if (das_aes_cbc_decrypt(key, iv, data, padding, &b, &err) < 0)
        return NULL;
    return hex(das_buf_view(&b));
}

static void aes(void)
{
    struct das_hash_value key;
    struct das_buf b = {0}, out = {0};

    is_str(plain_of(un("2b7e151628aed2a6abf7158809cf4f3c"), un(NIST_IV),
                    un("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
                       "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"),
                    DAS_PAD_NONE),
           NIST_PLAIN, "SP 800-38A F.2.2, AES-128");
    is_str(plain_of(un("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"), un(NIST_IV),
                    un("4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"
                       "571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd"),
                    DAS_PAD_NONE),
           NIST_PLAIN, "F.2.4, AES-192");
    is_str(plain_of(un("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
                    un(NIST_IV),
                    un("f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
                       "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"),
                    DAS_PAD_NONE),
           NIST_PLAIN, "F.2.6, AES-256");

    /* a chat platform's own example: the key is a hash, the first block is the iv */
    must(das_hash(DAS_SHA256, T("test key"), &key, &err) == 0, "a key");
    must(das_base64_decode(DAS_BASE64, true, T("P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="), &b,
                           &err) == 0,
         "an encrypted event");
    ok(das_aes_cbc_decrypt(das_text((char *)key.bytes, key.len), das_text(b.ptr, 16),
                           das_text(b.ptr + 16, b.len - 16), DAS_PAD_PKCS7, &out, &err) == 0,
       "is decrypted");
    is_str(out.ptr, "hello world", "and its padding is gone");
    key.bytes[0] ^= 1;
    ok(das_aes_cbc_decrypt(das_text((char *)key.bytes, key.len), das_text(b.ptr, 16),
                           das_text(b.ptr + 16, b.len - 16), DAS_PAD_PKCS7, &out, &err) < 0 &&
           err.code == DAS_E_DATA && strcmp(out.ptr, "hello world") == 0,
       "not with another key, and nothing is added: %s", err.msg);
    das_buf_clear(&b);
    das_buf_clear(&out);

    ok(!plain_of(un("00"), un(NIST_IV), T(""), DAS_PAD_NONE) && err.code == DAS_E_USAGE,
       "a short key: %s", err.msg);
    ok(!plain_of(un(NIST_IV), un("00"), T(""), DAS_PAD_NONE) && err.code == DAS_E_USAGE,
       "a short iv: %s", err.msg);
    ok(!plain_of(un(NIST_IV), un(NIST_IV), T("x"), DAS_PAD_NONE) && err.code == DAS_E_DATA,
       "no whole block: %s", err.msg);
    ok(!plain_of(un(NIST_IV), un(NIST_IV), T(""), DAS_PAD_PKCS7) && err.code == DAS_E_DATA,
       "nothing has no padding");
    is_str(plain_of(un(NIST_IV), un(NIST_IV), T(""), DAS_PAD_NONE), "", "but may be empty without");
}

/* Made with `openssl enc -aes-256-cbc -nopad`: key and iv are 32 and 16 times "k". */
static void paddings(void)
{
    struct das_text key = T("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"), iv = T("kkkkkkkkkkkkkkkk");
    /* "a" and 31 times 31 */
    struct das_text wide = un("149cc759632a45e0e54b321a40a9211679eb45291741cf5f6b5b429889da81b9");
    /* 32 times 32: an empty message */
    struct das_text empty = un("8e272cd14e00c2b54883bf0226d4bdba84db08c308b7aae5ac2748810b1bcbdd");
    /* 16 times 0, and 16 times 16 */
    struct das_text wrong = un("b6d6868f30be00ccf089e8a59865592d");
    struct das_text narrow = un("01abddf78c84f0f1611b78ae906916e1");

    is_str(plain_of(key, iv, wide, DAS_PAD_PKCS7_32), "61", "padding to 32 bytes");
    ok(!plain_of(key, iv, wide, DAS_PAD_PKCS7), "is none to 16");
    is_str(plain_of(key, iv, empty, DAS_PAD_PKCS7_32), "", "a whole block of it");
    ok(!plain_of(key, iv, wrong, DAS_PAD_PKCS7) && !plain_of(key, iv, wrong, DAS_PAD_PKCS7_32),
       "0 is no padding");
    is_str(plain_of(key, iv, narrow, DAS_PAD_PKCS7), "", "16 is");
    ok(!plain_of(key, iv, narrow, DAS_PAD_PKCS7_32), "but one block is too short for 32");
    is_int(das_padding_find("pkcs7-32"), DAS_PAD_PKCS7_32, "paddings have names");
    ok(das_padding_find("zero") < 0, "and not others");
}

/* --- sealing --------------------------------------------------------------------------------------- */

static bool opens(struct das_text key, struct das_text about, struct das_text sealed, char *to,
                  size_t size, size_t *len)
{
    return das_unseal(key, about, sealed, to, size, len, &err) == 0;
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13, 14 and 16: nonce, cipher
 * text and tag in a row are what is sealed. */
static void sealing_vectors(void)
{
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    char out[64] = {0};
    size_t len = 9;

    ok(opens(un(zeros), T(""), un("000000000000000000000000530f8afbc74536b9a963b4f1c4cb738b"), out,
             sizeof out, &len) &&
           len == 0,
       "GCM test case 13: nothing");
    ok(opens(un(zeros), T(""),
             un("000000000000000000000000cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d4"
                "8ab919"),
             out, sizeof out, &len) &&
           len == 16 && !out[0] && !out[15],
       "test case 14: a block of zeros");
    ok(opens(un("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"),
             un("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
             un("cafebabefacedbaddecaf888522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd25"
                "55d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf"
                "8853bb2d551b"),
             out, sizeof out, &len) &&
           len == 60,
       "test case 16: with something that it is about");
    is_str(hex(das_text(out, len)),
           "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
           "49a6b525b16aedf5aa0de657ba637b39",
           "its text");
}

static void sealing(void)
{
    struct das_text key = T("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"), about = T("DAS1");
    struct das_buf b = {0}, again = {0};
    int changed_opened = 0, untouched = 0;
    char out[64];
    size_t len;

    das_buf_str(&b, "before");
    must(das_seal(key, about, T("a secret of somebody"), &b, &err) == 0 &&
             das_seal(key, about, T("a secret of somebody"), &again, &err) == 0,
         "sealed twice");
    is_int(b.len, 6 + 20 + DAS_SEAL_OVERHEAD, "appended");
    ok(!memmem(b.ptr, b.len, "secret", 6), "not to be read");
    ok(memcmp(b.ptr + 6, again.ptr, again.len) != 0, "each time something else");
    ok(opens(key, about, das_buf_view(&again), out, 20, &len) && len == 20 &&
           memcmp(out, "a secret of somebody", 20) == 0,
       "opened");
    for (size_t i = 0; i < again.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            again.ptr[i] = (char)(again.ptr[i] ^ 1 << bit);
            memset(out, 7, sizeof out);
            changed_opened += opens(key, about, das_buf_view(&again), out, sizeof out, &len);
            untouched += len == 0 && memmem(out, sizeof out, "secret", 6) == NULL;
            again.ptr[i] = (char)(again.ptr[i] ^ 1 << bit);
        }
    }
    is_int(changed_opened, 0, "with any bit changed it is not");
    is_int(untouched, 8 * again.len, "and leaves nothing of the text behind");
    ok(!opens(key, T("DAS2"), das_buf_view(&again), out, sizeof out, &len) &&
           err.code == DAS_E_DATA,
       "nor for something else: %s", err.msg);
    ok(!opens(T("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkK"), about, das_buf_view(&again), out, sizeof out,
              &len) &&
           err.code == DAS_E_DATA,
       "nor with another key");
    ok(!opens(key, about, das_text(again.ptr, again.len - 1), out, sizeof out, &len) &&
           err.code == DAS_E_DATA,
       "nor a byte less of it");
    ok(!opens(key, about, das_text(again.ptr, DAS_SEAL_OVERHEAD - 1), out, sizeof out, &len) &&
           err.code == DAS_E_DATA,
       "nor what is too short: %s", err.msg);
    ok(!opens(key, about, das_buf_view(&again), out, 19, &len) && err.code == DAS_E_USAGE,
       "no room: %s", err.msg);
    ok(!opens(T("short"), about, das_buf_view(&again), out, sizeof out, &len) &&
           err.code == DAS_E_USAGE,
       "a short key: %s", err.msg);
    das_buf_reset(&b);
    ok(das_seal(T("short"), about, T("x"), &b, &err) < 0 && err.code == DAS_E_USAGE && !b.len,
       "to seal with, too, and nothing is added");
    ok(das_seal(key, DAS_TEXT_NULL, DAS_TEXT_NULL, &b, &err) == 0 &&
           opens(key, T(""), das_buf_view(&b), out, 0, &len) && len == 0,
       "nothing at all can be sealed");
    das_buf_clear(&b);
    das_buf_clear(&again);
}

/* --- Ed25519 -------------------------------------------------------------------------------------- */

static void verified(const char *key, const char *message, const char *signature)
{
    char other[140], text[300];
    bool good = false;

    ok(das_ed25519_verify(un(key), un(message), un(signature), &good, &err) == 0 && good,
       "RFC 8032: \"%s\"", message);
    snprintf(text, sizeof text, "%s00", message);
    ok(das_ed25519_verify(un(key), un(text), un(signature), &good, &err) == 0 && !good,
       "not with another message");
    snprintf(other, sizeof other, "%s", signature);
    other[0] = other[0] == '0' ? '1' : '0';
    ok(das_ed25519_verify(un(key), un(message), un(other), &good, &err) == 0 && !good,
       "nor another signature");
    other[126] = '\0';
    ok(das_ed25519_verify(un(key), un(message), un(other), &good, &err) == 0 && !good,
       "nor a short one");
}

static void signatures(void)
{
    bool good = true;

    verified("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
             "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39"
             "701cf9b46bd25bf5f0595bbe24655141438e7a100b");
    verified("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
             "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f36"
             "13d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    verified("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
             "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7"
             "60984dc6594a7c15e9716ed28dc027beceea1ec40a");
    ok(das_ed25519_verify(T("short"), T(""), T(""), &good, &err) < 0 && err.code == DAS_E_USAGE &&
           !good,
       "a key of another length: %s", err.msg);
    /* all zero is a point of small order: whatever OpenSSL says, it is no crash */
    ok(das_ed25519_verify(un("0000000000000000000000000000000000000000000000000000000000000000"),
                          T("x"), un("00"), &good, &err) == 0 && !good,
       "a key of zeros");
}

static void random_bytes(void)
{
    unsigned char a[40] = {0}, b[40] = {0};

    ok(das_random(a, sizeof a, &err) == 0 && das_random(b, sizeof b, &err) == 0 &&
           memcmp(a, b, sizeof a) != 0,
       "random bytes differ");
    ok(das_random(a, 0, &err) == 0, "none are fine");
}

int main(void)
{
    kit_seed(20261124);
    hashes();
    macs();
    text_forms();
    aes();
    paddings();
    sealing_vectors();
    sealing();
    signatures();
    random_bytes();
    return tap_done();
}

/*
 * crypto.c - das.crypto: what a script needs to verify a webhook and to sign a request.
 *
 * One convention: functions take and give raw bytes (Lua strings); hex and base64 are functions of
 * their own. What was received and is malformed returns nil, message, code; a key of a wrong length
 * is the programmer's mistake and raises.
 */
#include "bindings/bind.h"

#include "core/base/crypto.h"

#define RANDOM_MAX 65536

static struct das_text check_text(lua_State *L, int arg)
{
    struct das_text t;

    t.ptr = das_check_bytes(L, arg, &t.len);
    return t;
}

/* Where a secret may stand as well: what comes out does not tell it. */
static struct das_text check_key(lua_State *L, int arg)
{
    struct das_text t;

    t.ptr = das_check_key(L, arg, &t.len);
    return t;
}

static int push_hash(lua_State *L, int rc, const struct das_hash_value *v,
                     const struct das_err *err)
{
    if (rc < 0)
        return das_raise(L, "%s", err->msg); // no kind of input leads here
    lua_pushlstring(L, (const char *)v->bytes, v->len);
    return 1;
}

static int hash(lua_State *L, enum das_hash kind)
{
    struct das_text data = check_key(L, 1);
    struct das_hash_value v;
    struct das_err err;

    return push_hash(L, das_hash(kind, data, &v, &err), &v, &err);
}

static int crypto_sha1(lua_State *L)
{
    return hash(L, DAS_SHA1);
}

static int crypto_sha256(lua_State *L)
{
    return hash(L, DAS_SHA256);
}

/* hmac(algorithm, key, data) */
static int crypto_hmac(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    struct das_text key = check_key(L, 2), data = check_key(L, 3);
    int kind = das_hash_find(name);
    struct das_hash_value v;
    struct das_err err;

    if (kind < 0)
        return das_raise(L, "hmac: expected \"sha1\", \"sha256\" or \"sha512\", got \"%s\"", name);
    return push_hash(L, das_hmac((enum das_hash)kind, key, data, &v, &err), &v, &err);
}

static int crypto_equal(lua_State *L)
{
    lua_pushboolean(L, das_bytes_equal(check_key(L, 1), check_key(L, 2)));
    return 1;
}

/* --- bytes as text ------------------------------------------------------------------------------ */

static int push_decoded(lua_State *L, const char *what, int rc, const struct das_buf *b,
                        struct das_err *err)
{
    if (rc < 0) {
        das_err_prefix(err, "%s", what);
        return das_push_failure(L, err);
    }
    das_push_buf(L, b);
    return 1;
}

static int crypto_hex_encode(lua_State *L)
{
    struct das_text data = check_text(L, 1);
    struct das_buf *b = das_scratch(L);

    das_hex_encode(data, b);
    das_push_buf(L, b);
    return 1;
}

static int crypto_hex_decode(lua_State *L)
{
    struct das_text text = check_text(L, 1);
    struct das_buf *b = das_scratch(L);
    struct das_err err;

    return push_decoded(L, "hex_decode", das_hex_decode(text, b, &err), b, &err);
}

static int base64_encode(lua_State *L, enum das_base64 kind)
{
    struct das_text data = check_text(L, 1);
    struct das_buf *b = das_scratch(L);

    das_base64_encode(kind, data, b);
    das_push_buf(L, b);
    return 1;
}

static int base64_decode(lua_State *L, enum das_base64 kind, const char *what)
{
    static const char *const allowed[] = {"strict"};
    struct das_text text = check_text(L, 1);
    bool strict = true;
    struct das_buf *b;
    struct das_err err;

    das_check_options(L, 2, what, allowed, 1);
    if (lua_istable(L, 2)) {
        if (lua_getfield(L, 2, "strict") != LUA_TNIL && !lua_isboolean(L, -1))
            return das_raise(L, "%s: strict: expected true or false, got %s", what,
                             luaL_typename(L, -1));
        strict = lua_isnil(L, -1) || lua_toboolean(L, -1);
    }
    b = das_scratch(L);
    return push_decoded(L, what, das_base64_decode(kind, strict, text, b, &err), b, &err);
}

static int crypto_base64_encode(lua_State *L)
{
    return base64_encode(L, DAS_BASE64);
}

static int crypto_base64_decode(lua_State *L)
{
    return base64_decode(L, DAS_BASE64, "base64_decode");
}

static int crypto_base64url_encode(lua_State *L)
{
    return base64_encode(L, DAS_BASE64URL);
}

static int crypto_base64url_decode(lua_State *L)
{
    return base64_decode(L, DAS_BASE64URL, "base64url_decode");
}

/* --- the rest ------------------------------------------------------------------------------------- */

static int crypto_random(lua_State *L)
{
    int64_t n = das_check_count(L, 1, "random");
    struct das_err err;
    void *bytes;

    if (n > RANDOM_MAX)
        return das_raise(L, "random: at most %d bytes, asked for %s", RANDOM_MAX,
                         lua_tostring(L, 1));
    bytes = lua_newuserdatauv(L, (size_t)n, 0);
    if (das_random(bytes, (size_t)n, &err) < 0)
        return das_raise(L, "random: %s", err.msg);
    lua_pushlstring(L, bytes, (size_t)n);
    return 1;
}

static enum das_padding check_padding(lua_State *L, int options)
{
    static const char *const allowed[] = {"padding"};
    int padding = DAS_PAD_PKCS7;

    das_check_options(L, options, "aes_cbc_decrypt", allowed, 1);
    if (lua_istable(L, options)) {
        if (lua_getfield(L, options, "padding") != LUA_TNIL) {
            padding = lua_type(L, -1) == LUA_TSTRING ? das_padding_find(lua_tostring(L, -1)) : -1;
            if (padding < 0)
                das_raise(L, "aes_cbc_decrypt: padding: expected \"pkcs7\", \"pkcs7-32\" or "
                             "\"none\", got %s",
                          luaL_tolstring(L, -1, NULL));
        }
        lua_pop(L, 1);
    }
    return (enum das_padding)padding;
}

/* aes_cbc_decrypt(key, iv, data, {padding = "pkcs7"}) */
static int crypto_aes_cbc_decrypt(lua_State *L)
{
    struct das_text key = check_key(L, 1), iv = check_text(L, 2), data = check_text(L, 3);
    enum das_padding padding = check_padding(L, 4);
    struct das_buf *b = das_scratch(L);
    struct das_err err;

    return push_decoded(L, "aes_cbc_decrypt",
                        das_aes_cbc_decrypt(key, iv, data, padding, b, &err), b, &err);
}

/* ed25519_verify(public_key, message, signature) */
static int crypto_ed25519_verify(lua_State *L)
{
    struct das_text key = check_text(L, 1), message = check_text(L, 2),
                    signature = check_text(L, 3);
    struct das_err err;
    bool good;

    if (das_ed25519_verify(key, message, signature, &good, &err) < 0)
        return das_raise(L, "ed25519_verify: %s", err.msg);
    lua_pushboolean(L, good);
    return 1;
}

void das_open_crypto(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"sha1", crypto_sha1},
        {"sha256", crypto_sha256},
        {"hmac", crypto_hmac},
        {"equal", crypto_equal},
        {"hex_encode", crypto_hex_encode},
        {"hex_decode", crypto_hex_decode},
        {"base64_encode", crypto_base64_encode},
        {"base64_decode", crypto_base64_decode},
        {"base64url_encode", crypto_base64url_encode},
        {"base64url_decode", crypto_base64url_decode},
        {"random", crypto_random},
        {"aes_cbc_decrypt", crypto_aes_cbc_decrypt},
        {"ed25519_verify", crypto_ed25519_verify},
        {NULL, NULL},
    };

    luaL_newlib(L, functions);
    das_freeze(L, "das.crypto");
    lua_setfield(L, -2, "crypto");
}

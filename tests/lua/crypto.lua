-- das: -i mem:tests/samples/recording.jsonl
-- crypto.lua - das.crypto as the chat platforms need it: their own examples, and every refusal.
local t = require "tap"
local c = das.crypto
local hex, unhex = c.hex_encode, c.hex_decode

t.is(hex(c.sha1 "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d", "sha1")
t.is(#c.sha256 "", 32, "sha256 gives raw bytes")
t.is(hex(c.sha256 "abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  "sha256")
t.is(hex(c.hmac("sha1", "Jefe", "what do ya want for nothing?")),
  "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", "hmac sha1")
t.is(#c.hmac("sha512", "", ""), 64, "hmac sha512")

-- GitHub's example
t.is(hex(c.hmac("sha256", "It's a Secret to Everybody", "Hello, World!")),
  "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", "a webhook's signature")
-- Standard Webhooks
t.is(c.base64_encode(c.hmac("sha256", c.base64_decode "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}')),
  "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "with a base64 key")
-- Feishu: a robot's signature has no message, only a key
t.is(c.base64_encode(c.hmac("sha256", "1599360473\ndemo", "")),
  "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=", "without a message")
-- Feishu: an encrypted event
local blob = c.base64_decode "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="
t.is(c.aes_cbc_decrypt(c.sha256 "test key", blob:sub(1, 16), blob:sub(17)), "hello world",
  "an encrypted event")
-- WeCom: sorted, joined, sha1; the key is 43 random characters, which no strict reader takes
local parts = { "QDG6eK", "1409659589", "263014780",
  "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==" }
local echo = parts[4]
table.sort(parts)
t.is(hex(c.sha1(table.concat(parts))), "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3", "sorted")
local encoded = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
t.is(select(3, c.base64_decode(encoded .. "=")), "data", "stray bits are refused")
local key = c.base64_decode(encoded, { strict = false })
t.is(#key, 32, "unless they are allowed")
local plain = c.aes_cbc_decrypt(key, key:sub(1, 16), c.base64_decode(echo),
  { padding = "pkcs7-32" })
t.is(plain:sub(21, 20 + (">I4"):unpack(plain, 17)), "1616140317555161061", "padded to 32 bytes")
t.is(plain:sub(-18), "wx5823bf96d3bd56c7", "for this company")
-- Discord
local public = unhex "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
local signature = unhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
  .. "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
t.is(c.ed25519_verify(public, "r", signature), true, "Ed25519")
t.is(c.ed25519_verify(public, "s", signature), false, "another message")
t.is(c.ed25519_verify(public, "r", signature:sub(2)), false, "a short signature")
t.is(c.ed25519_verify(public, "r", ""), false, "none")

-- equal and random
t.is(c.equal("abc", "abc"), true, "equal")
t.is(c.equal("abc", "abd"), false, "not equal")
t.is(c.equal("", "a"), false, "nor in length")
t.is(#c.random(32), 32, "random")
t.ok(c.random(16) ~= c.random(16), "and not the same again")
t.is(c.random(0), "", "none")

-- text forms
t.is(c.base64url_encode "\xfb\xff\xfe\0", "-__-AA", "base64url has no padding")
t.is(c.base64url_decode "-__-AA", "\xfb\xff\xfe\0", "and back")
t.is(c.base64_encode "\xfb\xff\xfe\0", "+//+AA==", "base64 has")
t.is(unhex "00FFab", "\0\xff\xab", "hex in either case")
local function bad(name, f, text, ...)
  local value, message, code = f(text)
  t.is(value, nil, "refused: " .. name)
  t.is(code, "data", "as data")
  for _, part in ipairs{ ... } do
    t.has(message, part, "saying so")
  end
end
bad("half a byte", unhex, "abc", "hex_decode: not hex: an odd number of digits (3)")
bad("no digit", unhex, "zz", "position 1")
bad("no padding", c.base64_decode, "Zg", "base64_decode: not base64", "padding")
bad("white space", c.base64_decode, "Zm9v\n", "not base64")
bad("the other alphabet", c.base64_decode, "-__-", "position 1")
bad("padding", c.base64url_decode, "Zg==", "base64url_decode: not base64url")
bad("damaged", function(data) return c.aes_cbc_decrypt(c.sha256 "k", ("i"):rep(16), data) end,
  ("x"):rep(32), "aes_cbc_decrypt: the padding is wrong")
bad("cut short", function(data) return c.aes_cbc_decrypt(c.sha256 "k", ("i"):rep(16), data) end,
  ("x"):rep(31), "31 bytes are not whole blocks of 16")

-- mistakes
t.raises("no data", function() c.sha256() end, "crypto.lua:",
  "string or secret expected, got no value")
t.raises("a number", function() c.sha256(5) end, "string or secret expected, got number")
t.raises("hash", function() c.hmac("md5", "k", "d") end, 'expected "sha1"', 'got "md5"')
t.raises("a short key", function() c.aes_cbc_decrypt("k", ("i"):rep(16), "") end,
  "the key: expected 16, 24 or 32 bytes, got 1")
t.raises("a short iv", function() c.aes_cbc_decrypt(("k"):rep(16), "i", "") end,
  "the iv: expected 16 bytes, got 1")
t.raises("padding", function() c.aes_cbc_decrypt("", "", "", { padding = "zero" }) end,
  'expected "pkcs7", "pkcs7-32" or "none", got zero')
t.raises("option", function() c.aes_cbc_decrypt("", "", "", { pading = 1 }) end,
  'did you mean "padding"')
t.raises("strict", function() c.base64_decode("", { strict = 1 }) end, "strict: expected true or")
t.raises("a public key", function() c.ed25519_verify("k", "m", "s") end,
  "the public key: expected 32 bytes, got 1")
t.raises("random", function() c.random(65537) end, "at most 65536 bytes, asked for 65537")
t.raises("random", function() c.random(-1) end, "random: expected a whole number")
t.raises("unknown", function() return c.sha265 end, "das.crypto has no field", 'mean "sha256"')
t.raises("read-only", function() c.sha1 = 1 end, "das.crypto is read-only") -- luacheck: ignore

t.done()

-- preview.lua - the preview of das serve in nginx's Lua, as one would write it there: verifies an
-- SDK-HMAC-SHA256 signature, filters a list that was read at the start, answers at most 200 sessions.
--
-- Criteria mean what they mean to das: all of them have to hold; time is "at least so long"; info is
-- keywords between "~" that occur in order, letters in any case; "%" in user, host and db is any
-- text. What a session never changes is worked out once, when the list is read.

local bit = require "bit"
local cjson = require "cjson"
local ffi = require "ffi"
local new_table = require "table.new"

local ngx, find, sub, lower, byte = ngx, string.find, string.sub, string.lower, string.byte
local concat, sort, null = table.concat, table.sort, cjson.null
local C = ffi.C

local SKEW = 900
local MAX = 200

-- SHA-256 and HMAC are those of the OpenSSL that nginx itself is linked to -------------------------

ffi.cdef [[
typedef struct evp_md_st EVP_MD;
const EVP_MD *EVP_sha256(void);
unsigned char *SHA256(const char *d, size_t n, unsigned char *md);
unsigned char *HMAC(const EVP_MD *evp_md, const char *key, int key_len, const char *d, size_t n,
                    unsigned char *md, unsigned int *md_len);
int CRYPTO_memcmp(const char *a, const char *b, size_t len);
]]

local sha256 = C.EVP_sha256()
local digest = ffi.new("unsigned char[32]")
local digest_len = ffi.new("unsigned int[1]")
local text = ffi.new("char[64]")
local digits = ffi.new("char[17]", "0123456789abcdef")

local function hex()
    for i = 0, 31 do
        local b = digest[i]
        text[2 * i] = digits[bit.rshift(b, 4)]
        text[2 * i + 1] = digits[bit.band(b, 15)]
    end
    return ffi.string(text, 64)
end

local function hash(s)
    C.SHA256(s, #s, digest)
    return hex()
end

local function hmac(key, s)
    C.HMAC(sha256, key, #key, s, #s, digest, digest_len)
    return hex()
end

-- The list -------------------------------------------------------------------------------------

-- A session as it is answered, and what criteria look at.
local function read_list(path)
    local f = assert(io.open(path))
    local list = cjson.decode(assert(f:read("*l")))
    f:close()
    local all = {}
    for i, p in ipairs(list.processes) do
        local host = p.host ~= null and p.host or ""
        all[i] = {
            answer = {
                id = p.id, user = p.user, host = p.host, db = p.db, state = p.state,
                command = p.command, sql_info = p.sql_info, state_duration = p.state_duration,
            },
            time = p.state_duration ~= null and p.state_duration or -1,
            command = p.command ~= null and lower(p.command) or "",
            sql = p.sql_info ~= null and lower(p.sql_info) or nil,
            user = p.user ~= null and p.user or nil,
            db = p.db ~= null and p.db or nil,
            host = host,
            host_part = host:match("^(.*):%d+$") or host,
        }
    end
    return all, list.data_sync_time
end

local sessions, taken = read_list(assert(os.getenv "DAS_BENCH_LIST"))
local project = assert(os.getenv "DAS_BENCH_PROJECT")
local instance = assert(os.getenv "DAS_BENCH_INSTANCE")
local secrets = { [assert(os.getenv "DAS_BENCH_ACCESS")] = assert(os.getenv "DAS_BENCH_SECRET") }

-- The signature --------------------------------------------------------------------------------

local function encode_one(c)
    return string.format("%%%02X", byte(c))
end

local function decode_one(h)
    return string.char(tonumber(h, 16))
end

local function decode(s)
    return find(s, "%", 1, true) and s:gsub("%%(%x%x)", decode_one) or s
end

local function encode(s)
    return find(s, "[^%w%-_.~]") and s:gsub("[^%w%-_.~]", encode_one) or s
end

local function canonical_path(path)
    if find(path, "[^%w%-_.~/]") then
        path = decode(path):gsub("[^%w%-_.~/]", encode_one)
    end
    return byte(path, -1) == 47 and path or path .. "/"
end

local function canonical_query(query)
    if not query or query == "" then
        return ""
    end
    local pairs_of = {}
    for part in query:gmatch("[^&]+") do
        local name, value = part:match("^([^=]*)=?(.*)$")
        pairs_of[#pairs_of + 1] = { decode((name:gsub("%+", " "))), decode((value:gsub("%+", " "))) }
    end
    sort(pairs_of, function(a, b)
        return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
    end)
    for i, p in ipairs(pairs_of) do
        pairs_of[i] = encode(p[1]) .. "=" .. encode(p[2])
    end
    return concat(pairs_of, "&")
end

-- 20060102T150405Z as seconds since 1970.
local function moment(date)
    local y, m, d, h, min, s = date:match("^(%d%d%d%d)(%d%d)(%d%d)T(%d%d)(%d%d)(%d%d)Z$")
    if not y then
        return nil
    end
    y, m = tonumber(y), tonumber(m)
    if m <= 2 then
        y, m = y - 1, m + 12
    end
    local days = 365 * y + math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400)
        + math.floor((153 * (m - 3) + 2) / 5) + d - 719469
    return days * 86400 + h * 3600 + min * 60 + s
end

-- The access key, or nil and why not.
local function verify(headers, body)
    local authorization = headers["authorization"]
    if type(authorization) ~= "string" then
        return nil, "no authorization"
    end
    local access, names, signature = authorization:match(
        "^SDK%-HMAC%-SHA256 +Access=([^, ]+), *SignedHeaders=([^, ]+), *Signature=(%x+)$")
    local secret = access and secrets[access]
    if not secret or #signature ~= 64 then
        return nil, "unknown key"
    end
    local date = headers["x-sdk-date"]
    local at = type(date) == "string" and moment(date)
    if not at or math.abs(at - ngx.time()) > SKEW then
        return nil, "date"
    end

    local uri = ngx.var.request_uri
    local question = find(uri, "?", 1, true)
    local lines = {
        ngx.req.get_method(),
        canonical_path(question and sub(uri, 1, question - 1) or uri),
        canonical_query(question and sub(uri, question + 1)),
    }
    local n, before, dated = 3, "", false
    for name in names:gmatch("[^;]+") do
        local value = headers[name]
        if type(value) ~= "string" or name <= before or name ~= lower(name) then
            return nil, "signed headers"
        end
        n = n + 1
        lines[n] = name .. ":" .. value:match("^%s*(.-)%s*$")
        before, dated = name, dated or name == "x-sdk-date"
    end
    if not dated then
        return nil, "signed headers"
    end
    local said = headers["x-sdk-content-sha256"]
    local payload = said == "UNSIGNED-PAYLOAD" and said or hash(body)
    if said and said ~= payload then
        return nil, "body"
    end
    lines[n + 1], lines[n + 2], lines[n + 3] = "", names, payload
    local want = hmac(secret, "SDK-HMAC-SHA256\n" .. date .. "\n" .. hash(concat(lines, "\n")))
    if C.CRYPTO_memcmp(want, lower(signature), 64) ~= 0 then
        return nil, "signature"
    end
    return access
end

-- The filter -----------------------------------------------------------------------------------

-- The text of a criterion; nil: it is not set.
local function criterion(body, key)
    local v = body[key]
    if v == nil or v == null or v == "" then
        return nil
    end
    if type(v) ~= "string" then
        error({ key .. ": expected a string" })
    end
    return v
end

-- A pattern with "%" in it, as one of Lua, and true; else the text itself. "\\%" is a percent sign.
local function like(s)
    if not s or not find(s, "%", 1, true) then
        return s, false
    end
    local pattern = s:gsub("\\?.", function(two)
        if two == "%" then
            return ".*"
        end
        return (two == "\\%" and "%" or two):gsub("%W", "%%%0")
    end)
    return "^" .. pattern .. "$", true
end

local function matches(s, pattern, wild)
    if not s then
        return false
    end
    return wild and find(s, pattern) ~= nil or s == pattern
end

local function keywords(info)
    local words = {}
    for word in info:gmatch("[^~]+") do
        word = lower(word:match("^%s*(.-)%s*$"))
        if word ~= "" then
            words[#words + 1] = word
        end
    end
    return words
end

local function has_all(sql, words)
    local from = 1
    for i = 1, #words do
        local _, last = find(sql, words[i], from, true)
        if not last then
            return false
        end
        from = last + 1
    end
    return true
end

local function select_sessions(body)
    local time, command, info = body.time, criterion(body, "command"), criterion(body, "info")
    if time == null then
        time = nil
    end
    if time and (type(time) ~= "number" or time < 0 or time % 1 ~= 0) then
        error({ "time: expected a whole number" })
    end
    if time == 0 then
        time = nil
    end
    command = command and lower(command)
    local words = info and keywords(info)
    local user, user_wild = like(criterion(body, "user"))
    local db, db_wild = like(criterion(body, "db"))
    local host, host_wild = like(criterion(body, "host"))
    local found, total = new_table(MAX, 0), 0
    for i = 1, #sessions do
        local s = sessions[i]
        if (not time or s.time >= time)
            and (not command or s.command == command)
            and (not user or matches(s.user, user, user_wild))
            and (not db or matches(s.db, db, db_wild))
            and (not host or matches(s.host_part, host, host_wild) or matches(s.host, host, host_wild))
            and (not words or (s.sql and has_all(s.sql, words))) then
            total = total + 1
            if total <= MAX then
                found[total] = s.answer
            end
        end
    end
    return found, total
end

-- The answer -----------------------------------------------------------------------------------

local function refuse(status, code, message)
    ngx.status = status
    ngx.print(cjson.encode({ error_code = code, error_msg = message, request_id = ngx.var.request_id }))
end

local function answer(in_project, in_instance)
    ngx.header["X-Request-Id"] = ngx.var.request_id
    if ngx.req.get_method() ~= "POST" then
        return refuse(405, "APIGW.0101", "method")
    end
    ngx.req.read_body()
    local text_of = ngx.req.get_body_data() or ""
    local key, why = verify(ngx.req.get_headers(100), text_of)
    if not key then
        return refuse(401, "APIGW.0301", "Incorrect IAM authentication information: " .. why)
    end
    ngx.var.das_key = key
    if in_project ~= project then
        return refuse(403, "APIGW.0302", "project")
    end
    if sub(in_instance, 1, 32) ~= sub(instance, 1, 32) then
        return refuse(400, "DAS.200114", "The instance_id parameter is invalid.")
    end
    local good, body = pcall(cjson.decode, text_of)
    if not good or type(body) ~= "table" then
        return refuse(400, "DAS.200100", "The parameter is invalid. body: expected a JSON object")
    end
    local found, total
    good, found, total = pcall(select_sessions, body)
    if not good then
        return refuse(400, "DAS.200100", "The parameter is invalid. "
            .. (type(found) == "table" and found[1] or ""))
    end
    -- an empty table would be encoded as an object
    ngx.print('{"success":false,"data_sync_time":', taken, ',"total_count":', total, ',"processes":',
        total == 0 and "[]" or cjson.encode(found), "}")
end

return { answer = answer }

---@meta das
-- Editor stub for scripts that run inside das (LuaLS). Never loaded: das is a global there.
-- A test holds every name here against the binary, both ways.
error("das.d.lua is for editors; das itself is compiled in")

---Which sessions. A table is a conjunction; "" in a field means unset; a table without criteria
---selects nothing unless all = true. Compose with & (both), | (either), ~ (not).
---A criterion whose value the source does not know (TIME NULL, no privilege for transactions) is
---unsure, and unsure stays unsure under ~: such a session is not selected.
---@class (exact) das.criteria
---@field user? string equal, case matters; % is a wildcard, \% a percent, _ a plain character
---@field host? string "ip:port" or the part before the port, % as wildcard, IPv6 in brackets or not
---@field db? string like user
---@field command? string "Query", "Sleep", ...; any case; unknown names raise
---@field time? integer|string at least so many seconds in the current state, or "5m"
---@field info? string keywords in order, split by ~: "select~from"; ASCII letters in any case
---@field state? string like user, any case
---@field id? integer|integer[] session ids
---@field trx_time? integer|string at least so many seconds in a transaction, or "5m"
---@field rows_modified? integer at least so many rows changed by the open transaction
---@field task_duration? integer|string 10 to 31535999 s; filters nothing, passed to the cloud
---@field task_type? "auto"|"manual" filters nothing, passed to the cloud
---@field all? boolean every session, when nothing else is said

---An immutable filter; tostring() writes it as Lua.
---@class das.filter
---@operator band(das.filter|das.criteria): das.filter
---@operator bor(das.filter|das.criteria): das.filter
---@operator bnot: das.filter

---One session. Fields that the source does not know or that are NULL are nil.
---@class (exact) das.session
---@field id integer
---@field user? string
---@field host? string "ip:port"
---@field host_part? string the part before the port
---@field db? string
---@field command? string
---@field state? string
---@field sql_info? string the statement
---@field fingerprint? string the statement's shape: literals are ?, comments and white space gone
---@field state_duration? integer seconds in the current state
---@field time_ms? integer the same in milliseconds (MariaDB)
---@field query_id? integer the statement's number (MariaDB)
---@field trx_time? integer seconds since the transaction began; nil outside one
---@field rows_modified? integer by the open transaction; while it is rolled back, what is left
---@field rows_examined? integer by the statement
---@field progress? number per cent
---@field trx_id? integer InnoDB's number of the open transaction; nil outside one

---@class (exact) das.group
---@field key? string|any what the sessions have in common; nil: they have none
---@field count integer
---@field sessions das.selection

---@class (exact) das.reason
---@field depth integer
---@field criterion string "time >= 60 s"
---@field value string "57 s"
---@field result "in"|"out"|"unknown"
---@field note string "3 s too young", or ""

---Why a session is in or out; tostring() prints it.
---@class (exact) das.explanation
---@field id integer
---@field selected boolean
---@field reasons das.reason[]

---Some sessions of one instance at one moment. #s, s[i], ipairs(s) and printing work.
---@class das.selection
---@field processes das.session[] an array: #, indexing, ipairs
---@field total_count integer how many match at the source
---@field data_sync_time integer Unix seconds of the list
---@field complete boolean false when the source could not show everything
---@field instance string
---@field warnings string[]
---@field filter das.filter
local selection = {}

---The n sessions that are longest in their state, oldest first; ties go to the smaller id.
---```lua
---local slow = das.preview{ command = "Query", time = "1m" }
---print(slow:oldest(3))
---```
---@param n integer
---@return das.selection
---@nodiscard
function selection:oldest(n) end

---The n sessions that are shortest in their state, newest first; ties go to the larger id.
---```lua
---print(das.preview{ command = "Sleep" }:newest(10))
---```
---@param n integer
---@return das.selection
---@nodiscard
function selection:newest(n) end

---The first n as the source listed them.
---```lua
---local some = das.preview{ user = "shop%" }:limit(5)
---print(#some, "of", some.total_count)
---```
---@param n integer
---@return das.selection
---@nodiscard
function selection:limit(n) end

---All but the oldest one.
---```lua
----- the oldest one fills the cache; the others wait for the same answer
---print(das.preview{ info = "select~from~orders" }:except_oldest())
---```
---@return das.selection
---@nodiscard
function selection:except_oldest() end

---Those that the filter, or the function, says yes to.
---```lua
---local found = das.preview{ command = "Query", time = 30 }
---local writes = found:where(function(s) return not s.fingerprint:find("^select ") end)
---local reports = found:where{ user = "report" }
---print(#found, #writes, #reports)
---```
---@param what das.filter|das.criteria|fun(session: das.session): boolean
---@return das.selection
---@nodiscard
function selection:where(what) end

---By position, in the order given.
---```lua
---local found = das.preview{ user = "report" }
---if #found > 1 then
---  print(found:pick{ 2, 1 })
---end
---```
---@param places integer[]
---@return das.selection
---@nodiscard
function selection:pick(places) end

---Groups of one key, largest first.
---A session field, "host_part" or "fingerprint", or a function that returns the key.
---```lua
---for _, group in ipairs(das.preview{ all = true }:group_by("user")) do
---  print(group.key or "(no user)", group.count)
---end
---local by_database = das.preview{ command = "Query" }:group_by(function(s) return s.db end)
---print(#by_database, "databases are busy")
---```
---@param what string|fun(session: das.session): any
---@return das.group[]
---@nodiscard
function selection:group_by(what) end

---Why a session is in or out of this selection's filter.
---```lua
---local found = das.preview{ command = "Query", time = 60 }
---print(found:explain(2400)) -- why is this one not in the list?
---```
---@param session integer|das.session
---@return das.explanation? explanation
---@return string? message
---@return string? code
---@nodiscard
function selection:explain(session) end

---@class (exact) das.plan_options
---auto: the statement outside a transaction, else the connection; soft: the statement, but not
---where that may damage a table (MariaDB)
---@field kill? "auto"|"query"|"connection"|"soft"
---@field reason? string for people and logs
---@field ttl? integer|string how long the plan is good for, seconds or "5m"; 60 s
---a statement that goes on for so long after its kill: then its connection, verified anew
---@field escalate? number|string seconds or "10s"; no escalation
---what the kills are to cure: sessions that match it have to become fewer
---@field symptom? das.filter|das.criteria

---A kill that is decided but not done.
---```lua
---local found = das.preview{ command = "Query", time = "10m", info = "select~from" }
---local plan = found:oldest(3):plan{ kill = "query", reason = "select over 10 m", ttl = "30s" }
---print(plan)
----- what does not stop in 10 s loses its connection; the queue behind it is what it is all about
---print(found:plan{ kill = "query", escalate = "10s", symptom = { state = "Waiting%" } })
---```
---@param options? das.plan_options
---@return das.plan? plan
---@return string? message
---@return string? code
---@nodiscard
function selection:plan(options) end

---Who asked for a plan. What is not known or does not apply is nil.
---@class (exact) das.asked
---@field user? string of the machine
---@field script? string its path
---@field script_sha256? string of its text, hex
---@field hook? string what started it
---@field task? string what started it

---Immutable. #plan is the number of victims; tostring() prints them.
---@class das.plan
---@field ids integer[]
---@field count integer
---@field kill "auto"|"query"|"connection"|"soft"
---@field escalate? number seconds; nil: no escalation
---@field reason string
---@field symptom? das.filter
---@field filter das.filter what selected the victims; each has to match it again
---@field asked_by das.asked
---@field hash string SHA-256 over the whole plan, hex
---@field created_at integer Unix seconds
---@field expires_at integer Unix seconds
---@field instance string
local plan = {}

---Looks at the server again and deals with every victim: kills what is unchanged, or, without
---das run --apply, says what it would kill. nil when nothing could be verified.
---```lua
---local plan = das.preview{ user = "report", time = "10m" }:plan{ kill = "query" }
---local report, message, code = plan:apply()
---if not report then
---  error(("nothing was killed: %s (%s)"):format(message, code))
---end
---print(report.killed, "killed,", report.changed + report.gone, "spared")
---for _, outcome in ipairs(report.outcomes) do
---  print(outcome.id, outcome.outcome, outcome.note)
---end
---```
---@return das.report? report
---@return string? message
---@return string? code
function plan:apply() end

---@alias das.outcome_kind
---| "killed" | "killing" | "dry_run" | "gone" | "changed" | "protected" | "refused" | "failed"
---| "unknown"

---@class (exact) das.outcome
---@field id integer
---@field outcome das.outcome_kind
---@field action "query"|"connection"|"soft"|""
---@field note string why
---@field user? string
---@field after_ms? integer killed: milliseconds until it was seen to be gone
---@field rows_left? integer killing: rows still to be rolled back, where the server tells

---@class (exact) das.report
---@field outcomes das.outcome[] one for each victim, in the plan's order
---@field dry_run boolean
---@field count integer
---@field would_kill integer
---@field killed integer
---@field killing integer accepted, and still ending (rolling back) when the wait was over
---@field gone integer
---@field changed integer
---@field protected integer
---@field refused integer
---@field failed integer
---@field unknown integer
---@field respawned integer statements of the victims that came back while we looked
---@field would_block? string dry run: why an armed one would be refused now

---@class das.instance
---@field name string
local instance = {}

---@class (exact) das.preview_options
---@field instance? string|das.instance
---@field pushdown? boolean false: fetch every session and evaluate all of the filter here

---das.preview on this instance.
---```lua
---for _, instance in ipairs(das.instances()) do
---  local found, message = instance:preview{ command = "Query", time = "5m" }
---  print(instance.name, found and #found or message)
---end
---```
---@param filter das.filter|das.criteria
---@param options? das.preview_options
---@return das.selection? preview
---@return string? message
---@return string? code
---@nodiscard
function instance:preview(filter, options) end

---@class das
---@field version string
---@field dry_run boolean true unless started with --apply; setting it is not possible
---@field args string[] the script's arguments, also in ...
---@field json das.json
---@field crypto das.crypto
---@field time das.time
---@field log das.log
---@field http das.http
das = {}

---A filter from a table of criteria, checked at once.
---```lua
---local slow = das.filter{ command = "Query", time = "1m", info = "select~from" }
---local ours = das.filter{ user = "shop%" } | das.filter{ db = "orders" }
---print(slow & ours & ~das.filter{ user = "backup" })
---```
---@param criteria das.criteria
---@return das.filter
---@nodiscard
function das.filter(criteria) end

---Which sessions match now, on options.instance or on the only instance of the run. Never kills.
---```lua
---local found, message, code = das.preview{ command = "Query", time = 60 }
---if not found then
---  error(("cannot look: %s (%s)"):format(message, code))
---end
---print(found)
---for _, s in ipairs(found.processes) do
---  print(s.id, s.user, s.state_duration, s.sql_info)
---end
---```
---@param filter das.filter|das.criteria
---@param options? das.preview_options
---@return das.selection? preview
---@return string? message
---@return string? code
---@nodiscard
function das.preview(filter, options) end

---One of the instances of this run, by name. Raises on a name that is not there.
---```lua
---local first = das.instances()[1]
---print(das.instance(first.name):preview{ trx_time = "5m" })
---```
---@param name string
---@return das.instance
---@nodiscard
function das.instance(name) end

---All instances of this run.
---```lua
---for _, instance in ipairs(das.instances()) do
---  print(instance.name)
---end
---```
---@return das.instance[]
---@nodiscard
function das.instances() end

---This run leaves such sessions alone from here on, besides those that are always protected.
---```lua
---das.protect{ user = "backup" }
---das.protect(das.filter{ user = "etl%" } & das.filter{ db = "warehouse" })
---```
---@param filter das.filter|das.criteria
function das.protect(filter) end

---Waits; limits and cancel strike in between.
---```lua
---local before = #das.preview{ command = "Query", time = 2 }
---das.sleep(0.1) -- what is fast is gone by then
---print(before, #das.preview{ command = "Query", time = 2 })
---```
---@param duration number|string seconds, or "5m"
---@async
function das.sleep(duration) end

---@class das.retry_options
---@field times? integer how often at most, the first included; 3
---@field wait? number|string seconds or "5m" before the second attempt; 1
---@field backoff? number each further wait is so many times as long; 2
---@field [1] fun(attempt: integer): ...

---Calls the function again while it returns nil, message, code. Errors that it raises go through;
---what waiting does not change ("auth", "denied", "unsupported", "blocked") is not tried again.
---```lua
---local found, message = das.retry{ times = 3, wait = 0.1, function()
---  return das.preview{ command = "Query", time = "5m" }
---end }
---print(found or message)
---```
---@param options das.retry_options
---@return any ... what the last call returned
---@async
function das.retry(options) end

-- --- das.json, also require "cjson" (where decode raises) --------------------------------------

---@class das.json
---@field null userdata JSON's null in both directions; prints as "null"
---@field empty_array userdata writes []
---@field array_mt table setmetatable({}, das.json.array_mt) writes []; lists that were read have it
---@field empty_array_mt table the same, without a say about tables that are not empty
das.json = {}

---@class (exact) das.encode_options
---@field indent? integer blanks for each level, up to 16; 0: all on one line
---@field invalid_utf8? "raise"|"replace" replace: bytes that are not UTF-8 become U+FFFD

---A table is an object (names) or a list (1 to n); {} is an object. Integers are written exactly,
---floats so that they come back as the same float, keys sorted. Previews, sessions, plans and
---reports have their own form, in which bytes that are not UTF-8 become U+FFFD.
---Raises, with the place ("users[3].name"), on what has no form: nan, holes, mixed tables,
---functions, text that is not UTF-8, more than 100 levels, more than 16 MB.
---```lua
---local found = das.preview{ user = "report" }
---print(das.json.encode({ instance = found.instance, ids = found:plan{}.ids }, { indent = 2 }))
---```
---@param value any
---@param options? das.encode_options
---@return string
---@nodiscard
function das.json.encode(value, options) end

---7 is an integer, 7.0 a float, and a whole number beyond int64 an error, as are a key given twice,
---more than 100 levels and more than 16 MB. Code "data".
---```lua
---local event, message = das.json.decode('{"alert": "slow", "ids": [1987, 1990]}')
---if not event then
---  error("not an alert: " .. message)
---end
---print(das.preview{ id = event.ids })
---```
---@param text string
---@return any value
---@return string? message with line and column
---@return string? code
---@nodiscard
function das.json.decode(text) end

-- --- das.http and das.secret ---------------------------------------------------------------------

---A value that a script can use and cannot read: tostring() gives "***", and "..", # and < raise.
---It goes where a string goes in headers, URLs and bodies of das.http and in das.crypto.
---@class das.secret
local secret = {}

---Both around it, as a secret again: das.secret("slack"):with("Bearer ").
---```text
---local token = das.secret("chat_token")
---das.http.post("https://chat.example/send", { text = "3 killed" },
---  { headers = { Authorization = token:with("Bearer ") } })
---```
---@param before? string
---@param after? string
---@return das.secret
---@nodiscard
function secret:with(before, after) end

---The value of the header Authorization for this user and, as the password, this secret.
---```text
---local login = das.secret("monitoring"):basic("das")
---das.http.get("https://monitoring.example/alerts", { headers = { Authorization = login } })
---```
---@param user string
---@return das.secret
---@nodiscard
function secret:basic(user) end

---The bytes that its text stands for, as signing keys are often given.
---```text
---local key = das.secret("webhook_key"):base64_decode()
---print(das.crypto.hex_encode(das.crypto.hmac("sha256", key, "body")))
---```
---@return das.secret
---@nodiscard
function secret:base64_decode() end

---A secret that the configuration names. Needs the grant "secret:NAME". Raises when it is not there
---or cannot be read: a nil would silently leave out the header that it was meant for.
---```text
---local hook = das.secret("slack_hook") -- an address that nobody should read in a log
---das.http.post(hook, { text = "the stampede is over" })
---```
---@param name string
---@return das.secret
---@nodiscard
function das.secret(name) end

---@class (exact) das.http_retry
---@field times? integer after the first attempt, at most 20; 3
---Before the first of them, doubled each time; the real wait is random between 0 and that; "500ms"
---@field wait? number|string
---Never longer; a server that asks for more (Retry-After) is not asked again; "30s"
---@field max_wait? number|string

---@class (exact) das.http_options
---@field headers? table<string, string|number|das.secret>
---@field timeout? number|string of one attempt, redirects included: seconds or "500ms"; 10 s
---@field connect_timeout? number|string until a connection stands; 5 s
---After 429, 502, 503, 504 and failed connections; only GET, HEAD, PUT, DELETE, OPTIONS, what never
---left, and what is idempotent; 0
---@field retry? integer|das.http_retry
---@field idempotent? boolean sending it twice is fine, whatever the method
---To follow at the most, up to 20; 0: a redirect is an answer like any other; 5
---@field redirects? integer
---@field max_bytes? integer|string of the answer's body, unpacked: a number or "64KB"; "4MB"
---@field ca? string a file with the CA certificates to trust instead of the system's

---@class (exact) das.http_request: das.http_options
---@field url string|das.secret http or https, without a password in it
---@field method? string "GET", or "POST" when there is a body
---@field body? string|das.secret
---@field json? any sent as JSON

---Any status is a response.
---@class das.response
---@field status integer
---@field ok boolean 200 to 299
---@field headers table<string, string> by name in any case; the last one of a name
---@field headers_list { name: string, value: string }[] all, in order
---@field body string
---@field url string of the last redirect
---@field attempts integer
---@field time_ms integer all of it, waits included
local response = {}

---The body as das.json.decode() reads it.
---```text
---local answer = das.http.get("https://monitoring.example/alerts")
---local alerts, message = answer and answer:json()
---print(alerts and #alerts or message)
---```
---@return any value
---@return string? message
---@return string? code
---@nodiscard
function response:json() end

---Needs the grant "http:HOST", "http:*.DOMAIN" or "http" (hosts with public addresses), also for
---where redirects lead. Raises "not granted: http:HOST", and when the run's limit is used up.
---Codes: "timeout", "connect" (no address, no connection, no trust, or lost), "denied" (the address
---or a redirect is not allowed), "data" (too long, too many redirects, no HTTP).
---@class das.http
das.http = {}

---Sends a request and waits for the answer.
---```text
---local answer, message, code = das.http.request{
---  url = "https://ticket.example/api/tickets", json = { title = "connections above 90 %" },
---  timeout = "5s", retry = 2, idempotent = true,
---}
---if not answer then
---  das.log.warn("no ticket", { message = message, code = code })
---elseif not answer.ok then
---  das.log.warn("no ticket", { status = answer.status })
---end
---```
---@param request das.http_request
---@return das.response? response
---@return string? message
---@return string? code
---@async
function das.http.request(request) end

---GET, in short.
---```text
---local answer = das.http.get("https://oncall.example/now", { timeout = "2s" })
---print(answer and answer.ok and answer.body or "nobody knows who is on call")
---```
---@param url string|das.secret
---@param options? das.http_options
---@return das.response? response
---@return string? message
---@return string? code
---@async
function das.http.get(url, options) end

---A table is sent as JSON, a string or a secret as it is.
---```text
---das.http.post("https://chat.example/send", { text = "2 statements were killed on orders" })
---```
---@param url string|das.secret
---@param body? table|string|das.secret
---@param options? das.http_options
---@return das.response? response
---@return string? message
---@return string? code
---@async
function das.http.post(url, body, options) end

-- --- das.crypto: raw bytes in, raw bytes out ---------------------------------------------------

---@class das.crypto
das.crypto = {}

---SHA-1, for platforms that still sign with it.
---```lua
---print(das.crypto.hex_encode(das.crypto.sha1("token" .. "1700000000" .. "nonce")))
---```
---@param data string|das.secret
---@return string bytes 20
---@nodiscard
function das.crypto.sha1(data) end

---SHA-256.
---```lua
---print(das.crypto.hex_encode(das.crypto.sha256("select 1")))
---```
---@param data string|das.secret
---@return string bytes 32
---@nodiscard
function das.crypto.sha256(data) end

---HMAC with one of the three hashes.
---```lua
---local signature = das.crypto.hmac("sha256", "key", "timestamp\nbody")
---print(das.crypto.base64_encode(signature))
---```
---@param algorithm "sha1"|"sha256"|"sha512"
---@param key string|das.secret
---@param data string|das.secret
---@return string bytes
---@nodiscard
function das.crypto.hmac(algorithm, key, data) end

---Compares signatures: takes as long wherever they differ.
---```lua
---local want = das.crypto.hmac("sha256", "key", "body")
---local got = das.crypto.hex_decode("00ff")
---print(das.crypto.equal(want, got)) -- false, and it tells nobody where
---```
---@param a string|das.secret
---@param b string|das.secret
---@return boolean
---@nodiscard
function das.crypto.equal(a, b) end

---Bytes as hexadecimal digits.
---```lua
---print(das.crypto.hex_encode("\x01\xff")) -- 01ff
---```
---@param data string
---@return string text lower case
---@nodiscard
function das.crypto.hex_encode(data) end

---Digits in either case, nothing else. Code "data".
---```lua
---print(das.crypto.hex_decode("01FF") == "\x01\xff")
---```
---@param text string
---@return string? data
---@return string? message
---@return string? code
---@nodiscard
function das.crypto.hex_decode(text) end

---Bytes as base64.
---```lua
---print(das.crypto.base64_encode("das")) -- ZGFz
---```
---@param data string
---@return string text with padding
---@nodiscard
function das.crypto.base64_encode(data) end

---@class (exact) das.base64_options
---@field strict? boolean false: padding may be missing, stray bits at the end (WeCom keys) are fine

---Strict: one text for each value, no white space. Code "data".
---```lua
---local key, message = das.crypto.base64_decode("ZGFz")
---print(key or message)
---```
---@param text string
---@param options? das.base64_options
---@return string? data
---@return string? message
---@return string? code
---@nodiscard
function das.crypto.base64_decode(text, options) end

---Bytes as base64 that fits into an address: - and _ for + and /.
---```lua
---print(das.crypto.base64url_encode("\xff\xfe")) -- __4
---```
---@param data string
---@return string text without padding
---@nodiscard
function das.crypto.base64url_encode(data) end

---The way back. Strict: one text for each value. Code "data".
---```lua
---print(das.crypto.base64url_decode("__4") == "\xff\xfe")
---```
---@param text string
---@param options? das.base64_options
---@return string? data
---@return string? message
---@return string? code
---@nodiscard
function das.crypto.base64url_decode(text, options) end

---Random bytes, fit for keys and nonces.
---```lua
---local nonce = das.crypto.hex_encode(das.crypto.random(16))
---print(#nonce) -- 32
---```
---@param n integer up to 65536
---@return string bytes
---@nodiscard
function das.crypto.random(n) end

---@class (exact) das.aes_options
---@field padding? "pkcs7"|"pkcs7-32"|"none" to blocks of 16 (the default) or 32 bytes

---Verify a signature first: damaged data can end like a padding. Raises on a key that has not 16,
---24 or 32 bytes and an iv that has not 16; wrong data is nil with code "data".
---```lua
---local key, iv = ("k"):rep(32), ("i"):rep(16)
---local data = ("x"):rep(32)
---local plain, message = das.crypto.aes_cbc_decrypt(key, iv, data, { padding = "pkcs7-32" })
---print(plain or "refused: " .. message)
---```
---@param key string|das.secret
---@param iv string
---@param data string
---@param options? das.aes_options
---@return string? plain
---@return string? message
---@return string? code
---@nodiscard
function das.crypto.aes_cbc_decrypt(key, iv, data, options) end

---Is the signature of this message, made with the private half of this key?
---```lua
---local key, signature = ("\0"):rep(32), ("\0"):rep(64)
---print(das.crypto.ed25519_verify(key, "timestamp" .. "body", signature))
---```
---@param public_key string 32 bytes
---@param message string
---@param signature string 64 bytes; any other length is a wrong one
---@return boolean
---@nodiscard
function das.crypto.ed25519_verify(public_key, message, signature) end

-- --- das.time: moments are seconds since 1970, durations seconds -------------------------------

---@class das.time
das.time = {}

---The time, in seconds.
---```lua
---print(das.time.format(das.time.now()))
---```
---@return integer seconds since 1970
---@nodiscard
function das.time.now() end

---The time, in milliseconds.
---```lua
---print(das.time.now_ms() // 1000 - das.time.now() <= 1)
---```
---@return integer milliseconds since 1970
---@nodiscard
function das.time.now_ms() end

---A clock for measuring: nobody sets it.
---```lua
---local start = das.time.monotonic()
---local found = das.preview{ all = true }
---print(("%d sessions in %.3f s"):format(#found, das.time.monotonic() - start))
---```
---@return number seconds since some start; never goes back
---@nodiscard
function das.time.monotonic() end

---ISO 8601 with its offset: "2026-11-24T03:17:05Z", "2026-11-24 11:17+08:00"; a fraction is cut off
---```lua
---print(das.time.parse("2026-11-24T03:17:05Z")) -- 1795490225
---```
---@param text string
---@return integer? seconds since 1970
---@return string? message
---@return string? code "data"
---@nodiscard
function das.time.parse(text) end

---@class (exact) das.format_options
---@field tz? string "Asia/Shanghai"; UTC

---A moment as text, with its offset.
---```lua
---print(das.time.format(1795490225, { tz = "Asia/Shanghai" })) -- 2026-11-24T11:17:05+08:00
---```
---@param seconds? integer since 1970; now
---@param options? das.format_options
---@return string text ISO 8601
---@nodiscard
function das.time.format(seconds, options) end

---"90", "90s", "5m", "2h", "1d". Whole seconds are taken as they are.
---```lua
---local age = das.time.duration(das.args[1] or "5m")
---print(age)
---```
---@param text string|integer
---@return integer? seconds
---@return string? message
---@return string? code "data"
---@nodiscard
function das.time.duration(text) end

---@class (exact) das.window_options
---@field days? string|string[] "mon-fri", "sat,sun" or a list; every day
---@field from? string "22:00"; "00:00"
---@field to? string "06:00", on the next day when not after from; "24:00"
---@field tz? string "Asia/Shanghai"; UTC

---A window over midnight belongs to the day on which it begins. Where the clock is set back it
---lasts from the first time the clock shows from to the last time it shows to; where the clock
---jumps over an end, it begins or ends with the jump. tostring() shows it.
---```lua
---local night = das.time.window{ days = "mon-fri", from = "22:00", to = "06:00" }
---if not night:contains() then
---  print("the reports may run until", das.time.format(night:next_open()))
---end
---```
---@param options das.window_options
---@return das.window
---@nodiscard
function das.time.window(options) end

---@class das.window
local window = {}

---Is the moment inside the window?
---```lua
---local weekend = das.time.window{ days = "sat,sun" }
---print(weekend:contains(1795490225)) -- a Tuesday: false
---```
---@param seconds? integer since 1970; now
---@return boolean
---@nodiscard
function window:contains(seconds) end

---When it opens next, after the moment given. Windows that touch are one. nil: never.
---```lua
---local night = das.time.window{ from = "22:00", to = "06:00" }
---print(das.time.format(night:next_open(1795490225)))
---```
---@param seconds? integer since 1970; now
---@return integer? seconds
---@nodiscard
function window:next_open(seconds) end

---When it closes next, after the moment given. nil: never.
---```lua
---local night = das.time.window{ from = "22:00", to = "06:00" }
---print(das.time.format(night:next_close(1795490225)))
---```
---@param seconds? integer since 1970; now
---@return integer? seconds
---@nodiscard
function window:next_close(seconds) end

-- --- das.log: a line on standard error; DAS_LOG=json and DAS_LOG_LEVEL=debug change it ---------

---@class das.log
das.log = {}

---For whoever looks for a mistake; shown with DAS_LOG_LEVEL=debug.
---```lua
---das.log.debug("looked", { sessions = #das.preview{ all = true } })
---```
---@param message string|number
---@param fields? table<string, any> each a name and what JSON has
function das.log.debug(message, fields) end

---What happened.
---```lua
---das.log.info("a stampede", { fingerprint = "select * from t where id = ?", sessions = 40 })
---```
---@param message string|number
---@param fields? table<string, any>
function das.log.info(message, fields) end

---What somebody should look at.
---```lua
---local found = das.preview{ user = "report" }
---if not found.complete then
---  das.log.warn("the list was cut", { instance = found.instance })
---end
---```
---@param message string|number
---@param fields? table<string, any>
function das.log.warn(message, fields) end

---What went wrong. The script goes on.
---```lua
---local found, message, code = das.preview{ time = "5m" }
---if not found then
---  das.log.error(message, { code = code })
---end
---```
---@param message string|number
---@param fields? table<string, any>
function das.log.error(message, fields) end

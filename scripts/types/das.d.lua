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
---@field rows_modified? integer by the open transaction
---@field rows_examined? integer by the statement
---@field progress? number per cent

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
---@param n integer
---@return das.selection
---@nodiscard
function selection:oldest(n) end

---@param n integer
---@return das.selection
---@nodiscard
function selection:newest(n) end

---The first n as the source listed them.
---@param n integer
---@return das.selection
---@nodiscard
function selection:limit(n) end

---All but the oldest one.
---@return das.selection
---@nodiscard
function selection:except_oldest() end

---@param what das.filter|das.criteria|fun(session: das.session): boolean
---@return das.selection
---@nodiscard
function selection:where(what) end

---By position, in the order given.
---@param places integer[]
---@return das.selection
---@nodiscard
function selection:pick(places) end

---Groups of one key, largest first.
---A session field, "host_part" or "fingerprint", or a function that returns the key.
---@param what string|fun(session: das.session): any
---@return das.group[]
---@nodiscard
function selection:group_by(what) end

---Why a session is in or out of this selection's filter.
---@param session integer|das.session
---@return das.explanation? explanation
---@return string? message
---@return string? code
---@nodiscard
function selection:explain(session) end

---@class (exact) das.plan_options
---auto: the statement outside a transaction, else the connection
---@field kill? "auto"|"query"|"connection"
---@field reason? string for people and logs
---@field ttl? integer|string how long the plan is good for, seconds or "5m"; 60 s

---A kill that is decided but not done.
---@param options? das.plan_options
---@return das.plan? plan
---@return string? message
---@return string? code
---@nodiscard
function selection:plan(options) end

---Immutable. #plan is the number of victims; tostring() prints them.
---@class das.plan
---@field ids integer[]
---@field count integer
---@field kill "auto"|"query"|"connection"
---@field reason string
---@field hash string SHA-256 over the whole plan, hex
---@field created_at integer Unix seconds
---@field expires_at integer Unix seconds
---@field instance string
local plan = {}

---Looks at the server again and deals with every victim: kills what is unchanged, or, without
---das run --apply, says what it would kill. nil when nothing could be verified.
---@return das.report? report
---@return string? message
---@return string? code
function plan:apply() end

---@alias das.outcome_kind
---| "killed" | "dry_run" | "gone" | "changed" | "protected" | "refused" | "failed" | "unknown"

---@class (exact) das.outcome
---@field id integer
---@field outcome das.outcome_kind
---@field action "query"|"connection"|""
---@field note string why
---@field user? string

---@class (exact) das.report
---@field outcomes das.outcome[] one for each victim, in the plan's order
---@field dry_run boolean
---@field count integer
---@field would_kill integer
---@field killed integer
---@field gone integer
---@field changed integer
---@field protected integer
---@field refused integer
---@field failed integer
---@field unknown integer

---@class das.instance
---@field name string
local instance = {}

---@class (exact) das.preview_options
---@field instance? string|das.instance
---@field pushdown? boolean false: fetch every session and evaluate all of the filter here

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
das = {}

---@param criteria das.criteria
---@return das.filter
---@nodiscard
function das.filter(criteria) end

---Which sessions match now, on options.instance or on the only instance of the run. Never kills.
---@param filter das.filter|das.criteria
---@param options? das.preview_options
---@return das.selection? preview
---@return string? message
---@return string? code
---@nodiscard
function das.preview(filter, options) end

---One of the instances of this run, by name. Raises on a name that is not there.
---@param name string
---@return das.instance
---@nodiscard
function das.instance(name) end

---All instances of this run.
---@return das.instance[]
---@nodiscard
function das.instances() end

---This run leaves such sessions alone from here on, besides those that are always protected.
---@param filter das.filter|das.criteria
function das.protect(filter) end

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
---@field blocked_by? integer the session whose InnoDB lock it waits for; nil: none, or unknown
---@field disputed boolean the cloud selects it, das's own reading of the filter does not

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

---Without the sessions that no kill touches: das's own, replication, system accounts, those already
---Killed and those of das.protect(). They would be spared anyway; this way none of them counts as
---the oldest, or in a group. A user who replicates is known by what the preview listed.
---```lua
---local busy = das.preview({ time = "10m" }, { pushdown = false })
---print(busy:unprotected():oldest(3))
---```
---@return das.selection
---@nodiscard
function selection:unprotected() end

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
---@field trust_source? boolean disputed sessions are victims, too

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
---@field left_out integer disputed sessions that are no victims
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

---Empty is nobody.
---@class (exact) das.approvers
---@field roles? string[]
---@field users? string[]

---@class (exact) das.approval_options
---@field approvers das.approvers who may say yes, as people of das.lua has them
---@field need? integer so many of them, 1 to 20; who asks does not count (1)
---@field ttl? integer|string until it expires, at most "12h" ("10m")
---@field channel? string where it is posted; without one `das approvals` shows it
---@field reason? string the plan's

---Asks people whether the plan may be applied, and posts it. On the last yes that is needed das
---itself looks at every victim once more and kills those that are unchanged, whether this script
---still runs or not. Needs the grants kill and, for a channel, notify. Asked again for the same
---sessions it gives the same request (`repeated`), also where it was rejected, until that would
---have expired. In a dry run nobody is asked.
---```text
---local slow = das.preview{ command = "Query", time = "10m" }
---if #slow > 0 then
---  local plan = slow:plan{ kill = "query", reason = "report blocks the shop" }
---  local approval = plan:request_approval{
---    channel = "ops", approvers = { roles = { "dba" } }, need = 2, ttl = "10m",
---  }
---  print(approval.id, approval:wait{ timeout = "5m" })
---end
---```
---@param options das.approval_options
---@return das.approval? approval
---@return string? message
---@return string? code
function plan:request_approval(options) end

---@class (exact) das.approval_vote
---@field person string
---@field yes boolean
---@field via string "cli", "page", "api", or a platform
---@field reason? string
---@field at integer Unix seconds

---@alias das.approval_state
---| "waiting" | "approved" | "applying" | "applied" | "rejected" | "expired" | "unknown" | "failed"
---| "dry_run"

---A request, as it is at the moment of looking.
---@class das.approval
---@field id string
---@field state das.approval_state
---@field hash? string of the plan that is carried out: not the script's, since it lives longer
---@field need? integer
---@field votes das.approval_vote[]
---@field expires_at? integer Unix seconds
---@field reason? string
---@field note? string why nothing was killed, or why nobody knows
---@field report? table what became of the victims, when it was carried out
---@field repeated boolean somebody has asked for the same before
local approval = {}

---Waits for the answer: until it is there, or so long. Approved: until the plan was carried out,
---too, if that is within the time. The run's own limits hold: `limits = { wall = "10m" }` for it.
---```text
---local plan = das.preview{ user = "report", time = "10m" }:plan{ kill = "query" }
---local approval = assert(plan:request_approval{ approvers = { users = { "alice" } } })
---local answer = approval:wait{ timeout = "50s" }
---if answer == "approved" then
---  print(approval.state, approval.report and approval.report.killed)
---end
---```
---@param options? { timeout?: integer|string }
---@return "approved"|"rejected"|"expired"|"timeout"|"dry_run"|nil answer
---@return string? message
---@return string? code
function approval:wait(options) end

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
---@field kill_window? string what a victim could do unnoticed between the last look and its end

---One of the instances of a run. Besides previews, which every instance has, one behind Huawei
---Cloud DAS has kill tasks, lists and locks; on any other these methods return nil, a message and
---"unsupported". Their failures return nil, a message, a code and das.cloud_failure. Moments are
---Unix milliseconds, spans whole seconds; what the API does not tell, or tells as "", is nil.
---@class das.instance
---@field name string
---@field region? string at Huawei Cloud: "cn-north-4"; nil elsewhere, as are the next two
---@field project? string the project's id; nil where das.lua does not name it
---@field instance_id? string
local instance = {}

---@class (exact) das.preview_options
---@field instance? string|das.instance
---@field pushdown? boolean false: fetch every session and evaluate all of the filter here
---@field exhaustive? boolean where the source cuts its answers (the cloud: 200), ask on in parts

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
---@field step das.step
---@field params table<string, any> a runbook's parameters, as das.runbook{} has declared them
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

---Waits; limits and cancel strike in between. In a runbook, between steps, 30 s and more need no
---process: the run ends here and goes on when its moment has come.
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

-- --- instances behind Huawei Cloud DAS: looking; needs the grant "preview" ----------------------

---What is told besides message and code where a call to the cloud failed.
---@class (exact) das.cloud_failure
---@field status? integer HTTP; nil: there was no answer
---@field error_code? string "DAS.200100", "APIGW.0308"
---@field error_msg? string the server's words
---@field request_id? string for the cloud's support
---@field unknown boolean an order was sent and may have had its effect; look before giving it again

---A task of the cloud: it ends sessions that match, again and again, until it ends itself.
---@class (exact) das.kill_task
---@field task_id integer
---@field user? string nil: any, as for the next four
---@field host? string
---@field db? string
---@field command? string
---@field info? string
---@field time? integer s, at least so long in their state
---@field task_type? string "auto": ends after task_duration; "manual": until it is stopped
---@field task_duration? integer s
---@field task_state? integer the API does not say what its numbers mean
---@field start_time? integer Unix ms
---@field end_time? integer Unix ms; 0: none

---Kill tasks that are running.
---```text
---for _, task in ipairs(assert(das.instance("orders"):kill_tasks())) do
---  print(task.task_id, task.user or "any user", task.time)
---end
---```
---@return das.kill_task[]? tasks
---@return string? message
---@return string? code
---@return das.cloud_failure? details
---@nodiscard
function instance:kill_tasks() end

---Kill tasks run while the switch is on.
---```text
---print(das.instance("orders"):kill_task_switch())
---```
---@return "on"|"off"|"switching"|nil state
---@return string? message
---@return string? code
---@return das.cloud_failure? details
---@nodiscard
function instance:kill_task_switch() end

---@class (exact) das.kill_history_options
---Unix s or ms, so long ago ("2h"), or "2026-11-24T03:17:05Z"; a day before to
---@field from? integer|string
---@field to? integer|string the same; now
---@field node_id? string all nodes

---A session that the cloud has ended.
---@class (exact) das.killed_session
---@field instance_id? string
---@field node_id? string
---@field task_id? integer
---@field session_id integer
---@field user? string
---@field host? string
---@field db? string
---@field command? string
---@field time? integer s, how long it had been in its state
---@field state? string
---@field info? string its statement
---@field kill_time? integer Unix ms
---@field killed_source? string the API does not say what its words mean

---What kill tasks and persons have ended, newest first, as a function that gives one after the
---other; 50 are fetched at a time, when they are needed. What fails later than at the first page
---raises.
---```text
---for killed in das.instance("orders"):kill_history{ from = "2h" } do
---  print(killed.session_id, killed.user, killed.info)
---end
---```
---@param options? das.kill_history_options
---@return (fun(): das.killed_session?)? next
---@return string? message
---@return string? code
---@return das.cloud_failure? details
---@nodiscard
function instance:kill_history(options) end

---A row of the cloud's process lists.
---@class (exact) das.cloud_process
---@field id integer
---@field user? string
---@field host? string "ip:port"
---@field db? string
---@field command? string
---@field state? string
---@field sql_info? string the statement
---@field state_duration? integer s
---@field trx_time? integer s; only where a registered database user is asked

---@class (exact) das.each_process_options
---@field user? string of this user only
---@field db? string in this database only
---@field node_id? string on this node only

---@class (exact) das.processes_options: das.each_process_options
---@field limit? integer 1 to 100; 100
---@field offset? integer sessions to leave out, a multiple of limit; 0

---@class das.cloud_processes: das.cloud_process[]
---@field total? integer how many there are, as the API counts
---@field consistency string what two pages can say together

---One page of the process list. Each page is a list of its own moment: a session that begins or
---ends between two of them may be missing or there twice. Good for looking around; previews decide
---who is killed. Through the registered database user (db_user_id) where user or db is given.
---```text
---local page = assert(das.instance("orders"):processes{ user = "app", limit = 20 })
---print(#page, "of", page.total)
---```
---@param options? das.processes_options
---@return das.cloud_processes? page
---@return string? message
---@return string? code
---@return das.cloud_failure? details
---@nodiscard
function instance:processes(options) end

---The process list, one session after the other, 100 fetched at a time. Like kill_history().
---```text
---for session in das.instance("orders"):each_process() do
---  print(session.id, session.user, session.state_duration)
---end
---```
---@param options? das.each_process_options
---@return (fun(): das.cloud_process?)? next
---@return string? message
---@return string? code
---@return das.cloud_failure? details
---@nodiscard
function instance:each_process(options) end

---@class (exact) das.lock
---@field lock_id? string
---@field lock_trx_id? string
---@field lock_mode? string
---@field lock_type? string
---@field lock_table? string
---@field lock_index? string
---@field lock_space? string
---@field lock_page? string
---@field lock_rec? string
---@field lock_data? string

---@class (exact) das.lock_transaction
---@field trx_id? string
---@field trx_state? string
---@field trx_started? string as the server writes it
---@field trx_wait_started? string
---@field thread_id? integer the session
---@field query? string
---@field tables_locked? integer
---@field rows_locked? integer
---@field rows_modified? integer
---@field isolation_level? string
---@field waits_for das.lock[]
---@field holds das.lock[]

---@class (exact) das.lock_wait
---@field requesting_trx_id? string
---@field requested_lock_id? string
---@field blocking_trx_id? string
---@field blocking_lock_id? string

---@class (exact) das.innodb_locks
---@field transactions das.lock_transaction[]
---@field waits das.lock_wait[]

---@class (exact) das.innodb_locks_options
---@field db_user_id? string a registered database user; that of das.lua

---Open transactions with their locks, and who waits for whom. Needs a registered database user.
---```text
---for _, wait in ipairs(assert(das.instance("orders"):innodb_locks()).waits) do
---  print(wait.requesting_trx_id, "waits for", wait.blocking_trx_id)
---end
---```
---@param options? das.innodb_locks_options
---@return das.innodb_locks? locks
---@return string? message
---@return string? code
---@return das.cloud_failure? details
---@nodiscard
function instance:innodb_locks(options) end

---@class (exact) das.metadata_locks_options
---@field db_user_id? string a registered database user; that of das.lua
---@field thread_id? integer of this session only
---@field db? string in this database only
---@field table? string on this table only

---@class (exact) das.metadata_lock
---@field thread_id? integer the session that has it, or waits for it
---@field lock_status? string "GRANTED", "PENDING"
---@field lock_mode? string
---@field lock_type? string
---@field lock_duration? string
---@field table_schema? string
---@field table_name? string
---@field user? string
---@field host? string
---@field db? string
---@field command? string
---@field state? string
---@field sql_info? string
---@field state_duration? integer s
---@field trx_time? integer s
---@field blocks das.cloud_process[] sessions that wait for this one
---@field waits_for das.cloud_process[] sessions that this one waits for

---Metadata locks: what keeps an ALTER TABLE waiting. Needs a registered database user.
---```text
---for _, lock in ipairs(assert(das.instance("orders"):metadata_locks{ db = "shop" })) do
---  print(lock.thread_id, lock.lock_status, lock.table_name, #lock.blocks)
---end
---```
---@param options? das.metadata_locks_options
---@return das.metadata_lock[]? locks
---@return string? message
---@return string? code
---@return das.cloud_failure? details
---@nodiscard
function instance:metadata_locks(options) end

---@class (exact) das.transactions_options
---As in das.kill_history_options, at most 7 days ago
---@field from? integer|string
---@field to? integer|string
---@field time? integer|string that lasted at least so long, seconds or "1m"
---@field max_time? integer|string and at most so long

---@class (exact) das.long_transaction
---@field last_sec? integer s, how long it lasted
---@field wait_locks? integer
---@field hold_locks? integer
---@field occurrence_time? integer Unix ms
---@field collect_time? integer Unix ms
---@field detail? string

---Long transactions that the cloud has seen, all of that span.
---```text
---for _, t in ipairs(assert(das.instance("orders"):transactions{ from = "1d", time = "1m" })) do
---  print(t.last_sec, t.hold_locks, t.detail)
---end
---```
---@param options? das.transactions_options
---@return das.long_transaction[]? transactions
---@return string? message
---@return string? code
---@return das.cloud_failure? details
---@nodiscard
function instance:transactions(options) end

---@class (exact) das.db_user
---@field db_user_id? string
---@field db_username? string

---Database users that are registered at DAS: one of them is db_user_id in das.lua.
---```text
---for _, user in ipairs(assert(das.instance("orders"):db_users())) do
---  print(user.db_user_id, user.db_username)
---end
---```
---@return das.db_user[]? users
---@return string? message
---@return string? code
---@return das.cloud_failure? details
---@nodiscard
function instance:db_users() end

---@class (exact) das.datastore_options
---@field datastore_type? string "MySQL", "TaurusDB", "MariaDB", ...; "MySQL"

---@class (exact) das.node
---@field id? string
---@field name? string
---@field role? string "master", "slave", "readreplica"
---@field status? string
---@field type? string

---The nodes that the instance is made of.
---```text
---for _, node in ipairs(assert(das.instance("orders"):nodes())) do
---  print(node.id, node.role, node.status)
---end
---```
---@param options? das.datastore_options
---@return das.node[]? nodes
---@return string? message
---@return string? code
---@return das.cloud_failure? details
---@nodiscard
function instance:nodes(options) end

-- --- ending sessions without a preview; needs "kill", and mostly "cloud_kill" ------------------

---What an order would have done; without --apply none is sent.
---@class (exact) das.cloud_dry_run
---@field dry_run true
---@field would_block? string why an armed one would be refused now
---@field sessions? integer how many it would hit now

---@class (exact) das.order_options
---@field reason? string for people and the journal

---@class (exact) das.kill_task_criteria
---@field user? string
---@field host? string "10.%": the cloud reads it, and everything else here, in its own way
---@field db? string
---@field command? string
---@field info? string
---@field time integer|string at least so many seconds in their state, or "5m"
---@field task_duration? integer|string 10 to 31535999 s, or "10m"; not for "manual" tasks
---@field task_type? "auto"|"manual" manual: until it is stopped; "auto"
---@field all? boolean every session that is so old, when nothing else is said
---@field reason? string for people and the journal

---Makes the cloud end what matches, also sessions that nobody has seen yet. Guards, windows, off
---switch and journal are those of a plan, and what is protected must not be among those that match
---now. Runs while the switch is on; at most 5 at once. The API tells no id: the task is found by
---listing before and after, and where that cannot be told, true and a message are returned.
---```text
---local task, message = das.instance("orders"):create_kill_task{
---  user = "report", time = "10m", task_duration = "1h", reason = "reports during the sale",
---}
---print(task and task.task_id or message)
---```
---@param criteria das.kill_task_criteria|das.filter a filter has to be one table
---@param options? das.order_options
---@return das.kill_task|das.cloud_dry_run|true|nil task
---@return string? message or what else there is to know about a task that was made
---@return string? code
---@return das.cloud_failure? details
function instance:create_kill_task(criteria, options) end

---Needs the grant "kill". Goes through also while das is stopped: it ends killing.
---```text
---for _, task in ipairs(assert(das.instance("orders"):kill_tasks())) do
---  print(das.instance("orders"):stop_kill_task(task))
---end
---```
---@param task das.kill_task|integer the task or its id
---@param options? das.order_options
---@return true|das.cloud_dry_run|nil stopped
---@return string? message
---@return string? code
---@return das.cloud_failure? details
function instance:stop_kill_task(task, options) end

---@class (exact) das.switch_options
---@field wait? number|string how long it may be "switching": seconds or "1m"; 30 s
---@field reason? string for people and the journal

---Turns kill tasks on or off. Off needs no more than the grant "kill", and goes through while das
---is stopped.
---```text
---print(das.instance("orders"):set_kill_task_switch(true, { wait = "1m" }))
---```
---@param on boolean|"on"|"off"
---@param options? das.switch_options
---@return "on"|"off"|"switching"|das.cloud_dry_run|nil state what it is now
---@return string? message
---@return string? code
---@return das.cloud_failure? details
function instance:set_kill_task_switch(on, options) end

---@class (exact) das.kill_all_options
---@field confirm string the instance_id, said once more
---@field reason? string for people and the journal

---@class (exact) das.kill_all_result
---@field sessions? integer how many there were just before

---Ends every session of the instance. The limits of kills count each of them.
---```text
---local orders = das.instance("orders")
---local done, message = orders:kill_all_sessions{ confirm = orders.instance_id, reason = "moving" }
---print(done and done.sessions or message)
---```
---@param options das.kill_all_options
---@return das.kill_all_result|das.cloud_dry_run|nil result
---@return string? message
---@return string? code
---@return das.cloud_failure? details
function instance:kill_all_sessions(options) end

---@class (exact) das.kill_processes_options
---@field reason? string for people and logs
---@field trust_source? boolean as in das.plan_options

---Ends the connections of these sessions, on any kind of instance: a preview of the ids, a plan,
---and its apply(), with every check that these have. Sessions that are not there any more are in
---no outcome.
---```lua
---local first = das.instances()[1]
---print(first:kill_processes({ 1987, 1990 }, { reason = "asked for by the owner" }))
---```
---@param ids integer|integer[]
---@param options? das.kill_processes_options
---@return das.report? report
---@return string? message
---@return string? code
function instance:kill_processes(ids, options) end

-- --- das.cloud: accounts -----------------------------------------------------------------------

---@class (exact) das.account_options
---@field cloud? string an account of das.lua; "default", else the SDK's environment variables
---@field region string "cn-north-4"
---@field project? string its id; the project that has the region's name

---An account at Huawei Cloud, in one region and project.
---@class das.account
---@field name string in das.lua
---@field region string
---@field project string
local account = {}

---@class (exact) das.cloud_instance
---@field instance_id? string
---@field instance_name? string
---@field instance_status? string
---@field version? string
---@field engine_type? string
---@field ip? string
---@field port? integer
---@field cpu? integer
---@field mem? integer GB
---@field login_flag? boolean
---@field slow_sql_flag? boolean
---@field deadlock_flag? boolean
---@field lock_blocking_flag? boolean
---@field charge_flag? boolean
---@field full_sql_flag? boolean
---@field instance? das.instance itself, among those of the run from now on; nil in a run with -i

---All instances that the account sees, page by page until the end. Each joins those of the run, as
---"das://REGION/PROJECT/INSTANCE" unless das.lua has a name for it; but not with -i, which says
---where a run ends.
---```text
---local account = assert(das.cloud{ cloud = "prod", region = "cn-north-4" })
---for _, found in ipairs(assert(account:instances())) do
---  local slow = found.instance and found.instance:preview{ command = "Query", time = "5m" }
---  print(found.instance_name, slow and #slow)
---end
---```
---@param options? das.datastore_options
---@return das.cloud_instance[]? instances
---@return string? message
---@return string? code
---@return das.cloud_failure? details
---@nodiscard
function account:instances(options) end

---The nodes of one of its instances.
---```text
---local account = assert(das.cloud{ region = "cn-north-4" })
---print(#assert(account:nodes(das.args[1])))
---```
---@param instance_id string
---@param options? das.datastore_options
---@return das.node[]? nodes
---@return string? message
---@return string? code
---@return das.cloud_failure? details
---@nodiscard
function account:nodes(instance_id, options) end

---An account of das.lua (clouds). Where scripts have grants it needs "cloud:NAME" or "cloud:*".
---Raises when there is no such account.
---```text
---local account = assert(das.cloud{ cloud = "prod", region = "cn-north-4" })
---print(account, account.project)
---```
---@param options das.account_options
---@return das.account? account
---@return string? message
---@return string? code
---@return das.cloud_failure? details
---@nodiscard
function das.cloud(options) end

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

-- --- das.notify ---------------------------------------------------------------------------------

---@alias das.severity
---| "info"
---| "warning"
---| "error"
---| "critical"

---What PagerDuty and Alertmanager do about it; elsewhere the title says so.
---@alias das.event
---| "trigger"
---| "acknowledge"
---| "resolve"

---@class (exact) das.button
---@field label string
---@field value string opaque: it comes back with the click
---@field danger? boolean shown as what should be thought over

---A message to people; it needs a title or a text.
---@class (exact) das.message
---@field title? string one line, at most 300 bytes
---@field text? string shown as it is: markup of the platform is taken out
---@field severity? das.severity "info" when not said; what is critical waits for no digest
---@field event? das.event "trigger" when not said
---@field instance? string where it is; that of the sessions when not said
---@field sessions? das.selection|das.plan|das.report|das.session[] cut with a count
---@field fields? table<string, string|number|boolean>|string[][] or a list of { name, value }
---@field link? string an http or https address where there is more
---@field buttons? das.button[] only where clicks come back; at most 5
---@field dedup? string the same key with the same event is said once in a while
---@field update? string id of a message that this one takes the place of, where that is possible
---@field thread? string the id of a message that this one answers

---Puts a message on its way to a channel of das.lua. It is sent when the run ends, or later: what
---does not get through waits in the state directory and is tried again. The second result is the
---message's id, for update and thread. Of a report the sessions are shown with their outcomes.
---Secrets of the run are taken out; of statements only the shape is sent, unless the channel says
---redact = false.
---
---Needs the grant "notify:CHANNEL" or "notify". Each message counts as a request of the run. Raises
---for a mistake in the message; nil, message, code when it cannot be queued.
---```text
---local slow = das.preview{ command = "Query", time = "5m" }
---if #slow > 0 then
---  das.notify("ops", { title = #slow .. " statements over 5 minutes", severity = "warning",
---    sessions = slow, dedup = "slow statements" })
---end
---```
---@param channel string
---@param message string|das.message
---@return boolean? queued
---@return string? id or what went wrong
---@return string? code
function das.notify(channel, message) end

-- --- hooks: what a script gets that das serve calls for a chat or an alert (docs/hooks.md) -------

---Who asked: the person of das.lua that the platform's id stands for. Never a name that somebody
---chose in a chat.
---@class (exact) das.hook_user
---@field name string in people of das.lua
---@field id string the platform's id
---@field roles string[]

---@class (exact) das.hook_alert_item
---@field name? string
---@field status? string "firing" or "resolved"
---@field severity? string
---@field instance? string the label das_instance, else instance
---@field summary? string
---@field labels table<string, string>
---@field annotations table<string, string>
---@field starts_at? string
---@field ends_at? string
---@field url? string
---@field key? string
---@field service? string of PagerDuty

---An alert of Alertmanager, Grafana or PagerDuty in one form. Alerts that came before are left out.
---@class (exact) das.hook_alert
---@field source string the platform
---@field status? string
---@field receiver? string
---@field title? string
---@field key? string
---@field url? string
---@field event? string of PagerDuty
---@field truncated? integer alerts that the sender left out
---@field alerts das.hook_alert_item[]

---An answer; it needs a title, a text, fields or sessions. Statements are shown as shapes.
---@class (exact) das.reply
---@field title? string
---@field text? string
---@field severity? das.severity
---@field instance? string
---@field link? string
---@field fields? table<string, string|number|boolean>|string[][]
---@field buttons? das.button[]
---@field sessions? das.selection|das.plan|das.report|das.session[]
---@field public? boolean all of the chat may see it, where the platform can tell (false)

---What the script of a hook is called with: `local req = ...`
---@class das.hook_request
---@field hook string its name in das.lua
---@field platform string "slack", "feishu", "alertmanager", ...
---@field channel? string the hook's channel
---@field kind "command"|"button"|"alert"|"event"
---@field user? das.hook_user nil: a machine
---@field command? string
---@field args? table<string, string|integer> as the command declares them; nothing of it is code
---@field button? string the value of a button that is none of das's
---@field alert? das.hook_alert
---@field json? table the body, where it is JSON
local hook_request = {}

---Answers whoever asked, there and now: to the address that came with the request while it is good,
---else into the chat through the hook's channel. At most 20 answers; each counts as a request of
---the run. Raises for a mistake in the answer.
---```text
---local req = ...
---local found, why = das.instance(req.args.instance):preview{ user = req.args.user }
---req.reply{ title = found and #found .. " sessions" or "failed", text = why, sessions = found }
---```
---@param answer string|das.reply
---@return boolean? sent
---@return string? message
---@return string? code
function hook_request.reply(answer) end

---@class (exact) das.hook_runbook
---@field instance string
---@field params? table<string, string|number|boolean>

---Has a runbook begun on an instance when this script is over. It goes by the rules that das.lua
---has for its own script, das serve carries it on, and its end, or that it waits, is answered like
---req.reply() does. path: beside this script, or absolute; never of what somebody wrote. Needs the
---grant "runbook".
---```text
---local req = ...
---req.runbook("../runbooks/runaway_report.lua", { instance = "orders", params = { user = "app" } })
---```
---@param path string
---@param options das.hook_runbook
---@return boolean? begun
---@return string? message
---@return string? code
function hook_request.runbook(path, options) end

-- --- how das stands ------------------------------------------------------------------------------

---@class (exact) das.breaker_status
---@field policy string
---@field instance string
---@field state string "open" or "half-open"
---@field reason string

---@class (exact) das.standing
---@field stopped? string why nothing is killed: the off switch; nil: it is not set
---@field unknown integer kills whose outcome nobody knows
---@field approvals integer requests that wait, or are being carried out
---@field runbooks integer runs that have not ended
---@field questions integer of runbooks, that wait for an answer
---@field breakers das.breaker_status[] that are not closed

---Would das kill at all, and what should somebody look at? Needs the grant preview.
---```lua
---local now = assert(das.status())
---print(now.stopped or "kills are possible", now.unknown)
---```
---@return das.standing? standing
---@return string? message
---@return string? code
function das.status() end

---@class (exact) das.history_options
---@field instance string
---@field from? integer|string how long ago at the most, "1d" when not said
---@field limit? integer 1 to 100; 20

---@class (exact) das.killed
---@field id integer
---@field at integer Unix seconds
---@field user? string
---@field host? string
---@field db? string
---@field command? string
---@field state? string
---@field sql_info? string as the journal has it
---@field state_duration? integer
---@field source string "task", "api", "policy", "person"
---@field unknown boolean nobody knows what became of it

---What das has killed on an instance lately, newest first; .total counts all of them. Needs the
---grant preview.
---```lua
---for _, kill in ipairs(das.history{ instance = das.instances()[1].name, from = "2h" }) do
---  print(os.date("!%H:%M", kill.at), kill.id, kill.user)
---end
---```
---@param options das.history_options
---@return das.killed[]? kills
---@return string? message
---@return string? code
function das.history(options) end

---Turns the off switch on: no das of this machine kills anything until somebody runs das resume. A
---script cannot turn it off. Needs the grant "stop".
---```text
---assert(das.stop("fail-over of orders"))
---```
---@param reason string one line
---@return boolean? stopped
---@return string? message
---@return string? code
function das.stop(reason) end

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

-- --- das.regex: regular expressions as Perl has them (PCRE2) -----------------------------------

---A compiled pattern. It raises "too complex" on text that would take it too long; tostring() is
---the pattern.
---@class das.regex
local regex = {}

---Does it match anywhere in the text?
---```lua
---local writes = das.regex("^\\s*(insert|update|delete|replace)\\b", "i")
---print(das.preview{ command = "Query" }:where(function(s) return writes:test(s.sql_info) end))
---```
---@param text? string nil, as NULL in a list of sessions, matches nothing
---@return boolean
---@nodiscard
function regex:test(text) end

---What the groups matched, or the whole match where the pattern has none; a group that took no part
---is false. Nothing but nil: no match.
---```lua
---local tag = das.regex([[/\* app=(\w+) \*/]])
---for _, group in ipairs(das.preview{ all = true }:group_by(function(s)
---  return tag:match(s.sql_info)
---end)) do
---  print(group.key or "(no tag)", group.count)
---end
---```
---@param text? string
---@return string|false|nil ...
---@nodiscard
function regex:match(text) end

---A pattern, compiled: do it once, outside loops. Text is bytes, unless flag "u" says UTF-8; "i":
---letters in any case; "m": ^ and $ at each line; "s": . is a line's end, too; "x": white space and
---# comments. A bad pattern raises, with its position.
---```lua
---local reports = das.regex("^report_(daily|weekly)$")
---print(reports:test("report_daily"))
---```
---@param pattern string up to 64 KB
---@param flags? string any of "imsxu"
---@return das.regex
---@nodiscard
function das.regex(pattern, flags) end

-- --- runbooks: das runbook run, docs/runbooks.md -------------------------------------------------

---@class (exact) das.param
---@field type "string"|"integer"|"number"|"boolean"|"duration" duration: whole seconds
---@field default? any none: it has to be given
---@field min? any
---@field max? any
---@field choices? any[] nothing else is taken
---@field help? string

---@class (exact) das.runbook_options
---@field name string
---@field description? string
---@field params? table<string, das.param>
---@field key? string|fun(params: table): string one open run has a key; "instance"
---@field timeout? number|string from start to end, waits included, at most 31 days; "1d"

---Makes the script a runbook; comes before its steps. What is wrong with a parameter, or a run that
---is open with the same key, ends it. The key is "instance" (the name with the instances), "name",
---or what the function returns.
---```text
---local p = das.runbook{ name = "idle", params = { user = { type = "string", default = "%" } } }
---print(p.user)
---```
---@param options das.runbook_options
---@return table<string, any> params das.params
function das.runbook(options) end

---@class (exact) das.step_options
---@field retry? integer attempts in all, 1 to 100; one that acted is not tried again; 1
---@field wait? number|string between attempts, less than 30 s; 1
---@field timeout? number|string of one attempt, at most limits.wall
---@field acts? boolean it changes something that das does not see

---`das.step(name, function(attempt) ... end, options)` is one step of a runbook, with a name of its
---own. When it has finished, its result (what has a JSON form, at most 1 MB) is kept, and a run
---that goes on after a restart gets that instead of running it again. It raises what the function
---raises; nil, message, code goes through. A step that may have acted and has no result stops the
---run until a person has decided. Plans, notices and HTTP that writes are refused outside of steps.
---```text
---local seen = das.step("look", function()
---  return { sessions = #das.preview{ command = "Query", time = 60 } }
---end, { retry = 3, wait = "2s", timeout = "30s" })
---```
---@class das.step
---@overload fun(name: string, f: (fun(attempt: integer): any), options?: das.step_options): any
das.step = {}

---@class (exact) das.ask_options
---@field question string
---@field choices string[] 1 to 20
---@field name? string of the step; the question
---names of people, or "role:NAME"; an empty list: nobody; without one: whoever may write to the
---state directory, and in a chat whom its hook allows
---@field approvers? string[]
---of das.lua: the question is posted there, with a button for each choice where clicks come back
---and there are at most 5; needs the grant notify or notify:CHANNEL
---@field channel? string
---@field ttl? number|string how long the question stands; "8h"
---@field default? string the choice when nobody has answered by then

---Asks people, and waits for hours or days: the run ends here and goes on with the answer.
---```text
---local choice, who = das.step.ask{ name = "kill?", question = "Kill 12 sessions?",
---  choices = { "leave", "kill" }, default = "leave", ttl = "1h" }
---```
---@param options das.ask_options
---@return string? choice nil: nobody answered in time, and there is no default
---@return string? who answered; or a message
---@return string? code "expired"
---@nodiscard
function das.step.ask(options) end

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

-- --- das test: what a file of tests has besides -------------------------------------------------

---A test, in a file that `das test` runs: only there it is known.
---@param name string each name once in a file
---@param f fun(t: das.test)
function test(name, f) end

---`test("NAME", function(t) ... end)` in a file for `das test` is a test, and this is its `t`.
---Each test has a Lua state, limits and a clock of its own, which stands at 2026-01-01T00:00:00Z;
---the file is read anew for each: none sees what another one left. docs/testing.md is a tour.
---```lua
---test("spares the backup user", function(t)
---  t.instance{ sessions = {
---    { id = 7, user = "backup", info = "select * from orders", time = 900 },
---    { id = 8, user = "app", info = "select * from orders", time = 900 },
---  } }
---  local r = t.run("policies/long_select.lua")
---  t.expect(r).victims{ 8 }.spared{ 7 }
---end)
---```
---@class das.test
---@field clock das.test_clock
local test = {}

---An instance in memory: its sessions grow older with the clock, kills work, the test changes it.
---```lua
---test("from a table, and from a recording", function(t)
---  local db = t.instance{ name = "orders", sessions = { { user = "app", info = "select 1" } } }
---  t.equal(db:sessions()[1].command, "Query")
---  local past = t.instance{ name = "past", recording = "recording.jsonl", at = "10s" }
---  t.ok(#past:sessions() > 10)
---end)
---```
---@param options das.test_instance_options
---@return das.test_instance
function test.instance(options) end

---Runs a policy as `das run --apply` would: the same engine, preview, plan and guards. The mode is
---`"auto"` and limits.kill.percent 100 unless `config` says otherwise. The journal is in memory;
---all runs of a test share it, so that counts of kills and the breaker work.
---```lua
---test("a limit refuses", function(t)
---  t.instance{ sessions = { { id = 8, info = "select * from orders", time = 900 } } }
---  local r = t.run("policies/long_select.lua", { "5m" }, { config = { kill = { run = 0 } } })
---  t.expect(r).victims{}.outcome(8, "refused", "limits.kill.run")
---end)
---```
---@param path string beside the file of tests
---@param args? (string|number)[] the policy's arguments
---@param options? das.test_run_options
---@return das.test_result
function test.run(path, args, options) end

---What a request of the policy is answered: nothing leaves the process. The answer that was given
---last goes first; a request without one fails for the policy.
---```lua
---test("tells the chat", function(t)
---  t.http("POST https://hooks.example/*", { status = 200, body = { ok = true } })
---  t.http("GET https://cmdb.example/*", function(request)
---    return { status = request.url:find("orders") and 200 or 404 }
---  end)
---end)
---```
---@param request string "POST https://hooks.example/*": * is any text; without a method it is any
---@param answer das.test_answer|fun(request: das.test_request): das.test_answer
function test.http(request, answer) end

---Called each time when a plan is applied, before das looks at the server once more: the place for
---what happens between a preview and its kills.
---```lua
---test("a victim that moved on is spared", function(t)
---  t.instance{ sessions = { { id = 8, info = "select * from orders", time = 900 } } }
---  t.on_apply(function(db, ids)
---    t.equal(ids, { 8 })
---    db:update(8, { info = "commit" })
---  end)
---  t.expect(t.run("policies/long_select.lua")).victims{}.outcome(8, "changed")
---end)
---```
---@param f fun(db: das.test_instance, ids: integer[]) the instance of the plan, and its victims
function test.on_apply(f) end

---What is expected of a run. The first expectation that does not hold ends the test; it shows what
---differs, and for each session concerned why it was in or out of a preview and what became of it.
---A policy that failed meets no expectation but error().
---```lua
---test("an age that is none", function(t)
---  t.instance{ sessions = {} }
---  t.expect(t.run("policies/long_select.lua", { "soon" })).error("expected").victims{}
---end)
---```
---@param r das.test_result
---@return das.test_expectations
function test.expect(r) end

---Raises unless both are the same: tables by what is in them.
---```lua
---test("equal", function(t)
---  t.equal({ 1, { a = 2 } }, { 1, { a = 2 } }, "two tables")
---end)
---```
---@param got any
---@param want any
---@param name? string for the message
function test.equal(got, want, name) end

---Raises on nil and false.
---```lua
---test("ok", function(t)
---  t.ok(t.clock:now() > 0, "the clock goes")
---end)
---```
---@param value any
---@param name? string for the message
function test.ok(value, name) end

---The clock of a test, of its instances and of the policies that it runs. It stands still unless it
---is moved here, or a policy sleeps or waits, which takes no real time.
---@class das.test_clock
local test_clock = {}

---Makes time pass.
---```lua
---test("a minute later", function(t)
---  local db = t.instance{ sessions = { { time = 5 } } }
---  t.clock:advance("1m")
---  t.equal(db:sessions()[1].state_duration, 65)
---end)
---```
---@param by integer|number|string seconds, or "5m"
---@return integer now Unix seconds
function test_clock:advance(by) end

---Moves it to a moment that is not in its past.
---```lua
---test("at night", function(t)
---  t.clock:set("2026-11-24T03:00:00Z")
---  t.equal(das.time.format(t.clock:now()), "2026-11-24T03:00:00Z")
---end)
---```
---@param at string|integer "2026-11-24T03:00:00Z", or Unix seconds
---@return integer now Unix seconds
function test_clock:set(at) end

---What time it is there.
---```lua
---test("every test begins at the same time", function(t)
---  t.equal(t.clock:now(), 1767225600)
---end)
---```
---@return integer now Unix seconds
function test_clock:now() end

---Either sessions or a recording.
---@class (exact) das.test_instance_options
---@field name? string "db1", "db2", ... by itself
---@field sessions? das.test_session[]
---@field recording? string the path of a recorded list, beside the file of tests
---@field snapshot? integer the number of a snapshot in it; 1
---@field at? integer|string so long after its first snapshot
---@field of? string the instance, where a recording holds several

---A session as a test gives it. What is not given is guessed: the next id and query_id, user "app",
---host "10.0.0.1:1", command "Query" with a statement and "Sleep" without, time 0, no transaction.
---@class (exact) das.test_session
---@field id? integer
---@field user? string|false false is NULL, here and in all texts
---@field host? string|false
---@field db? string|false
---@field command? string|false
---@field state? string|false
---@field info? string|false the statement, by the name that a filter has for it
---@field sql_info? string|false the same
---@field time? integer|string|false seconds or "5m"; false: unknown
---@field state_duration? integer|string|false the same
---@field time_ms? integer|string|false
---@field query_id? integer|string|false
---@field trx_time? integer|string|false seconds or "5m"; false: no transaction, "unknown": not told
---@field rows_modified? integer|string|false 0 in a transaction; "unknown"
---@field rows_examined? integer|string|false
---@field progress? number per cent
---@field trx_id? integer|string|false
---@field blocked_by? integer|string|false

---An instance of a test.
---@class das.test_instance
---@field name string
local test_instance = {}

---A session comes.
---```lua
---test("add", function(t)
---  local db = t.instance{ sessions = { { id = 7 } } }
---  t.equal(db:add{ user = "app", info = "select 1" }, 8)
---end)
---```
---@param session das.test_session
---@return integer id
function test_instance:add(session) end

---A session does something else. What is not given stays; another statement or command begins with
---time 0 and a query_id of its own, and "Sleep" has no statement.
---```lua
---test("update", function(t)
---  local db = t.instance{ sessions = { { id = 8, info = "select 1", time = 900 } } }
---  db:update(8, { info = "select 2" })
---  t.equal(db:sessions()[1].state_duration, 0)
---end)
---```
---@param id integer
---@param changes das.test_session but for its id
function test_instance:update(id, changes) end

---A session ends by itself.
---```lua
---test("remove", function(t)
---  local db = t.instance{ sessions = { { id = 8 } } }
---  db:remove(8)
---  t.equal(#db:sessions(), 0)
---end)
---```
---@param id integer
function test_instance:remove(id) end

---Who is there now.
---```lua
---test("sessions", function(t)
---  local db = t.instance{ sessions = { { user = "app" }, { user = "etl" } } }
---  t.equal(db:sessions()[2].user, "etl")
---end)
---```
---@return das.session[]
---@nodiscard
function test_instance:sessions() end

---From here on nobody reaches it: a preview gives nil and a message.
---```lua
---test("down", function(t)
---  t.instance{ sessions = {} }:down("Too many connections")
---  t.expect(t.run("policies/long_select.lua")).error("Too many connections")
---end)
---```
---@param why? string
function test_instance:down(why) end

---It is there again.
---```lua
---test("up", function(t)
---  local db = t.instance{ sessions = {} }
---  db:down()
---  db:up()
---  t.expect(t.run("policies/long_select.lua")).no_error()
---end)
---```
function test_instance:up() end

---@class (exact) das.test_run_options
---@field config? das.test_config
---@field apply? boolean false: a dry run
---@field approvals? "approve"|"reject"|"none" what people say to plan:request_approval ("none")
---@field hook? das.test_hook the script is that of a hook, and this is what it gets
---@field params? table of a runbook: { limit = 3 }
---@field answers? table to its questions, by step: a choice, or a function(question)

---@class (exact) das.test_hook
---@field command? string
---@field args? table<string, string|integer>
---@field user? string|das.hook_user alice with the role dba when not said
---@field platform? string
---@field channel? string
---@field kind? string
---@field alert? table
---@field json? table
---@field button? string
---@field hook? string

---What das.lua can say for one script (docs/scripts.md and docs/guards.md), and what it protects.
---@class (exact) das.test_config
---@field mode? "observe"|"notify"|"approve"|"auto"
---@field kill? table { run = 10, minute = 30, user = 20, window = "10m", percent = 100, ... }
---@field limits? table { memory = "64MB", cpu = "5s", wall = "60s", ... }
---@field grants? string[] all that a test can answer for, unless there is a list
---@field windows? table[] { { days = "mon-fri", from = "22:00", to = "06:00", tz = "UTC" } }
---@field freezes? table[] { { from = "2026-12-20", to = "2027-01-03" } }
---@field breaker? table { failures = 1, respawns = 3, ... }
---@field ramp? boolean
---@field outcome_wait? integer|string
---@field protect? das.criteria[] sessions that are left alone
---@field secrets? table<string, string> made up values for das.secret()

---@class (exact) das.test_answer
---@field status? integer 200
---@field body? string|table a table is sent as JSON
---@field headers? table<string, string|integer>

---@class das.test_request
---@field method string
---@field url string
---@field body string "" when there is none
---@field headers table<string, string> names in lower case
---@field status? integer of the answer; nil: there was none

---What came of a run. Read-only.
---@class das.test_result
---@field victims integer[] sessions that were killed, in order
---@field outcomes table<integer, string> by session: "killed", "changed", "refused", ...
---@field notes table<integer, string> why, by session
---@field reports table[] { { id = 8, instance = "orders", outcome = "killed", note = "" } }
---@field previews table[] { { instance = "orders", filter = "{...}", ids = { 8 } } }
---@field plans table[] { { instance = "orders", kill = "query", reason = "...", ids = { 8 } } }
---@field output string what print() wrote
---@field log string[] lines of the log
---@field requests das.test_request[] HTTP, with those that had no answer
---of das.notify, and questions of runbooks: channel, title, fields by name, ids of sessions
---@field messages das.message[]
---@field runbooks table[] that the script of a hook has begun: script, instance, params
---@field replies table[] of req.reply: title, text, fields by name, ids of sessions, public
---@field ok boolean it ran to its end
---@field error? string why not
---@field limit? string the limit of the script that struck: "cpu", "memory", ...
---@field refused? string why a plan, or what was left of it, was refused
---@field waiting boolean a runbook that asks what the test has no answer to
---@field steps table[] of a runbook: { { name = "look", kind = "step", status = "done" } }

---Each is called with a dot and gives the same again, so that they can follow one another.
---A pattern is plain text or a Lua pattern: whichever is found.
---@class das.test_expectations
local test_expectations = {}

---Exactly these were killed, in this order.
---```lua
---test("oldest first", function(t)
---  t.instance{ sessions = {
---    { id = 1, info = "select a from t", time = 100 },
---    { id = 2, info = "select b from t", time = 200 },
---  } }
---  t.expect(t.run("policies/long_select.lua")).victims{ 2, 1 }
---end)
---```
---@param ids integer[]
---@return das.test_expectations
function test_expectations.victims(ids) end

---None of these was killed; each of them was there.
---```lua
---test("spared", function(t)
---  t.instance{ sessions = { { id = 7, user = "backup", info = "select * from t", time = 900 } } }
---  t.expect(t.run("policies/long_select.lua")).spared{ 7 }
---end)
---```
---@param ids integer[]
---@return das.test_expectations
function test_expectations.spared(ids) end

---What became of a session that was in a plan.
---```lua
---test("observe", function(t)
---  t.instance{ sessions = { { id = 8, info = "select * from t", time = 900 } } }
---  local r = t.run("policies/long_select.lua", {}, { config = { mode = "observe" } })
---  t.expect(r).outcome(8, "refused", "observe")
---end)
---```
---@param id integer
---@param kind string "killed", "killing", "dry_run", "gone", "changed", "protected", "refused", ...
---@param note? string a pattern in the reason
---@return das.test_expectations
function test_expectations.outcome(id, kind, note) end

---Somebody was told: a message of das.notify, the body of a request, or a warning or an error in
---the log.
---```lua
---test("notify", function(t)
---  t.instance{ name = "orders", sessions = { { info = "select * from t", time = 900 } } }
---  local r = t.run("policies/long_select.lua", {}, { config = { mode = "notify" } })
---  t.expect(r).notified("would kill 1 on orders")
---end)
---```
---@param pattern string
---@return das.test_expectations
function test_expectations.notified(pattern) end

---So many HTTP requests, with those that had no answer.
---```lua
---test("asks nobody", function(t)
---  t.instance{ sessions = {} }
---  t.expect(t.run("policies/long_select.lua")).requests(0)
---end)
---```
---@param n integer
---@return das.test_expectations
function test_expectations.requests(n) end

---What print() wrote has it.
---```lua
---test("prints", function(t)
---  t.instance{ sessions = {} }
---  t.expect(t.run("policies/long_select.lua")).output("0 sessions match")
---end)
---```
---@param pattern string
---@return das.test_expectations
function test_expectations.output(pattern) end

---The policy failed, with such a message.
---```lua
---test("cannot look", function(t)
---  t.instance{ sessions = {} }:down("no route")
---  t.expect(t.run("policies/long_select.lua")).error("cannot look at the sessions: .*no route")
---end)
---```
---@param pattern string
---@return das.test_expectations
function test_expectations.error(pattern) end

---The policy ran to its end. Every other expectation but error() says so, too.
---```lua
---test("runs", function(t)
---  t.instance{ sessions = {} }
---  t.expect(t.run("policies/long_select.lua")).no_error()
---end)
---```
---@return das.test_expectations
function test_expectations.no_error() end

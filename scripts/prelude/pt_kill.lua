-- das import-pt-kill: a policy that chooses as pt-kill does, written as a DBA would. Compiled in;
-- called once with parse (pt_kill_options.lua), how things are written (pt_kill_text.lua) and what
-- the program lends (bindings/import.c). Returns translate(args): the policy's text and notes for
-- whoever asked, or nil and what is wrong.
local parse, written, host = ...

local comment, quoted_lines, literal = written.comment, written.quoted_lines, written.literal
local typed, command_line = written.option, written.command_line

-- --- what has another place in das ---------------------------------------------------------------

local elsewhere = {
  { "ask-pass charset database defaults-file host password port set-vars socket user",
    "das run -i says which instance; address and account stand in das.lua" },
  { "daemonize pid log", "a systemd unit starts das run and keeps what it prints" },
  { "verbose",
    "das explain --policy says what became of each session; DAS_LOG_LEVEL=debug says more" },
  { "interval run-time wait-after-kill", "a timer decides how often das run looks (see above)" },
  { "sentinel", "das stop REASON is the off switch of every policy, das resume ends it" },
  { "log-dsn create-log-table", "the journal holds every kill, before and after: das audit list" },
  { "query-id", "s.fingerprint says what kind of statement it is" },
  { "fingerprint", "print(s.fingerprint) for each of the victims" },
  { "json json-fields", "das run -o json" },
  { "slave-user slave-password", "das does not look for replicas" },
  { "version-check", "das asks nobody for news" },
  { "test-matching", "das run -i file:FILE; das replay runs the policy over a whole recording" },
  { "rds", "das kills with KILL and does not call mysql.rds_kill: see to the account's rights" },
}

local function carried_elsewhere(options)
  local given, lines = {}, {}
  for _, option in ipairs(options.given) do
    given[option.name] = true
  end
  for _, entry in ipairs(elsewhere) do
    local names = {}
    for name in entry[1]:gmatch("%S+") do
      names[#names + 1] = given[name] and "--" .. name or nil
    end
    if #names > 0 then
      lines[#lines + 1] = comment("* " .. table.concat(names, ", ") .. ": " .. entry[2], "", "  ")
    end
  end
  if #options.words > 0 then
    lines[#lines + 1] = comment("* the DSN: " .. elsewhere[1][2], "", "  ")
  end
  return lines
end

-- --- the policy ----------------------------------------------------------------------------------

local Policy = {}
Policy.__index = Policy

function Policy:add(text, ...)
  self.lines[#self.lines + 1] = select("#", ...) > 0 and text:format(...) or text
end

function Policy:say(text, indent)
  self.lines[#self.lines + 1] = comment(text, indent)
end

function Policy:note(text, ...)
  self.notes[#self.notes + 1] = text:format(...)
end

-- How often pt-kill looks: by itself half of busy-time.
local function interval(values)
  if values.interval ~= nil then
    return values.interval or 0
  elseif values["busy-time"] then
    return math.max(1, values["busy-time"] // 2)
  end
  return 30
end

function Policy:header(options)
  self:add("-- Written by das import-pt-kill from\n--")
  self:add(command_line(options))
  self:add("--")
  self:say(("pt-kill looks every %d s. das run looks once: a systemd timer or cron starts it, and "
    .. "it only kills with --apply and mode = \"auto\" in das.lua. Before that: das check, das "
    .. "replay on a recording, das test."):format(interval(self.o)))
  local others = carried_elsewhere(options)
  if #others > 0 then
    self:add("--\n-- What has another place in das:")
    self:add(table.concat(others, "\n"))
  end
  self:add([[
--
-- What das does otherwise, on purpose:
-- * Replication, system accounts, das itself and sessions that are Killed already are out before
--   anything is chosen; pt-kill knows "system user" and Binlog Dump, and kills Binlog Dump GTID.
-- * A session whose Time is not known is no victim; pt-kill takes NULL for 0, and 4294967295 as it
--   stands.
-- * Every victim is looked at again at the moment of its kill; the limits of das.lua hold.]])
  if self.o["replication-threads"] then
    self:say("* --replication-threads is not obeyed: no policy can kill replication.")
    self:note("--replication-threads: das never kills replication")
  end
  if self.o["ignore-self"] == false then
    self:say("* --no-ignore-self is not obeyed: das never kills its own sessions.")
  end
  self:add("")
end

local columns = { "user", "host", "db", "state", "command", "info" } -- as pt-kill asks them
local field_of = {
  id = "id", user = "user", host = "host", db = "db", command = "command",
  time = "state_duration", state = "state", info = "sql_info",
}

local function refuse(message, ...)
  error({ message = message:format(...) }, 0)
end

-- das.regex(...) for each of match and ignore; a pattern that PCRE2 refuses is an error.
function Policy:patterns()
  local any = false
  for _, column in ipairs(columns) do
    for _, verb in ipairs{ "ignore", "match" } do
      local name = verb .. "-" .. column
      local pattern = self.o[name]
      if name == "ignore-state" and pattern == nil then
        self:say("pt-kill's own default. It spares nobody since MySQL 5.5, where who waits is "
          .. "\"Waiting for ... lock\"; take it away if you like.")
        pattern = "Locked"
      end
      if pattern == "" then
        refuse("--%s: to Perl an empty pattern is the last one that matched anything, so what "
          .. "pt-kill does with it is an accident; %s", name, name == "ignore-state"
          and "what spares nobody is '(?!)'" or "leave it out")
      elseif pattern then
        local good, message = pcall(das.regex, pattern)
        if not good then
          refuse("--%s: %s", name, (tostring(message):gsub("^.-regex: ", "")))
        end
        self:add("local %s_%s = das.regex(%s)", verb, column, literal(pattern))
        self.has[name] = true
        any = true
      end
    end
  end
  if any then
    self:add("")
  end
end

-- pt-kill strips comments as soon as it groups, before it matches.
function Policy:strip_function()
  local o = self.o
  if not o["group-by"] or o["strip-comments"] == false then
    return
  end
  self.strips = self.has["match-info"] or self.has["ignore-info"] or self.group == "sql_info"
  if not self.strips then
    return
  end
  self:say("--group-by: then pt-kill takes the comments out of the statement, before it matches "
    .. "and groups (not with --no-strip-comments). A -- or # with a quote behind it stays.")
  self:add([[
local function strip(sql)
  sql = sql and sql:gsub("/%*[^!].-%*/", "")
  sql = sql and sql:gsub("%-%-[^'\"\r\n]*%f[\r\n\0]", "")
  return sql and (sql:gsub("#[^'\"\r\n]*%f[\r\n\0]", ""))
end
]])
end

function Policy:filter_function()
  local code = self.o.filter
  if not code then
    return
  end
  code = not code:find("[%s;]") and host.read(code) or code
  self:say("--filter is Perl, which das does not run: say it in Lua and take the error away. "
    .. "Until then this policy ends here and kills nothing. $event->{Id}, {User}, {Host}, {db}, "
    .. "{Command}, {Time}, {State} and {Info} are s.id, s.user, s.host, s.db, s.command, "
    .. "s.state_duration, s.state and s.sql_info here, where NULL is nil.")
  self:add("--\n" .. quoted_lines(code))
  self:add([[
local function filter(s)
  error(("--filter of pt-kill is not translated yet (session %d)"):format(s.id))
end
]])
  self:note("--filter is Perl: translate it where the policy says so; until then it kills nothing")
end

-- The commands that --busy-time is for, as a condition on s.command.
function Policy:busy_commands()
  local list = self.o["kill-busy-commands"] or "Query"
  local names = {}
  for name in list:gmatch("[^,]+") do
    name = name:gsub("^%s+", ""):gsub("%s+$", "")
    if name ~= "" then
      names[#names + 1] = name
      self.busy[name] = true
    end
  end
  if not self.o["busy-time"] then
    return
  end
  for _, name in ipairs(names) do
    local good, message = pcall(das.filter, { command = name })
    if name:find("|", 1, true) then
      self:say(("--kill-busy-commands is a comma list: no command is called %q, so pt-kill's "
        .. "--busy-time matches nothing with it."):format(name))
      self:note("--kill-busy-commands %s: it is a comma list; no command has that name", name)
    elseif not good or name:lower() == name then
      self:say(("--kill-busy-commands: no command is called %q; upper and lower case count. "
        .. "pt-kill's --busy-time matches nothing with it."):format(name))
      self:note("--kill-busy-commands %s: %s", name, good and "upper and lower case count"
        or tostring(message):gsub("^.-: ", ""))
    end
  end
  if #names == 1 then
    self.is_busy = ("s.command == %s"):format(literal(names[1]))
  else
    local keys = {}
    for i, name in ipairs(names) do
      keys[i] = ("[%s] = true"):format(literal(name)):gsub('^%["(%a[%w_]*)"%]', "%1")
    end
    self:add("local busy = { %s } -- --kill-busy-commands\n", table.concat(keys, ", "))
    self.is_busy = "busy[s.command]"
  end
end

-- Without a match option time alone speaks for a session: each command by its own rule.
function Policy:by_time_alone()
  local busy, idle = self.o["busy-time"], self.o["idle-time"]
  if busy and idle and self.busy.Sleep then
    self:say("Sleep is among the busy commands, too: both times hold for it.", "  ")
    self:add("  if s.command == \"Sleep\" then return s.state_duration >= %d end",
      math.max(busy, idle))
  elseif idle then
    self:say(("--idle-time: at least %d s, though its manual says longer."):format(idle), "  ")
    self:add("  if s.command == \"Sleep\" then return s.state_duration >= %d end", idle)
  end
  if busy then
    self:say(("--busy-time: at least %d s, though its manual says longer."):format(busy), "  ")
    self:add("  if %s then return s.state_duration >= %d end", self.is_busy, busy)
  end
  if not busy and not idle then
    self:say("No option says what to match: pt-kill matches nothing then. --match-all would mean "
      .. "everything that is not ignored.", "  ")
    self:note("no option says what to match: pt-kill does nothing with these, nor does the policy")
  end
  self:add("  return false")
end

-- With one, times only hold back: a session of another command is not asked for its age.
function Policy:time_holds_back()
  local busy, idle = self.o["busy-time"], self.o["idle-time"]
  if busy then
    self:say(("--busy-time: at least %d s, though its manual says longer. It only speaks of the "
      .. "busy commands: any other one goes on here, however young."):format(busy), "  ")
    self:add("  if %s and s.state_duration < %d then return false end", self.is_busy, busy)
  end
  if idle then
    self:say(("--idle-time: at least %d s, and only for Sleep: any other command goes on here.")
      :format(idle), "  ")
    self:add("  if s.command == \"Sleep\" and s.state_duration < %d then return false end", idle)
  end
end

function Policy:wanted()
  local matching, vetoes = self.o["match-all"], {}
  for _, column in ipairs(columns) do
    local value = "s." .. field_of[column]
    if column == "info" and self.strips then
      value = "strip(s.sql_info)"
    end
    if self.has["ignore-" .. column] then
      vetoes[#vetoes + 1] = ("  if ignore_%s:test(%s) then return false end"):format(column, value)
    end
    if self.has["match-" .. column] then
      matching = true
      vetoes[#vetoes + 1] = ("  if not match_%s:test(%s) then return false end"):format(column,
        value)
    end
  end
  self:say("What pt-kill would take. Every match option has to hold - its manual says that any one "
    .. "will do - and any ignore option spares. NULL matches nothing.")
  self:add("local function wanted(s)")
  if self.o.filter then
    self:add("  if not filter(s) then return false end")
  end
  self:add("  if not s.state_duration then return false end -- Time is not known")
  if matching then
    self:time_holds_back()
  end
  for _, line in ipairs(vetoes) do
    self:add(line)
  end
  if matching then
    self:add("  return true")
  else
    self:by_time_alone()
  end
  self:add("end\n")
end

local keep = {
  oldest = "  return class:pick{ places[1] }", all = "  return class:pick(places)",
  ["all-but-oldest"] = "  table.remove(places, 1)\n  return class:pick(places)",
}

function Policy:chosen()
  self:say(("--victims %s, longest Time first. Of equal ones pt-kill takes the last of the list as "
    .. "the oldest (das's own oldest() the smaller id)."):format(self.o.victims))
  self:add([[
local function chosen(class)
  local age, places = {}, {}
  for i, s in ipairs(class) do
    age[i], places[i] = s.state_duration, i
  end
  table.sort(places, function(a, b)
    if age[a] == age[b] then return a > b end
    return age[a] > age[b]
  end)]])
  self:add(keep[self.o.victims])
  self:add("end\n")
end

-- Class matches, of the sessions that matched.
function Policy:class_tests()
  local o, count = self.o, self.o["query-count"]
  if count and count > 0 then
    self:say("--query-count: of the sessions that matched, not of all in the class", "  ")
    self:add("  if #class < %d then return end", count)
  end
  local each, any = o["each-busy-time"], o["any-busy-time"]
  if each or any then
    self:say(("--%s-busy-time: more than %d s, unlike --busy-time, and of any command")
      :format(each and "each" or "any", each or any), "  ")
    self:add(each and "  if #class:where{ time = %d } < #class then return end"
      or "  if #class:where{ time = %d } == 0 then return end", (each or any) + 1)
  end
end

function Policy:reason()
  local parts = {}
  for _, option in ipairs(self.given) do
    local name = option.name
    if name:find("^match%-") or name:find("busy%-time$") or name == "idle-time"
       or name == "query-count" then
      parts[#parts + 1] = typed(option)
    end
  end
  local reason = "as pt-kill " .. table.concat(parts, " ")
  return #reason <= 200 and reason or reason:sub(1, 197):gsub("[\128-\255]*$", "") .. "..."
end

function Policy:execute_command()
  local command = self.o["execute-command"]
  if not command then
    return
  end
  self:say("--execute-command: das starts no programs. Here it can tell what happens, which "
    .. "pt-kill cannot: das.http.post(\"https://...\", { json = ... }). For each victim pt-kill "
    .. "ran:", "  ")
  self:add(quoted_lines(command, "  "))
  self:note("--execute-command: das starts no programs; the policy has a place for das.http")
end

function Policy:act()
  local o = self.o
  local kill = o.kill and "connection" or o["kill-query"] and "query"
  self:add("local function act(class)")
  self:class_tests()
  self:add([[
  local victims = chosen(class)
  if #victims == 0 then return end]])
  if o.print or not kill then
    self:add("  print(victims)")
  end
  self:execute_command()
  if kill then
    local wait = o["wait-before-kill"]
    if kill == "query" then
      self:say("KILL QUERY does nothing to an idle session: das refuses it, pt-kill calls it done.",
        "  ")
    end
    self:add("  local plan, message = victims:plan{\n    kill = %q,%s\n    reason = %s,\n  }", kill,
      wait and (" ttl = %d,"):format(math.min(wait + 60, 86400)) or "", literal(self:reason()))
    self:add("  if not plan then error(message) end")
    if wait then
      self:say("--wait-before-kill, once for all of them. pt-kill kills blindly afterwards; das "
        .. "looks again." .. (wait >= 60 and " limits.wall in das.lua has to allow so long." or ""),
        "  ")
      self:add("  das.sleep(%d)", wait)
    end
    self:add("  print(plan:apply())")
  else
    self:say(o.print and "pt-kill was asked to print only. docs/from-pt-kill.md shows how to kill."
      or "pt-kill was not asked to kill.", "  ")
  end
  self:add("end\n")
end

-- What --group-by makes classes by, as an expression on s; nil: one class of all.
function Policy:group_key()
  local by = self.o["group-by"]
  if not by then
    return nil
  end
  local column = by:lower()
  if by == "fingerprint" then
    self.group = "fingerprint"
  elseif field_of[column] then
    self.group = field_of[column]
  elseif self.o.filter then
    self.group = "filter"
  else
    self.unknown_group = by
  end
end

function Policy:main()
  self:add([[
local found, why = das.preview{ all = true } -- wanted() decides (das check: ignore)
if not found then
  error("cannot look at the sessions: " .. why)
end
found = found:unprotected():where(wanted)]])
  local group = self.group
  if self.unknown_group then
    self:say(("--group-by %s: the process list has no such column: all are one class for pt-kill.")
      :format((self.unknown_group:gsub("%c", "?"))))
    self:note("--group-by %s: no such column; pt-kill takes all for one class", self.unknown_group)
  elseif group == "filter" then
    self:say("--group-by: a column that --filter made. Say here what it holds.")
    self:add([[
for _, group in ipairs(found:group_by(function(s)
  error(("--group-by %s is not translated yet (session %%d)"):format(s.id))
end)) do
  act(group.sessions)
end]], self.o["group-by"]:gsub('[%c"\\%%]', "?"))
    self:note("--group-by %s: a column of the filter; translate it, too", self.o["group-by"])
  elseif group then
    local key = group == "sql_info" and self.strips and "strip(s.sql_info)" or "s." .. group
    if group == "fingerprint" then
      self:say("--group-by fingerprint: das's own, a little coarser (docs/from-pt-kill.md).")
    end
    self:say("A class of each value; NULL and \"\" are one for pt-kill.")
    self:add("for _, group in ipairs(found:group_by(function(s) return %s or \"\" end)) do", key)
    self:add("  act(group.sessions)\nend")
  end
  if not group then
    self:add("act(found)")
  end
end

local off = { "busy-time", "idle-time", "any-busy-time", "each-busy-time" }

local function write(options)
  local policy = setmetatable({ lines = {}, notes = {}, o = options.values, given = options.given,
    has = {}, busy = {} }, Policy)
  policy:header(options)
  for _, name in ipairs(off) do
    if options.values[name] == false then
      policy:say(("--%s 0 is no --%s for pt-kill."):format(name, name))
    end
  end
  policy:group_key()
  policy:patterns()
  policy:busy_commands()
  policy:strip_function()
  policy:filter_function()
  policy:wanted()
  policy:chosen()
  policy:act()
  policy:main()
  return table.concat(policy.lines, "\n") .. "\n", policy.notes
end

return function(args)
  local options, message = parse(args)
  if not options then
    return nil, message
  end
  local good, text, notes = pcall(write, options)
  if good then
    return text, notes
  elseif type(text) == "table" then
    return nil, text.message
  end
  error(text, 0)
end

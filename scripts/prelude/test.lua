-- What a test of a policy has: t. Compiled in; called once for each test with the functions of
-- bindings/test_*.c, das, and the chunk of expect.lua; gives the function that runs the test.
local host, das, expectations = ...
local raise, show = host.raise, host.show

local instances, by_name, known = {}, {}, {} -- known: every id that any of them ever had
local answers, on_apply, runs = {}, {}, {}
local expect = expectations(host, runs, known)

local function expected(what, want, got)
  raise(("%s: expected %s, got %s"):format(what, want, type(got)))
end

-- --- the clock ----------------------------------------------------------------------------------

local LAST = 253402300799 -- 9999-12-31T23:59:59Z
local clock = {}

function clock.now()
  return host.clock_now() // 1000
end

function clock.advance(self, by)
  if self ~= clock then
    raise('t.clock.advance: call it with a colon, as t.clock:advance("60s")')
  end
  local ms = host.clock_now() + math.floor(host.seconds(by, "t.clock:advance") * 1000 + 0.5)
  if ms // 1000 > LAST then
    raise("t.clock:advance: the clock goes to the year 9999")
  end
  host.clock_move(ms)
  return clock.now()
end

function clock.set(self, at)
  if self ~= clock then
    raise('t.clock.set: call it with a colon, as t.clock:set("2026-11-24T03:00:00Z")')
  end
  local when, why = at, nil
  if type(at) == "string" then
    when, why = das.time.parse(at)
  end
  if math.type(when) ~= "integer" or when < 0 or when > LAST then
    raise(('t.clock:set: expected a time such as "2026-11-24T03:00:00Z" or Unix seconds, got %s%s')
      :format(show(at), why and " (" .. why .. ")" or ""))
  end
  if when * 1000 < host.clock_now() then
    raise("t.clock:set: a clock does not go back: it is " .. das.time.format(clock.now()))
  end
  host.clock_move(when * 1000)
  return when
end

-- --- instances ----------------------------------------------------------------------------------

local database = {}
database.__index = database

local function check_db(self, name)
  if getmetatable(self) ~= database then
    raise(("db.%s: call it with a colon, as db:%s(...)"):format(name, name))
  end
  return self.handle
end

function database:add(session)
  local id = host.add(check_db(self, "add"), session)
  known[id] = true
  return id
end

function database:update(id, changes)
  host.update(check_db(self, "update"), id, changes)
end

function database:remove(id)
  host.remove(check_db(self, "remove"), id)
end

function database:sessions()
  return host.sessions(check_db(self, "sessions"))
end

-- Whoever asks for its sessions hears why there is no answer, until db:up().
function database:down(why)
  if why ~= nil and type(why) ~= "string" then
    expected("db:down", "a message", why)
  end
  host.down(check_db(self, "down"), why or "no connection")
end

function database:up()
  host.down(check_db(self, "up"))
end

local function new_instance(options)
  if type(options) ~= "table" then
    expected("t.instance", "a table with sessions or a recording", options)
  end
  host.options(options, "t.instance", { "name", "sessions", "recording", "snapshot", "at", "of" })
  local name = options.name or ("db" .. #instances + 1)
  if type(name) ~= "string" or name == "" then
    expected("t.instance: name", "a name", name)
  end
  if by_name[name] then
    raise(('t.instance: name: there is an instance "%s" already'):format(name))
  end
  local sessions, recording = options.sessions, options.recording
  if (sessions == nil) == (recording == nil) then
    raise("t.instance: expected either sessions = { ... } or recording = \"PATH\"")
  end
  if sessions ~= nil then
    if type(sessions) ~= "table" then
      expected("t.instance: sessions", "a list of tables", sessions)
    end
    for key in pairs(sessions) do
      if math.type(key) ~= "integer" or key < 1 or key > #sessions then
        raise("t.instance: sessions: expected a list of tables, got the key " .. show(key))
      end
    end
    for _, key in ipairs{ "snapshot", "at", "of" } do
      if options[key] ~= nil then
        raise(("t.instance: %s: goes with a recording"):format(key))
      end
    end
  elseif type(recording) ~= "string" then
    expected("t.instance: recording", "a path", recording)
  end
  if options.snapshot ~= nil and options.at ~= nil then
    raise("t.instance: snapshot and at: expected one of them")
  end
  local db = setmetatable({ name = name, handle = host.open(name, options) }, database)
  for _, s in ipairs(host.sessions(db.handle)) do
    known[s.id] = true
  end
  instances[#instances + 1] = db.handle
  by_name[name] = db
  return db
end

-- --- HTTP ---------------------------------------------------------------------------------------

-- "POST https://hooks.example/*": * is any text. Without a method it is any.
local function add_answer(what, answer)
  if type(what) ~= "string" then
    expected("t.http", 'a request such as "POST https://hooks.example/*"', what)
  end
  local method, url = what:match("^(%u+) (.+)$")
  url = url or what
  if not url:find("^https?://") and not url:find("^%*") then
    raise(('t.http: expected a request such as "POST https://hooks.example/*", got "%s"')
      :format(what))
  end
  if type(answer) == "table" then
    host.options(answer, "t.http", { "status", "body", "headers" })
  elseif type(answer) ~= "function" then
    expected("t.http", "an answer { status = 200, body = ... } or a function(request)", answer)
  end
  local pattern = "^" .. url:gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*", ".*") .. "$"
  answers[#answers + 1] = { method = method, url = pattern, answer = answer }
end

local function headers_of(answer)
  local headers = {}
  if answer.headers ~= nil and type(answer.headers) ~= "table" then
    expected("t.http: headers", "a table", answer.headers)
  end
  for name, value in pairs(answer.headers or {}) do
    if type(name) ~= "string" or type(value) ~= "string" and math.type(value) ~= "integer" then
      raise("t.http: headers: expected names and their texts")
    end
    headers[name:lower()] = tostring(value)
  end
  return headers
end

local function answer_of(entry, request)
  local answer = entry.answer
  if type(answer) == "function" then
    answer = answer(request)
    if type(answer) ~= "table" then
      expected("t.http: the function's answer", "a table { status = 200, body = ... }", answer)
    end
    host.options(answer, "t.http: the function's answer", { "status", "body", "headers" })
  end
  local status, body, headers = answer.status or 200, answer.body or "", headers_of(answer)
  if math.type(status) ~= "integer" or status < 100 or status > 599 then
    raise("t.http: status: expected 100 to 599, got " .. show(status))
  end
  if type(body) == "table" then
    body = das.json.encode(body)
    headers["content-type"] = headers["content-type"] or "application/json"
  elseif type(body) ~= "string" then
    expected("t.http: body", "a text, or a table to send as JSON", body)
  end
  return status, body, headers
end

-- What the policy's requests come to. The answer that was given last goes first.
local function answerer(requests)
  return function(method, url, body, headers)
    local request = { method = method, url = url, body = body or "", headers = headers }
    requests[#requests + 1] = request
    for i = #answers, 1, -1 do
      local entry = answers[i]
      if (not entry.method or entry.method == method) and url:find(entry.url) then
        local status, text, fields = answer_of(entry, request)
        request.status = status
        return status, text, fields
      end
    end
    return nil, ("the test has no answer for %s %s (t.http gives one)"):format(method, url)
  end
end

-- --- a run --------------------------------------------------------------------------------------

-- r is empty in front of the fields, so that it is known whether anybody looked at its error, and a
-- misspelt name is no nil.
local result = {}
local optional = { error = true, limit = true, refused = true }

function result.__index(r, key)
  local run = runs[r]
  if key == "error" or key == "ok" then
    run.looked = true
  end
  local value = run.fields[key]
  if value == nil and not optional[key] then
    raise(("a result has no field %s; it has victims, outcomes, notes, reports, previews, plans, "
      .. "steps, waiting, output, log, requests, messages, replies, runbooks, ok, error, limit, "
      .. "refused"):format(show(key)))
  end
  return value
end

function result.__newindex()
  raise("a result is read-only")
end

function result.__pairs(r)
  return pairs(runs[r].fields)
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch("[^\n]+") do
    lines[#lines + 1] = line
  end
  return lines
end

local function run_hooks(name, ids)
  for _, f in ipairs(on_apply) do
    f(by_name[name], ids)
  end
end

-- What the script of a hook is called with, as JSON; nil: it is the script of no hook.
local function hook_request(hook)
  if hook == nil then
    return nil
  end
  if type(hook) ~= "table" then
    expected("t.run: hook", "a table such as { command = \"preview\", args = { ... } }", hook)
  end
  host.options(hook, "t.run: hook",
    { "hook", "platform", "channel", "kind", "user", "command", "args", "alert", "json", "button" })
  local user = hook.user
  if type(user) == "string" then
    user = { name = user, id = user, roles = das.json.empty_array }
  end
  local machine = hook.alert ~= nil or hook.json ~= nil
  return das.json.encode{
    hook = hook.hook or "test", platform = hook.platform or (machine and "alertmanager" or "slack"),
    kind = hook.kind or (hook.alert and "alert" or machine and "event" or "command"),
    user = user or (not machine and { name = "alice", id = "UALICE", roles = { "dba" } } or nil),
    command = hook.command, args = not machine and (hook.args or {}) or nil, alert = hook.alert,
    json = hook.json, button = hook.button, channel = hook.channel,
  }
end

-- A message as a policy gave it to das.notify.
local function as_given(message)
  local given = { fields = {}, sessions = {} }
  for _, key in ipairs{ "title", "text", "severity", "event", "dedup", "instance", "link" } do
    given[key] = message[key]
  end
  for _, field in ipairs(message.fields or {}) do
    given.fields[field.name] = field.value
  end
  for i, session in ipairs(message.sessions or {}) do
    given.sessions[i] = session.id
  end
  return given
end

-- What the policy told others: messages, replies of a hook, runbooks that it begins.
local function split_told(fields)
  local told = das.json.decode("[" .. fields.told .. "]")
  fields.told, fields.messages, fields.replies, fields.runbooks = nil, {}, {}, {}
  for _, each in ipairs(told) do
    local message = each.message and as_given(each.message)
    if not message then
      fields.runbooks[#fields.runbooks + 1] = each.runbook
    elseif each.channel then
      message.channel = each.channel
      fields.messages[#fields.messages + 1] = message
    else
      message.public = each.public
      fields.replies[#fields.replies + 1] = message
    end
  end
end

-- Answers to a runbook's questions by the names of their steps: a choice, or a function that is
-- given the question.
local function chooser(given)
  return given and function(step, asks)
    local choice = given[step]
    if type(choice) == "function" then
      choice = choice(das.json.decode(asks))
    end
    if choice == nil then
      return nil
    end
    local choices = das.json.decode(asks).choices
    for _, each in ipairs(choices) do
      if each == choice then
        return choice
      end
    end
    raise(("t.run: answers: %s: expected %s, got %s")
      :format(show(step), table.concat(choices, ", "), show(choice)))
  end
end

local function run(path, args, options)
  if type(path) ~= "string" then
    expected("t.run", "the path of a policy", path)
  end
  if args ~= nil and type(args) ~= "table" then
    expected("t.run: arguments", "a list", args)
  end
  for key in pairs(args or {}) do
    if math.type(key) ~= "integer" then
      raise(("t.run: arguments: expected a list, got the key %s; options are the third argument")
        :format(show(key)))
    end
  end
  if options ~= nil then
    host.options(options, "t.run", { "config", "apply", "approvals", "hook", "params", "answers" })
  end
  options = options or {}
  if options.apply ~= nil and type(options.apply) ~= "boolean" then
    expected("t.run: apply", "true or false", options.apply)
  end
  local said = options.approvals
  if said ~= nil and said ~= "approve" and said ~= "reject" and said ~= "none" then
    expected("t.run: approvals", '"approve", "reject" or "none"', said)
  end
  for _, key in ipairs{ "params", "answers" } do
    if options[key] ~= nil and type(options[key]) ~= "table" then
      expected("t.run: " .. key, "a table", options[key])
    end
  end
  local requests = {}
  local where = host.where()
  local req = hook_request(options.hook)
  args = args or {}
  local fields, raw = host.run(path, table.move(args, 1, #args, 1, {}), options.config,
    options.apply ~= false, instances, answerer(requests), #on_apply > 0 and run_hooks or nil,
    said, req,
    options.params and das.json.encode(options.params), chooser(options.answers))
  split_told(fields)
  fields.log = lines_of(fields.log)
  fields.requests = requests
  fields.outcomes, fields.notes = {}, {}
  for _, report in ipairs(fields.reports) do
    fields.outcomes[report.id] = report.outcome
    fields.notes[report.id] = report.note
  end
  local r = setmetatable({}, result)
  runs[r] = { fields = fields, raw = raw, where = where, path = path }
  runs[#runs + 1] = runs[r]
  return r
end

-- --- t ------------------------------------------------------------------------------------------

local t = {
  clock = clock, instance = new_instance, http = add_answer, run = run, expect = expect.run,
  equal = expect.equal, ok = expect.ok,
  on_apply = function(f)
    if type(f) ~= "function" then
      expected("t.on_apply", "a function(db, ids)", f)
    end
    on_apply[#on_apply + 1] = f
  end,
}

local function guard(real, name)
  return setmetatable({}, {
    __index = function(_, key)
      local value = real[key]
      if value == nil then
        local names = {}
        for each in pairs(real) do
          names[#names + 1] = each
        end
        table.sort(names)
        raise(("%s has no field %s; it has %s"):format(name, show(key), table.concat(names, ", ")))
      end
      return value
    end,
    __newindex = function()
      raise(name .. " is read-only")
    end,
  })
end

clock = guard(clock, "t.clock")
t.clock = clock

return function(test)
  test(guard(t, "t"))
  for _, run_of in ipairs(runs) do
    if run_of.fields.error and not run_of.looked then
      raise(("%s: the policy failed, and nothing in the test expects that: %s")
        :format(run_of.where, run_of.fields.error))
    end
  end
end

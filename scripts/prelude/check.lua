-- What `das check` says about one script, from its tree. Called with parse (parser.lua) and host,
-- what the program lends: the real das and the real libraries are asked, so that no list here can
-- be out of date.
--
--   host.compile(text)            nil, or Lua's own message
--   host.nearest(word, names)     the name to suggest, or nil
--   host.judge(filter)            "everything", "nothing" or nil
--   host.methods                  names of all methods of das objects
--   host.options                  by method: a function that raises on a bad table of options
--   host.module(name)             the text of a module beside the script, or nil
--
-- Returns check(text): findings {line, col, severity, code, message} in order, and the grants that
-- the script needs, sorted.
local parse, host = ...
local globals, das = _G, das
local pcall, type, tostring, ipairs, pairs = pcall, type, tostring, ipairs, pairs

local UNKNOWN = {} -- the value of what is only known at run time

local function index(object, key)
  return object[key]
end

-- --- what an expression is ---------------------------------------------------------------------

local Checker = {}
Checker.__index = Checker

function Checker:add(at, code, message, severity)
  if not self.ignored[at.line] then
    self.findings[#self.findings + 1] = {
      line = at.line, col = at.col, severity = severity or "warning", code = code,
      message = message,
    }
  end
end

-- What a chain of fields stands for, also through a local that is never assigned again: its path
-- ("das.http.get") and its value, a function or table of a library; nil where that is not known.
-- Looked for once, because a chain may be long.
function Checker:chain(node)
  if node.chain then
    return node.chain.path, node.chain.value
  end
  local path, value
  if node.tag == "Name" and not node.var then
    if not self.assigned[node.name] then
      path, value = node.name, rawget(globals, node.name)
    end
  elseif node.tag == "Name" then
    if node.var.init and not node.var.assigned then
      path, value = self:chain(node.var.init)
    end
  elseif node.tag == "Index" and node[2].tag == "String" then
    local object_path, object = self:chain(node[1])
    local good, field = pcall(index, object, node[2].value)
    path = object_path and #object_path < 200 and object_path .. "." .. node[2].value or nil
    value = type(object) == "table" and good and field or nil
  end
  node.chain = { path = path, value = value }
  return path, value
end

function Checker:library(node)
  local _, value = self:chain(node)
  return value
end

local constant = {}

-- The value of an expression that has only one, or UNKNOWN.
function Checker:value(node)
  local rule = constant[node.tag]
  if not rule then
    return UNKNOWN
  end
  if not node.known then -- once: a chain of locals can name one value very often
    node.known = { rule(self, node) }
  end
  return node.known[1]
end

function constant.Nil() return nil end
function constant.True() return true end
function constant.False() return false end
function constant.String(_, node) return node.value end
function constant.Number(_, node) return node.value end
function constant.Paren(self, node) return self:value(node[1]) end

function constant.Name(self, node)
  local var = node.var
  if var and var.init and not var.assigned and not var.filled then
    return self:value(var.init)
  end
  return UNKNOWN
end

function constant.Table(self, node)
  local result, n = {}, 0
  for _, item in ipairs(node) do
    local value, key = self:value(item[1]), item[2] and self:value(item[2])
    if not item[2] then
      n = n + 1
      key = n
    end
    if value == UNKNOWN or key == UNKNOWN or key == nil or key ~= key then
      return UNKNOWN
    end
    result[key] = value
  end
  return result
end

-- das.filter{...} of constants is the filter itself.
function constant.Call(self, node)
  if self:library(node[1]) == das.filter and node[2] then
    local criteria = self:value(node[2])
    if type(criteria) == "table" and criteria ~= UNKNOWN then
      local good, filter = pcall(das.filter, criteria)
      return good and filter or UNKNOWN
    end
  end
  return UNKNOWN
end

local operations = {
  ["&"] = function(a, b) return a & b end,
  ["|"] = function(a, b) return a | b end,
  ["~"] = function(a, b) return b == nil and ~a or a ~ b end,
  [".."] = function(a, b) return a .. b end,
  ["-"] = function(a, b) return b == nil and -a or a - b end,
  ["+"] = function(a, b) return a + b end,
  ["*"] = function(a, b) return a * b end,
}

function constant.Op(self, node)
  local a, b = self:value(node[1]), node[2] and self:value(node[2])
  if a == UNKNOWN or b == UNKNOWN or not operations[node.op] then
    return UNKNOWN
  end
  local good, value = pcall(operations[node.op], a, b)
  if good and not (type(value) == "string" and #value > 1000) then
    return value
  end
  return UNKNOWN
end

-- --- tables that the program reads -------------------------------------------------------------

-- A table of criteria as it stands in the script.
function Checker:criteria(node)
  if node.tag ~= "Table" or node.checked then
    return
  end
  node.checked = true
  local clean = true
  for _, item in ipairs(node) do
    local value = self:value(item[1])
    local key = item[2] and self:value(item[2])
    if key ~= UNKNOWN then
      if value == UNKNOWN then
        value = "" -- unset: only the key is looked at
      end
      local good, message = pcall(das.filter, { [key or 1] = value })
      if not good then
        clean = false
        self:add(item, "filter", message)
      end
    end
  end
  local whole = clean and self:value(node) or UNKNOWN
  if whole ~= UNKNOWN then
    local good, filter = pcall(das.filter, whole)
    if not good then
      self:add(node, "filter", filter)
    elseif host.judge(filter) == "nothing" then
      self:add(node, "selects-nothing",
        "this filter has no criterion and selects nothing; all = true selects everything")
    end
  end
end

-- A table of options for the method or function `what`.
function Checker:options(node, what)
  if not node or node.tag ~= "Table" then
    return
  end
  for _, item in ipairs(node) do
    local value, key = self:value(item[1]), item[2] and self:value(item[2])
    if key ~= UNKNOWN then
      local good, message = pcall(host.options[what], { [key or 1] = value })
      if not good and (value ~= UNKNOWN or message:find("unknown [%a ]*\"")
                       or not key) then
        self:add(item, "option", message)
      end
      if key == "instance" then
        self:need("instance:", value)
      end
    end
  end
end

-- What a preview is asked for: a table, or a filter made of constants.
function Checker:preview(filter, options)
  self.grants.preview = true
  self:options(options, "preview")
  if not filter then
    return
  end
  self:criteria(filter)
  local value = self:value(filter)
  if type(value) == "table" and value ~= UNKNOWN then
    local good, made = pcall(das.filter, value)
    value = good and made or UNKNOWN
  end
  local judged = value ~= UNKNOWN and host.judge(value)
  if judged == "everything" then
    self:add(filter, "matches-all",
      "this filter can match every session: no criterion says what they have to do")
  elseif judged == "nothing" and filter.tag ~= "Table" then
    self:add(filter, "selects-nothing", "this filter selects nothing, whatever the sessions do")
  end
end

-- --- grants ------------------------------------------------------------------------------------

function Checker:need(prefix, value)
  self.grants[prefix .. (type(value) == "string" and value or "?")] = true
end

local function host_of(url)
  return type(url) == "string" and url:match("^%a+://([^/:?#]+)") or nil
end

-- What a method needs besides a preview: these go by no plan (bindings/cloud_act.c), or are one.
local killing = {
  apply = { "kill" },
  kill_processes = { "kill", "preview" },
  create_kill_task = { "kill", "cloud_kill" },
  kill_all_sessions = { "kill", "cloud_kill" },
  set_kill_task_switch = { "kill", "cloud_kill" },
  stop_kill_task = { "kill" },
}
-- Those of an instance at the cloud that look.
local looking = {
  kill_tasks = true, kill_task_switch = true, kill_history = true, processes = true,
  each_process = true, innodb_locks = true, metadata_locks = true, transactions = true,
  db_users = true,
}

-- Where the options of a method are; else they are its first argument.
local second = { set_kill_task_switch = true, kill_processes = true }

function Checker:cloud_method(name, node)
  local grants = killing[name] or looking[name] and { "preview" } or {}
  local first = node[2] and self:value(node[2])
  local options = node[2]
  if name == "set_kill_task_switch" and (first == false or first == "off") then
    grants = { "kill" }
  end
  if second[name] or (name == "nodes" and options and options.tag ~= "Table") then
    options = node[3]
  end
  for _, grant in ipairs(grants) do
    self.grants[grant] = true
  end
  if host.options[name] then
    self:options(options, name)
  end
end

-- The account that das.cloud{...} names.
function Checker:account(node)
  local name = "default"
  for _, item in ipairs(node and node.tag == "Table" and node or {}) do
    if item[2] and self:value(item[2]) == "cloud" then
      name = self:value(item[1])
    end
  end
  self:options(node, "cloud")
  self:need("cloud:", name)
end

-- The channel in plan:request_approval{...} and das.step.ask{...}.
function Checker:channel(node)
  local channel
  for _, item in ipairs(node and node.tag == "Table" and node or {}) do
    if item[2] and self:value(item[2]) == "channel" then
      channel = item[1]
    end
  end
  if channel then
    self:need("notify:", self:value(channel))
  end
end

-- Is it NAME of what the script was called with, as in "local req = ..."?
function Checker:of_request(node, name)
  local init = node.tag == "Index" and node[1].var and node[1].var.init
  return init and init.tag == "Vararg" and self:value(node[2]) == name
end

-- What a call of a das function needs.
function Checker:call_needs(path, first)
  local value = first and self:value(first) or UNKNOWN
  if path == "das.instance" then
    self:need("instance:", value)
  elseif path == "das.secret" then
    self:need("secret:", value)
  elseif path == "das.notify" then
    self:need("notify:", value)
  elseif path == "das.step.ask" then
    self:channel(first)
  elseif path == "das.stop" then
    self.grants.stop = true
  elseif path == "das.status" or path == "das.history" then
    self.grants.preview = true
  elseif path:find("^das%.http%.") then
    if first and first.tag == "Table" then
      for _, item in ipairs(first) do
        if item[2] and self:value(item[2]) == "url" then
          value = self:value(item[1])
        end
      end
    end
    local name = host_of(value)
    self.grants[name and "http:" .. name or "http"] = true
  end
end

-- --- the walk ----------------------------------------------------------------------------------

local visit = {}

function visit.Name(self, node)
  if node.var or node.name == "_ENV" or rawget(globals, node.name) ~= nil
     or self.assigned[node.name] then
    return
  end
  local names = {}
  for name in pairs(globals) do
    names[#names + 1] = name
  end
  for _, var in ipairs(self.vars) do
    names[#names + 1] = var.name
  end
  local near = host.nearest(node.name, names)
  self:add(node, "undeclared", ('undeclared global "%s"'):format(node.name)
    .. (near and near ~= node.name and ('; did you mean "%s"?'):format(near) or ""))
end

function visit.Index(self, node)
  local where, object = self:chain(node[1])
  if type(object) ~= "table" or object == globals or object == das.params
    or node[2].tag ~= "String" then
    return
  end
  local key = node[2].value
  local good, value = pcall(index, object, key)
  if not good then
    self:add(node, "field", tostring(value))
  elseif value == nil and not self.made[key] then
    local names = {}
    for name in pairs(object) do
      names[#names + 1] = type(name) == "string" and name or nil
    end
    local near = host.nearest(key, names)
    self:add(node, "field", ('%s has no field "%s"'):format(where or "this table", key)
      .. (near and ('; did you mean "%s"?'):format(near) or ""))
  end
end

function visit.Call(self, node)
  local path, f = self:chain(node[1])
  if f ~= nil and (f == das.filter or f == das.protect) and node[2] then
    self:criteria(node[2])
  elseif f ~= nil and f == das.preview then
    self:preview(node[2], node[3])
  elseif f ~= nil and f == das.regex and node[2] then
    local pattern, flags = self:value(node[2]), node[3] and self:value(node[3])
    if type(pattern) == "string" and flags ~= UNKNOWN then
      local good, message = pcall(das.regex, pattern, flags)
      if not good then
        self:add(node[2], "regex", message)
      end
    end
  elseif f ~= nil and f == das.cloud then
    self:account(node[2])
  elseif f ~= nil and f == require and node[2] then
    self:module(self:value(node[2]))
  end
  if path then
    self:call_needs(path, node[2])
  end
  if self:of_request(node[1], "runbook") then
    self.grants.runbook = true
  end
end

function visit.Method(self, node)
  local name = node.name
  if name == "preview" then
    self:preview(node[2], node[3])
  elseif name == "where" and node[2] then
    self:criteria(node[2])
  elseif name == "plan" then
    self:options(node[2], "plan")
  elseif name == "request_approval" then
    self.grants.kill = true
    self:channel(node[2])
  elseif (killing[name] or looking[name] or host.options[name]) and not self.made[name] then
    self:cloud_method(name, node)
  elseif not host.methods[name] and not string[name] and not self.made[name]
         and not self.requires then
    local near = host.nearest(name, self.method_names)
    if near then
      self:add(node, "method", ('no das object has a method "%s"; did you mean "%s"?')
        :format(name, near))
    end
  end
end

function visit.Op(self, node)
  if node.op == "&" or node.op == "|" or node.op == "~" then
    self:criteria(node[1])
    if node[2] then
      self:criteria(node[2])
    end
  end
end

function visit.Table(self, node)
  local seen = {}
  for _, item in ipairs(node) do
    local key = item[2] and self:value(item[2])
    if key ~= nil and key ~= UNKNOWN and key == key then
      if seen[key] then
        self:add(item, "duplicate", ('duplicate key %s: the one in line %d is lost'):format(
          type(key) == "string" and '"' .. key .. '"' or tostring(key), seen[key].line))
      end
      seen[key] = item
    end
  end
end

function visit.Assign(self, node)
  for _, target in ipairs(node[1]) do
    if target.tag == "Name" and not target.var and target.name ~= "_ENV" then
      self:add(target, "global", ('global "%s" is assigned without local'):format(target.name))
    elseif target.tag == "Index" and target[2].tag == "String"
           and self:library(target[1]) == das then
      self:add(target, "read-only", ('das is read-only: "%s" cannot be set')
        :format(target[2].value))
    end
  end
end

function visit.Local(self, node)
  for i = #node.vars, 1, -1 do
    local var = node.vars[i]
    if var.reads > 0 then
      return -- those before it have to be there
    elseif not var.name:find("^_") and var.attribute ~= "close" then
      local what = var.kind == "function" and "function" or "variable"
      self:add(var, "unused", (var.assigned and '%s "%s" is set but never read'
        or 'unused %s "%s"'):format(what, var.name))
    end
  end
end

function Checker:walk(node)
  if visit[node.tag] then
    visit[node.tag](self, node)
  end
  local first = 1
  if node.tag == "Assign" then -- what is assigned is not read
    for _, target in ipairs(node[1]) do
      for _, part in ipairs(target) do
        self:walk(part)
      end
    end
    first = 2
  end
  for i = first, #node do
    self:walk(node[i])
  end
end

-- Before the walk: which globals the script makes, and which names it gives to fields.
function Checker:survey(node)
  if node.tag == "Assign" then
    for _, target in ipairs(node[1]) do
      if target.tag == "Name" and not target.var then
        self.assigned[target.name] = true
      elseif target.tag == "Index" then
        if target[1].var then
          target[1].var.filled = true -- what the table had at first is not what it has
        end
        if target[2].tag == "String" and target[1].name ~= "das" then
          self.made[target[2].value] = true
        end
      end
    end
  elseif node.tag == "Item" and node[2] and node[2].tag == "String"
         and node[1].tag == "Function" then
    self.made[node[2].value] = true
  elseif node.tag == "Call" and node[1].name == "require" then
    self.requires = true
  end
  for _, part in ipairs(node) do
    self:survey(part)
  end
end

-- --- a script and its modules ------------------------------------------------------------------

-- A module's findings are its own; what it needs, the script needs.
function Checker:module(name)
  if type(name) ~= "string" or self.modules[name] then
    return
  end
  self.modules[name] = true
  local text = host.module(name)
  if text and not host.compile(text) then
    self:script(text, {})
  end
end

function Checker:script(text, findings)
  local comments = {}
  local tree, vars = parse(text, comments)
  local inner = setmetatable({
    findings = findings, grants = self.grants, modules = self.modules, vars = vars,
    method_names = self.method_names, assigned = {}, made = {}, ignored = {},
  }, Checker)
  for _, comment in ipairs(comments) do
    if comment.text:find("das check: ignore", 1, true) then
      inner.ignored[comment.line] = true
    end
  end
  inner:survey(tree)
  inner:walk(tree)
end

return function(text)
  local findings, grants = {}, {}
  local message = host.compile(text)
  local self = setmetatable({ grants = {}, modules = {}, method_names = {} }, Checker)
  for name in pairs(host.methods) do
    self.method_names[#self.method_names + 1] = name
  end
  if message then
    local good, mine = pcall(parse, text)
    local line = tonumber(message:match(":(%d+):")) or 1
    findings[1] = {
      line = line, severity = "error", code = "syntax",
      col = not good and type(mine) == "table" and mine.line == line and mine.col or 1,
      message = message:gsub("^[^\n]-:%d+: ", ""),
    }
    return findings, grants
  end
  self:script(text, findings)
  table.sort(findings, function(a, b)
    if a.line ~= b.line then
      return a.line < b.line
    end
    return a.col < b.col or (a.col == b.col and a.message < b.message)
  end)
  for grant in pairs(self.grants) do
    grants[#grants + 1] = grant
  end
  table.sort(grants)
  return findings, grants
end

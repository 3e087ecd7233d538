-- How pt-kill reads its command line: its options, their kinds, abbreviations and configuration
-- files. Compiled in; called once with what the program lends (bindings/import.c), returns
-- parse(args): the options, or nil and what is wrong with them.
local host = ...

-- "on" is a flag that can be negated, and is on unless it is.
local kinds = {
  ["any-busy-time"] = "time", ["ask-pass"] = "flag", ["busy-time"] = "time", charset = "string",
  config = "string", ["create-log-table"] = "flag", daemonize = "flag", database = "string",
  ["defaults-file"] = "string", ["each-busy-time"] = "time", ["execute-command"] = "string",
  filter = "string", fingerprint = "flag", ["group-by"] = "string", help = "flag", host = "string",
  ["idle-time"] = "time", ["ignore-command"] = "string", ["ignore-db"] = "string",
  ["ignore-host"] = "string", ["ignore-info"] = "string", ["ignore-self"] = "on",
  ["ignore-state"] = "string", ["ignore-user"] = "string", interval = "time", json = "flag",
  ["json-fields"] = "string", kill = "flag", ["kill-busy-commands"] = "string",
  ["kill-query"] = "flag", log = "string", ["log-dsn"] = "string", ["match-all"] = "flag",
  ["match-command"] = "string", ["match-db"] = "string", ["match-host"] = "string",
  ["match-info"] = "string", ["match-state"] = "string", ["match-user"] = "string",
  password = "string", pid = "string", port = "integer", print = "flag",
  ["query-count"] = "integer", ["query-id"] = "flag", rds = "flag",
  ["replication-threads"] = "flag", ["run-time"] = "time", sentinel = "string",
  ["set-vars"] = "string", ["slave-password"] = "string", ["slave-user"] = "string",
  socket = "string", stop = "flag", ["strip-comments"] = "on", ["test-matching"] = "string",
  user = "string", verbose = "flag", version = "flag", ["version-check"] = "on",
  victims = "string", ["wait-after-kill"] = "time", ["wait-before-kill"] = "time",
}
local letters = {
  A = "charset", D = "database", F = "defaults-file", h = "host", p = "password", P = "port",
  S = "socket", u = "user", v = "verbose",
}

-- Every word that may stand behind the dashes: {name, negated}.
local spellings = {}
for name, kind in pairs(kinds) do
  spellings[name] = { name, false }
  if kind == "on" then
    spellings["no" .. name] = { name, true }
    spellings["no-" .. name] = { name, true }
  end
end

local function fail(message, ...)
  error({ message = message:format(...) }, 0)
end

-- The option that a word means: itself, or what only it begins. Upper and lower case differ.
local function resolve(word)
  if spellings[word] then
    return table.unpack(spellings[word])
  end
  local found, names = {}, {}
  for spelling in pairs(spellings) do
    names[#names + 1] = spelling
    if word ~= "" and spelling:sub(1, #word) == word then
      found[#found + 1] = spelling
    end
  end
  if #found == 1 then
    return table.unpack(spellings[found[1]])
  elseif #found > 1 then
    table.sort(found)
    fail("--%s is ambiguous: --%s", word, table.concat(found, ", --"))
  end
  table.sort(names)
  local near = host.nearest(word, names)
  fail("pt-kill has no option --%s%s", word, near and ("; did you mean --%s?"):format(near) or "")
end

local seconds = { s = 1, m = 60, h = 3600, d = 86400, [""] = 1 }

-- Whole seconds; false: switched off, which a plain zero does.
local function time_value(name, text)
  if text == "" then
    return false
  end
  local digits, unit = text:match("^(%d+)([smhd]?)$")
  if not digits or #digits > 9 then
    local tail = text:match("^.+[^%d](%d+[smhd]?)$")
    fail("--%s: expected whole seconds or a number with s, m, h or d, got \"%s\"%s", name, text,
      tail and (" (pt-kill would read it as %s)"):format(tail) or "")
  end
  return digits ~= "0" and math.tointeger(digits) * seconds[unit]
end

local checks = {
  time = time_value,
  integer = function(name, text)
    if not text:find("^[+-]?%d+$") or #text > 15 then
      fail("--%s: expected a whole number, got \"%s\"", name, text)
    end
    return math.tointeger(text)
  end,
  string = function(name, text)
    if text:find("^%-%-%a") then
      fail("--%s needs a value, got the option %s", name, text)
    end
    return text
  end,
}

-- NAME=VALUE, NAME, and after -- words as they are; # begins a comment.
local function config_args(path)
  local text, message = host.read(path)
  if not text then
    fail("--config: %s", message)
  end
  local args, words, verbatim = {}, {}, false
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    local bare = line:gsub("^%s*#.*", ""):gsub("%s+#.*", ""):gsub("^%s+", ""):gsub("%s+$", "")
    if verbatim then
      words[#words + 1] = line ~= "" and line or nil
    elseif bare == "--" then
      verbatim = true
    elseif bare ~= "" then
      local name, value = bare:match("^([^=%s]+)%s*=%s*(.*)$")
      local kind = kinds[(resolve(name or bare))]
      args[#args + 1] = "--" .. (name or bare)
      if kind ~= "flag" and kind ~= "on" then
        args[#args + 1] = value
      end
    end
  end
  return args, words
end

-- Options of the files come first, so that those typed win.
local function with_config(args)
  local path, from = (args[1] or ""):match("^%-%-config=(.*)$"), 2
  if args[1] == "--config" then
    path, from = args[2], 3
  end
  if not path then
    return args, {}
  end
  local all, words = {}, {}
  for file in path:gmatch("[^,]+") do
    local more, others = config_args(file)
    table.move(more, 1, #more, #all + 1, all)
    table.move(others, 1, #others, #words + 1, words)
  end
  return table.move(args, from, #args, #all + 1, all), words
end

local Reader = {}
Reader.__index = Reader

function Reader:add(name, negated, text)
  local kind = kinds[name]
  local value
  if name == "config" then
    fail("--config: pt-kill takes it as the first option only")
  elseif kind ~= "flag" and kind ~= "on" then
    if text == "" then
      text = nil -- "--match-db=" lacks its value, "--match-db ''" has one
    elseif text == nil then
      self.at = self.at + 1
      text = self.args[self.at]
    end
    if text == nil then
      fail("--%s needs a value", name)
    end
    value = checks[kind](name, text)
  elseif text then
    fail("--%s takes no value, got \"%s\"", (negated and "no-" or "") .. name, text)
  else
    value = not negated
  end
  self.values[name] = value -- the last one counts
  self.given[#self.given + 1] = { name = name, negated = negated, text = text }
end

-- -v, -Dshop, -D shop, -vD shop
function Reader:short(word)
  local at = 2
  while at <= #word do
    local letter = word:sub(at, at)
    local name = letters[letter]
    if not name then
      fail("pt-kill has no option -%s, as in \"%s\"%s", letter, word, #word > 3
        and "; long options begin with two dashes" or "")
    elseif kinds[name] == "flag" then
      self:add(name, false)
      at = at + 1
    else
      local rest = word:sub(at + 1)
      self:add(name, false, rest ~= "" and rest or nil)
      return
    end
  end
end

function Reader:read()
  while self.at < #self.args do
    self.at = self.at + 1
    local arg = self.args[self.at]
    local word, value = arg:match("^%-%-([^=]+)=(.*)$")
    if arg == "--" then
      table.move(self.args, self.at + 1, #self.args, #self.words + 1, self.words)
      return
    elseif word or arg:find("^%-%-") then
      local name, negated = resolve(word or arg:sub(3))
      self:add(name, negated, value)
    elseif arg:find("^%-.") then
      self:short(arg)
    else
      self.words[#self.words + 1] = arg
    end
  end
end

-- What pt-kill refuses, and what is no policy.
local function judge(o)
  o.victims = (o.victims or "oldest"):lower()
  if o.help or o.version then
    fail("--%s: there is no policy in it", o.help and "help" or "version")
  elseif o.stop then
    fail("--stop: there is no policy in it; the off switch of das is das stop REASON")
  elseif o.victims ~= "oldest" and o.victims ~= "all" and o.victims ~= "all-but-oldest" then
    fail("--victims: expected oldest, all or all-but-oldest, got \"%s\"", o.victims)
  elseif o["any-busy-time"] and o["each-busy-time"] then
    fail("--any-busy-time and --each-busy-time exclude each other")
  elseif o.kill and o["kill-query"] then
    fail("--kill and --kill-query exclude each other")
  elseif o.daemonize and o["test-matching"] then
    fail("--daemonize and --test-matching exclude each other")
  elseif o.json and not o.print then
    fail("--json needs --print")
  elseif not (o.kill or o["kill-query"] or o.print or o["execute-command"]) then
    fail("what shall become of the sessions? pt-kill wants --kill, --kill-query, --print or "
      .. "--execute-command")
  end
end

-- A command line may be given as it stands in a crontab, pt-kill first.
local function parse(args)
  if args[1] and (args[1] == "pt-kill" or args[1]:find("/pt%-kill$")) then
    args = table.move(args, 2, #args, 1, {})
  end
  local all, words = with_config(args)
  local reader = setmetatable({ args = all, at = 0, values = {}, given = {}, words = words },
    Reader)
  reader:read()
  judge(reader.values)
  return { values = reader.values, given = reader.given, words = reader.words }
end

return function(args)
  local good, result = pcall(parse, args)
  if good then
    return result
  elseif type(result) == "table" then
    return nil, result.message
  end
  error(result, 0)
end

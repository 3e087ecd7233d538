-- What can stand next on a line of the repl. Called with host:
--
--   host.names(value, fields, methods)   names of a das object, or nil
--   host.all(fields, methods)            names over all classes
--   host.instances(), host.criteria      lists of names
--
-- Returns complete(line): how many bytes at its end are to be replaced, and a sorted list of what
-- could stand there.
-- Looks at values, but calls nothing of the script's: no metamethod of it runs.
local host = ...
local type, pairs, ipairs, rawget, pcall, tonumber = type, pairs, ipairs, rawget, pcall, tonumber
local find, match, sub = string.find, string.match, string.sub
local gmatch, gsub = string.gmatch, string.gsub
local sort, next = table.sort, next
local globals, strings = _G, string

local keywords = {}
for word in gmatch("and break do else elseif end false for function goto if in local nil not or "
  .. "repeat return then true until while", "%a+") do
  keywords[word] = true
end

local function index(object, key)
  return object[key]
end

local function keys(t, functions_only)
  local list = {}
  for key, value in next, t do
    if type(key) == "string" and find(key, "^[%a_][%w_]*$")
       and (not functions_only or type(value) == "function") then
      list[#list + 1] = key
    end
  end
  return list
end

-- The names behind value and "." or ":".
local function members(value, mark)
  if type(value) == "string" then
    return keys(strings)
  end
  local list = host.names(value, mark == ".", false)
  if list then
    if mark == ":" or #list == 0 then
      list = host.names(value, false, true)
    end
    return list
  end
  return type(value) == "table" and keys(value, mark == ":") or {}
end

-- The value of a.b[1].c; nil when that takes more than looking.
local function resolve(expression)
  local value = globals
  expression = gsub(gsub(expression, "%[(%d+)%]", ".%1"), "^", ".")
  for name in gmatch(expression, "%.([%w_]+)") do
    local key = tonumber(name) or name
    if host.names(value, true, true) then
      local good, found = pcall(index, value, key)
      value = good and found or nil
    elseif type(value) == "table" then
      value = rawget(value, key)
    else
      return nil
    end
  end
  return value
end

-- Inside the braces of a table of criteria?
local function in_criteria(line)
  local depth, at = 0, #line
  while at > 0 do
    local c = sub(line, at, at)
    if c == "}" or c == ")" then
      depth = depth + 1
    elseif c == "(" then
      depth = depth - 1
    elseif c == "{" then
      if depth == 0 then
        local word = match(sub(line, 1, at - 1), "([%a_]+)%s*%(?%s*$")
        return word == "filter" or word == "preview" or word == "where" or word == "protect"
          or word == "create_kill_task"
      end
      depth = depth - 1
    end
    at = at - 1
  end
  return false
end

local function candidates(line)
  local word = match(line, "instance%s*[=(]?%s*[\"']([^\"']*)$")
  if word then
    return word, host.instances()
  end
  local _, double = gsub(line, '"', "")
  local _, single = gsub(line, "'", "")
  if double % 2 == 1 or single % 2 == 1 then
    return "", {} -- in a string
  end
  local base, mark
  base, mark, word = match(line, "([%a_][%w_%.%[%]]*)%s*([.:])([%w_]*)$")
  if base then
    return word, members(resolve(base), mark)
  end
  mark, word = match(line, "[%)%}\"']%s*([.:])([%w_]*)$")
  if mark then
    return word, host.all(mark == ".", mark == ":")
  end
  word = match(line, "[%a_][%w_]*$") or ""
  if in_criteria(line) and find(sub(line, 1, #line - #word), "[{,;]%s*$") then
    local list = {}
    for _, name in ipairs(host.criteria) do
      list[#list + 1] = name .. " = "
    end
    return word, list
  end
  local list = keys(globals)
  for name in pairs(keywords) do
    list[#list + 1] = name
  end
  return word, list
end

return function(line)
  local word, list = candidates(line)
  local found, seen = {}, {}
  for _, name in ipairs(list) do
    if sub(name, 1, #word) == word and not seen[name] then
      seen[name] = true
      found[#found + 1] = name
    end
  end
  sort(found)
  return #word, found
end

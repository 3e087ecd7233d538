-- How the repl shows a value. Called with kind(value), the class of a das object or nil; returns
-- show(value): text, bounded in depth and length, keys sorted.
local kind = ...
local type, tostring, pairs, pcall, next = type, tostring, pairs, pcall, next
local getmetatable, concat, sort = getmetatable, table.concat, table.sort
local find, format, sub = string.find, string.format, string.sub
local gsub, byte = string.gsub, string.byte
local math_type, utf8_len = math.type, utf8.len

local WIDTH, DEPTH = 76, 4 -- of a line, of tables in tables
local ITEMS, ALL = 50, 1000 -- of one table, of the whole value
local TEXT = 2000 -- bytes of a string

local escapes = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ['"'] = '\\"', ["\\"] = "\\\\" }

local function escape(c)
  return escapes[c] or format("\\%03d", byte(c))
end

-- As Lua would write it. What a terminal could obey is escaped: text comes from databases.
local function quote(text)
  local cut = #text > TEXT
  text = gsub(cut and sub(text, 1, TEXT) or text, '[%c"\\\127]', escape)
  if not utf8_len(text) then
    text = gsub(text, "[\128-\255]", escape)
  end
  text = gsub(text, "\194([\128-\159])", function(c) return "\\194" .. escape(c) end)
  return '"' .. text .. '"' .. (cut and "..." or "")
end

local keyword = {}
for word in string.gmatch("and break do else elseif end false for function goto if in local nil "
  .. "not or repeat return then true until while", "%a+") do
  keyword[word] = true
end

local function key_text(key, show)
  if type(key) == "string" and find(key, "^[%a_][%w_]*$") and not keyword[key] then
    return key
  end
  return "[" .. show(key) .. "]"
end

-- Numbers first, then strings, then the rest.
local rank = { number = 1, string = 2 }
local function before(a, b)
  local ra, rb = rank[type(a)] or 3, rank[type(b)] or 3
  if ra ~= rb then
    return ra < rb
  elseif ra < 3 then
    return a < b
  end
  return tostring(a) < tostring(b)
end

-- A das object inside a table, on one line.
local short = {
  ["das.selection"] = function(v) return format("<preview of %s: %d sessions>", v.instance, #v) end,
  ["das.plan"] = function(v) return format("<plan for %s: %d sessions>", v.instance, #v) end,
  ["das.report"] = function(v) return format("<report: %d sessions>", v.count) end,
  ["das.explanation"] = function(v) return format("<explanation of session %d>", v.id) end,
}

return function(value)
  local seen, left = {}, ALL
  local show

  local function items_of(t, depth, indent)
    local items, keys, n = {}, {}, 0
    local function add(item)
      left = left - 1
      items[#items + 1] = item
    end
    while n < ITEMS and left > 0 and rawget(t, n + 1) ~= nil do
      n = n + 1
      add(show(rawget(t, n), depth + 1, indent))
    end
    local more = 0
    for key in pairs(t) do
      if math_type(key) ~= "integer" or key < 1 or key > n then
        keys[#keys + 1] = key
      end
    end
    sort(keys, before)
    for i, key in ipairs(keys) do
      if #items >= ITEMS or left <= 0 then
        more = #keys - i + 1
        break
      end
      add(key_text(key, function(k) return show(k, DEPTH, indent) end) .. " = "
        .. show(t[key], depth + 1, indent))
    end
    if more > 0 then
      items[#items + 1] = format("... %d more", more)
    end
    return items
  end

  function show(v, depth, indent)
    local of = type(v)
    if of == "string" then
      return quote(v)
    elseif of ~= "table" then
      local class = kind(v)
      return (short[class] and depth > 0 and short[class] or tostring)(v)
    end
    local meta = getmetatable(v)
    if type(meta) == "table" and rawget(meta, "__tostring") then
      return tostring(v)
    elseif seen[v] then
      return "<cycle>"
    elseif depth >= DEPTH then
      return next(v) == nil and "{}" or "{...}"
    end
    seen[v] = true
    local items = items_of(v, depth, indent .. "  ")
    seen[v] = nil
    if #items == 0 then
      return "{}"
    end
    local line = "{ " .. concat(items, ", ") .. " }"
    if #line + #indent <= WIDTH and not find(line, "\n", 1, true) then
      return line
    end
    local inner = "\n" .. indent .. "  "
    return "{" .. inner .. concat(items, "," .. inner) .. "\n" .. indent .. "}"
  end

  local good, text = pcall(show, value, 0, "")
  return good and text or tostring(value)
end

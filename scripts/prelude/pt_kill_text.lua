-- How das import-pt-kill writes things: comments, Lua literals, pt-kill's command line.
local M = {}

local WIDTH = 96

-- A comment of that indent, wrapped.
function M.comment(text, indent, hang)
  local lead = (indent or "") .. "-- "
  local lines, line = {}, nil
  for word in text:gmatch("%S+") do
    if line and #lead + #line + #word >= WIDTH then
      lines[#lines + 1] = lead .. line
      line = (hang or "") .. word
    else
      line = line and line .. " " .. word or word
    end
  end
  lines[#lines + 1] = lead .. (line or "")
  return table.concat(lines, "\n")
end

-- The lines of foreign text, each a comment.
function M.quoted_lines(text, indent)
  local lines = {}
  for line in (text:gsub("\n$", "") .. "\n"):gmatch("(.-)\r?\n") do
    line = (indent or "") .. "--   " .. line:gsub("%c", " ")
    lines[#lines + 1] = line:gsub("%s+$", "")
  end
  return table.concat(lines, "\n")
end

-- A Lua literal; long brackets where a pattern has backslashes.
function M.literal(text)
  if text:find("\\", 1, true) and not text:find("[%c\"]") and not text:find("]]", 1, true)
     and text:sub(-1) ~= "]" then
    return "[[" .. text .. "]]"
  end
  return '"' .. text:gsub('[%c"\\\127]', function(c)
    return (c == '"' or c == "\\") and "\\" .. c or ("\\%03d"):format(c:byte())
  end) .. '"'
end

local function shell_word(text)
  text = text:gsub("%c", "?")
  if text:find("^[%w@%%+=:,./_-]+$") then
    return text
  end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Passwords are not written down.
local function without_password(dsn)
  return ("," .. dsn):gsub(",p=[^,]*", ",p=***"):sub(2)
end

local secret = { password = true, ["slave-password"] = true }

-- One option, as it could be typed.
function M.option(option)
  local name, text = option.name, option.text
  if option.negated then
    return "--no-" .. name
  elseif not text then
    return "--" .. name
  elseif secret[name] then
    text = "***"
  elseif name == "log-dsn" then
    text = without_password(text)
  end
  return "--" .. name .. " " .. shell_word(text)
end

-- The whole, as a comment.
function M.command_line(options)
  local parts = { "pt-kill" }
  for _, option in ipairs(options.given) do
    parts[#parts + 1] = M.option(option)
  end
  for _, word in ipairs(options.words) do
    parts[#parts + 1] = shell_word(without_password(word))
  end
  local lines, line = {}, nil
  for _, part in ipairs(parts) do
    if line and #line + #part >= WIDTH - 7 then
      lines[#lines + 1] = "--   " .. line
      line = "    " .. part
    else
      line = line and line .. " " .. part or part
    end
  end
  lines[#lines + 1] = "--   " .. line
  return table.concat(lines, "\n")
end

return M

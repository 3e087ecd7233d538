-- Lua 5.4 source into tokens, for `das check`: what the Lua C API does not give. Accepts exactly
-- what Lua's own lexer accepts; an error is a table {message, line, col}.
--
--   local lex = lexer(text)
--   local token = lex()     -- {kind, value, line, col}; kind is "name", "number", "string", "eof",
--                           -- or the keyword or operator itself
--
-- lexer(text, comments) also appends {line, text} of each comment to the list `comments`.
local find, sub, byte, char = string.find, string.sub, string.byte, string.char
local gsub, match = string.gsub, string.match
local tonumber, error, concat, utf8_char = tonumber, error, table.concat, utf8.char

local keywords = {}
for word in string.gmatch("and break do else elseif end false for function goto if in local nil "
  .. "not or repeat return then true until while", "%a+") do
  keywords[word] = true
end

-- Longest first: "..." before "..".
local operators = { {}, {}, {} }
for operator in string.gmatch("... .. == ~= <= >= << >> // :: + - * / % ^ # & ~ | < > = ( ) { } "
  .. "[ ] ; : , .", "%S+") do
  operators[#operator][operator] = true
end

local escapes = {
  a = "\a", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", v = "\v",
  ["\\"] = "\\", ['"'] = '"', ["'"] = "'",
}


local function lexer(text, comments)
  local at, line, line_start = 1, 1, 1

  local function fail(message, where, where_line)
    error({ message = message, line = where_line or line, col = (where or at) - line_start + 1 }, 0)
  end

  -- Counts the line ends in text[from..to]: \r, \n, \r\n and \n\r are one each.
  local function count_lines(from, to)
    local p = from
    while true do
      p = find(text, "[\r\n]", p)
      if not p or p > to then
        return
      end
      local pair = sub(text, p, p + 1)
      p = p + ((pair == "\r\n" or pair == "\n\r") and 2 or 1)
      line, line_start = line + 1, p
    end
  end

  -- The body of [[...]] or [==[...]==] whose opening bracket is at `at`; nil when it is none.
  local function long_bracket(what)
    local _, open_end, level = find(text, "^%[(=*)%[", at)
    if not open_end then
      return nil
    end
    local first_line = line
    local close, close_end = find(text, "]" .. level .. "]", open_end + 1, true)
    if not close then
      count_lines(at, #text)
      at = #text + 1
      fail("unfinished long " .. what .. " (starting at line " .. first_line .. ") near <eof>")
    end
    local body = sub(text, open_end + 1, close - 1)
    count_lines(at, close_end)
    at = close_end + 1
    return body
  end

  local function skip_comment()
    local start, start_line = at, line
    at = at + 2
    if not long_bracket("comment") then
      at = find(text, "[\r\n]", at) or #text + 1
    end
    if comments then
      comments[#comments + 1] = { line = start_line, text = sub(text, start, at - 1) }
    end
  end

  local function skip_blanks()
    while true do
      at = find(text, "[^ \t\v\f]", at) or #text + 1
      local c = byte(text, at)
      if c == 10 or c == 13 then
        count_lines(at, at)
        at = line_start
      elseif c == 45 and byte(text, at + 1) == 45 then
        skip_comment()
      else
        return
      end
    end
  end

  -- One escape sequence, with `at` behind the backslash; what it stands for.
  local function escape()
    local c = sub(text, at, at)
    if escapes[c] then
      at = at + 1
      return escapes[c]
    end
    if c == "\r" or c == "\n" then
      count_lines(at, at)
      at = line_start
      return "\n"
    end
    if c == "x" then
      local hex = match(text, "^%x%x", at + 1) or fail("hexadecimal digit expected")
      at = at + 3
      return char(tonumber(hex, 16))
    end
    if c == "z" then
      at = at + 1
      local stop = find(text, "[^%s]", at) or #text + 1
      count_lines(at, stop - 1)
      at = stop
      return ""
    end
    if c == "u" then
      local hex, stop = match(text, "^{0*(%x+)}()", at + 1)
      if not hex then
        fail("bad \\u{...} escape")
      end
      if #hex > 8 or tonumber(hex, 16) > 0x7FFFFFFF then
        fail("UTF-8 value too large")
      end
      at = stop
      return utf8_char(tonumber(hex, 16))
    end
    local decimal = match(text, "^%d%d?%d?", at)
    if not decimal then
      fail("invalid escape sequence")
    end
    if tonumber(decimal) > 255 then
      fail("decimal escape too large")
    end
    at = at + #decimal
    return char(tonumber(decimal))
  end

  local function short_string(quote)
    local parts = {}
    local stop = '["\\\r\n]'
    if quote == "'" then
      stop = "['\\\r\n]"
    end
    at = at + 1
    while true do
      local p = find(text, stop, at)
      if not p then
        at = #text + 1
        fail("unfinished string near <eof>")
      end
      parts[#parts + 1] = sub(text, at, p - 1)
      at = p
      local c = sub(text, p, p)
      if c == quote then
        at = p + 1
        return concat(parts)
      elseif c == "\\" then
        at = p + 1
        parts[#parts + 1] = escape()
      else
        fail("unfinished string")
      end
    end
  end

  -- As Lua reads it: digits, dots, letters a-f and exponents with a sign; then it must be a number.
  local function number()
    local start = at
    local exponent = find(text, "^0[xX]", at) and "^[pP][+-]?" or "^[eE][+-]?"
    if exponent == "^[pP][+-]?" then
      at = at + 2
    end
    while true do
      local _, stop = find(text, exponent, at)
      if not stop then
        _, stop = find(text, "^[%x.]", at)
      end
      if not stop then
        break
      end
      at = stop + 1
    end
    local _, stop = find(text, "^[%a_]", at)
    at = stop and stop + 1 or at
    local value = tonumber(sub(text, start, at - 1))
    if not value then
      fail("malformed number near '" .. sub(text, start, at - 1) .. "'", start)
    end
    return value
  end

  return function()
    skip_blanks()
    local token = { line = line, col = at - line_start + 1 }
    local c = sub(text, at, at)
    if c == "" then
      token.kind = "eof"
    elseif find(c, "^[%a_]") then
      local word = match(text, "^[%w_]+", at)
      at = at + #word
      token.kind, token.value = keywords[word] and word or "name", word
    elseif find(text, "^%.?%d", at) then
      token.kind, token.value = "number", number()
    elseif c == '"' or c == "'" then
      token.kind, token.value = "string", short_string(c)
    elseif c == "[" and find(text, "^%[=*%[", at) then
      local body = gsub(long_bracket("string"), "\r\n", "\n")
      token.kind, token.value = "string", gsub(body, "^\n", "")
    elseif c == "[" and find(text, "^%[=", at) then
      fail("invalid long string delimiter")
    else
      for length = 3, 1, -1 do
        local operator = sub(text, at, at + length - 1)
        if operators[length][operator] then
          token.kind = operator
          at = at + length
          return token
        end
      end
      fail("unexpected symbol near '" .. (find(c, "^%g$") and c or "<\\" .. byte(c) .. ">") .. "'")
    end
    return token
  end
end

return lexer

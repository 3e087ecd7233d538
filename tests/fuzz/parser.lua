-- Does scripts/prelude/parser.lua accept what Lua accepts, and nothing else? Run by tests/project/
-- parser.t with the distribution's lua5.4, whose load() is the judge:
--
--   lua5.4 tests/fuzz/parser.lua SECONDS SEED FILE...
--
-- First each file and a list of corner cases as they are, then mutants of them for SECONDS. Prints
-- what the two disagree about; exits 1 if there is anything. A parser that loops runs into a hook.
local seconds, seed = tonumber(arg[1]), tonumber(arg[2])
local lexer = assert(loadfile("scripts/prelude/lexer.lua"))()
local parse = assert(loadfile("scripts/prelude/parser.lua"))(lexer)

local STEPS = 50 -- millions of instructions for one text

local function ours(text)
  local left = STEPS
  debug.sethook(function()
    left = left - 1
    if left == 0 then
      error("it does not end", 0)
    end
  end, "", 1000000)
  local good, message = pcall(parse, text)
  debug.sethook()
  if not good and type(message) ~= "table" then
    return false, "BROKEN: " .. tostring(message)
  end
  return good, not good and message.line .. ": " .. message.message or nil
end

local counts = { texts = 0, accepted = 0, differences = 0 }

local function compare(text, name)
  local chunk, theirs = load(text, "=text", "t")
  local good, message = ours(text)
  counts.texts = counts.texts + 1
  counts.accepted = counts.accepted + (good and 1 or 0)
  if not chunk and theirs:find("too many registers", 1, true) then
    return -- the code generator's limit, not the grammar's: 250 values in one expression
  end
  if good ~= (chunk ~= nil) or tostring(message):find("^BROKEN") then
    counts.differences = counts.differences + 1
    print(("%s: Lua: %s; parser.lua: %s\n%s\n"):format(name, theirs or "fine", message or "fine",
      text))
  end
end

local corners = {
  "", ";;;", "return", "return;", "return 1,2;", "return return", "return 1 x()", "x", "x.y", "x=1",
  "(x)=1", "(x).y=1", "f()=1", "f().x=1", "(f())", "f{}.x''[1]:m[[z]]()", "a,b.c,d[1]=1", "a,f()=1",
  "local x<const>=1", "local x<close>=nil", "local x<const>=1 x=2", "local x<close>,y<close>=1",
  "local x<foo>=1", "local x<const>=1 function f() x=2 end", "local x<const>=1 local x x=2",
  "local function f() return f end", "local function f.x() end", "function a.b.c:d() end",
  "function a:b.c() end", "function f(a,...) return ... end", "function f(...,a) end",
  "function f(a,) end", "function f() return ... end", "return ...", "f(1,)", "f(,)", "{}",
  "return {1,2;3,x=1,[2]=3,}", "return {,}", "return {x=}", "return {[1]}", "return {a.b=1}",
  "goto x", "goto x ::x::", "::x:: goto x", "::x:: ::x::", "::x:: do ::x:: end", "do ::x:: end ::x::",
  "do ::x:: end goto x", "goto x local a ::x::", "goto x local a ::x:: print()",
  "do goto x local a ::x:: end", "do goto x local a ::x:: ; ::y:: end", "do goto x; ::y:: ::x:: end",
  "repeat goto c local a ::c:: until a", "repeat local a ::c:: goto c until a",
  "while 1 do goto c local a ::c:: end", "function f() goto x end ::x::", "::x:: function f() goto x end",
  "for i=1,2 do goto c local x ::c:: end", "break", "do break end", "while 1 do break end",
  "while 1 do function f() break end end", "repeat break until 1", "for i=1,2 do break end",
  "for i=1 do end", "for i=1,2,3,4 do end", "for i,j=1,2 do end", "for i in f do end",
  "for i,j,k in f,g do end", "for in f do end", "for i.x in f do end", "if x then elseif y then else end",
  "if x then else elseif y then end", "if x end", "while x end", "repeat until", "do", "end",
  "return -x^-y^z", "return not -#~x", "return a..b..c", "return a<b<c", "return 1~2~~3", "return 2^",
  "return a//b>>c<<d&e|f~g", "return a!=b", "return a~=b", "return a=b", "return 1 2", "return x y",
  "return 0x", "return 0xg", "return 0x1p", "return 0x1p4", "return 0x.8p-1", "return 0x.", "return 1e",
  "return 1e+", "return 1e+5", "return 3.", "return .5", "return 3..2", "return 3...2", "return 1..2",
  "return 08", "return 1_0", "return 1x", "return 0xep1", "return 0xe+1", "return 1e5e5", "return 1.2.3",
  "return 9223372036854775808", "return 0xffffffffffffffffff", "return '\\x41\\65\\u{41}\\z  \n x'",
  "return '\\x4'", "return '\\256'", "return '\\u{7fffffff}'", "return '\\u{80000000}'",
  "return '\\u{0000000000041}'", "return '\\u{}'", "return '\\u41'", "return '\\q'", "return '\\\n'",
  "return '\\\r\n'", "return 'a\nb'", "return 'a", "return '\\", "return \"'\"", "return [[a\nb]]",
  "return [==[]]]=]]==]", "return [=[x]]", "return [=x", "return [=", "return [[x", "x=[[\r\n]]",
  "--", "--[[", "--[[x]]", "--[==[x]]", "--[=x\n", "--[[\n]] x()", "x() --", "\0", "x\0", "'\0'", "$",
  "x=`1`", "x='\xff'", "\xff=1", "\r\n\n\rx()", "a.b:c'd'", "a:b", "a:b=1", "a::b", "::a", "::1::",
  "goto 1", "goto continue ::continue::", "local goto = 1", "local a.b", "local a, = 1", "local",
  "local function", "function", "function f", "function ()", "return function", "f(function() end)",
  "local a <const> , b <close> = 1", "local a <const", "local a < const > = 1", "x = function(a.b) end",
  "return (...)", "return (1, 2)", "return ()", "(a)()", "(a.b).c = 1", "a'x' = 1", "a{}.b = 1",
  "local _ENV = {} x = 1", "return a and b or c", "return a or", "and", "not x", "return nil.x",
  "return ('x'):len()", "return 'x':len()", "return {}.x", "return {}:x()", "return #'x'.y",
  ("x="):rep(1) .. ("("):rep(150) .. "1" .. (")"):rep(150), ("("):rep(250) .. "1" .. (")"):rep(250),
  ("do "):rep(150) .. ("end "):rep(150), ("do "):rep(250) .. ("end "):rep(250),
  "return " .. ("-"):rep(1) .. ("not "):rep(150) .. "x", "return " .. ("{"):rep(150) .. ("}"):rep(150),
}
for i = 199, 201 do
  local names = {}
  for k = 1, i do
    names[k] = "v" .. k
  end
  corners[#corners + 1] = "local " .. table.concat(names, ",")
  corners[#corners + 1] = "local function f(" .. table.concat(names, ",") .. ") end"
end
for i, text in ipairs(corners) do
  compare(text, "corner " .. i)
end

local texts = {}
for i = 3, #arg do
  local file = assert(io.open(arg[i], "rb"))
  texts[#texts + 1] = file:read("a"):gsub("^#[^\n]*", "")
  file:close()
  compare(texts[#texts], arg[i])
end

local pieces = {
  "end", "do", "local", "function", "(", ")", "{", "}", "[", "]", "=", "..", "...", "::", "goto", "x",
  "break", "repeat", "until", "if", "then", "else", "elseif", "1", "0x", "1e", "'", '"', "[[", "]]",
  "--", "--[[", "\n", "\r", "\\", "\\z", "\\x", "\\u{", "~", "//", "<const>", "<close>", "::x::",
  "goto x", "return", ";", ",", ":", ".", "#", "not", "and", "nil", "for", "in", "while", "\0", "\xff",
  "0x1p4", "3.", ".5", "1..2", "<", "local x <const> = 1", "x = 2", "::c::", "goto c", "local c",
}
math.randomseed(seed)
local random = math.random
local stop = os.clock() + seconds
while #texts > 0 and os.clock() < stop do
  local text = texts[random(#texts)]
  local from = random(math.max(1, #text - 600))
  text = random(3) == 1 and text:sub(1, 5000) or text:sub(from, from + random(600))
  for _ = 1, random(3) do
    local at, kind = random(#text + 1), random(4)
    local before, after = text:sub(1, at - 1), text:sub(at)
    if kind == 1 then
      text = before .. pieces[random(#pieces)] .. after
    elseif kind == 2 then
      text = before .. after:sub(random(10))
    elseif kind == 3 then
      text = before .. " " .. pieces[random(#pieces)] .. " " .. after
    else
      local other = random(#text + 1)
      text = before .. text:sub(other, other + random(60)) .. after
    end
  end
  compare(text, "mutant " .. counts.texts)
end

print(("%d texts, %d accepted, %d differences"):format(counts.texts, counts.accepted,
  counts.differences))
os.exit(counts.differences == 0 and counts.accepted > 0)

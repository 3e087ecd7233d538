-- das: --apply -i mem:tests/samples/recording.jsonl
-- json.lua - das.json and require "cjson": exact numbers, round trips, and every refusal by name.
local t = require "tap"
local json = das.json
local cjson = require "cjson"

local function says(text, value, name)
  t.is(json.encode(value), text, "text: " .. (name or text))
end

-- numbers: whole ones stay whole
t.is(json.decode "7", 7, "7 is an integer")
t.is(json.decode "7.0", 7.0, "7.0 is a float")
t.is(json.decode "7e0", 7.0, "as is 7e0")
t.is(json.decode "-9223372036854775808", math.mininteger, "the least int64")
t.is(json.decode "9223372036854775807", math.maxinteger, "the greatest")
t.is(json.decode "9007199254740993", 9007199254740993, "2^53 + 1")
says("9007199254740993", 9007199254740993)
says("100000000000000", 100000000000000)
says("-9223372036854775808", math.mininteger)
says("9223372036854775807", math.maxinteger)
says("7", 7)
says("7.0", 7.0)
says("-0.0", -0.0)
says("0.1", 0.1)
says("0.30000000000000004", 0.1 + 0.2)
says("1e+300", 1e300)
says("1e+15", 1e15)
says("123456789012345.0", 123456789012345.0)
says("5e-324", 5e-324)
says("1.7976931348623157e+308", 1.7976931348623157e308)
t.raises("nan", function() return json.encode(0 / 0) end, "json.lua:", "encode: JSON has no nan")
t.raises("infinity", function() return json.encode{ x = { -1 / 0 } } end,
  "encode: x[1]: JSON has no infinity")

local seed, wrong = 42, 0
local function random()
  seed = seed * 6364136223846793005 + 1442695040888963407
  return seed ~ (seed >> 29)
end
for _ = 1, 3000 do
  local n = random() >> (random() & 63)
  local f = string.unpack("d", string.pack("j", random()))
  if json.decode(json.encode(n)) ~= n then
    wrong = wrong + 1
  end
  if f == f and f - f == 0 then
    local back = json.decode(json.encode(f))
    if back ~= f or math.type(back) ~= "float" then
      wrong = wrong + 1
    end
  end
end
t.is(wrong, 0, "3000 random integers and floats come back")

-- the rest of the values
says("null", nil)
says("null", json.null)
says("true", true)
says("[]", json.empty_array)
says("{}", {})
says('""', "")
says([["\"\\\n\t\u0000\u001b€"]], '"\\\n\t\0\27€')
says('[1,"x",[],{"a":null}]', { 1, "x", json.empty_array, { a = json.null } })
says('{"":1,"A":2,"a":3,"aa":4}', { a = 3, aa = 4, A = 2, [""] = 1 }, "keys are sorted")
t.is(tostring(json.null), "null", "null prints")
t.is(#json.empty_array, 0, "the empty array is empty")
t.ok(json.decode "null" == json.null, "null is null")
t.ok(json.decode "[null]" [1] == json.null, "in a list too")
t.raises("a field of null", function() return json.decode '{"user":null}'.user.name end,
  'null (of JSON) has no field "name"')

-- empty arrays and empty objects survive
for _, text in ipairs{ "[]", "{}", '{"a":[],"b":{}}', "[[],{}]", '[{"x":[[]]}]' } do
  says(text, json.decode(text), text .. " comes back")
end
local list = json.decode "[1]"
list[1] = nil
says("[]", list, "a list that was emptied is still one")
says("[]", setmetatable({}, json.array_mt), "array_mt")
says("[1]", setmetatable({ 1 }, json.array_mt), "with something in it")
says("[]", setmetatable({}, json.empty_array_mt), "empty_array_mt")
says('{"a":1}', setmetatable({ a = 1 }, json.empty_array_mt), "which says nothing of others")
t.ok(getmetatable(json.decode "[]") == json.array_mt, "lists that were read are marked")
t.raises("names in an array", function()
  return json.encode(setmetatable({ a = 1 }, json.array_mt))
end, "names in what was marked as an array")

-- indentation
t.is(json.encode({ a = { 1, {} }, b = {} }, { indent = 2 }),
  '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": {}\n}', "indent")

-- mistakes name the place
local function refuses(value, ...)
  t.raises("refused: " .. ..., function() return json.encode(value) end, "json.lua:", "encode: ",
    ...)
end
refuses({ users = { {}, {}, { name = "\xff" } } }, "users[3].name: the string is not UTF-8")
refuses({ ["odd key"] = { ["\xff"] = 1 } }, '["odd key"]["\u{fffd}"]: the key is not UTF-8')
refuses({ 1, nil, 3 }, "a list without holes is needed: 2 values, the last at 3")
refuses({ x = { [1 << 40] = 1 } }, "x: a list without holes")
refuses({ 1, x = 2 }, "names or positions")
refuses({ [0] = 1 }, "keys are strings or 1, 2, 3, ...; one is 0")
refuses({ [1.5] = 1 }, "one is 1.5")
refuses({ [true] = 1 }, "one is boolean")
refuses({ f = print }, "f: a function has no JSON form")
refuses({ c = coroutine.create(print) }, "c: a thread has no JSON form")
refuses({ f = das.filter{} }, "f: a das.filter has no JSON form")
refuses(das, "a table with __pairs has no JSON form")
local circle = {}
circle.next = { circle }
refuses(circle, "next[1].next[1]", "nest more than 100 deep")
local deep = {}
for _ = 1, 99 do
  deep = { deep }
end
t.is(#json.encode(deep), 200, "100 levels are fine")
t.is(json.encode(json.decode(json.encode(setmetatable(deep, nil)))), json.encode(deep),
  "both ways")
refuses({ deep }, "nest more than 100 deep")
refuses(("x"):rep((16 << 20) + 1), "more than 16777216 bytes")
t.is(json.encode("a\xff", { invalid_utf8 = "replace" }), '"a\u{fffd}"', "bytes can be replaced")
t.raises("option", function() json.encode(1, { indnt = 1 }) end, 'did you mean "indent"')
t.raises("indent", function() json.encode(1, { indent = 99 }) end, "at most 16")
t.raises("indent -1", function() json.encode(1, { indent = -1 }) end, "indent: expected a whole")
t.raises("invalid_utf8", function() json.encode(1, { invalid_utf8 = 1 }) end,
  '"raise" or "replace"')
t.raises("nothing", function() json.encode() end, "value expected")

-- what is read may be wrong: nil, message, code
local function bad(text, ...)
  local value, message, code = json.decode(text)
  t.is(value, nil, "refused: " .. ...)
  t.is(code, "data", "as data")
  for _, part in ipairs{ ... } do
    t.has(message, part, "saying so")
  end
end
bad("", "decode: line 1: not valid JSON")
bad("[1,\n2,\n}", "line 3", "column")
bad("[1] x", "end of file expected")
bad('{"a":1,"a":2}', "duplicate object key")
bad("9223372036854775808", "too big integer")
bad("-9223372036854775809", "too big")
bad("1e400", "real number overflow")
bad('"\xff"', "unable to decode byte 0xff")
bad("[NaN]", "not valid JSON")
bad("{'a':1}", "not valid JSON")
bad("[1,]", "not valid JSON")
bad(("["):rep(101) .. ("]"):rep(101), "line 1: nests more than 100 deep")
bad("\n\n" .. ('{"a":'):rep(101), "line 3: nests more than 100 deep")
bad((" "):rep((16 << 20) + 1), "16777217 bytes, at most 16777216 are read")
bad("[" .. ("1,"):rep(1 << 20) .. "1]", "need more memory than the run may have")
t.is(json.decode('"' .. ("["):rep(200) .. '\\"["'), ("["):rep(200) .. '"[', "not in strings")
t.is(json.decode '"a\\u0000b\\ud83d\\ude00"', "a\0b😀", "escapes")
t.raises("no text", function() return json.decode(nil) end, "string expected, got nil")
t.raises("a number", function() return json.decode(5) end, "string expected, got number")

-- das's own objects
local one = das.preview{ id = 1987 }
local session = json.decode(json.encode(one[1]))
t.is(session.id, 1987, "a session")
t.is(session.sql_info, one[1].sql_info, "with its statement")
local preview = json.decode(json.encode{ found = one })
t.is(preview.found.processes[1].id, 1987, "a preview, deep in a table")
t.is(json.decode(json.encode(one.processes))[1].id, 1987, "its sessions alone")
t.is(json.encode(das.preview{}.processes), "[]", "none")
local plan = one:plan{ reason = "why" }
t.is(json.decode(json.encode(plan)).reason, "why", "a plan")
t.is(json.decode(json.encode(plan:apply())).plan, plan.hash, "a report")

-- lua-cjson's name and manners
t.is(cjson.encode{ id = 1 }, '{"id":1}', "cjson.encode")
t.ok(cjson.null == json.null and cjson.array_mt == json.array_mt, "the same constants")
t.raises("cjson.decode raises", function() return cjson.decode "{" end, "json.lua:",
  "not valid JSON")
t.ok(require "cjson.safe" == json, "cjson.safe is das.json")
t.raises("unknown", function() return cjson.decod end, 'did you mean "decode"')
t.raises("read-only", function() cjson.null = 1 end, "cjson is read-only")

-- no finalizer by way of the metatable that reading sets
rawset(json.array_mt, "__gc", print)
t.raises("a finalizer", function() return json.decode "[]" end, "scripts have none")
rawset(json.array_mt, "__gc", nil)
rawset(json.array_mt, "__len", error)
t.is(json.encode(json.decode "[1]"), "[1]", "tables are read raw")

t.done()

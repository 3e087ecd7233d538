-- das: -i mem:tests/samples/recording.jsonl
-- regex.lua - das.regex: what matches, what is refused, and that no pattern hangs a run.
local t = require "tap"

local read = das.regex("^\\s*select\\b", "i")
t.ok(read:test "  SELECT 1", "test")
t.ok(not read:test "selection", "a word's end")
t.ok(not read:test(nil), "nil matches nothing")
t.is(tostring(read), "^\\s*select\\b", "it shows as its pattern")
t.is(das.regex("b+"):match "abbc", "bb", "match without groups gives the whole")
local name, op, value = das.regex("(\\w+)(>)?=(\\d+)"):match "time=60"
t.is(name, "time", "a group")
t.is(op, false, "a group that took no part")
t.is(value, "60", "the last group")
t.is(das.regex "x":match "abc", nil, "no match")
t.is(das.regex "x":match(nil), nil, "nor of nil")
t.is(das.regex "a\0b":match "xa\0by", "a\0b", "zero bytes")
t.is(das.regex("^.$", "u"):test "ä", true, "u: a character")
t.is(#das.preview{ all = true }:where(function(s) return das.regex "^Sleep$":test(s.command) end),
  #das.preview{ command = "Sleep" }, "in where()")

t.raises("a bad pattern", function() das.regex "a(b" end, "regex.lua:",
  "missing closing parenthesis", "at byte 4")
t.raises("a bad flag", function() das.regex("a", "g") end, "unknown flag \"g\"")
t.raises("no pattern", function() das.regex() end, "expected a pattern, got no value")
t.raises("flags of another type", function() das.regex("a", {}) end, "flags: expected")
t.raises("text of another type", function() read:test(7) end,
  "expected a string or nil, got number")
t.raises("another method", function() return read.tset end, "a regex has no field \"tset\"",
  "did you mean \"test\"")
t.raises("2^60 ways", function() das.regex "^(a+)+$":test(("a"):rep(60) .. "!") end, "regex.lua:",
  "too complex")
t.done()

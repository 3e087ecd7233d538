-- das: -i mem:tests/samples/recording.jsonl
-- log.lua - das.log from the script's side; the lines themselves are looked at in test_values.c.
local t = require "tap"
local log = das.log

for _, level in ipairs{ "debug", "info", "warn", "error" } do
  t.is(select("#", log[level]("a " .. level, { n = 1 })), 0, level .. " returns nothing")
end
log.info(5)
log.info("ok 999 - not\nok 1000 - a line of its own")
log.info("fields", { text = "x", list = { 1, 2 }, null = das.json.null, found = das.preview{} })
t.raises("no message", function() log.info() end, "log.lua:", "log.info: expected a message")
t.raises("a table", function() log.warn{} end, "log.warn: expected a message, got table")
t.raises("fields", function() log.error("x", "y") end, "log.error: expected a table of fields")
t.raises("a list", function() log.info("x", { 1 }) end, "field names are strings, got number")
t.raises("a function", function() log.info("x", { f = print }) end,
  "log.info: f: a function has no JSON form")
t.raises("too many", function()
  local many = {}
  for i = 1, 101 do
    many["k" .. i] = i
  end
  log.info("x", many)
end, "more than 100 fields")
t.raises("unknown", function() return log.warning end, "das.log has no field", 'mean "warn"')
t.raises("read-only", function() log.info = print end, "das.log is read-only") -- luacheck: ignore

t.done()

-- das: -i mem:tests/samples/recording.jsonl
-- time.lua - das.time, das.sleep and das.retry.
local t = require "tap"
local time = das.time

-- now
t.ok(math.type(time.now()) == "integer" and time.now() > 1700000000, "now is whole seconds")
t.ok(time.now_ms() // 1000 - time.now() <= 1, "now_ms is milliseconds")
local before = time.monotonic()
das.sleep(0.05)
local took = time.monotonic() - before
t.ok(took >= 0.045 and took < 5, "sleep takes its time")
das.sleep(0)
das.sleep "0s"
t.raises("sleep -1", function() das.sleep(-1) end, "time.lua:", "sleep: expected seconds", "got -1")
t.raises("sleep soon", function() das.sleep "soon" end, "such as \"5m\", got soon")
t.raises("sleep nan", function() das.sleep(0 / 0) end, "expected seconds")
t.raises("sleep {}", function() das.sleep{} end, "got table")

-- ISO 8601
t.is(time.parse "2026-11-24T03:17:05Z", 1795490225, "parse")
t.is(time.parse "2026-11-24T11:17:05.75+08:00", 1795490225, "with offset and fraction")
t.is(time.format(1795490225), "2026-11-24T03:17:05Z", "format is UTC")
t.is(time.format(1795490225, { tz = "Asia/Shanghai" }), "2026-11-24T11:17:05+08:00", "or a zone")
t.is(time.format(1795490225.0, { tz = "UTC" }), "2026-11-24T03:17:05Z", "a whole float will do")
t.is(time.parse(time.format()), time.now(), "now by default")
for _, case in ipairs{
  { "2026-11-24T03:17:05", "without its offset" }, { "2026-02-29T00:00:00Z", "no day 2026-02-29" },
  { "yesterday", "expected a time as in" }, { "", "expected a time" },
} do
  local value, message, code = time.parse(case[1])
  t.is(value, nil, "refused: '" .. case[1] .. "'")
  t.has(message, "parse: ", "by whom")
  t.has(message, case[2], "why")
  t.is(code, "data", "as data")
end
t.raises("parse a table", function() time.parse{} end, "string expected, got table")
t.raises("format x", function() time.format "x" end, "format: expected whole seconds since 1970")
t.raises("format 0.5", function() time.format(0.5) end, "got 0.5")
t.raises("a far year", function() time.format(math.maxinteger) end, "in the years 0 to 9999")
t.raises("zone", function() time.format(0, { tz = "Asia/Shangai" }) end, "time.lua:",
  'format: tz: unknown time zone "Asia/Shangai"')
t.raises("zone 2", function() time.format(0, { tz = "../../etc/passwd" }) end, "is not the name")
t.raises("zone 3", function() time.format(0, { tz = 8 }) end, "tz: expected a time zone")
t.raises("zone 4", function() time.format(0, { zone = "UTC" }) end, 'unknown option "zone"')

-- durations
for text, seconds in pairs{ ["90"] = 90, ["90s"] = 90, ["5m"] = 300, ["2h"] = 7200, ["1d"] = 86400,
} do
  t.is(time.duration(text), seconds, "duration " .. text)
end
t.is(time.duration(300), 300, "seconds are a duration")
for _, text in ipairs{ "", "m", "5 m", "1h30m", "-5m", "5w", "99999999999999999999", "1.5h" } do
  t.is(select(3, time.duration(text)), "data", "refused: '" .. text .. "'")
end
t.raises("half a second", function() time.duration(0.5) end, "got 0.5")
t.raises("nothing", function() time.duration() end, "got no value")

-- windows
local at = time.parse
local night = time.window{ days = "mon-fri", from = "22:00", to = "06:00", tz = "Asia/Shanghai" }
t.is(tostring(night), "mon,tue,wed,thu,fri 22:00-06:00 Asia/Shanghai", "a window prints")
t.is(night:contains(at "2026-11-27T23:00:00+08:00"), true, "Friday night")
t.is(night:contains(at "2026-11-28T05:59:59+08:00"), true, "ends on Saturday")
t.is(night:contains(at "2026-11-28T06:00:00+08:00"), false, "at six")
t.is(night:contains(at "2026-11-28T23:00:00+08:00"), false, "Saturday night is no part of it")
t.is(night:next_open(at "2026-11-28T00:00:00+08:00"), at "2026-11-30T22:00:00+08:00", "next_open")
t.is(night:next_close(at "2026-11-28T00:00:00+08:00"), at "2026-11-28T06:00:00+08:00", "next_close")
t.is(type(night:contains()), "boolean", "now by default")
t.ok(night:next_open() > time.now(), "next_open is after now")
local list = time.window{ days = { "sat", "sun-mon" }, from = "09:00", to = "17:30" }
t.is(tostring(list), "mon,sat,sun 09:00-17:30 UTC", "a list of days, and UTC by default")
t.is(tostring(time.window{}), "every day 00:00-24:00 UTC", "always")
t.is(time.window{}:contains(), true, "contains now")
t.is(time.window{}:next_open(), nil, "and never opens")
t.is(time.window{}:next_close(), nil, "nor closes")
local berlin = time.window{ days = "sun", from = "02:00", to = "03:00", tz = "Europe/Berlin" }
t.is(berlin:next_close(at "2026-10-25T00:00:00Z") - berlin:next_open(at "2026-10-24T00:00:00Z"),
  7200, "an hour that is there twice")
t.is(berlin:next_open(at "2026-03-28T00:00:00Z"), at "2026-04-05T00:00:00Z",
  "one that is not there")
t.raises("day", function() time.window{ days = "monday" } end, "time.lua:",
  "window: days: expected mon", 'got "monday"')
t.raises("days", function() time.window{ days = {} } end, "1 to 7 of them, got 0")
t.raises("days 5", function() time.window{ days = 5 } end, "got number")
t.raises("day 5", function() time.window{ days = { 5 } } end, "got number")
t.raises("from", function() time.window{ from = "9:00" } end, "from: expected a time", "9:00")
t.raises("from 9", function() time.window{ from = 9 } end, "from: expected a time of day")
t.raises("to", function() time.window{ to = "24:01" } end, "to: expected a time of day")
t.raises("the same", function() time.window{ from = "06:00", to = "06:00" } end, "the same moment")
t.raises("from the end", function() time.window{ from = "24:00" } end, "the same moment")
t.raises("zone", function() time.window{ tz = "Mars/Base" } end, 'unknown time zone "Mars/Base"')
t.raises("option", function() time.window{ form = "1" } end, 'did you mean "from"')
t.raises("no table", function() time.window "x" end, "table expected")
t.raises("field", function() return night.next_opn end, 'a window has no field "next_opn"',
  'did you mean "next_open"')
t.raises("seconds", function() night:contains "x" end, "contains: expected whole seconds")
t.raises("another object", function() night.contains(das.filter{}) end, "das.window expected")

-- retry
local calls = 0
local function failing(code)
  return function(attempt)
    calls = calls + 1
    t.is(attempt, calls, "the function hears which attempt it is")
    return nil, "no " .. calls, code
  end
end
local value, message, code = das.retry{ times = 3, wait = 0, failing "timeout" }
t.is(calls, 3, "three times")
t.ok(value == nil and message == "no 3" and code == "timeout", "the last failure is returned")
for _, final in ipairs{ "auth", "denied", "unsupported", "blocked" } do
  calls = 0
  das.retry{ wait = 0, failing(final) }
  t.is(calls, 1, final .. " is not tried again")
end
calls = 0
local a, b, c = das.retry{ wait = 0, function(n)
  if n < 3 then
    return nil, "not yet", "connect"
  end
  return "done", nil, n
end }
t.ok(a == "done" and b == nil and c == 3, "all results of the one that worked")
t.is(das.retry{ function() return false, "no failure" end }, false, "false is a result")
t.is(select("#", das.retry{ function() end }), 0, "so is nothing")
t.raises("errors go through", function()
  das.retry{ wait = 0, function(n) error("attempt " .. n) end }
end, "attempt 1")
before = time.monotonic()
das.retry{ times = 3, wait = "0s", backoff = 100, function() return nil, "x" end }
das.retry{ times = 3, wait = 0.02, backoff = 2, function() return nil, "x" end }
t.ok(time.monotonic() - before >= 0.055, "20 ms and then 40 ms")
local co = coroutine.wrap(function()
  return das.retry{ wait = 0, function(n) return coroutine.yield(n), "x" end }
end)
t.is(co(), 1, "the function may yield")
t.is(co(nil), 2, "between attempts")
t.raises("no function", function() das.retry{ times = 2 } end, "time.lua:",
  "retry: expected a function behind the options, got nil")
t.raises("no table", function() das.retry(print) end, "retry: expected a table", "got function")
t.raises("times", function() das.retry{ times = 0, print } end, "times: expected 1 to 1000, got 0")
t.raises("wait", function() das.retry{ wait = "x", print } end, "retry: wait: expected seconds")
t.raises("backoff", function() das.retry{ backoff = 0.5, print } end, "1 to 100, got 0.5")
t.raises("option", function() das.retry{ tims = 1, print } end, 'did you mean "times"')
t.raises("two functions", function() das.retry{ print, print } end, "option names are strings")

t.done()

-- das: -i mem:tests/samples/show_vertical.txt
-- filter.lua - das.filter from the script's side: what it takes, prints, composes and refuses.
local t = require "tap"

-- printing, and that what is printed means the same
t.is(tostring(das.filter{ user = "app%", time = 60 }), '{user="app%", time=60}', "a table prints")
t.is(tostring(das.filter{ time = "5m" }), "{time=300}", "a duration is seconds")
t.is(tostring(das.filter{ time = 5.0 }), "{time=5}", "a whole float is a whole number")
t.is(tostring(das.filter{ id = { 3, 1, 3 } }), "{id={1, 3}}", "ids are a set")
t.is(tostring(das.filter{ user = "" }), "{}", "an empty string is unset")
t.is(tostring(das.filter{ user = 'a"b\\c\n' }), [[{user="a\"b\\c\010"}]], "quotes are escaped")
local a, b, c = das.filter{ user = "a" }, das.filter{ user = "b" }, das.filter{ user = "c" }
t.is(tostring(a | b & ~c), '{user="a"} | {user="b"} & ~{user="c"}', "precedence is Lua's")
t.is(tostring((a | b) & c), '({user="a"} | {user="b"}) & {user="c"}', "parentheses where needed")
t.is(tostring(~(a & b)), '~({user="a"} & {user="b"})', "not of a conjunction")
t.is(tostring(a & { db = "x" }), '{user="a"} & {db="x"}', "a table composes with a filter")
t.is(tostring({ db = "x" } | a), '{db="x"} | {user="a"}', "on either side")

-- mistakes
t.raises("unknown key", function() return das.filter{ usr = "x" } end, "filter.lua:",
  'unknown filter key "usr"', 'did you mean "user"')
t.raises("answer's name", function() return das.filter{ sql_info = "x" } end, 'did you mean "info"')
t.raises("wrong type", function() return das.filter{ time = {} } end, "time: expected", "got table")
t.raises("a number for text", function() return das.filter{ user = 5 } end,
  "user: expected a string")
t.raises("half seconds", function() return das.filter{ time = 1.5 } end, "time: expected", "1.5")
t.raises("negative time", function() return das.filter{ time = -1 } end, "time: expected 0 to")
t.raises("unknown command", function() return das.filter{ command = "Qery" } end,
  'did you mean "Query"')
t.raises("a list", function() return das.filter{ "user" } end, "named criteria")
t.raises("ids", function() return das.filter{ id = { 1, "x" } } end, "id: expected", "item 2")
t.raises("no ids", function() return das.filter{ id = {} } end, "id: expected 1 to")
t.raises("task_type", function() return das.filter{ task_type = "now" } end, '"auto" or "manual"')
t.raises("task_duration", function() return das.filter{ task_duration = 9 } end, "10 to 31535999")
t.raises("all", function() return das.filter{ all = 1 } end, "all: expected true or false")
t.raises("a filter in a filter", function() return das.filter(a) end, "got a filter")
t.raises("no table", function() return das.filter("x") end, "got string")
t.raises("a field", function() return a.user end, "a filter has no field")
t.raises("too deep", function()
  local f = a
  for _ = 1, 10000 do
    f = f | b
  end
end, "nests more than")

-- no criterion selects nothing, all says everything
t.is(#das.preview{}, 0, "{} selects nothing")
t.is(#das.preview(~das.filter{}), 0, "and so does ~{}")
t.is(#das.preview{ all = true }, 8, "all = true")
t.is(#das.preview(~das.filter{ all = true }), 0, "not all")
t.has(das.preview{}.warnings[1], "no criterion", "a warning says so")
t.is(#das.preview({ user = "" } | das.filter{ user = "printer" }), 1, "an empty side adds nothing")

-- the rules on real rows
t.is(#das.preview{ user = "APP_RW" }, 0, "user: case matters")
t.is(#das.preview{ user = "app_%" }, 3, "user: wildcard")
t.is(#das.preview{ user = "appXrw" }, 0, "user: _ is no wildcard")
t.is(#das.preview{ user = "o|brien", db = "a|b\tc", command = "query" }, 1, "nasty names")
t.is(#das.preview{ command = "qUeRy" }, 6, "command: any case")
t.is(#das.preview{ info = "SELECT~sleep~日本語" }, 1, "info: in order")
t.is(#das.preview{ info = "日本語~sleep" }, 0, "info: not out of order")
t.is(#das.preview{ state = "user SLEEP" }, 5, "state: any case")
t.is(#das.preview(~das.filter{ db = "shop" }), 5, "a NULL db is not \"shop\"")

t.done()

-- das: -i mem:tests/samples/show_vertical.txt -- one two
-- preview.lua - previews, selections and sessions from the script's side.
local t = require "tap"

local all = das.preview{ all = true }
t.is(all.total_count, 8, "total_count")
t.is(#all.processes, 8, "#processes")
t.is(#all, 8, "#preview")
t.is(all.complete, true, "complete")
t.has(all.instance, all.instance:find("^das:") and "?endpoint=" or
  "mem:tests/samples/show_vertical.txt", "instance")
t.is(math.type(all.data_sync_time), "integer", "data_sync_time")
t.is(#all.warnings, 0, "warnings")
t.is(tostring(all.filter), "{all=true}", "filter")

-- processes is an array
local seen, last = 0, nil
for i, s in ipairs(all.processes) do
  seen, last = seen + 1, i
  t.ok(s.id == all.processes[i].id, "ipairs gives session " .. i)
end
t.is(seen, 8, "ipairs ends")
t.is(last, 8, "at the last")
seen = 0
for i, s in pairs(all.processes) do
  seen = seen + (s == all[i] and 1 or 0)
end
t.is(seen, 8, "pairs too")
t.is(all.processes[0], nil, "no [0]")
t.is(all.processes[9], nil, "no [9]")
t.is(table.concat({ select(2, pcall(function() return all.processes.x end)) }):find("array") ~= nil,
  true, "no names in it")
t.is((table.unpack(all.processes, 1, 1)).id, all[1].id, "table.unpack")

-- a session
local s = das.preview{ user = "app_rw", command = "Sleep" }[1]
t.is(s.id, 67, "id is an integer")
t.is(s.db, "shop", "db")
t.is(s.sql_info, nil, "NULL is nil")
t.is(s.state, "", "and \"\" is not")
t.is(s.state_duration, 3, "state_duration")
t.is(s.host_part, "localhost", "host_part")
t.is(s.trx_time, nil, "unknown is nil")
t.raises("unknown field", function() return s.stat end, "a session has no field", '"state"')
t.raises("request's name", function() return s.time end, '"state_duration"')
t.raises("read-only", function() s.id = 1 end, "preview.lua:")
local fields = {}
for name, value in pairs(s) do
  fields[name] = value
end
t.is(fields.user, "app_rw", "pairs gives fields")
t.is(fields.sql_info, nil, "that have a value")
t.has(s, "67 app_rw@localhost db=shop Sleep 3 s", "a session prints")

-- choosing
t.is(all:oldest(1)[1].user, "event_scheduler", "oldest")
t.is(all:newest(1)[1].user, "printer", "newest")
t.is(all:oldest(3)[2].id, 62, "ties go to the smaller id")
t.is(#all:oldest(100), 8, "more than there are")
t.is(#all:oldest(0), 0, "none")
t.is(#all:limit(2), 2, "limit")
t.is(#all:except_oldest(), 7, "except_oldest")
t.is(#all:where{ command = "Sleep" }, 1, "where a table")
t.is(#all:where(~das.filter{ command = "Sleep" }), 7, "where a filter")
t.is(#all:where(function(x) return x.id % 2 == 0 end), 5, "where a function")
t.is(#all:pick{ 8, 1 }, 2, "pick")
t.is(all:pick{ 8, 1 }[1].id, all[8].id, "in that order")
t.is(tostring(all:where{ command = "Sleep" }.filter), '{all=true} & {command="Sleep"}',
  "where narrows the filter")
t.raises("oldest of text", function() return all:oldest("x") end, "oldest: expected a whole number")
t.raises("oldest of -1", function() return all:oldest(-1) end, "0 or more, got -1")
t.raises("pick twice", function() return all:pick{ 1, 1 } end, "twice")
t.raises("pick outside", function() return all:pick{ 9 } end, "not in a selection of 8")
t.raises("an error in where", function()
  return all:where(function(x) return x.usr end)
end, "preview.lua:", 'did you mean "user"')
t.raises("unknown method", function() return all:oldst(1) end, 'did you mean "oldest"')

-- groups
local groups = all:group_by("user")
t.is(groups[1].key, "app_rw", "largest group first")
t.is(groups[1].count, 3, "count")
t.is(#groups[1].sessions, 3, "sessions")
t.is(#all:group_by("db"), 4, "NULL is a group of its own")
local by_function = all:group_by(function(x) return x.db end)
t.is(#by_function, #all:group_by("db"), "a function groups alike")
for i, g in ipairs(all:group_by("db")) do
  t.is(by_function[i].count, g.count, "group " .. i)
end
t.raises("unknown field", function() return all:group_by("usr") end, "group_by: unknown field")

-- explain
local e = das.preview{ time = 10, command = "Query" }:explain(62)
t.is(e.selected, false, "explain: out")
t.is(e.id, 62, "of 62")
t.has(e, "7 s too young", "by how much")
t.is(e.reasons[2].result, "in", "criterion by criterion")
t.is(das.preview{ command = "Query" }:explain(62).selected, true, "explain: in")
t.is(select(3, all:explain(4711)), "gone", "of nobody")

-- options
t.raises("unknown option", function() return das.preview({}, { instanc = "x" }) end,
  'unknown option "instanc"', '"instance"')
t.raises("unknown instance", function() return das.preview({}, { instance = "x" }) end,
  'no instance "x"')
t.is(#das.preview({ all = true }, { instance = das.instances()[1] }), 8, "an instance")
t.is(#das.instance(all.instance):preview{ all = true }, 8, "its method")
t.is(das.instances()[1].name, all.instance, "its name")
t.is(das.args[2], "two", "das.args")
t.is(select("#", ...), 2, "...")
t.is(das.dry_run, true, "das.dry_run")
t.raises("das is read-only", function()
  das.dry_run = false -- luacheck: ignore 122
end, "read-only")
t.raises("no such function", function() return das.previw end, 'did you mean "preview"')

t.done()

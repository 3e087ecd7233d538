-- das: --apply -i mem:tests/samples/show_vertical.txt
-- exit: 4
-- apply.lua - plans and reports, armed, on an instance in memory.
local t = require "tap"

local found = das.preview{ user = "app_rw" }
-- behind Huawei Cloud DAS only connections can be ended; the same file runs through das serve
local query = not found.instance:find("^das:")
local plan = found:plan{ kill = "auto", reason = "test", ttl = "5m" }
local twin = found:plan{ kill = "auto", reason = "test", ttl = "5m" }
t.is(plan.hash ~= twin.hash, true, "two plans are two, whatever they say")
t.is(#plan, 3, "#plan")
t.is(plan.count, 3, "count")
t.is(table.concat(plan.ids, " "), "65 66 67", "ids")
t.is(plan.kill, "auto", "kill")
t.is(plan.reason, "test", "reason")
t.is(plan.expires_at - plan.created_at, 300, "ttl")
t.is(#plan.hash, 64, "hash")
t.is(plan.instance, found.instance, "instance")

local report = plan:apply()
t.is(report.dry_run, false, "not a dry run")
t.is(report.killed, 3, "three killed")
t.is(report.would_kill, 0, "and not only almost")
t.is(report.outcomes[1].outcome, "killed", "an outcome")
t.is(report.outcomes[1].action, query and "query" or "connection",
  "the statement outside a transaction")
t.is(report.outcomes[3].action, "connection", "the connection of an idle session")
t.is(#das.preview{ user = "app_rw" }, query and 2 or 0, "the idle one is gone")
if query then
  t.is(das.preview{ id = 65 }[1].command, "Sleep", "the statement has ended")
end

local once = plan:apply()
t.is(once.refused, 3, "a plan is applied once")
t.has(once.outcomes[1].note, "applied before", "and says so")
local again = twin:apply()
t.is(again.killed, 0, "nobody dies twice")
t.is(again.changed, query and 2 or 0, "whoever is there has changed")
t.is(again.gone, query and 1 or 3, "who is not is gone")
if query then
  t.has(again.outcomes[1].note, "statement has ended", "and says how")
end

-- what may never be touched
t.is(das.preview{ user = "event_scheduler" }:plan{}:apply().protected, 1, "protected")
das.protect{ user = "printer" }
local printer = das.preview{ user = "printer" }:plan{}:apply()
t.is(printer.protected, 1, "protected by the script")
t.has(printer.outcomes[1].note, 'user="printer"', "and says by what")
t.raises("a protection of nobody", function() das.protect{} end, "no criterion")

local idle = das.preview{ id = query and 65 or 63 }:plan{ kill = "query" }:apply()
t.is(idle.refused, 1, query and "no statement to kill" or "no statement can be killed there")

-- mistakes
t.raises("unknown option", function() return found:plan{ kil = "query" } end, '"kill"')
t.raises("unknown mode", function() return found:plan{ kill = "all" } end, '"auto", "query"')
t.raises("ttl", function() return found:plan{ ttl = 0 } end, "ttl: expected 1 to")
t.raises("reason", function() return found:plan{ reason = 5 } end, "reason: expected a string")
t.raises("plan field", function() return plan.victims end, "a plan has no field")
t.raises("report field", function() return report.kiled end, '"killed"')

t.done()

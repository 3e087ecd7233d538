-- das: -i mem:tests/samples/recording.jsonl
-- exit: 0
-- plan.lua - what a plan can be told and tells, and what the report of a dry run has of it.
local t = require "tap"

local found = das.preview{ user = "report" }
local plan = found:plan{ kill = "soft", escalate = "90s", symptom = { state = "Waiting%" } }
t.is(plan.kill, "soft", "kill")
t.is(plan.escalate, 90, "escalate")
t.is(tostring(plan.symptom), '{state="Waiting%"}', "symptom")
t.is(tostring(plan.filter), '{user="report"}', "filter")
t.is(type(plan.asked_by), "table", "asked_by")
t.has(tostring(plan), "a statement that goes on for 90 s after its kill", "and all of it printed")
t.is(found:plan{ escalate = 0.5 }.escalate, 0.5, "parts of a second")
t.is(found:plan{ escalate = "250ms" }.escalate, 0.25, "in milliseconds")
t.is(found:plan{}.escalate, nil, "no escalation")
t.is(found:plan{}.symptom, nil, "no symptom")
local either = das.filter{ db = "a" } | das.filter{ db = "b" }
t.is(tostring(found:plan{ symptom = either }.symptom), '{db="a"} | {db="b"}', "a filter as symptom")

-- a plan keeps its filters when nobody else does
local kept = (function() return das.preview{ user = "report" }:plan{ symptom = { db = "c" } } end)()
for i = 1, 20000 do t.last = ("garbage"):rep(10) .. i end
t.is(tostring(kept.symptom) .. tostring(kept.filter), '{db="c"}{user="report"}', "kept")

local report = plan:apply()
t.is(report.killing, 0, "killing")
t.is(report.respawned, 0, "respawned")
t.is(report.outcomes[1].after_ms, nil, "a dry run kills nobody after so many ms")
t.is(report.outcomes[1].rows_left, nil, "and nobody is rolling back")

-- mistakes
local function raises(what, options, message)
  t.raises(what, function() return found:plan(options) end, message)
end
raises("nothing beyond it", { kill = "connection", escalate = 1 }, "escalate: expected kill to be")
raises("no time at all", { escalate = 0 }, "escalate: expected up to 3600 seconds")
raises("more than an hour", { escalate = 3601 }, "got 3601")
raises("not a number", { escalate = 0 / 0 }, "escalate: expected up to")
raises("no duration", { escalate = "soon" }, "got soon")
raises("a table", { escalate = {} }, "escalate: expected up to")
raises("no filter", { symptom = "Waiting" }, "symptom: expected a filter or a table of criteria")
raises("no criterion", { symptom = { stat = "x" } }, 'did you mean "state"')
raises("unknown option", { escalat = 1 }, '"escalate"')
raises("unknown mode", { kill = "hard" }, '"connection" or "soft"')

t.done()

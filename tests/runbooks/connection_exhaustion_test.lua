-- Tests of scripts/runbooks/connection_exhaustion.lua: das test tests/runbooks
local RUNBOOK = "../../scripts/runbooks/connection_exhaustion.lua"

local function crowd(t)
  local db = t.instance{ name = "orders", sessions = {
    { id = 1, user = "app", command = "Query", info = "select 1", time = 300 },
    { id = 9, user = "etl", command = "Sleep", time = 900 },
  } }
  for i = 1, 5 do
    db:add{ id = 10 + i, user = "app", command = "Sleep", time = 100 + i }
  end
  for i = 1, 3 do
    db:add{ id = 20 + i, user = "app", command = "Sleep", time = 200 + i, trx_time = 200 + i }
  end
  return db
end

test("within the limit nothing is done", function(t)
  crowd(t)
  local r = t.run(RUNBOOK)
  t.expect(r).victims{}.output("10 connections.*nothing was done")
  t.equal(#r.steps, 2)
end)

test("idle ones first, and that may be enough", function(t)
  crowd(t)
  local r = t.run(RUNBOOK, {}, { params = { user = "app%", limit = 5, idle = "60s" } })
  t.expect(r).victims{ 15, 14, 13, 12, 11 }.output("5 chosen, 5 ended")
  t.equal(r.waiting, false)
  t.equal(das.time.now() - 30 >= 0, true)
end)

test("open transactions only after somebody said so", function(t)
  local db = crowd(t)
  local params = { user = "app", limit = 2, kill = 2, wait = "10m" }
  local r = t.run(RUNBOOK, {}, { params = params })
  t.equal(r.waiting, true)
  t.expect(r).victims{ 15, 14 }
  r = t.run(RUNBOOK, {}, { params = params, answers = { ["end transactions?"] = "leave" } })
  t.expect(r).victims{ 13, 12 }.output("idle transactions: leave %(test%)")
  r = t.run(RUNBOOK, {}, { params = params, answers = { ["end transactions?"] = "kill" } })
  t.expect(r).victims{ 11, 23, 22 }.output("Idle transactions: 2 chosen, 2 ended")
  t.equal(#db:sessions(), 3)
end)

test("nobody left to end, and a wrong parameter", function(t)
  t.instance{ sessions = { { id = 1, time = 5 }, { id = 2, time = 5 } } }
  t.expect(t.run(RUNBOOK, {}, { params = { limit = 1 } })).victims{}.output("0 chosen, 0 ended")
  t.ok(t.run(RUNBOOK, {}, { params = { limit = 0 } }).error:find("limit: expected a whole number from 1"))
  t.ok(t.run(RUNBOOK, {}, { params = { limits = 3 } }).error:find("did you mean limit", 1, true))
end)

test("it asks in a channel, and somebody of a role, or neither", function(t)
  crowd(t)
  local r = t.run(RUNBOOK, {}, { params = { user = "app", limit = 2, kill = 2, channel = "ops", role = "dba" } })
  t.equal({ r.waiting, #r.messages, r.messages[1].channel, r.messages[1].fields["may answer"] },
    { true, 1, "ops", "role:dba" })
  r = t.run(RUNBOOK, {}, { params = { user = "app", limit = 2, kill = 2 } })
  t.equal({ r.waiting, #r.messages }, { true, 0 })
end)

-- Tests of scripts/runbooks/replica_lag.lua: das test tests/runbooks
local RUNBOOK = "../../scripts/runbooks/replica_lag.lua"

local function replica(t)
  return t.instance{ name = "replica", sessions = {
    { id = 1, user = "system user", command = "Slave_SQL", time = 300, state = "Waiting for table metadata lock" },
    { id = 2, user = "report", command = "Query", time = 900, info = "select 1 from orders" },
    { id = 3, user = "report", command = "Query", time = 400, info = "select 2 from orders" },
    { id = 4, user = "report", command = "Query", time = 4, info = "select 3" },
  } }
end

test("no lag, nothing done", function(t)
  t.instance{ sessions = { { id = 2, user = "report", command = "Query", time = 900, info = "select 1" } } }
  t.expect(t.run(RUNBOOK)).victims{}.output("Nothing was done")
end)

test("the oldest is cancelled, and that was it", function(t)
  local db = replica(t)
  t.on_apply(function() db:update(1, { state = "Reading event", time = 0 }) end)
  t.expect(t.run(RUNBOOK)).victims{ 2 }.spared{ 1, 3, 4 }.output("1 of 1 cancelled")
end)

test("the others after a question", function(t)
  replica(t)
  t.equal(t.run(RUNBOOK).waiting, true)
  local r = t.run(RUNBOOK, {}, { answers = { ["cancel the others?"] = "leave" } })
  t.expect(r).victims{ 3 }
end)

test("kill them all", function(t)
  local db = replica(t)
  local r = t.run(RUNBOOK, {}, { answers = { ["cancel the others?"] = function()
    db:update(3, { time = 1000 })
    return "kill"
  end } })
  t.expect(r).victims{ 2, 3 }.output("Other SELECTs: 1 of 1 cancelled")
end)

test("they end by themselves while somebody thinks", function(t)
  local db = replica(t)
  local r = t.run(RUNBOOK, {}, { answers = { ["cancel the others?"] = function()
    db:remove(3)
    return "kill"
  end } })
  t.expect(r).victims{ 2 }.output("Other SELECTs: 0 of 0 cancelled")
end)

test("it asks in a channel, and somebody of a role, or neither", function(t)
  replica(t)
  local r = t.run(RUNBOOK, {}, { params = { channel = "ops", role = "dba" } })
  t.equal({ r.waiting, #r.messages, r.messages[1].channel, r.messages[1].fields["may answer"] },
    { true, 1, "ops", "role:dba" })
  r = t.run(RUNBOOK, {}, { params = {} })
  t.equal({ r.waiting, #r.messages }, { true, 0 })
end)

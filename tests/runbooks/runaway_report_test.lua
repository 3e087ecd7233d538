-- Tests of scripts/runbooks/runaway_report.lua: das test tests/runbooks
local RUNBOOK = "../../scripts/runbooks/runaway_report.lua"

local function reports(t)
  return t.instance{ name = "orders", sessions = {
    { id = 1, user = "report", command = "Query", time = 900, info = "select sum(x) from orders", query_id = 1 },
    { id = 2, user = "report", command = "Query", time = 100, info = "select 2" },
    { id = 3, user = "app", command = "Query", time = 900, info = "select 3" },
    { id = 4, user = "app", command = "Query", time = 9, info = "update orders set x = 1" },
  } }
end

test("it has to say whose reports", function(t)
  reports(t)
  t.ok(t.run(RUNBOOK).error:find("--param user=...: is needed", 1, true))
end)

test("the long ones are cancelled", function(t)
  local db = reports(t)
  t.on_apply(function() db:update(4, { time = 10 }) end)
  local r = t.run(RUNBOOK, {}, { params = { user = "report%" } })
  t.expect(r).victims{ 1 }.spared{ 2, 3, 4 }.output("Statements cancelled: 1 of 1")
  t.equal(r.waiting, false)
end)

test("no report, nothing done", function(t)
  t.instance{ sessions = {} }
  t.expect(t.run(RUNBOOK, {}, { params = { user = "report" } })).victims{}.output("Nothing was done")
end)

test("one that runs still is asked about, and its connection ends", function(t)
  local db = reports(t)
  local applies = 0
  t.on_apply(function() -- it was not the same statement any more, so it was spared
    applies = applies + 1
    if applies == 1 then
      db:update(1, { query_id = 2, info = "select sum(y) from orders" })
    end
  end)
  local params = { user = "report%" }
  local r = t.run(RUNBOOK, {}, { params = params, answers = { ["end connections?"] = "kill" } })
  t.expect(r).victims{ 1 }.output("Statements cancelled: 0 of 1").output("Connections ended: 1 of 1")
end)

test("leave it, or it ends by itself while somebody thinks", function(t)
  local db = reports(t)
  local applies = 0
  t.on_apply(function()
    applies = applies + 1
    db:update(1, { query_id = 2 + applies, info = "select " .. applies .. " from orders",
      time = 900 })
  end)
  local params = { user = "report%" }
  local r = t.run(RUNBOOK, {}, { params = params, answers = { ["end connections?"] = "leave" } })
  t.expect(r).victims{}.output("leave")
  r = t.run(RUNBOOK, {}, { params = params, answers = { ["end connections?"] = function()
    db:remove(1)
    return "kill"
  end } })
  t.expect(r).victims{}.output("Connections ended: 0 of 0")
end)

test("it is gone when its statement is to be cancelled", function(t)
  local db = reports(t)
  db:remove(1)
  t.expect(t.run(RUNBOOK, {}, { params = { user = "report" } })).output("0 reports")
end)

test("it asks in a channel, and somebody of a role, or neither", function(t)
  local db = reports(t)
  local applies = 0
  t.on_apply(function()
    applies = applies + 1
    db:update(1, { query_id = 2 + applies, info = "select " .. applies .. " from orders", time = 900 })
  end)
  local r = t.run(RUNBOOK, {}, { params = { user = "report%", channel = "ops", role = "dba" } })
  t.equal({ r.waiting, #r.messages, r.messages[1].channel, r.messages[1].fields["may answer"] },
    { true, 1, "ops", "role:dba" })
  r = t.run(RUNBOOK, {}, { params = { user = "report%" } })
  t.equal({ r.waiting, #r.messages }, { true, 0 })
end)

-- Tests of scripts/policies/connection_hogs.lua: das test tests/policies
local POLICY = "../../scripts/policies/connection_hogs.lua"

-- n idle connections of user, the i-th idle for 60 + i seconds.
local function idle(db, user, n, first)
  local ids = {}
  for i = 1, n do
    ids[i] = db:add{ id = first + i, user = user, time = 60 + i }
  end
  return ids
end

test("closes what was idle longest, until the allowed ones are left", function(t)
  local db = t.instance{ name = "orders", sessions = {} }
  idle(db, "web", 5, 100)
  idle(db, "batch", 2, 200)
  local r = t.run(POLICY, { 3 })
  t.expect(r).victims{ 105, 104 }.spared{ 101, 102, 103, 201, 202 }.output("web: 5 idle, 3 allowed")
  t.equal(#db:sessions(), 5)
end)

test("busy sessions, young ones and those in a transaction do not count", function(t)
  local db = t.instance{ sessions = {
    { id = 1, info = "select 1", time = 900 },
    { id = 2, time = 59 },
    { id = 3, time = 900, trx_time = 900 },
    { id = 4, time = 900 },
  } }
  t.expect(t.run(POLICY, { 1 })).victims{}
  t.expect(t.run(POLICY, { 0 })).victims{ 4 }
  db:add{ id = 5, time = 30 }
  t.expect(t.run(POLICY, { 0, "30s" })).victims{ 2, 5 }
end)

test("sessions without a user have a name, too", function(t)
  t.instance{ sessions = { { id = 1, user = false, time = 900 } } }
  t.expect(t.run(POLICY, { 0 })).output("%(no user%): 1 idle, 0 allowed")
end)

test("connections are closed one step after the other, and no more than a run may", function(t)
  local db = t.instance{ name = "orders", sessions = {} }
  idle(db, "web", 6, 100)
  local r = t.run(POLICY, { 3 }, { config = { kill = { user = 2 } } })
  t.expect(r).victims{}.outcome(106, "refused", "limits.kill.user")
end)

test("a connection that woke up in the meantime is spared", function(t)
  local db = t.instance{ name = "orders", sessions = {} }
  idle(db, "web", 3, 100)
  t.on_apply(function() db:update(103, { info = "select 1" }) end)
  t.expect(t.run(POLICY, { 1 })).victims{ 102 }.outcome(103, "changed")
end)

test("it says so when it cannot look", function(t)
  t.instance{ sessions = {} }:down()
  t.expect(t.run(POLICY)).error("cannot look at the sessions: .*no connection")
end)

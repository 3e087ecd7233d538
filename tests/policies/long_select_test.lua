-- Tests of scripts/policies/long_select.lua: das test tests/policies
local POLICY = "../../scripts/policies/long_select.lua"

local function orders(t, ...)
  return t.instance{ name = "orders", sessions = { ... } }
end

test("kills the statement of a long select and leaves its connection", function(t)
  local db = orders(t, { id = 8, info = "SELECT * FROM orders", time = 60, db = "shop" })
  local r = t.run(POLICY)
  t.expect(r).victims{ 8 }.output("1 killed")
  t.equal(r.plans, {
    { instance = "orders", kill = "query", reason = "select over 60s", ids = { 8 } },
  })
  local after = db:sessions()
  t.equal(#after, 1)
  t.equal(after[1].command, "Sleep", "the session lives")
end)

test("a statement younger than the age goes on", function(t)
  orders(t, { id = 8, info = "select * from orders", time = 59 })
  t.expect(t.run(POLICY)).victims{}.spared{ 8 }
  t.clock:advance("1s")
  t.expect(t.run(POLICY)).victims{ 8 }
end)

test("AGE and AT_MOST are its arguments; the oldest go first", function(t)
  orders(t,
    { id = 5, info = "select a from t", time = "5m" },
    { id = 6, info = "select b from t", time = "7m" },
    { id = 7, info = "select c from t", time = "6m" },
    { id = 8, info = "select d from t", time = "4m" })
  t.expect(t.run(POLICY, { "5m", 2 })).victims{ 6, 7 }.spared{ 5, 8 }
end)

test("three at most by itself", function(t)
  orders(t,
    { id = 5, info = "select a from t", time = 61 },
    { id = 6, info = "select b from t", time = 62 },
    { id = 7, info = "select c from t", time = 63 },
    { id = 8, info = "select d from t", time = 64 })
  t.expect(t.run(POLICY)).victims{ 8, 7, 6 }.spared{ 5 }
end)

test("spares backups and the nightly load", function(t)
  orders(t,
    { id = 7, user = "backup_nightly", info = "select * from orders", time = 9000 },
    { id = 8, user = "etl", info = "select * from orders", time = 9000 })
  t.expect(t.run(POLICY)).victims{}.spared{ 7, 8 }
end)

test("only plain selects: what holds locks is left to a person", function(t)
  orders(t,
    { id = 1, info = "insert into a select * from b", time = 900 },
    { id = 2, info = "select * from a where id = 1 for update", time = 900 },
    { id = 3, info = "select * from a lock in share mode", time = 900 },
    { id = 4, info = "update a set x = 1", time = 900 },
    { id = 5, command = "Execute", info = "/* report */ select * from a where id = ?", time = 900 })
  t.expect(t.run(POLICY)).victims{ 5 }.spared{ 1, 2, 3, 4 }
end)

test("a protected session stays, whatever the policy wants", function(t)
  orders(t,
    { id = 8, user = "app", info = "select * from orders", time = 900 },
    { id = 9, user = "mariadb.sys", info = "select * from mysql.event", time = 900 },
    { id = 10, user = "payroll", info = "select * from salaries", time = 900 })
  local r = t.run(POLICY, {}, { config = { protect = { { user = "payroll" } } } })
  t.expect(r).victims{ 8 }.outcome(9, "protected").outcome(10, "protected")
end)

test("a limit refuses the whole step", function(t)
  orders(t,
    { id = 1, info = "select a from t", time = 900 },
    { id = 2, info = "select b from t", time = 901 },
    { id = 3, info = "select c from t", time = 902 })
  local r = t.run(POLICY, {}, { config = { kill = { run = 2 } } })
  t.expect(r).victims{}.outcome(1, "refused", "limits.kill.run")
end)

test("kills of a minute count over its runs", function(t)
  local db = orders(t, { id = 1, info = "select a from t", time = 900 })
  local config = { kill = { minute = 1 } }
  t.expect(t.run(POLICY, {}, { config = config })).victims{ 1 }
  t.clock:advance("20s")
  db:add{ id = 2, info = "select b from t", time = 900 }
  t.expect(t.run(POLICY, {}, { config = config })).outcome(2, "refused", "limits.kill.minute")
  t.clock:advance("1m")
  t.expect(t.run(POLICY, {}, { config = config })).victims{ 2 }
end)

test("a victim that moved on between the preview and the kill is spared", function(t)
  orders(t,
    { id = 8, info = "select * from orders", time = 900 },
    { id = 9, info = "select * from orders", time = 800 },
    { id = 10, info = "select * from orders", time = 700 })
  t.on_apply(function(db)
    db:update(8, { info = "insert into audit values (1)" })
    db:remove(9)
  end)
  t.expect(t.run(POLICY)).victims{ 10 }.outcome(8, "changed").outcome(9, "gone")
end)

test("without a promotion it only says what it would do", function(t)
  orders(t, { id = 8, info = "select * from orders", time = 900 })
  local r = t.run(POLICY, {}, { config = { mode = "observe" } })
  t.expect(r).victims{}.outcome(8, "refused", "observe")
  r = t.run(POLICY, {}, { config = { mode = "notify" } })
  t.expect(r).victims{}.notified("would kill 1 on orders")
  r = t.run(POLICY, {}, { apply = false })
  t.expect(r).victims{}.outcome(8, "dry_run")
end)

test("it says so when it cannot look", function(t)
  orders(t, { id = 8, info = "select * from orders", time = 900 }):down("Too many connections")
  t.expect(t.run(POLICY)).error("cannot look at the sessions: .*Too many connections").victims{}
end)

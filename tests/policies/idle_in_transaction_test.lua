-- Tests of scripts/policies/idle_in_transaction.lua: das test tests/policies
local POLICY = "../../scripts/policies/idle_in_transaction.lua"

local function orders(t, ...)
  return t.instance{ name = "orders", sessions = { ... } }
end

test("closes the connection of who idles in a transaction", function(t)
  local db = orders(t,
    { id = 8, trx_time = "5m", time = 290, rows_modified = 10 },
    { id = 9, trx_time = 299, time = 299 },
    { id = 10, time = 9000 },
    { id = 11, info = "update a set x = 1", trx_time = 9000, time = 1 })
  local r = t.run(POLICY)
  t.expect(r).victims{ 8 }.spared{ 9, 10, 11 }
  t.equal(r.plans[1].kill, "connection")
  t.equal(#db:sessions(), 3, "its session is gone")
end)

test("AGE is its argument", function(t)
  orders(t, { id = 8, trx_time = 60, time = 60 })
  t.expect(t.run(POLICY, { "61s" })).victims{}
  t.expect(t.run(POLICY, { "1m" })).victims{ 8 }
end)

test("a transaction with too many rows to roll back is left to a person", function(t)
  orders(t,
    { id = 8, trx_time = 900, rows_modified = 10001 },
    { id = 9, trx_time = 900, rows_modified = 10000 })
  t.expect(t.run(POLICY)).victims{ 9 }.spared{ 8 }
    .output("left to you: 8 .* has 10001 rows to roll back")
end)

test("the limit on rows is das's, too", function(t)
  orders(t, { id = 9, trx_time = 900, rows_modified = 5000 })
  local r = t.run(POLICY, {}, { config = { kill = { rows_modified = 1000 } } })
  t.expect(r).victims{}.outcome(9, "refused", "rows")
end)

test("who began a statement in the meantime is spared", function(t)
  orders(t, { id = 8, trx_time = 900, time = 900 })
  t.on_apply(function(db) db:update(8, { info = "commit" }) end)
  t.expect(t.run(POLICY)).victims{}.outcome(8, "changed")
end)

test("without the privilege to see transactions nobody is hit", function(t)
  orders(t, { id = 8, time = 9000, trx_time = "unknown", rows_modified = "unknown" })
  t.expect(t.run(POLICY)).victims{}.output("0 sessions match")
end)

test("it says so when it cannot look", function(t)
  orders(t):down("access denied")
  t.expect(t.run(POLICY)).error("cannot look at the sessions: .*access denied")
end)

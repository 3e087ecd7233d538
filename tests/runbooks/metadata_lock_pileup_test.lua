-- Tests of scripts/runbooks/metadata_lock_pileup.lua: das test tests/runbooks
local RUNBOOK = "../../scripts/runbooks/metadata_lock_pileup.lua"
local WAITS = "Waiting for table metadata lock"

local function pile(t, suspects)
  local db = t.instance{ name = "orders", sessions = suspects }
  db:add{ id = 50, user = "dba", db = "shop", command = "Query", state = WAITS, time = 60,
    info = "alter table orders add column x int" }
  for i = 1, 6 do
    db:add{ id = 50 + i, user = "app", db = "shop", command = "Query", state = WAITS, time = 50 - i,
      info = "select * from orders" }
  end
  return db
end

test("no pile, nothing done", function(t)
  t.instance{ sessions = { { id = 1, command = "Query", time = 900, info = "select 1" } } }
  t.expect(t.run(RUNBOOK)).victims{}.output("Nothing was done")
end)

test("the statement that was there first is cancelled, and that was it", function(t)
  local db = pile(t, {
    { id = 1, user = "report", db = "shop", command = "Query", time = 500, info = "select count(*) from orders" },
    { id = 2, user = "other", db = "shop", command = "Query", time = 20, info = "select 2" },
    { id = 3, user = "far", db = "crm", command = "Query", time = 900, info = "select 3" },
  })
  t.on_apply(function()
    for i = 0, 6 do
      db:remove(50 + i)
    end
  end)
  t.expect(t.run(RUNBOOK)).victims{ 1 }.spared{ 2, 3 }.output("Statements cancelled: 1 of 1")
end)

test("a sleeper in a transaction has no statement: the question comes", function(t)
  pile(t, { { id = 4, user = "app", db = "shop", command = "Sleep", time = 300, trx_time = 400 },
    { id = 5, user = "app", db = "shop", command = "Sleep", time = 300, trx_time = 350 } })
  t.equal(t.run(RUNBOOK).waiting, true)
  t.expect(t.run(RUNBOOK, {}, { answers = { ["end connections?"] = "leave" } })).victims{}
  local r = t.run(RUNBOOK, {}, { answers = { ["end connections?"] = "kill" } })
  t.expect(r).victims{ 4 }.spared{ 5 }.output("Connections ended: 1 of 1")
end)

test("suspects that are gone by then are nobody's victims", function(t)
  local db = pile(t, { { id = 4, user = "app", db = "shop", command = "Sleep", time = 300, trx_time = 400 } })
  local r = t.run(RUNBOOK, {}, { answers = { ["end connections?"] = function(asks)
    t.ok(asks.question:find("session 4", 1, true))
    db:remove(4)
    return "kill"
  end } })
  t.expect(r).victims{}.output("Connections ended: 0 of 0")
end)

test("it asks in a channel, and somebody of a role, or neither", function(t)
  pile(t, { { id = 4, user = "app", db = "shop", command = "Sleep", time = 300, trx_time = 400 } })
  local r = t.run(RUNBOOK, {}, { params = { channel = "ops", role = "dba" } })
  t.equal({ r.waiting, #r.messages, r.messages[1].channel, r.messages[1].fields["may answer"] },
    { true, 1, "ops", "role:dba" })
  r = t.run(RUNBOOK, {}, { params = {} })
  t.equal({ r.waiting, #r.messages }, { true, 0 })
end)

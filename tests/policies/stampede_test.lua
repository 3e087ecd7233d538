-- Tests of scripts/policies/stampede.lua: das test tests/policies
local POLICY = "../../scripts/policies/stampede.lua"

-- n sessions with the same statement but for its value, the i-th n - i seconds after the first.
local function herd(db, n, statement, first)
  for i = 1, n do
    db:add{ id = first + i, info = statement:format(i), time = 10 + n - i }
  end
end

test("keeps the oldest of a herd and kills the statements of the others", function(t)
  local db = t.instance{ name = "orders", sessions = {} }
  herd(db, 4, "select * from product where id = %d", 100)
  herd(db, 3, "select * from customer where id = %d", 200)
  local r = t.run(POLICY, { 4 })
  t.expect(r).victims{ 102, 103, 104 }.spared{ 101, 201, 202, 203 }
  t.expect(r).output("4 times: select * from product where id = ?")
  t.equal(r.plans[1].reason, "4 times the same statement")
  t.equal(#db:sessions(), 7, "connections live")
end)

test("ten are a stampede by itself, nine are not", function(t)
  local db = t.instance{ sessions = {} }
  herd(db, 9, "select %d", 100)
  t.expect(t.run(POLICY)).victims{}
  db:add{ id = 110, info = "select 110", time = 2 }
  t.equal(#t.run(POLICY).victims, 9)
end)

test("what is fast and frequent is no stampede", function(t)
  local db = t.instance{ sessions = {} }
  for i = 1, 10 do
    db:add{ id = i, info = "select " .. i, time = 1 }
  end
  local r = t.run(POLICY)
  t.expect(r).victims{}
  t.equal(r.plans, {})
end)

test("the limit of a run holds for a herd as well", function(t)
  local db = t.instance{ name = "orders", sessions = {} }
  herd(db, 12, "select %d", 100)
  t.expect(t.run(POLICY)).victims{}.outcome(102, "refused", "limits.kill.run")
end)

test("who got its answer in the meantime is spared", function(t)
  local db = t.instance{ sessions = {} }
  herd(db, 4, "select %d", 100)
  t.on_apply(function() db:update(103, { command = "Sleep" }) end)
  t.expect(t.run(POLICY, { 4 })).victims{ 102, 104 }.outcome(103, "changed")
end)

test("it says so when it cannot look", function(t)
  t.instance{ sessions = {} }:down()
  t.expect(t.run(POLICY)).error("cannot look at the sessions")
end)

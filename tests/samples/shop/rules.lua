-- What the shop expects of a policy, whichever it is: see docs/tutorial.md.
return function(policy)
  test("the dump is spared, however long it takes", function(t)
    t.instance{ sessions = {
      { id = 33, user = "backup", info = "select /* dump */ * from orders", time = "2m" },
    } }
    t.expect(t.run(policy)).victims{}
  end)

  test("a report has a minute", function(t)
    t.instance{ sessions = { { id = 31, user = "report", info = "select sum(total) from orders", time = 40 } } }
    t.expect(t.run(policy)).victims{}
    t.clock:advance("20s")
    t.expect(t.run(policy)).victims{ 31 }
  end)

  test("who waits for a lock lives, who holds it and does nothing goes", function(t)
    t.instance{ recording = "../shop.das", at = "60s" } -- five of app wait for batch
    t.expect(t.run(policy)).victims{ 34 }
  end)

  test("a holder that works is left alone", function(t)
    t.instance{ sessions = {
      { id = 1, user = "batch", info = "update stock set qty = qty + 1", time = 30, trx_time = 30 },
      { id = 2, info = "update stock set qty = 1", time = 20, blocked_by = 1 },
      { id = 3, info = "update stock set qty = 2", time = 20, blocked_by = 1 },
      { id = 4, info = "update stock set qty = 3", time = 20, blocked_by = 1 },
    } }
    t.expect(t.run(policy)).victims{}
  end)
end

-- The scripts of hooks, as das serve calls them: with a request that says who and what.

local function orders(t, options)
  return t.instance(options or { name = "orders", sessions = {
    { id = 11, user = "app", host = "10.0.0.1:1", db = "shop", command = "Query", state_duration = 90,
      sql_info = "select secret from t" },
    { id = 12, user = "app", host = "10.0.0.1:2", db = "shop", command = "Query", state_duration = 30,
      sql_info = "update t set a = 1" },
    { id = 13, user = "report", host = "10.0.0.2:1", db = "shop", command = "Sleep", state_duration = 500 },
  } })
end

local function ask(t, name, args, more)
  local hook = { command = name, args = args }
  for key, value in pairs(more or {}) do
    hook[key] = value
  end
  local r = t.run(("../../scripts/hooks/%s.lua"):format(name), {}, { hook = hook,
    config = { mode = "approve" }, approvals = "none" })
  return r, r.replies[1] or {}
end

test("preview shows what matches", function(t)
  orders(t)
  local _, said = ask(t, "preview", { instance = "orders", user = "app%", time = 60 })
  t.equal(said.sessions, { 11 })
  t.equal(said.title, "1 session")
  t.equal(said.instance, "orders")
  t.equal(said.public, false)
  _, said = ask(t, "preview", { instance = "orders" })
  t.equal(#said.sessions, 3)
  _, said = ask(t, "preview", { instance = "orders", user = "nobody" })
  t.equal(said.text, "Nothing matches.")
end)

test("preview never takes text as anything else", function(t)
  orders(t)
  local _, said = ask(t, "preview", { instance = "orders", user = "x' OR '1'='1" })
  t.equal(said.title, "0 sessions")
end)

test("kill asks and does not kill", function(t)
  orders(t)
  local args = { instance = "orders", user = "app", time = 60, limit = 3, kind = "query",
    channel = "ops", role = "dba", need = 1 }
  local r, said, _ = ask(t, "kill", args)
  t.equal(r.victims, {})
  t.equal(said.title, "Asked for the kill of 1 session")
  t.equal(said.sessions, { 11 })
  args.user = nil
  _, said = ask(t, "kill", args)
  t.ok(said.text:find("Say which", 1, true))
  args.user = "nobody"
  _, said = ask(t, "kill", args)
  t.ok(said.text:find("Nothing matches", 1, true))
end)

test("status says how das stands", function(t)
  orders(t)
  local _, said = ask(t, "status", {})
  t.equal(said.title, "das is ready")
  t.equal(said.fields["off switch"], "not set: kills are possible")
  t.equal(said.fields.orders, "2 statements over 10 s")
end)

test("stop turns the off switch on and tells everybody", function(t)
  orders(t)
  local _, said = ask(t, "stop", { reason = "fail-over" })
  t.equal(said.title, "das is stopped")
  t.equal(said.public, true)
end)

test("history of an instance", function(t)
  orders(t)
  local _, said = ask(t, "history", { instance = "orders", from = 3600 })
  t.equal(said.title, "0 kills")
end)

test("explain one session", function(t)
  orders(t)
  local _, said = ask(t, "explain", { instance = "orders", id = 12, time = 60 })
  t.ok(said.text:find("time", 1, true))
  t.ok(said.text:find("30", 1, true))
  _, said = ask(t, "explain", { instance = "orders", id = 99 })
  t.ok(#said.text > 0)
end)

local function alert(over)
  local one = { name = "Slow", status = "firing", severity = "critical", instance = "orders:3306",
    summary = "slow statements", labels = {}, annotations = {} }
  for key, value in pairs(over or {}) do
    one[key] = value
  end
  return { source = "alertmanager", status = one.status, alerts = { one } }
end

test("an alert gathers facts", function(t)
  orders(t)
  local _, said = ask(t, "alertmanager", nil, { alert = alert() })
  t.equal(said.title, "firing: Slow")
  t.equal(said.severity, "critical")
  t.equal(said.instance, "orders")
  t.equal(said.fields["statements over 5 s"], "2")
  t.equal(said.sessions, { 11, 12 })
  _, said = ask(t, "alertmanager", nil, { alert = alert{ status = "resolved" } })
  t.equal(said.severity, "info")
  t.equal(said.sessions, {})
  _, said = ask(t, "alertmanager", nil, { alert = alert{ instance = "elsewhere", severity = "x" } })
  t.equal(said.severity, "warning")
  t.equal(said.fields.instance, "elsewhere is not one that das knows")
end)

test("an alert begins its runbook, chosen by the script", function(t)
  orders(t)
  local r, said = ask(t, "alertmanager", nil, { alert = alert{ name = "MySQLTooManyConnections" } })
  t.equal(said.fields.runbook, "begun")
  t.equal(#r.runbooks, 1)
  t.equal(r.runbooks[1].script, "connection_exhaustion.lua")
  t.equal(r.runbooks[1].instance, "orders")
  t.equal(r.runbooks[1].params.limit, 200)
  t.equal({ r.runbooks[1].params.role, r.runbooks[1].params.channel }, { "dba" })
  r = ask(t, "alertmanager", nil, { alert = alert{ name = "MySQLReplicaLag" }, channel = "ops" })
  t.equal(r.runbooks[1].params.channel, "ops")
  r = ask(t, "alertmanager", nil, { alert = alert{ name = "../../etc/passwd" } })
  t.equal(#r.runbooks, 0)
  r = ask(t, "alertmanager", nil, { alert = alert{ name = "MySQLReplicaLag", status = "resolved" } })
  t.equal(#r.runbooks, 0)
end)

test("of many alerts the first are told one by one, the others together", function(t)
  orders(t)
  local many = { source = "alertmanager", status = "firing", truncated = 3, alerts = {} }
  for i = 1, 18 do
    many.alerts[i] = alert{ name = "Slow" .. i }.alerts[1]
  end
  many.alerts[18].name = "MySQLTooManyConnections"
  local r = ask(t, "alertmanager", nil, { alert = many })
  t.equal(#r.replies, 16)
  t.equal(r.replies[15].title, "firing: Slow15")
  t.equal(r.replies[16].title, "6 more alerts")
  t.equal(r.replies[16].text, "Slow16, Slow17, MySQLTooManyConnections")
  t.equal(#r.runbooks, 1)
end)

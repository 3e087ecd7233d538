-- A replica lags because its applier waits behind a long SELECT (a table lock, or DDL from the
-- primary): find the long SELECTs, cancel the oldest, wait, and ask for the rest.
--
--   das runbook run -i orders-replica --apply scripts/runbooks/replica_lag.lua
--
-- The applier itself (Slave_SQL, Slave_worker) is always protected.
local p = das.runbook{
  name = "replica lag",
  description = "cancels the SELECT that holds up the applier; asks before it cancels the others",
  params = {
    lag = { type = "duration", default = "60s", min = 1, help = "the applier has waited so long" },
    time = { type = "duration", default = "60s", min = 1, help = "a SELECT that runs for so long" },
    kill = { type = "integer", default = 10, min = 1, max = 100, help = "at most so many" },
    wait = { type = "duration", default = "30s" },
    ttl = { type = "duration", default = "1h", min = 1 },
    channel = { type = "string", default = "" },
    role = { type = "string", default = "" },
  },
  timeout = "12h",
}

local appliers = das.filter{ command = "Slave_SQL" } | das.filter{ command = "Slave_worker" }
  | das.filter{ user = "system user", state = "Waiting for table metadata lock" }
local selects = das.filter{ command = "Query", time = p.time, info = "select" }

local function held_up(s)
  local state = (s.state or ""):lower()
  return state:find("waiting for table", 1, true) or state:find("lock", 1, true)
end

local function look()
  local all = assert(das.preview{ all = true }) -- das check: ignore
  local lag = 0
  for _, s in ipairs(all:where(appliers)) do
    if held_up(s) then
      lag = math.max(lag, s.state_duration or 0)
    end
  end
  local list = {}
  local found = all:where(selects):unprotected()
  for i, s in ipairs(found) do
    if i <= 20 then
      list[i] = { id = s.id, user = s.user, seconds = s.state_duration, statement = s.fingerprint }
    end
  end
  return { applier_waits = lag, selects = #found, list = list }
end

local function cancel(most)
  local chosen = assert(das.preview(selects)):unprotected():oldest(most)
  if #chosen == 0 then
    return { victims = 0, killed = 0 }
  end
  local report = assert(chosen:plan{ kill = "query", reason = "holds up replication" }:apply())
  return { victims = #chosen, killed = report.killed, would_kill = report.would_kill,
    refused = report.refused }
end

local lines = {}
local function say(...)
  lines[#lines + 1] = string.format(...)
end

local before = das.step("look", look, { retry = 3, wait = "2s" })
say("The applier has waited for a lock for %d s; %d SELECTs run for %d s or more.",
  before.applier_waits, before.selects, p.time)
for _, s in ipairs(before.list) do
  say("  %d, %s: %d s: %s", s.id, s.user or "?", s.seconds or 0, s.statement or "?")
end

if before.applier_waits >= p.lag and before.selects > 0 then
  local mild = das.step("cancel the oldest", function() return cancel(1) end)
  say("The oldest SELECT: %d of %d cancelled.", mild.killed, mild.victims)
  das.sleep(p.wait)
  local after = das.step("look again", look, { retry = 3, wait = "2s" })
  say("Then the applier had waited for %d s.", after.applier_waits)
  if after.applier_waits > 0 and after.selects > 0 then
    local choice, who = das.step.ask{
      name = "cancel the others?",
      question = ("Replication on %s has waited for %d s. Cancel up to %d more long SELECTs?")
        :format(das.instances()[1].name, after.applier_waits, math.min(after.selects, p.kill)),
      choices = { "leave", "kill" }, default = "leave", ttl = p.ttl,
      channel = p.channel ~= "" and p.channel or nil,
      approvers = p.role ~= "" and { "role:" .. p.role } or nil,
    }
    say("Asked whether to cancel the others: %s (%s).", choice, who or "nobody answered")
    if choice == "kill" then
      local hard = das.step("cancel the others", function() return cancel(p.kill) end)
      say("Other SELECTs: %d of %d cancelled.", hard.killed, hard.victims)
    end
  end
else
  say("Nothing was done: the applier does not wait behind a long SELECT.")
end

local summary = das.step("summary", function()
  say("At the end the applier waits for %d s.", look().applier_waits)
  return table.concat(lines, "\n")
end, { retry = 3, wait = "2s" })
print(summary)

-- Too many connections: who has them, end the idle ones, wait, and ask before anything harder.
--
--   das runbook run -i orders --apply --param user=app% --param limit=400 \
--     scripts/runbooks/connection_exhaustion.lua
--
-- What stands between the steps runs again when the runbook goes on after a restart; it only
-- decides, from what the steps returned.
local p = das.runbook{
  name = "connection exhaustion",
  description = "ends idle connections; asks before it ends open transactions",
  params = {
    user = { type = "string", default = "%", help = "whose connections, % is a wildcard" },
    limit = { type = "integer", default = 100, min = 1, help = "more than these are too many" },
    idle = { type = "duration", default = "60s", min = 1, help = "idle for at least so long" },
    kill = { type = "integer", default = 20, min = 1, max = 1000, help = "at most so many a step" },
    wait = { type = "duration", default = "30s", help = "between the mild step and the next look" },
    ttl = { type = "duration", default = "1h", min = 1, help = "how long the question stands" },
    channel = { type = "string", default = "", help = "of das.lua: where the question is posted" },
    role = { type = "string", default = "",
      help = "who may answer; without one: anybody whom das lets in" },
  },
  timeout = "12h",
}

-- A session of which nobody knows whether it is in a transaction is in neither.
local idle = das.filter{ user = p.user, command = "Sleep", time = p.idle }
local idle_in_transaction = idle & das.filter{ trx_time = 0 }
local idle_outside = idle & ~das.filter{ trx_time = 0 }

local function look()
  local found = assert(das.preview{ all = true }) -- das check: ignore
  local users = {}
  for i, group in ipairs(found:group_by("user")) do
    if i <= 10 then
      users[i] = { user = group.key or "", connections = group.count }
    end
  end
  return { connections = found.total_count, idle = #found:where(idle), complete = found.complete,
    idle_in_transaction = #found:where(idle_in_transaction), users = users }
end

local function end_oldest(filter, reason)
  local chosen = assert(das.preview(filter)):oldest(p.kill)
  if #chosen == 0 then
    return { victims = 0, killed = 0 }
  end
  local report = assert(chosen:plan{ kill = "connection", reason = reason }:apply())
  return { victims = #chosen, killed = report.killed, would_kill = report.would_kill,
    refused = report.refused, why = report.would_block or (report.outcomes[1] or {}).note }
end

local lines = {}
local function say(...)
  lines[#lines + 1] = string.format(...)
end

local before = das.step("look", look, { retry = 3, wait = "2s" })
say("%d connections, %d of %s idle for %d s or more (%d in a transaction).", before.connections,
  before.idle, p.user, p.idle, before.idle_in_transaction)
for _, each in ipairs(before.users) do
  say("  %-20s %d", each.user, each.connections)
end

if before.connections > p.limit then
  local mild = das.step("end idle connections", function()
    return end_oldest(idle_outside, "connection exhaustion: idle")
  end)
  say("Idle connections outside of a transaction: %d chosen, %d ended.", mild.victims, mild.killed)
  das.sleep(p.wait)
  local after = das.step("look again", look, { retry = 3, wait = "2s" })
  say("Then there were %d connections.", after.connections)
  if after.connections > p.limit and after.idle_in_transaction > 0 then
    local choice, who = das.step.ask{
      name = "end transactions?",
      question = ("%d connections on %s, expected at most %d. End up to %d that are idle inside an "
        .. "open transaction? What they changed is rolled back."):format(after.connections,
        das.instances()[1].name, p.limit, math.min(after.idle_in_transaction, p.kill)),
      choices = { "leave", "kill" }, default = "leave", ttl = p.ttl,
      channel = p.channel ~= "" and p.channel or nil,
      approvers = p.role ~= "" and { "role:" .. p.role } or nil,
    }
    say("Asked whether to end idle transactions: %s (%s).", choice, who or "nobody answered")
    if choice == "kill" then
      local hard = das.step("end idle transactions", function()
        return end_oldest(idle_in_transaction, "connection exhaustion: idle in transaction")
      end)
      say("Idle transactions: %d chosen, %d ended.", hard.victims, hard.killed)
    end
  end
else
  say("That is within the limit of %d: nothing was done.", p.limit)
end

local summary = das.step("summary", function()
  local now = look()
  say("At the end: %d connections (limit %d).", now.connections, p.limit)
  return table.concat(lines, "\n")
end, { retry = 3, wait = "2s" })
print(summary)

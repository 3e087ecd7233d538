-- A report that runs for too long: what it reads and whom it blocks, cancel the statement, wait,
-- and ask before the connections end that start it again.
--
--   das runbook run -i orders --apply --param user=report% --param time=15m \
--     scripts/runbooks/runaway_report.lua
local p = das.runbook{
  name = "runaway report",
  description = "cancels long SELECTs; asks before it ends the connections that repeat them",
  params = {
    user = { type = "string", help = "whose reports: report%" },
    time = { type = "duration", default = "10m", min = 1, help = "they have run for so long" },
    info = { type = "string", default = "select", help = "keywords as in das preview --info" },
    kill = { type = "integer", default = 5, min = 1, max = 100, help = "at most so many a step" },
    wait = { type = "duration", default = "20s" },
    ttl = { type = "duration", default = "1h", min = 1 },
    channel = { type = "string", default = "" },
    role = { type = "string", default = "" },
  },
  timeout = "12h",
}

local long = das.filter{ user = p.user, command = "Query", time = p.time, info = p.info }

local function look()
  local all = assert(das.preview{ all = true }) -- das check: ignore
  local found, list, blocked = all:where(long), {}, 0
  local ids = {}
  for i, s in ipairs(found) do
    ids[s.id] = true
    if i <= 20 then
      list[i] = { id = s.id, user = s.user, host = s.host_part, seconds = s.state_duration,
        rows_examined = s.rows_examined, statement = s.fingerprint }
    end
  end
  for _, s in ipairs(all) do
    blocked = blocked + (s.blocked_by and ids[s.blocked_by] and 1 or 0)
  end
  return { reports = #found, blocked = blocked, list = list }
end

local lines = {}
local function say(...)
  lines[#lines + 1] = string.format(...)
end

local before = das.step("look", look, { retry = 3, wait = "2s" })
say("%d reports of %s run for %d s or more; %d sessions wait for them.", before.reports, p.user,
  p.time, before.blocked)
for _, s in ipairs(before.list) do
  say("  %d, %s from %s: %d s, %s rows read: %s", s.id, s.user or "?", s.host or "?",
    s.seconds or 0, s.rows_examined or "?", s.statement or "?")
end

if before.reports > 0 then
  -- the sessions are remembered: whoever starts the same again is among them
  local mild = das.step("cancel statements", function()
    local chosen = assert(das.preview(long)):oldest(p.kill)
    local ids = das.json.decode("[]")
    for i, s in ipairs(chosen) do
      ids[i] = s.id
    end
    local report = #chosen == 0 and { killed = 0 }
      or assert(chosen:plan{ kill = "query", reason = "runaway report" }:apply())
    return { ids = ids, killed = report.killed, would_kill = report.would_kill,
      refused = report.refused }
  end)
  say("Statements cancelled: %d of %d.", mild.killed, #mild.ids)
  das.sleep(p.wait)
  local function again()
    return #mild.ids == 0 and {} or assert(das.preview(das.filter{ id = mild.ids }
      & das.filter{ user = p.user, command = "Query", info = p.info }))
  end
  local after = das.step("look again", function() return { running = #again() } end,
    { retry = 3, wait = "2s" })
  say("Then %d of those connections ran such a statement again, or still.", after.running)
  if after.running > 0 then
    local choice, who = das.step.ask{
      name = "end connections?",
      question = ("%d connections of %s on %s run their report again or still, after it was "
        .. "cancelled. End the connections?"):format(after.running, p.user,
        das.instances()[1].name),
      choices = { "leave", "kill" }, default = "leave", ttl = p.ttl,
      channel = p.channel ~= "" and p.channel or nil,
      approvers = p.role ~= "" and { "role:" .. p.role } or nil,
    }
    say("Asked whether to end connections: %s (%s).", choice, who or "nobody answered")
    if choice == "kill" then
      local hard = das.step("end connections", function()
        local chosen = again()
        if #chosen == 0 then
          return { victims = 0, killed = 0 }
        end
        local report = assert(chosen:plan{ kill = "connection",
          reason = "runaway report, started again" }:apply())
        return { victims = #chosen, killed = report.killed, would_kill = report.would_kill,
          refused = report.refused }
      end)
      say("Connections ended: %d of %d.", hard.killed, hard.victims)
    end
  end
else
  say("Nothing was done.")
end

local summary = das.step("summary", function()
  say("At the end %d such reports run.", look().reports)
  return table.concat(lines, "\n")
end, { retry = 3, wait = "2s" })
print(summary)

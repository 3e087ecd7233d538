-- A pile of sessions behind one metadata lock: find who holds them up, cancel its statement, wait,
-- and ask before its connection ends.
--
--   das runbook run -i orders --apply scripts/runbooks/metadata_lock_pileup.lua
--
-- The server does not say who holds a metadata lock. The suspects are the sessions that have been
-- in a transaction, or in a statement, for longer than the first of those that wait. The one that
-- runs DDL waits itself, and is none of them.
local p = das.runbook{
  name = "metadata lock pile-up",
  description = "cancels the statement of the oldest suspect; asks before it ends connections",
  params = {
    waiting = { type = "integer", default = 5, min = 1, help = "so many that wait are a pile" },
    time = { type = "duration", default = "10s", min = 1, help = "those that wait so long" },
    suspects = { type = "integer", default = 1, min = 1, max = 20, help = "at most so many" },
    wait = { type = "duration", default = "20s" },
    ttl = { type = "duration", default = "1h", min = 1 },
    channel = { type = "string", default = "" },
    role = { type = "string", default = "" },
  },
  timeout = "12h",
}

local stuck = das.filter{ state = "Waiting for table metadata lock", time = p.time }

local function age_of(s)
  return math.max(s.trx_time or 0, s.command ~= "Sleep" and s.state_duration or 0)
end

-- The sessions that wait, and those that were there before the first of them began to.
local function find()
  local all = assert(das.preview{ all = true }) -- das check: ignore
  local waiting = all:where(stuck)
  local first, dbs = 0, {}
  for _, s in ipairs(waiting) do
    first = math.max(first, s.state_duration or 0)
    dbs[s.db or ""] = true
  end
  local suspects = all:unprotected():where(function(s)
    return #waiting > 0 and s.state ~= "Waiting for table metadata lock" and age_of(s) >= first
      and dbs[s.db or ""]
  end)
  return waiting, suspects
end

local function look()
  local waiting, suspects = find()
  local names = {}
  for i, s in ipairs(suspects) do
    if i <= 20 then
      names[i] = { id = s.id, user = s.user, command = s.command, seconds = age_of(s),
        statement = s.fingerprint }
    end
  end
  return { waiting = #waiting, suspects = names }
end

local function act(kill)
  local _, suspects = find()
  if #suspects == 0 then
    return { victims = 0, killed = 0 }
  end
  local list = {}
  for i, s in ipairs(suspects) do
    list[i] = s
  end
  table.sort(list, function(a, b) return age_of(a) > age_of(b) end)
  local wanted = {}
  for i = 1, math.min(#list, p.suspects) do
    wanted[list[i].id] = true
  end
  local chosen = suspects:where(function(s)
    return wanted[s.id] and (kill == "connection" or s.command ~= "Sleep")
  end)
  if #chosen == 0 then
    return { victims = 0, killed = 0 }
  end
  local report = assert(chosen:plan{ kill = kill, reason = "metadata lock pile-up" }:apply())
  return { victims = #chosen, killed = report.killed, would_kill = report.would_kill,
    refused = report.refused }
end

local lines = {}
local function say(...)
  lines[#lines + 1] = string.format(...)
end

local before = das.step("look", look, { retry = 3, wait = "2s" })
say("%d sessions have waited %d s or more for a metadata lock.", before.waiting, p.time)
for _, s in ipairs(before.suspects) do
  say("  suspect %d, %s: %s for %d s: %s", s.id, s.user or "?", s.command or "?", s.seconds,
    s.statement or "no statement")
end

if before.waiting >= p.waiting and #before.suspects > 0 then
  local mild = das.step("cancel statements", function() return act("query") end)
  say("Statements cancelled: %d of %d.", mild.killed, mild.victims)
  das.sleep(p.wait)
  local after = das.step("look again", look, { retry = 3, wait = "2s" })
  say("Then %d sessions waited.", after.waiting)
  if after.waiting > 0 and #after.suspects > 0 then
    local choice, who = das.step.ask{
      name = "end connections?",
      question = ("%d sessions on %s wait for a metadata lock. End the connection of session %d "
        .. "(%s), in a transaction or statement for %d s? What it changed is rolled back."):format(
        after.waiting, das.instances()[1].name, after.suspects[1].id,
        after.suspects[1].user or "?", after.suspects[1].seconds),
      choices = { "leave", "kill" }, default = "leave", ttl = p.ttl,
      channel = p.channel ~= "" and p.channel or nil,
      approvers = p.role ~= "" and { "role:" .. p.role } or nil,
    }
    say("Asked whether to end connections: %s (%s).", choice, who or "nobody answered")
    if choice == "kill" then
      local hard = das.step("end connections", function() return act("connection") end)
      say("Connections ended: %d of %d.", hard.killed, hard.victims)
    end
  end
else
  say("Nothing was done: expected %d that wait, and a suspect.", p.waiting)
end

local summary = das.step("summary", function()
  say("At the end %d sessions wait.", look().waiting)
  return table.concat(lines, "\n")
end, { retry = 3, wait = "2s" })
print(summary)

-- The same after a replay: reports get a minute, the dump is spared, who only waits for a lock is no
-- victim, and who holds it while doing nothing is one.
local spared = das.filter{ user = "backup" }
local reads = das.filter{ command = "Query", time = "60s", info = "select~from" }
local found = das.preview(reads & ~spared)
if found.total_count > 0 then
  print(found:oldest(3):plan{ kill = "query", reason = "a select over 60 s" }:apply())
end

local everybody = das.preview{ all = true }
local waiting = {}
for _, s in ipairs(everybody.processes) do
  if s.blocked_by and s.state_duration >= 10 then
    waiting[s.blocked_by] = (waiting[s.blocked_by] or 0) + 1
  end
end
local holders = everybody:where(function(s)
  return s.command == "Sleep" and (waiting[s.id] or 0) >= 3
end)
if #holders > 0 then
  print(holders:plan{ kill = "connection", reason = "idle, and three wait for its lock" }:apply())
end

-- Long-running SELECTs: kill the statement (the connection lives), oldest first, at most n.
--
--   das run -i orders scripts/policies/long_select.lua [AGE [AT_MOST]]       default: 60s 3
--
-- For the DBA who copies this:
-- * Only plain SELECTs count. INSERT ... SELECT and SELECT ... FOR UPDATE hold locks and roll back;
--   decide about those by hand.
-- * Add whom you must never hit to `spared`; replication, system accounts and das itself are
--   protected anyway.
-- * Run it without --apply for a week first and read what it would have done.
local age, at_most = das.args[1] or "60s", math.tointeger(das.args[2] or 3)

local slow = das.filter{ command = "Query", time = age, info = "select~from" }
           | das.filter{ command = "Execute", time = age, info = "select~from" }
local spared = das.filter{ user = "backup%" } | das.filter{ user = "etl%" }

local found, why = das.preview(slow & ~spared)
if not found then
  error("cannot look at the sessions: " .. why)
end

local reads = found:where(function(s)
  local shape = s.fingerprint
  return shape:find("^select ") and not shape:find("for update") and not shape:find("lock in share")
end)
print(reads)
if #reads > 0 then
  print(reads:oldest(at_most):plan{ kill = "query", reason = "select over " .. age }:apply())
end

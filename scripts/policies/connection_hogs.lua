-- Connection hogs: users that keep more idle connections open than they should. Close the ones
-- that have been idle longest until `allowed` are left.
--
--   das run -i orders scripts/policies/connection_hogs.lua [ALLOWED [IDLE]]  default: 100 60s
--
-- For the DBA who copies this:
-- * Sessions inside a transaction are not counted as idle: see idle_in_transaction.lua.
-- * A pool opens a new connection for each one closed here. Mend the pool's size and its idle
--   timeout; this only keeps the server reachable until then.
local allowed, idle = math.tointeger(das.args[1] or 100), das.args[2] or "60s"

local found, why = das.preview(das.filter{ command = "Sleep", time = idle }
                               & ~das.filter{ trx_time = 0 })
if not found then
  error("cannot look at the sessions: " .. why)
end

for _, group in ipairs(found:group_by("user")) do
  local too_many = group.count - allowed
  if too_many > 0 then
    print(("%s: %d idle, %d allowed"):format(group.key or "(no user)", group.count, allowed))
    print(group.sessions:oldest(too_many)
      :plan{ kill = "connection", reason = "idle connections above " .. allowed }:apply())
  end
end

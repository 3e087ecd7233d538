-- Sessions that sit idle inside a transaction: their locks block others while they do nothing.
--
--   das run -i orders scripts/policies/idle_in_transaction.lua [AGE]         default: 5m
--
-- For the DBA who copies this:
-- * Killing an idle session means killing its connection: there is no statement to kill.
-- * What it changed is rolled back. Above `rows` that may take longer than waiting, so those are
--   only shown.
-- * Needs the PROCESS privilege: without it nobody's transaction age is known, and das leaves
--   sessions alone whose age it does not know.
local age, rows = das.args[1] or "5m", 10000

local found, why = das.preview{ command = "Sleep", trx_time = age }
if not found then
  error("cannot look at the sessions: " .. why)
end

local costly = found:where{ rows_modified = rows + 1 }
local cheap = found:where(~das.filter{ rows_modified = rows + 1 })
for _, s in ipairs(costly.processes) do
  print(("left to you: %s has %d rows to roll back"):format(s, s.rows_modified))
end
print(cheap)
if #cheap > 0 then
  print(cheap:plan{ kill = "connection", reason = "idle in transaction over " .. age }:apply())
end

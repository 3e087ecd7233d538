-- A stampede: many sessions run the same statement because a cache fell over. Keep the oldest (it
-- will fill the cache), kill the others' statements.
--
--   das run -i orders scripts/policies/stampede.lua [AT_LEAST]               default: 10
--
-- For the DBA who copies this:
-- * "The same" means the same fingerprint: values, IN lists, comments and white space do not count.
--   Two different customers' reports have one fingerprint; group by function(s) return s.sql_info
--   end if only identical text should count.
-- * `time = 2` spares what is simply fast and frequent.
local at_least = math.tointeger(das.args[1] or 10)

local found, why = das.preview{ command = "Query", time = 2, info = "select" }
if not found then
  error("cannot look at the sessions: " .. why)
end

for _, group in ipairs(found:group_by("fingerprint")) do
  if group.count >= at_least then
    print(("%d times: %s"):format(group.count, group.key))
    print(group.sessions:except_oldest()
      :plan{ kill = "query", reason = group.count .. " times the same statement" }:apply())
  end
end

-- Would das kill at all, and what should somebody look at?
--
--   hooks = { slack = { ..., commands = { status = { script = "hooks/status.lua" } } } }
local req = ...

local now, why = das.status()
if not now then
  req.reply{ text = "The state could not be read: " .. why, severity = "error" }
  return
end
local fields = {
  { "off switch", now.stopped or "not set: kills are possible" },
  { "approvals that wait", now.approvals },
  { "runbooks that are open", now.runbooks },
  { "questions of theirs", now.questions },
  { "kills of unknown outcome", now.unknown },
  { "breakers that are not closed", #now.breakers },
}
for _, breaker in ipairs(now.breakers) do
  fields[#fields + 1] = { breaker.state, ("%s on %s: %s"):format(breaker.policy, breaker.instance,
    breaker.reason) }
end
for _, instance in ipairs(das.instances()) do
  if #fields < 30 then
    local found, message = instance:preview{ command = "Query", time = 10 }
    fields[#fields + 1] = { instance.name, found and ("%d statements over 10 s"):format(#found)
      or ("cannot be looked at: " .. message) }
  end
end
req.reply{
  title = now.stopped and "das is stopped" or "das is ready",
  severity = (now.stopped or now.unknown > 0 or #now.breakers > 0) and "warning" or "info",
  fields = fields,
}

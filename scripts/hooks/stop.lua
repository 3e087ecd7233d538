-- The off switch: no das kills anything until somebody runs das resume on the machine. A chat can
-- turn it on and not off.
--
--   hooks = { slack = { ..., commands = { stop = { script = "hooks/stop.lua", params = {
--     { name = "reason", required = true, min = 3, max = 300 } } } } } }
--
-- das.lua has to give the script the grant stop.
--
--   /das stop reason="fail-over of orders"
local req = ...

local done, why = das.stop(("%s (%s), from %s"):format(req.args.reason, req.user.name,
  req.platform))
if done then
  req.reply{ title = "das is stopped", severity = "warning", public = true,
    text = ("%s by %s. das resume on the machine lets it kill again."):format(req.args.reason,
      req.user.name) }
else
  req.reply{ title = "das is NOT stopped", text = why, severity = "critical" }
end

-- Why a session is in or out of a filter, criterion by criterion.
--
--   hooks = { slack = { ..., commands = { explain = { script = "hooks/explain.lua", params = {
--     { name = "instance", type = "instance", required = true },
--     { name = "id", type = "integer", required = true, min = 1 },
--     { name = "user" }, { name = "db" }, { name = "host" }, { name = "command" },
--     { name = "info" }, { name = "time", type = "duration" } } } } } }
--
--   /das explain orders 2400 user=app% time=60
local req = ...
local args = req.args

local filter, any = {}, false
for _, key in ipairs{ "user", "db", "host", "command", "info", "time" } do
  filter[key], any = args[key], any or args[key] ~= nil
end
filter.all = not any or nil
local found, why = das.instance(args.instance):preview(filter)
if not found then
  req.reply("The sessions could not be looked at: " .. why)
  return
end
local explanation, message = found:explain(args.id)
req.reply{ title = ("Session %d"):format(args.id), instance = args.instance,
  text = explanation and tostring(explanation) or message }

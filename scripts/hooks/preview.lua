-- Which sessions match, for somebody in a chat. Looks and never kills.
--
--   hooks = { slack = { ..., commands = { preview = { script = "hooks/preview.lua", params = {
--     { name = "instance", type = "instance", required = true },
--     { name = "user" }, { name = "db" }, { name = "host" }, { name = "command" },
--     { name = "info" }, { name = "state" }, { name = "time", type = "duration" } } } } } }
--
--   /das preview orders user=app% time=60 info="select~from"
local req = ...
local args = req.args

-- Only what is named here becomes a criterion: all of it is data, and none of it is SQL.
local function criteria()
  local filter, any = {}, false
  for _, key in ipairs{ "user", "db", "host", "command", "info", "state", "time" } do
    filter[key], any = args[key], any or args[key] ~= nil
  end
  filter.all = not any or nil
  return filter
end

local found, why = das.instance(args.instance):preview(criteria())
if not found then
  req.reply{ text = "The sessions could not be looked at: " .. why, severity = "error" }
  return
end
req.reply{
  title = ("%d session%s"):format(#found, #found == 1 and "" or "s"),
  text = #found == 0 and "Nothing matches." or nil,
  instance = args.instance,
  sessions = found:oldest(20),
}

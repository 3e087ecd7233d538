-- What das has killed lately.
--
--   hooks = { slack = { ..., commands = { history = { script = "hooks/history.lua", params = {
--     { name = "instance", type = "instance", required = true },
--     { name = "from", type = "duration", default = "1d" } } } } } }
--
--   /das history orders from=2h
local req = ...
local args = req.args

local kills, why = das.history{ instance = args.instance, from = args.from, limit = 20 }
if not kills then
  req.reply("The history could not be read: " .. why)
  return
end
local fields = {}
for i, kill in ipairs(kills) do
  fields[i] = { os.date("!%Y-%m-%d %H:%M:%SZ", kill.at),
    ("session %d of %s, %s, by %s%s"):format(kill.id, kill.user or "?", kill.command or "?",
      kill.source, kill.unknown and ", outcome unknown" or "") }
end
req.reply{
  title = ("%d kill%s"):format(kills.total, kills.total == 1 and "" or "s"),
  instance = args.instance,
  text = kills.total > #fields and ("The last %d:"):format(#fields) or nil,
  fields = fields,
}

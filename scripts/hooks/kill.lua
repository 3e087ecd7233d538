-- Asks for a kill: finds the sessions, makes a plan, and has people approve it. Kills nothing.
--
--   hooks = { slack = { ..., commands = { kill = { script = "hooks/kill.lua", params = {
--     { name = "instance", type = "instance", required = true },
--     { name = "user" }, { name = "db" }, { name = "host" }, { name = "command" },
--     { name = "info" },
--     { name = "time", type = "duration", default = "60s" },
--     { name = "limit", type = "integer", min = 1, max = 20, default = 3 },
--     { name = "kind", type = "choice", choices = { "query", "connection" }, default = "query" },
--     { name = "reason" },
--     { name = "channel", default = "ops", immutable = true },
--     { name = "role", default = "dba", immutable = true },
--     { name = "need", type = "integer", default = 1, immutable = true } } } } } }
--
-- das.lua has to give the script mode = "approve" and the grants preview, kill, notify:ops and
-- instance:NAME or tag:TAG.
--
--   /das kill orders user=report time=10m reason="report over 10 minutes"
local req = ...
local args = req.args

local filter, narrow = {}, false
for _, key in ipairs{ "user", "db", "host", "command", "info" } do
  filter[key], narrow = args[key], narrow or args[key] ~= nil
end
filter.time = args.time
if not narrow then
  req.reply("Say which: user=, db=, host=, command= or info= is needed.")
  return
end

local found, why = das.instance(args.instance):preview(filter)
if not found then
  req.reply("The sessions could not be looked at: " .. why)
  return
end
if #found == 0 then
  req.reply("Nothing matches, nothing is asked for.")
  return
end

local reason = args.reason or ("asked for by %s"):format(req.user.name)
local plan, no = found:oldest(args.limit):plan{ kill = args.kind, reason = reason, ttl = "10m" }
if not plan then
  req.reply("No plan: " .. no)
  return
end
local asked, refused = plan:request_approval{
  channel = args.channel, approvers = { roles = { args.role } }, need = args.need, ttl = "10m",
}
if not asked then
  req.reply("Nothing was asked for: " .. refused)
  return
end
req.reply{
  title = ("Asked for the kill of %d session%s"):format(#plan, #plan == 1 and "" or "s"),
  text = ("%d of the role %s have to approve it in %s; you do not count."):format(args.need,
    args.role, args.channel),
  instance = args.instance,
  sessions = plan,
}

local req = ...
local a = req.args
local found = assert(das.instance(a.instance):preview{ user = a.user, time = a.time, info = a.info })
if #found == 0 then
  req.reply("nobody matches")
  return
end
local plan = found:plan{ kill = "connection", reason = a.reason }
local approval = assert(plan:request_approval{ channel = a.channel, approvers = { roles = { "dba" } }, need = 2 })
req.reply(("request %s: two of the DBAs have to say yes"):format(approval.id))

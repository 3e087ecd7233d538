local req = ...
local a = req.args
local found = assert(das.instance(a.instance):preview{ user = a.user, time = a.time, info = a.info })
req.reply{ title = ("%d sessions on %s"):format(#found, a.instance), sessions = found }

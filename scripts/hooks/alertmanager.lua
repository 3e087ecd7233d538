-- Receives alerts of Alertmanager, Grafana or PagerDuty: gathers facts from the instance that each
-- is about, tells a channel, and begins the runbook that is meant for it. Looks and never kills;
-- what the runbook does, its own rules say.
--
--   hooks = { alerts = { platform = "alertmanager", path = "/hooks/alerts", channel = "ops",
--     verify = { tokens = { file = "/etc/das/alertmanager" } },
--     script = "hooks/alertmanager.lua" } }
--
-- Which instance: the label das_instance of the alert, else its label instance without the port.
-- das.lua has to give the script the grants preview, runbook, and instance:NAME or tag:TAG, and the
-- runbooks theirs, with notify:CHANNEL of this hook's channel: they ask there.
local req = ...
local alert = req.alert

-- Which runbook for which alert, by its name here: nothing that an alert says chooses a script.
-- role: whose answer its question takes.
local runbooks = {
  MySQLTooManyConnections = { "../runbooks/connection_exhaustion.lua",
    { limit = 200, role = "dba" } },
  MySQLMetadataLockPileup = { "../runbooks/metadata_lock_pileup.lua", { role = "dba" } },
  MySQLReplicaLag = { "../runbooks/replica_lag.lua", { role = "dba" } },
}

local function find(name)
  local bare = name and name:gsub(":%d+$", "")
  for _, instance in ipairs(das.instances()) do
    if instance.name == name or instance.name == bare then
      return instance
    end
  end
end

-- What somebody wants to know who is woken up: the oldest statements, and who waits for whom.
local function facts(instance)
  local slow, why = instance:preview{ command = "Query", time = 5 }
  if not slow then
    return { { "sessions", "cannot be looked at: " .. why } }
  end
  local fields = { { "statements over 5 s", #slow } }
  for _, group in ipairs(slow:group_by("user")) do
    if #fields < 6 then
      fields[#fields + 1] = { group.key or "(no user)", group.count }
    end
  end
  return fields, slow:oldest(10)
end

-- So many alerts are told one by one, the others together: a platform takes only so many messages.
local one_by_one = 15
local others, names = alert and alert.truncated or 0, {}

for i, one in ipairs(alert and alert.alerts or {}) do
  local instance = find(one.instance)
  local fields, sessions = {}, nil
  if instance and one.status ~= "resolved" then
    fields, sessions = facts(instance)
  elseif not instance then
    fields = { { "instance", (one.instance or "none") .. " is not one that das knows" } }
  end
  local runbook = instance and one.status ~= "resolved" and runbooks[one.name]
  if runbook then
    local params = { channel = req.channel } -- what it asks is asked there as well
    for key, value in pairs(runbook[2] or {}) do
      params[key] = value
    end
    local begun, why = req.runbook(runbook[1], { instance = instance.name, params = params })
    fields[#fields + 1] = { "runbook", begun and "begun" or why }
  end
  if i <= one_by_one then
    req.reply{
      title = ("%s: %s"):format(one.status or "alert", one.name or "without a name"),
      text = one.summary,
      severity = one.status == "resolved" and "info" or one.severity == "critical" and "critical"
        or "warning",
      instance = instance and instance.name or nil,
      fields = fields,
      sessions = sessions,
    }
  else
    others = others + 1
    names[#names + 1] = one.name
  end
end
if others > 0 then
  req.reply{ title = ("%d more alerts"):format(others), text = table.concat(names, ", "),
    severity = "warning" }
end

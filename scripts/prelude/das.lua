-- The part of das that is easier said in Lua: selections by a function instead of a filter.
-- Compiled in; called once for each state with the methods of a selection and of an instance, with
-- raise(message), which reports an error at the script's own line, with das itself while it is
-- still open, and with retry_options(options), which checks them.
local selection, instance, raise, das, retry_options = ...

-- Lua's own xpcall runs its handler where no limit can strike. Here the handler runs after the
-- function has ended: it gets the error, and a traceback would be its own.
function xpcall(f, handler, ...) -- luacheck: ignore 121
  local function finish(ok, ...)
    if ok then
      return true, ...
    end
    return false, select(2, pcall(handler, ...))
  end
  return finish(pcall(f, ...))
end

local where_filter, group_by_field = selection.where, selection.group_by
local unprotected_places = selection.unprotected

-- selection:unprotected()
function selection.unprotected(self)
  return self:pick(unprotected_places(self))
end

-- selection:where(filter) or selection:where(function(session) return true end)
function selection.where(self, what)
  if type(what) ~= "function" then
    return where_filter(self, what)
  end
  local kept = {}
  for i = 1, #self do
    if what(self[i]) then
      kept[#kept + 1] = i
    end
  end
  return self:pick(kept)
end

-- selection:group_by("user") or selection:group_by(function(session) return key end)
function selection.group_by(self, what)
  if type(what) == "string" then
    return group_by_field(self, what)
  end
  if type(what) ~= "function" then
    raise("group_by: expected a field name or a function, got " .. type(what))
  end
  local places, order, without = {}, {}, {}
  for i = 1, #self do
    local key = what(self[i])
    local list = without
    if key ~= nil then
      list = places[key]
      if not list then
        list = {}
        places[key] = list
        order[#order + 1] = key
      end
    end
    list[#list + 1] = i
  end
  local groups = {}
  for _, key in ipairs(order) do
    groups[#groups + 1] = { key = key, count = #places[key], sessions = self:pick(places[key]) }
  end
  if #without > 0 then
    groups[#groups + 1] = { count = #without, sessions = self:pick(without) }
  end
  -- largest first, ties in the order of first appearance, as for a field
  local first = {}
  for i, group in ipairs(groups) do
    first[group] = i
  end
  table.sort(groups, function(a, b)
    if a.count ~= b.count then
      return a.count > b.count
    end
    return first[a] < first[b]
  end)
  return groups
end

-- instance:kill_processes(ids, { reason = "...", trust_source = true }): a preview and a plan like
-- any other, so that there is one way to a kill.
function instance.kill_processes(self, ids, options)
  local found, message, code = self:preview({ id = ids }, { exhaustive = true })
  if not found then
    return nil, message, code
  end
  local plan = { kill = "connection" }
  for key, value in pairs(options or {}) do
    if key ~= "reason" and key ~= "trust_source" then
      raise(('kill_processes: unknown option "%s"; expected reason or trust_source'):format(key))
    end
    plan[key] = value
  end
  plan, message, code = found:plan(plan)
  if not plan then
    return nil, message, code
  end
  return plan:apply()
end

-- Waiting does not change these, and knocking again may lock an account.
local final = { auth = true, denied = true, unsupported = true, blocked = true }

-- das.retry{ times = 3, wait = "1s", backoff = 2, function() return ... end }
function das.retry(options)
  local f, times, wait, backoff = retry_options(options)
  local sleep, pack, unpack = das.sleep, table.pack, table.unpack
  local attempt = 1
  while true do
    local results = pack(f(attempt))
    local failed = results[1] == nil and results[2] ~= nil
    if not failed or final[results[3]] or attempt >= times then
      return unpack(results, 1, results.n)
    end
    sleep(wait)
    wait = wait * backoff
    attempt = attempt + 1
  end
end

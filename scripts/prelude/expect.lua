-- What a test expects: of a run, and of plain values. Compiled in; called once for each test with
-- the functions of bindings/test_*.c, the runs by their results, and the ids that any instance ever
-- had. A run has fields, what explain() wants (raw), and looked: somebody knows how it ended.
local host, runs, known = ...
local raise, show = host.raise, host.show

-- --- words --------------------------------------------------------------------------------------

local function expected(what, want, got)
  raise(("%s: expected %s, got %s"):format(what, want, type(got)))
end

local function ids_text(ids)
  return "{" .. table.concat(ids, ", ") .. "}"
end

-- As plain text, or as a Lua pattern: a name with a "-" in it is found either way.
local function has(text, what)
  if text:find(what, 1, true) then
    return true
  end
  local ok, at = pcall(string.find, text, what)
  return ok and at ~= nil
end

local function check_pattern(what, pattern)
  if type(pattern) ~= "string" or pattern == "" then
    expected(what, "a text or a pattern", pattern)
  end
end

local function indent(text)
  return "  " .. text:gsub("\n(.)", "\n  %1")
end

-- --- expectations -------------------------------------------------------------------------------

local function fail(run_of, text, ids)
  for _, id in ipairs(ids or {}) do
    text = text .. "\n" .. host.explain(run_of.raw, id):gsub("\n$", "")
  end
  raise(text)
end

local function check_ids(what, ids)
  if type(ids) ~= "table" then
    expected(what, "a list of session ids", ids)
  end
  for key, id in pairs(ids) do
    if math.type(key) ~= "integer" or math.type(id) ~= "integer" then
      raise(("%s: expected a list of session ids, got %s"):format(what, show(ids)))
    end
    if not known[id] then
      raise(("%s: no instance of this test ever had a session %d"):format(what, id))
    end
  end
end

-- What is in a and not in b, each as often as it is there more.
local function without(a, b)
  local count, rest = {}, {}
  for _, id in ipairs(b) do
    count[id] = (count[id] or 0) + 1
  end
  for _, id in ipairs(a) do
    if (count[id] or 0) > 0 then
      count[id] = count[id] - 1
    else
      rest[#rest + 1] = id
    end
  end
  return rest
end

local expectations = {}

function expectations.victims(run_of, want)
  check_ids("victims", want)
  local got = run_of.fields.victims
  local missing, extra = without(want, got), without(got, want)
  if #missing == 0 and #extra == 0 then
    for i, id in ipairs(want) do
      if got[i] ~= id then
        fail(run_of, ("victims: expected %s, got the same in another order: %s")
          :format(ids_text(want), ids_text(got)))
      end
    end
    return
  end
  local text = ("victims: expected %s, got %s"):format(ids_text(want), ids_text(got))
  for _, id in ipairs(missing) do
    text = text .. ("\n- %d was not killed"):format(id)
  end
  for _, id in ipairs(extra) do
    text = text .. ("\n+ %d was killed"):format(id)
  end
  table.move(extra, 1, #extra, #missing + 1, missing)
  fail(run_of, text, missing)
end

function expectations.spared(run_of, want)
  check_ids("spared", want)
  local killed, text = {}, "spared: expected " .. ids_text(want)
  for _, id in ipairs(want) do
    for _, victim in ipairs(run_of.fields.victims) do
      if victim == id then
        killed[#killed + 1] = id
        text = text .. ("\n+ %d was killed"):format(id)
      end
    end
  end
  if #killed > 0 then
    fail(run_of, text, killed)
  end
end

function expectations.outcome(run_of, id, want, note)
  check_ids("outcome", { id })
  if type(want) ~= "string" then
    expected("outcome", '"killed", "changed", "refused" or another one', want)
  end
  local got, said = run_of.fields.outcomes[id], run_of.fields.notes[id]
  if got ~= want then
    fail(run_of, ("outcome of %d: expected %s, got %s")
      :format(id, want, got or "none: it was in no plan that was applied"), { id })
  end
  if note ~= nil then
    check_pattern("outcome: note", note)
    if not has(said, note) then
      fail(run_of, ("outcome of %d: %s as expected, but not %s: %s")
        :format(id, got, show(note), show(said)), { id })
    end
  end
end

local function list_requests(fields)
  local text = ""
  for i, request in ipairs(fields.requests) do
    text = text .. ("\n%d. %s %s -> %s")
      :format(i, request.method, request.url, request.status or "no answer")
    if request.body ~= "" then
      local body = request.body
      text = text .. "\n   " .. (#body > 300 and body:sub(1, 300) .. "..." or body)
    end
  end
  return text == "" and "\nthere was no request" or text
end

local function is_alarm(line)
  return line:find("^das %w+: warn: ") or line:find("^das %w+: error: ")
    or line:find('"level":"warn"', 1, true) or line:find('"level":"error"', 1, true)
end

function expectations.notified(run_of, pattern)
  check_pattern("notified", pattern)
  local text = ""
  for _, request in ipairs(run_of.fields.requests) do
    if has(request.body, pattern) then
      return
    end
  end
  for _, message in ipairs(run_of.fields.messages) do
    if has(message.title or "", pattern) or has(message.text or "", pattern) then
      return
    end
    text = text .. ("\nto %s: %s"):format(message.channel, message.title or message.text)
  end
  for _, line in ipairs(run_of.fields.log) do
    if is_alarm(line) then
      if has(line, pattern) then
        return
      end
      text = text .. "\n" .. line
    end
  end
  fail(run_of, ("notified: nobody was told " .. show(pattern)) .. list_requests(run_of.fields)
    .. (text == "" and "\nno warning or error was logged" or text))
end

function expectations.requests(run_of, n)
  if math.type(n) ~= "integer" then
    expected("requests", "a number", n)
  end
  if #run_of.fields.requests ~= n then
    fail(run_of, ("requests: expected %d, got %d"):format(n, #run_of.fields.requests)
      .. list_requests(run_of.fields))
  end
end

function expectations.output(run_of, pattern)
  check_pattern("output", pattern)
  if not has(run_of.fields.output, pattern) then
    local got = run_of.fields.output
    fail(run_of, ("output: expected %s, got %s")
      :format(show(pattern), got == "" and "nothing" or "this:\n" .. indent(got)))
  end
end

function expectations.error(run_of, pattern)
  check_pattern("error", pattern)
  local got = run_of.fields.error
  if not got then
    fail(run_of, ("error: expected %s, but the policy ran to its end"):format(show(pattern)))
  end
  if not has(got, pattern) then
    fail(run_of, ("error: expected %s, got %s"):format(show(pattern), show(got)))
  end
  run_of.looked = true
end

function expectations.no_error(run_of)
  if run_of.fields.error then
    fail(run_of, "no_error: the policy failed: " .. run_of.fields.error)
  end
end

-- A policy that fell over killed nobody, either: that is not what was meant.
local function must_have_run(run_of, name)
  if run_of.fields.error and not run_of.looked then
    run_of.looked = true
    fail(run_of, ("%s: the policy failed: %s"):format(name, run_of.fields.error))
  end
end

local function expect(r)
  local run_of = type(r) == "table" and runs[r]
  if not run_of then
    expected("t.expect", "what t.run gave", r)
  end
  local chain = {}
  return setmetatable(chain, {
    __index = function(_, name)
      local f = expectations[name]
      if not f then
        raise(("t.expect has no %s; it has victims, spared, outcome, notified, requests, output, "
          .. "error, no_error"):format(show(name)))
      end
      return function(...)
        if (...) == chain then
          raise(("t.expect(r):%s: call it with a dot, as t.expect(r).%s"):format(name, name))
        end
        if name ~= "error" and name ~= "no_error" then
          must_have_run(run_of, name)
        end
        f(run_of, ...)
        run_of.looked = run_of.looked or name == "no_error"
        return chain
      end
    end,
  })
end

-- --- plain values -------------------------------------------------------------------------------

-- Where a and b differ first, as ".plans[1].reason"; nil when they do not.
local function difference(a, b, at, depth)
  if rawequal(a, b) or a == b then
    return nil
  end
  if type(a) ~= "table" or type(b) ~= "table" or depth > 50 then
    return at, a, b
  end
  local keys = {}
  for _, side in ipairs{ a, b } do
    for key in pairs(side) do
      keys[key] = true
    end
  end
  local order = {}
  for key in pairs(keys) do
    order[#order + 1] = key
  end
  table.sort(order, function(x, y)
    if type(x) == type(y) and (type(x) == "number" or type(x) == "string") then
      return x < y
    end
    return type(x) < type(y)
  end)
  for _, key in ipairs(order) do
    local plain = type(key) == "string" and key:find("^[%a_][%w_]*$")
    local name = plain and "." .. key or "[" .. show(key) .. "]"
    local where, x, y = difference(a[key], b[key], at .. name, depth + 1)
    if where then
      return where, x, y
    end
  end
  return nil
end

local function equal(got, want, name)
  local where, x, y = difference(got, want, "", 0)
  if not where then
    return
  end
  local text = ("%sexpected %s\n     got %s")
    :format(name and name .. ": " or "", show(want), show(got))
  if where ~= "" then
    text = text .. ("\nthey differ at %s: expected %s, got %s")
      :format(where, show(y), show(x))
  end
  raise("equal: " .. text)
end

local function ok(value, name)
  if not value then
    raise(("ok: %s"):format(name or show(value) .. " is not true"))
  end
end

return { run = expect, equal = equal, ok = ok }

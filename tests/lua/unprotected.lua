-- das: -i mem:tests/samples/recording.jsonl
-- unprotected.lua - a selection without what no kill touches: the same that apply() would spare.
local t = require "tap"

local all = das.preview{ all = true }
local spared = {}
for _, outcome in ipairs(all:plan{}:apply().outcomes) do
  spared[outcome.id] = outcome.outcome == "protected"
end

local function agrees(what)
  local left, wrong = {}, 0
  for _, s in ipairs(all:unprotected()) do
    left[s.id] = true
    wrong = wrong + (spared[s.id] and 1 or 0)
  end
  local missing = 0
  for _, s in ipairs(all) do
    missing = missing + ((left[s.id] or spared[s.id]) and 0 or 1)
  end
  t.is(wrong, 0, what .. ": none that a kill would spare")
  t.is(missing, 0, what .. ": all others")
  return #all:unprotected()
end

local before = agrees("by das itself")
t.ok(before > 0 and before < #all, "some of each")
t.is(#all:unprotected():unprotected(), before, "nothing more goes the second time")
t.is(#all:limit(0):unprotected(), 0, "of nothing")
local oldest = all:oldest(#all)
local places = {}
for i, s in ipairs(oldest) do
  places[s.id] = i
end
local last = 0
for _, s in ipairs(oldest:unprotected()) do
  t.ok(places[s.id] > last, "the order stays")
  last = places[s.id]
end

das.protect{ command = "Query" }
for _, s in ipairs(all:where{ command = "Query" }) do
  spared[s.id] = true
end
t.ok(agrees("by the script, too") < before, "das.protect counts")
t.raises("of something else", function() return all.unprotected(das.filter{ user = "x" }) end)
t.done()

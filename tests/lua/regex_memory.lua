-- das: -i mem:tests/samples/recording.jsonl
-- exit: 1
-- regex_memory.lua - patterns that are kept count as memory; over the limit the run has failed.
local t = require "tap"

t.raises("its memory counts", function()
  local kept = {}
  for i = 1, 100000 do
    kept[#kept + 1] = das.regex("(a|b|c){1,200}" .. i)
  end
end, "not enough memory")
t.done()

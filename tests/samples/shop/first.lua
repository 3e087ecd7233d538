-- What everybody writes first: no statement may run over half a minute.
local found = das.preview{ command = "Query", time = "30s" }
if found.total_count > 0 then
  print(found:oldest(3):plan{ kill = "query", reason = "over 30 s" }:apply())
end

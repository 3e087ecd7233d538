-- The policy of `make demo`: long SELECTs on a shop's database die, the backup does not.
das.protect{ user = "backup" }

local slow = das.filter{ command = "Query", time = "60s", info = "select~from" }
local found = das.preview(slow)

if das.dry_run then
  print("1. The preview: which sessions does the policy hit?\n")
  print(found)
  print("\n2. Why is session 2400 not among them?\n")
  print(found:explain(2400))
  print("\n3. The plan, applied in a dry run: every victim is looked at again\n")
  print(found:plan{ kill = "query", reason = "select over 60 s" }:apply())
else
  print(found:plan{ kill = "query", reason = "select over 60 s" }:apply())
  print("\n5. What is left: the statements are gone, the connections live\n")
  print(das.preview(slow | { user = "report" }))
end

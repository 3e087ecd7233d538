-- The configuration of `make demo` and of the examples in README.md: a policy that nobody has
-- promoted only observes, and the limits that das has by itself are meant for larger instances.
return {
  limits = { kill = { percent = 25 } },
  scripts = {
    ["policy.lua"] = { mode = "auto" },
    ["../policies/connection_hogs.lua"] = { mode = "auto" },
    ["../policies/idle_in_transaction.lua"] = { mode = "auto" },
    ["../policies/long_select.lua"] = { mode = "auto" },
    ["../policies/stampede.lua"] = { mode = "auto" },
  },
}

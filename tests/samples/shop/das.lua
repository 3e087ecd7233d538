-- The rules of the shop in docs/tutorial.md: thirty connections, so a policy may end more than the
-- usual five per cent of them at once.
return {
  limits = { kill = { percent = 20 } },
  scripts = {
    ["first.lua"] = { mode = "observe", every = "5s" },
    ["second.lua"] = { mode = "observe", every = "5s" },
  },
}

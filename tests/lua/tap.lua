-- tap.lua - checks for Lua tests: each prints a TAP line; done() ends the file.
local tap = { count = 0, failed = 0 }

local function report(good, name, detail)
  tap.count = tap.count + 1
  if not good then
    tap.failed = tap.failed + 1
  end
  print((good and "ok " or "not ok ") .. tap.count .. " - " .. name)
  if not good and detail then
    print("# " .. detail:gsub("\n", "\n# "))
  end
end

function tap.ok(good, name)
  report(good and true or false, name)
end

function tap.is(got, want, name)
  report(got == want and math.type(got) == math.type(want), name,
    ("got %s, expected %s"):format(tostring(got), tostring(want)))
end

function tap.has(text, part, name)
  report(tostring(text):find(part, 1, true) ~= nil, name,
    ("%s does not hold %s"):format(tostring(text), part))
end

-- The function must raise an error that holds every one of the parts.
function tap.raises(name, f, ...)
  local good, message = pcall(f)
  if good then
    return report(false, name, "no error")
  end
  for _, part in ipairs{ ... } do
    if not tostring(message):find(part, 1, true) then
      return report(false, name, ("%s does not hold %s"):format(tostring(message), part))
    end
  end
  report(true, name)
end

function tap.done()
  print("1.." .. tap.count)
  if tap.failed > 0 then
    error(tap.failed .. " failed", 0)
  end
end

return tap

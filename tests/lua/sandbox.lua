-- das: -i mem:tests/samples/show_vertical.txt
-- sandbox.lua - exactly what a script has: no more libraries, no more functions in them.
local t = require "tap"

local function keys(of)
  local list = {}
  for k in pairs(of) do
    list[#list + 1] = k
  end
  table.sort(list)
  return table.concat(list, " ")
end

t.is(keys(_G), "_G _VERSION assert collectgarbage coroutine das error getmetatable ipairs load "
  .. "math next os pairs pcall print rawequal rawget rawlen rawset require select setmetatable "
  .. "string table tonumber tostring type utf8 xpcall", "globals")
t.is(keys(os), "clock date difftime time", "os")
t.is(keys(das), "args cloud crypto dry_run filter history http instance instances json log notify "
  .. "params preview protect regex retry runbook secret sleep status step stop time version", "das")
t.is(keys(das.http), "get post request", "das.http")
t.is(keys(das.json), "array_mt decode empty_array empty_array_mt encode null", "das.json")
t.is(keys(require "cjson"), keys(das.json), "cjson")
t.is(keys(das.crypto), "aes_cbc_decrypt base64_decode base64_encode base64url_decode "
  .. "base64url_encode ed25519_verify equal hex_decode hex_encode hmac random sha1 sha256",
  "das.crypto")
t.is(keys(das.time), "duration format monotonic now now_ms parse window", "das.time")
t.is(keys(das.log), "debug error info warn", "das.log")
t.is(keys(string), "byte char find format gmatch gsub len lower match pack packsize rep "
  .. "reverse sub unpack upper", "string")

t.is(getmetatable(das), false, "das's metatable is not shown")
t.is(getmetatable(das.filter{}), false, "nor that of its objects")
t.raises("a module outside", function() require "../x" end, "not a module name")
t.raises("a module that is not there", function() require "nothing" end, 'no module "nothing"')
t.raises("rawset cannot fake a selection", function()
  return das.preview{ all = true }.oldest({}, 1)
end, "das.selection")

t.done()

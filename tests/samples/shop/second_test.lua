require("rules")("second.lua")

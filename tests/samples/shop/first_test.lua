require("rules")("first.lua")

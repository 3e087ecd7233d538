-- luacheck's view of scripts that run inside das: its globals, and no others.
std = "lua54"
max_line_length = 100
read_globals = { "das" }
not_globals = {
  "io", "debug", "package", "dofile", "loadfile", "load", "collectgarbage",
  "os.execute", "os.exit", "os.getenv", "os.remove", "os.rename", "os.setlocale", "os.tmpname",
}
files["scripts/types/das.d.lua"] = {
  globals = { "das", "test" }, ignore = { "212", "122", "241", "511" }
}
files["tests/policies"] = { read_globals = { "das", "test" } }
files[".luacheckrc"] = { ignore = { "111" } }
files["das.lua"] = { std = "none" }

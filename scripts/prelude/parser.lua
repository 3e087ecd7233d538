-- A parser for Lua 5.4, for `das check`. Accepts what Lua's own compiler accepts; an error is a
-- table {message, line, col}. Called with the lexer; returns parse(text, comments).
--
-- A node is {tag, line, col, ...}; its parts are its array items, so that a walk needs no table of
-- what each tag holds:
--
--   Nil True False Vararg    Number String (value)      Name (name, var: nil for a global)
--   Index {object, key}      Call {f, args...}          Method {object, args...} (name)
--   Function {block}         Op {a, b or nil} (op)      Paren {expression}
--   Table {Item {value, key or nil}...}                 Block {statements...}
--   Local {values...} (vars) Assign {Targets, Values}   Do While Repeat If For ForIn Return
--   Goto Break Label
--
-- A variable is {name, line, col, kind, init, assigned, reads}: kind is "local", "function",
-- "parameter" or "loop", init the node of its first value where there is one of its own.
local lexer = ...
local error, setmetatable = error, setmetatable

local DEPTH_MAX, LOCALS_MAX = 195, 200

local unary = { ["not"] = true, ["-"] = true, ["~"] = true, ["#"] = true }
local UNARY_PRIORITY = 12
local left, right = {}, {}
for priority, row in ipairs{
  "or", "and", "< > <= >= ~= ==", "|", "~", "&", "<< >>", "..", "+ -", "* / // %",
} do
  for op in string.gmatch(row, "%S+") do
    left[op], right[op] = priority, priority
  end
end
right[".."] = left[".."] - 0.5 -- to the right: a .. (b .. c)
left["^"], right["^"] = 14, 13 -- binds tighter than unary on its left, looser on its right

local block_end = { ["else"] = true, ["elseif"] = true, ["end"] = true, eof = true }

local Parser = {}
Parser.__index = Parser

-- --- tokens ------------------------------------------------------------------------------------

local function spelling(token)
  if token.kind == "eof" then
    return "<eof>"
  end
  return "'" .. tostring(token.value or token.kind) .. "'"
end

function Parser.fail(_, message, token)
  error({ message = message, line = token.line, col = token.col }, 0)
end

function Parser:fail_near(message)
  self:fail(message .. " near " .. spelling(self.token), self.token)
end

function Parser:next()
  local token = self.token
  self.token = self.ahead or self.lex()
  self.ahead = nil
  return token
end

function Parser:peek()
  self.ahead = self.ahead or self.lex()
  return self.ahead
end

function Parser:accept(kind)
  if self.token.kind == kind then
    return self:next()
  end
end

function Parser:expect(kind)
  if self.token.kind ~= kind then
    self:fail_near((kind == "name" and "<name>" or "'" .. kind .. "'") .. " expected")
  end
  return self:next()
end

-- The `end` of what began at `start`.
function Parser:close(kind, start)
  if self.token.kind ~= kind and start.line ~= self.token.line then
    self:fail_near(("'%s' expected (to close '%s' at line %d)"):format(kind, start.kind,
      start.line))
  end
  return self:expect(kind)
end

local function node(tag, at, ...)
  return { tag = tag, line = at.line, col = at.col, ... }
end

function Parser:enter()
  self.depth = self.depth + 1
  if self.depth > DEPTH_MAX then
    self:fail_near("nested too deeply")
  end
end

function Parser:leave()
  self.depth = self.depth - 1
end

-- --- functions, blocks and variables -----------------------------------------------------------
-- A function state is {outer, vararg, active (how many variables), block}; a block is {outer, vars
-- (by name), base (active before it), labels, gotos (pending), loop}.

function Parser:open_function(vararg)
  self.fn = { outer = self.fn, vararg = vararg, active = 0 }
  self:open_block()
end

function Parser:close_function()
  self:close_block()
  self.fn = self.fn.outer
end

function Parser:open_block(loop)
  local fn = self.fn
  fn.block = { outer = fn.block, vars = {}, base = fn.active, labels = {}, gotos = {}, loop = loop }
end

function Parser:close_block()
  local fn, block = self.fn, self.fn.block
  for _, jump in ipairs(block.gotos) do
    if not block.outer then
      self:fail(("no visible label '%s' for goto at line %d"):format(jump.name, jump.line), jump)
    end
    jump.active = block.base
    block.outer.gotos[#block.outer.gotos + 1] = jump
  end
  fn.active = block.base
  fn.block = block.outer
end

-- The variable of a name, in this function or one around it; nil for a global.
function Parser:find(name)
  local fn = self.fn
  while fn do
    local block = fn.block
    while block do
      if block.vars[name] then
        return block.vars[name]
      end
      block = block.outer
    end
    fn = fn.outer
  end
end

function Parser:variable(token, kind)
  local var = { name = token.value, line = token.line, col = token.col, kind = kind, reads = 0 }
  self.vars[#self.vars + 1] = var
  return var
end

function Parser:declare(var)
  local fn = self.fn
  fn.active = fn.active + 1
  if fn.active > LOCALS_MAX then
    self:fail_near("too many local variables (limit is " .. LOCALS_MAX .. ")")
  end
  if var then
    fn.block.vars[var.name] = var
  end
end

-- --- expressions -------------------------------------------------------------------------------

function Parser:expressions(list)
  list = list or {}
  repeat
    list[#list + 1] = self:expression()
  until not self:accept(",")
  return list
end

function Parser:name_node(token)
  local n = node("Name", token)
  n.name, n.var = token.value, self:find(token.value)
  return n
end

local function string_node(token)
  local n = node("String", token)
  n.value = token.value
  return n
end

function Parser:table_constructor()
  local start = self:expect("{")
  local n = node("Table", start)
  while self.token.kind ~= "}" do
    local at, key = self.token, nil
    if at.kind == "name" and self:peek().kind == "=" then
      key = string_node(self:next())
      self:next()
    elseif self:accept("[") then
      key = self:expression()
      self:expect("]")
      self:expect("=")
    end
    n[#n + 1] = node("Item", at, self:expression(), key)
    if not self:accept(",") and not self:accept(";") then
      break
    end
  end
  self:close("}", start)
  return n
end

-- From the "(" of the parameters to the end.
function Parser:function_body(start, method)
  self:open_function(false)
  if method then
    self:declare{ name = "self", kind = "parameter", reads = 1 }
  end
  self:expect("(")
  if self.token.kind ~= ")" then
    repeat
      if self:accept("...") then
        self.fn.vararg = true
        break
      end
      self:declare(self:variable(self:expect("name"), "parameter"))
    until not self:accept(",")
  end
  self:expect(")")
  local n = node("Function", start, self:statements())
  self:close("end", start)
  self:close_function()
  return n
end

function Parser:arguments(n)
  local kind = self.token.kind
  if kind == "string" then
    n[#n + 1] = string_node(self:next())
  elseif kind == "{" then
    n[#n + 1] = self:table_constructor()
  elseif kind == "(" then
    local start = self:next()
    if self.token.kind ~= ")" then
      self:expressions(n)
    end
    self:close(")", start)
  else
    self:fail_near("function arguments expected")
  end
  return n
end

function Parser:suffixed()
  local token = self.token
  local n
  if token.kind == "name" then
    n = self:name_node(self:next())
  elseif self:accept("(") then
    n = node("Paren", token, self:expression())
    self:close(")", token)
  else
    self:fail_near("unexpected symbol")
  end
  while true do
    local at = self.token
    if self:accept(".") then
      local name = self:expect("name")
      n = node("Index", name, n, string_node(name))
    elseif self:accept("[") then
      n = node("Index", at, n, self:expression())
      self:expect("]")
    elseif self:accept(":") then
      local name = self:expect("name")
      n = node("Method", name, n)
      n.name = name.value
      self:arguments(n)
    elseif at.kind == "(" or at.kind == "string" or at.kind == "{" then
      n = self:arguments(node("Call", at, n))
    else
      return n
    end
    local object = n[1] -- a read of the variable, if it is one
    if object.var then
      object.var.reads = object.var.reads + 1
      object.counted = true
    end
  end
end

-- A name that is read as it stands.
local function read(n)
  if n.var and not n.counted then
    n.var.reads = n.var.reads + 1
  end
  return n
end

local constants = { ["nil"] = "Nil", ["true"] = "True", ["false"] = "False" }

function Parser:simple()
  local token = self.token
  if constants[token.kind] then
    return node(constants[token.kind], self:next())
  elseif token.kind == "number" then
    local n = node("Number", self:next())
    n.value = token.value
    return n
  elseif token.kind == "string" then
    return string_node(self:next())
  elseif token.kind == "..." then
    if not self.fn.vararg then
      self:fail_near("cannot use '...' outside a vararg function")
    end
    return node("Vararg", self:next())
  elseif token.kind == "{" then
    return self:table_constructor()
  elseif token.kind == "function" then
    return self:function_body(self:next())
  end
  return read(self:suffixed())
end

function Parser:expression(limit)
  limit = limit or 0
  self:enter()
  local token = self.token
  local n
  if unary[token.kind] then
    self:next()
    n = node("Op", token, self:expression(UNARY_PRIORITY))
    n.op = token.kind
  else
    n = self:simple()
  end
  while left[self.token.kind] and left[self.token.kind] > limit do
    local op = self:next()
    n = node("Op", op, n, self:expression(right[op.kind]))
    n.op = op.kind
  end
  self:leave()
  return n
end

-- --- statements --------------------------------------------------------------------------------

function Parser:statements()
  local n = node("Block", self.token)
  while not block_end[self.token.kind] and self.token.kind ~= "until" do
    local is_return = self.token.kind == "return"
    self:enter()
    n[#n + 1] = self:statement()
    self:leave()
    if is_return then
      break
    end
  end
  return n
end

function Parser:block(loop)
  self:open_block(loop)
  local n = self:statements()
  self:close_block()
  return n
end

local statement = {}

statement["if"] = function(self, start)
  local n = node("If", start)
  repeat
    n[#n + 1] = self:expression()
    self:expect("then")
    n[#n + 1] = self:block()
  until not self:accept("elseif")
  if self:accept("else") then
    n[#n + 1] = self:block()
  end
  self:close("end", start)
  return n
end

statement["while"] = function(self, start)
  local n = node("While", start, self:expression())
  self:expect("do")
  n[2] = self:block(true)
  self:close("end", start)
  return n
end

statement["do"] = function(self, start)
  local n = node("Do", start, self:block())
  self:close("end", start)
  return n
end

statement["for"] = function(self, start)
  local names = { self:expect("name") }
  local n = node("ForIn", start)
  self:open_block(true) -- the hidden variables
  if self:accept("=") then
    n.tag = "For"
    n[1] = self:expression()
    self:expect(",")
    n[2] = self:expression()
    if self:accept(",") then
      n[3] = self:expression()
    end
  else
    while self:accept(",") do
      names[#names + 1] = self:expect("name")
    end
    if self.token.kind ~= "in" and #names == 1 then
      self:fail_near("'=' or 'in' expected")
    end
    self:expect("in")
    self:expressions(n)
  end
  for _ = 1, n.tag == "For" and 3 or 4 do
    self:declare()
  end
  self:expect("do")
  self:open_block()
  for _, name in ipairs(names) do
    self:declare(self:variable(name, "loop"))
  end
  n[#n + 1] = self:statements()
  self:close_block()
  self:close("end", start)
  self:close_block()
  return n
end

statement["repeat"] = function(self, start)
  self:open_block(true)
  self:open_block()
  local n = node("Repeat", start, self:statements())
  self:close("until", start)
  n[2] = self:expression() -- sees the block's variables
  self:close_block()
  self:close_block()
  return n
end

statement["function"] = function(self, start)
  local name = self:expect("name")
  local target, method = self:name_node(name), false
  while self.token.kind == "." or self.token.kind == ":" do
    method = self:next().kind == ":"
    read(target)
    local field = self:expect("name")
    target = node("Index", field, target, string_node(field))
    if method then
      break
    end
  end
  self:assignable(target)
  local body = self:function_body(start, method)
  return node("Assign", start, node("Targets", start, target), node("Values", start, body))
end

statement["local"] = function(self, start)
  local n = node("Local", start)
  n.vars = {}
  if self:accept("function") then
    local var = self:variable(self:expect("name"), "function")
    self:declare(var)
    n.vars[1], n[1] = var, self:function_body(start)
    var.init = n[1]
    return n
  end
  local closes = false
  repeat
    local var = self:variable(self:expect("name"), "local")
    n.vars[#n.vars + 1] = var
    if self:accept("<") then
      local attribute = self:expect("name")
      var.attribute = attribute.value
      if var.attribute ~= "const" and var.attribute ~= "close" then
        self:fail(("unknown attribute '%s'"):format(var.attribute), attribute)
      end
      if closes and var.attribute == "close" then
        self:fail("multiple to-be-closed variables in local list", attribute)
      end
      closes = closes or var.attribute == "close"
      self:expect(">")
    end
  until not self:accept(",")
  if self:accept("=") then
    self:expressions(n)
  end
  for i, var in ipairs(n.vars) do
    var.init = n[i]
    self:declare(var)
  end
  return n
end

statement["return"] = function(self, start)
  local n = node("Return", start)
  if not block_end[self.token.kind] and self.token.kind ~= "until" and self.token.kind ~= ";" then
    self:expressions(n)
  end
  self:accept(";")
  return n
end

statement["break"] = function(self, start)
  local block = self.fn.block
  while block and not block.loop do
    block = block.outer
  end
  -- as Lua does, this is only an error once the function has been read
  if not block then
    self.fn.block.gotos[#self.fn.block.gotos + 1] =
      { name = "break", line = start.line, col = start.col, active = self.fn.active }
  end
  return node("Break", start)
end

function Parser:find_label(name)
  local block = self.fn.block
  while block do
    if block.labels[name] then
      return block.labels[name]
    end
    block = block.outer
  end
end

statement["goto"] = function(self, start)
  local name = self:expect("name").value
  if not self:find_label(name) then -- forward: a label may still come
    local gotos = self.fn.block.gotos
    gotos[#gotos + 1] = { name = name, line = start.line, col = start.col, active = self.fn.active }
  end
  return node("Goto", start)
end

statement["::"] = function(self, start)
  local name = self:expect("name")
  self:expect("::")
  while self.token.kind == ";" or self.token.kind == "::" do
    self:enter()
    self:statement()
    self:leave()
  end
  if self:find_label(name.value) then
    self:fail(("label '%s' already defined on line %d"):format(name.value,
      self:find_label(name.value).line), name)
  end
  local fn, block = self.fn, self.fn.block
  -- at the end of a block its variables are out of sight already
  local active = block_end[self.token.kind] and block.base or fn.active
  block.labels[name.value] = name
  local pending = {}
  for _, jump in ipairs(block.gotos) do
    if jump.name ~= name.value then
      pending[#pending + 1] = jump
    elseif jump.active < active then
      self:fail(("<goto %s> at line %d jumps into the scope of a local"):format(jump.name,
        jump.line), jump)
    end
  end
  block.gotos = pending
  return node("Label", start)
end

statement[";"] = function(_, start)
  return node("Do", start)
end

function Parser:assignable(target)
  local var = target.tag == "Name" and target.var
  if target.tag ~= "Name" and target.tag ~= "Index" then
    self:fail_near("syntax error")
  end
  if var then
    if var.attribute then
      self:fail(("attempt to assign to const variable '%s'"):format(var.name), target)
    end
    var.assigned = true
  end
end

function Parser:assignment_or_call()
  local first = self:suffixed()
  if self.token.kind ~= "=" and self.token.kind ~= "," then
    if first.tag ~= "Call" and first.tag ~= "Method" then
      self:fail_near("syntax error")
    end
    return first
  end
  local targets, depth = node("Targets", first, first), self.depth
  if first.tag ~= "Name" and first.tag ~= "Index" then
    self:fail_near("syntax error")
  end
  while self:accept(",") do
    self:enter()
    targets[#targets + 1] = self:suffixed()
    if targets[#targets].tag ~= "Name" and targets[#targets].tag ~= "Index" then
      self:fail_near("syntax error")
    end
  end
  self.depth = depth
  self:expect("=")
  local values = node("Values", self.token)
  self:expressions(values)
  for _, target in ipairs(targets) do
    self:assignable(target)
  end
  return node("Assign", first, targets, values)
end

function Parser:statement()
  local rule = statement[self.token.kind]
  if rule then
    return rule(self, self:next())
  end
  return self:assignment_or_call()
end

-- The tree of a chunk (a Block) and the list of its variables.
return function(text, comments)
  local self = setmetatable({ lex = lexer(text, comments), depth = 0, vars = {} }, Parser)
  self:next()
  self:open_function(true)
  local tree = self:statements()
  if self.token.kind ~= "eof" then
    self:expect("eof")
  end
  self:close_function()
  return tree, self.vars
end

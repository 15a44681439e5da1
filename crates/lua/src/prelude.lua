-- Builds what scripts see. It runs once, before any script, and leaves no Lua function behind that a script could reach.
--
-- A table that scripts may not change is an empty one in front of the real one: it finds everything by __index, so whatever is
-- assigned to it is new, and refused. Natives that would go round this (rawset, table.insert, ...) know such a table by its mark.
local native = ...

local nothing
local function protect(real, metatable)
  return setmetatable({}, {
    __index = real,
    __newindex = native.refuse_change,
    __metatable = metatable or false,
    [native.mark] = true,
  })
end
nothing = protect({})

local function choose(from, names)
  local chosen = {}
  for name in names:gmatch("%a+") do chosen[name] = from[name] end
  return chosen
end

-- The libraries: Lua's own, with the functions exchanged that could do harm.
local libraries = {
  string = choose(string, "byte char dump format len lower reverse sub upper"),
  table = choose(table, "concat foreach foreachi getn maxn setn"),
  math = choose(math, "abs acos asin atan atan ceil cos cosh deg exp floor fmod frexp ldexp log max min mod modf pi pow rad sin " ..
    "sinh sqrt tan tanh huge"),
  os = { clock = os.clock },
  coroutine = choose(coroutine, "create running status wrap yield"),
  cjson = native.cjson,
  cmsgpack = native.cmsgpack,
  struct = native.struct,
  bit = native.bit,
}
libraries.math.atan2 = math.atan2
libraries.math.log10 = math.log10
for name, functions in pairs({ string = native.string, table = native.table, math = native.math, coroutine = native.coroutine }) do
  for key, value in pairs(functions) do libraries[name][key] = value end
end

local protected = {}
for name, library in pairs(libraries) do protected[name] = protect(library) end

-- Strings find their methods in the real table; scripts that ask for their metatable see that, but cannot change it.
local strings = getmetatable("")
strings.__index = libraries.string
strings.__metatable = protect({ __index = protected.string })

local base = choose(_G, "assert error gcinfo getmetatable ipairs rawequal select tonumber tostring type")
base._VERSION = _VERSION
for name, value in pairs(native.base) do base[name] = value end
for name, library in pairs(protected) do base[name] = library end

-- Globals of scripts, of functions, and of a library while it is loaded. Asking for what is not there is an error.
local strict = { __index = native.refuse_global }
local function globals(api, more)
  local real = {}
  for name, value in pairs(more) do real[name] = value end
  real.redis, real.server = api, api
  return setmetatable(real, strict)
end

local common, scripts = native.api, native.script_api
for name, value in pairs(common) do scripts[name] = value end

local script_globals = globals(protect(scripts), base)
script_globals.__redis__err__handler = native.handler
script_globals.__server__err__handler = native.handler
local function_globals = globals(protect(common), base)
local loading_globals = globals(protect(setmetatable(native.loading_api, strict)), {})

local script_environment = protect(script_globals, nothing)
script_globals._G = script_environment
local function_environment = protect(function_globals, nothing)
function_globals._G = function_environment

return script_environment, script_globals, function_environment, function_globals, loading_globals

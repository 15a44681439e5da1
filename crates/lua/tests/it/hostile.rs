//! Scripts that mean harm: each ends in an error, and the next one finds everything as it was.

use crate::driver::Scripts;

/// Runs a script that must fail with that text, and then one that must not.
#[track_caller]
fn fails(scripts: &mut Scripts, source: &str, text: &str) {
    let reply = scripts.eval(source);
    assert!(reply.starts_with('-') && reply.contains(text), "{source}: {reply}");
    works(scripts);
}

/// Everything is as it was.
#[track_caller]
fn works(scripts: &mut Scripts) {
    let source = "assert(redis.call('a')[1] == 'a') assert(('x'):rep(3) == 'xxx') assert(not pcall(function() return foo end)) \
                  assert(type(string.format) == 'function') assert(#KEYS == 0) assert(collectgarbage('count') < 40000) \
                  assert(cjson.encode({1}) == '[1]') local t = {3,2,1} table.sort(t) assert(t[1] == 1) return 'fine'";
    assert_eq!(scripts.eval(source), "$4\r\nfine\r\n");
}

const KILLED: &str = "Script killed by user with SCRIPT KILL.";

#[test]
fn endless_scripts_are_killed() {
    let mut scripts = Scripts::new();
    for source in [
        "while true do end",
        "local function f() return f() end f()",
        "while true do pcall(function() while true do end end) end",
        "while true do pcall(error) end",
        "local function f() while true do pcall(f) end end f()",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "xpcall(function() error('x') end, function() while true do end end)",
        "while true do redis.pcall('x') pcall(redis.call, {}) end",
        "while true do pcall(redis.call, 'x') end",
        "coroutine.wrap(function() while true do end end)()",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "while true do pcall(coroutine.wrap(function() while true do end end)) end",
        "local t = setmetatable({}, {__index = function() while true do end end}) return t.x",
        "local t = setmetatable({}, {__eq = function() while true do end end}) return t == setmetatable({}, getmetatable(t))",
        "return ('x'):gsub('x', function() while true do end end)",
        "while true do ('xxxxxxxxxxxxxxxx'):gsub('x', function() end) end",
        "local t = {} for i = 1, 2000 do t[i] = i end while true do table.sort(t, function(a, b) return a > b end) end",
        "table.sort({1,2,3}, function() while true do end end)",
        "return ('a'):rep(40):find(('a-'):rep(40) .. 'b')",
        "return ('a'):rep(40):find(('a*'):rep(40) .. 'b')",
        "return ('a'):rep(100000):find(('.-'):rep(5) .. 'b')",
        "load(function() while true do end end)",
        "while true do load(function() return 'x' end) end",
        "while true do loadstring('return 1') end",
        "while true do collectgarbage() end",
        "local s = ('x'):rep(1000000) while true do local t = s .. 'y' end",
        "while true do ('x'):rep(1000000) end",
        "while true do cjson.decode(cjson.encode({1,2,3})) end",
    ] {
        let reply = scripts.eval(source);
        assert!(reply.contains(KILLED) && scripts.killed, "{source}: {reply}");
        works(&mut scripts);
    }
}

#[test]
fn memory_is_bounded() {
    let mut scripts = Scripts::with_memory(16 * 1024 * 1024);
    scripts.patience = usize::MAX / 10;
    for (source, text) in [
        ("local t = {} while true do t[#t + 1] = #t end", "not enough memory"),
        ("local s = 'x' while true do s = s .. s end", "not enough memory"),
        ("return ('x'):rep(1e9)", "resulting string too large"),
        ("return ('x'):rep(2^62)", "resulting string too large"),
        ("return ('x'):rep(15 * 1024 * 1024):upper()", "not enough memory"),
        ("local t = {} for i = 1, 30 do t[i] = ('x'):rep(1000000) .. i end", "not enough memory"),
        (
            "local t = {} for i = 1, 100 do t[i] = ('x'):rep(100000) end return table.concat(t, ('y'):rep(100000))",
            "not enough memory",
        ),
        ("return ('x'):rep(100000):gsub('x', ('y'):rep(1000))", "not enough memory"),
        ("return ('x'):rep(100000):gsub('x', function() return ('y'):rep(1000) end)", "not enough memory"),
        ("local t = {1} for i = 1, 60 do t = {t, t} end return cjson.encode(t)", "not enough memory"),
        (
            "local t = ('x'):rep(1000) for i = 1, 14 do t = {t, t} end return cmsgpack.pack(t)",
            "not enough memory",
        ),
        ("local t = ('x'):rep(1000) for i = 1, 60 do t = {t, t} end return t", "the reply is too large"),
        ("local t = {} while true do t = {t} end", "not enough memory"),
        ("local c = {} while true do c[#c + 1] = coroutine.create(function() end) end", "not enough memory"),
        ("while true do local t = {} t[1] = t for i = 1, 1000 do t = {t} end K = t end", "readonly table"),
        ("return loadstring('return {' .. ('1,'):rep(1000000) .. '}')()", "not enough memory"),
    ] {
        fails(&mut scripts, source, text);
    }
    // What a script catches is an error like any other.
    assert_eq!(
        scripts.eval(
            "local ok, e = pcall(function() local t = {} while true do t[#t + 1] = #t end end) return e"
        ),
        "$17\r\nnot enough memory\r\n"
    );
    works(&mut scripts);
}

#[test]
fn depth_is_bounded() {
    let mut scripts = Scripts::new();
    for (source, text) in [
        ("local function f() return 1 + f() end return f()", "stack overflow"),
        ("local function f() return pcall(f) end local a, b = f() error('ended')", "ended"),
        ("local function f() return ('x'):gsub('x', f) end return f()", "C stack overflow"),
        (
            "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end return t.x",
            "C stack overflow",
        ),
        ("local f f = function() coroutine.wrap(f)() end f()", "C stack overflow"),
        (
            "local f f = function() return (('x'):gsub('x', function() return coroutine.wrap(f)() end)) end return f()",
            "C stack overflow",
        ),
        (
            "local f f = function() return (('x'):gsub('x', setmetatable({}, {__index = function() return f() end}))) end return f()",
            "C stack overflow",
        ),
        (
            "local f f = function() table.sort({2, 1}, function() coroutine.wrap(f)() return true end) end f()",
            "C stack overflow",
        ),
        ("local f f = function() load(f) end f() error('ended')", "ended"),
        ("local f f = function() xpcall(f, f) end f() error('ended')", "ended"),
        (
            "local t = setmetatable({}, {}) getmetatable(t).__tostring = function() return tostring(t) end return tostring(t)",
            "C stack overflow",
        ),
        ("local f f = function() coroutine.resume(coroutine.create(f)) end f() error('ended')", "ended"),
        ("return ('a'):rep(10000):find(('a?'):rep(10000))", "pattern too complex"),
        ("return ('a'):find(('('):rep(100000))", "too many captures"),
        ("return cjson.decode(('['):rep(100000))", "Found too many nested data structures"),
        (
            "cjson.decode_max_depth(1000000) return cjson.decode(('['):rep(100000))",
            "Found too many nested data structures",
        ),
        (
            "cjson.encode_max_depth(1000000) local t = {} t[1] = t return cjson.encode(t)",
            "Cannot serialise, excessive nesting",
        ),
        ("local t = {} t[1] = t return cjson.encode(t)", "Cannot serialise, excessive nesting"),
        ("return cmsgpack.unpack(('\\145'):rep(100000))", "too many return values"),
        (
            "return loadstring('return ' .. ('('):rep(100000) .. '1' .. (')'):rep(100000))()",
            "attempt to call a nil value",
        ),
        ("return loadstring(('do '):rep(100000))()", "attempt to call a nil value"),
        ("return unpack({}, 1, 1e9)", "too many results to unpack"),
        ("return unpack({}, -2^31, 2^31 - 1)", "too many results to unpack"),
        ("return unpack({}, 2^31 - 2, 2^31)", "too many results to unpack"),
        ("return unpack({}, 0, 2^32)", "too many results to unpack"),
        ("return select('#', ('x'):rep(10000):byte(1, -1))", "string slice too long"),
    ] {
        fails(&mut scripts, source, text);
    }
    assert!(scripts.eval("local t = {} t[1] = t return t").contains("reached lua stack limit"));
    works(&mut scripts);
}

#[test]
fn the_sandbox_is_closed() {
    let mut scripts = Scripts::new();
    let read_only = "Attempt to modify a readonly table";
    let missing = "Script attempted to access nonexistent global variable";
    for (source, text) in [
        ("return foo", missing),
        ("return _G.foo", missing),
        ("foo = 1", read_only),
        ("_G.foo = 1", read_only),
        ("redis = 1", read_only),
        ("redis.call = 1", read_only),
        ("redis.new = 1", read_only),
        ("string.rep = 1", read_only),
        ("math.random = function() return 4 end", read_only),
        ("cjson.null = 1", read_only),
        ("KEYS = {}", read_only),
        ("setmetatable(_G, {})", read_only),
        ("setmetatable(redis, {})", read_only),
        ("rawset(_G, 'foo', 1)", read_only),
        ("rawset(redis, 'call', 1)", read_only),
        ("table.insert(redis, 1)", read_only),
        ("table.remove(_G)", read_only),
        ("table.sort(_G)", read_only),
        ("getmetatable(_G).__index = {}", read_only),
        ("getmetatable('').__index = {}", read_only),
        ("getmetatable('').__index.rep = 1", read_only),
        ("rawset(getmetatable(''), '__index', {})", read_only),
        ("setmetatable(getmetatable(''), {})", read_only),
        ("getmetatable('').__add = function() end", read_only),
        ("return print", missing),
        ("return require", missing),
        ("return dofile", missing),
        ("return loadfile", missing),
        ("return debug", missing),
        ("return io", missing),
        ("return package", missing),
        ("return module", missing),
        ("return newproxy", missing),
        ("return getfenv", missing),
        ("return setfenv", missing),
        ("return native", missing),
        ("return os.execute('true')", "attempt to call field 'execute' (a nil value)"),
        ("return os.getenv('PATH')", "attempt to call field 'getenv' (a nil value)"),
        ("return loadstring(string.dump(function() return 1 end))()", "attempt to call a nil value"),
        ("return loadstring('\\27Lua')()", "attempt to call a nil value"),
        (
            "local p = {'\\27Lua'} return load(function() return table.remove(p) end)()",
            "attempt to call a nil value",
        ),
        ("error(setmetatable({}, {__index = function() error('x') end}))", "unknown error"),
        ("error(redis)", "unknown error"),
    ] {
        fails(&mut scripts, source, text);
    }
    for source in [
        "local t = {} for k, v in pairs(redis) do t[#t+1] = k end return #t > 10",
        "for k, v in pairs(_G) do if type(v) == 'table' and k ~= 'KEYS' and k ~= 'ARGV' then \
         assert(not pcall(rawset, v, 'x', 1), k) end end return true",
        "for k, v in next, redis do assert(k ~= nil) end return true",
        "return select(2, pairs(redis)) == redis",
        "return getmetatable('').__index == string",
        "return not getmetatable(redis)",
        "return select(2, loadstring('\\27Lua')) ~= nil",
        "collectgarbage('stop') return true",
        "coroutine.wrap(function() assert(not pcall(rawset, _G, 'a', 1)) end)() return true",
    ] {
        assert_eq!(scripts.eval(source), ":1\r\n", "{source}");
        works(&mut scripts);
    }
}

/// Known ways into PUC Lua 5.1 that need its collector at the wrong time, or a wrong type.
#[test]
fn known_exploits_do_nothing() {
    let mut scripts = Scripts::new();
    for source in [
        // The name of a chunk that is collected while the chunk is read (CVE-2025-49844).
        "for i = 1, 50 do local p = {'local x', ' = 1 ', 'return x'} local n = 0 \
         assert(load(function() collectgarbage() n = n + 1 return p[n] end, ('name'):rep(20) .. i)() == 1) end return 1",
        "for i = 1, 50 do assert(loadstring('return ' .. i, ('n'):rep(50) .. i .. '\\0x')() == i) end return 1",
        // A function with many parameters and `...` (CVE-2014-5461).
        "local p = {} for i = 1, 199 do p[i] = 'p' .. i end \
         local f = loadstring('local function f(' .. table.concat(p, ',') .. ', ...) return p1 end return f')() \
         for i = 1, 100 do coroutine.wrap(function() f(i) end)() end return 1",
        // A comparison that shrinks what is sorted.
        "local t = {} for i = 1, 100 do t[i] = i end \
         pcall(table.sort, t, function(a, b) for i = 1, 100 do t[i] = nil end return true end) return 1",
        "local t = {} for i = 1, 5000 do t[i] = {} end pcall(table.sort, t) return 1",
        // What is iterated over changes.
        "local t = {} for i = 1, 100 do t[i] = i end for k in pairs(t) do t[k] = nil collectgarbage() end return 1",
        "return pcall(next, {}, 'no such key') and 0 or 1",
        // Formats.
        "pcall(string.format, '%99999d', 1) pcall(string.format, ('%'):rep(1000)) return 1",
        "return #string.format('%99.99f', 1e308) > 300 and 1",
        "return #string.format('%q', ('\\0'):rep(1000)) > 1000 and 1",
        // A coroutine that resumes itself, or what is dead.
        "local c c = coroutine.create(function() return coroutine.resume(c) end) coroutine.resume(c) coroutine.resume(c) return 1",
        "local c = coroutine.wrap(function() redis.call('x') error('y') end) pcall(c) pcall(c) return 1",
    ] {
        assert_eq!(scripts.eval(source), ":1\r\n", "{source}");
        works(&mut scripts);
    }
}

#[test]
fn long_brackets_are_counted() {
    let mut scripts = Scripts::with_memory(256 * 1024 * 1024);
    let source = "local s = ('='):rep(1000000) return #loadstring('return [' .. s .. '[x]' .. s .. ']')()";
    assert_eq!(scripts.eval(source), ":1\r\n");
    works(&mut scripts);
}

#[test]
fn scripts_can_be_dropped_anywhere() {
    let mut scripts = Scripts::new();
    for source in [
        "redis.call('a') redis.call('b') return 1",
        "while true do redis.call('a') end",
        "while true do end",
        "pcall(function() while true do end end)",
        "while true do pcall(redis.call, 'a') end",
        "table.sort({1,2,3,4}, function(a, b) redis.call('a') return a < b end)",
        "('abc'):gsub('.', function() redis.call('a') end)",
        "coroutine.wrap(function() redis.call('a') while true do end end)()",
        "redis.log(3, 'x') redis.acl_check_cmd('x')",
        "setmetatable({}, {__index = function() redis.call('a') end}).x()",
    ] {
        for after in 0..4 {
            scripts.drop_after = Some(after);
            scripts.eval(source);
            scripts.drop_after = None;
            works(&mut scripts);
        }
    }
}

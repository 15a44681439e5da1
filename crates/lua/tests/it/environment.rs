//! What scripts find, and what becomes of their values.

use larder_resp::Protocol;

use crate::driver::Scripts;

/// Scripts that return true.
#[track_caller]
fn all_true(checks: &[&str]) {
    let mut scripts = Scripts::new();
    for check in checks {
        assert_eq!(scripts.eval(&format!("return {check}")), ":1\r\n", "{check}");
    }
}

#[track_caller]
fn replies(checks: &[(&str, &str)]) {
    let mut scripts = Scripts::new();
    for (source, reply) in checks {
        assert_eq!(scripts.eval(source), *reply, "{source}");
    }
}

#[test]
fn values_become_replies() {
    replies(&[
        ("return 1", ":1\r\n"),
        ("return 3.99", ":3\r\n"),
        ("return -3.99", ":-3\r\n"),
        ("return 1e300", ":-9223372036854775808\r\n"),
        ("return 'a'", "$1\r\na\r\n"),
        ("return true", ":1\r\n"),
        ("return false", "$-1\r\n"),
        ("return nil", "$-1\r\n"),
        ("return", "$-1\r\n"),
        ("return {1,2,nil,4}", "*2\r\n:1\r\n:2\r\n"),
        ("return {}", "*0\r\n"),
        ("return {1,{2,'x'}}", "*2\r\n:1\r\n*2\r\n:2\r\n$1\r\nx\r\n"),
        ("return {ok='fine\\r\\n'}", "+fine  \r\n"),
        ("return {err='BAD luck\\r\\n'}", "-BAD luck"),
        ("return {err='BAD', ok='fine'}", "-BAD"),
        ("return {double=3.5}", "$3\r\n3.5\r\n"),
        ("return {big_number='123'}", "$3\r\n123\r\n"),
        ("return {verbatim_string={format='txt',string='abc'}}", "$3\r\nabc\r\n"),
        ("return {map={a=1}}", "*2\r\n$1\r\na\r\n:1\r\n"),
        ("return {set={a=true}}", "*1\r\n$1\r\na\r\n"),
        ("return redis.status_reply('fine')", "+fine\r\n"),
        ("return redis.error_reply('a b')", "-a b"),
        ("return redis.error_reply('-a b')", "-a b"),
        ("return redis.error_reply('a')", "-ERR a"),
        ("return redis.error_reply()", "-ERR wrong number or type of arguments"),
        ("return function() end", "$-1\r\n"),
        ("return cjson.null", "$-1\r\n"),
    ]);
    let mut scripts = Scripts::new();
    scripts.protocol = Protocol::Resp3;
    for (source, reply) in [
        ("return true", ":1\r\n"),
        ("return false", "_\r\n"),
        ("redis.setresp(3) return true", "#t\r\n"),
        ("redis.setresp(3) return {false}", "*1\r\n#f\r\n"),
        ("return {double=3.5}", ",3.5\r\n"),
        ("return {big_number='123'}", "(123\r\n"),
        ("return {verbatim_string={format='txt',string='abc'}}", "=7\r\ntxt:abc\r\n"),
        ("return {map={a=1}}", "%1\r\n$1\r\na\r\n:1\r\n"),
        ("return {set={a=true}}", "~1\r\n$1\r\na\r\n"),
    ] {
        assert_eq!(scripts.eval(source), reply, "{source}");
    }
}

#[test]
fn replies_become_values() {
    let mut scripts = Scripts::new();
    for (reply, expression) in [
        ("$5\r\nhello\r\n", "r == 'hello'"),
        ("$-1\r\n", "r == false"),
        ("*-1\r\n", "r == false"),
        (":12\r\n", "r == 12"),
        ("+OK\r\n", "r.ok == 'OK'"),
        ("*3\r\n:1\r\n$1\r\na\r\n*1\r\n+X\r\n", "#r == 3 and r[2] == 'a' and r[3][1].ok == 'X'"),
        ("*2\r\n$-1\r\n:1\r\n", "r[1] == false and r[2] == 1"),
        ("_\r\n", "r == nil"),
        ("#t\r\n", "r == true"),
        ("#f\r\n", "r == false"),
        (",1.5\r\n", "r.double == 1.5"),
        (",inf\r\n", "r.double == 1/0"),
        ("(123\r\n", "r.big_number == '123'"),
        ("=7\r\ntxt:abc\r\n", "r.verbatim_string.format == 'txt' and r.verbatim_string.string == 'abc'"),
        ("%1\r\n$1\r\na\r\n:1\r\n", "r.map.a == 1"),
        ("~1\r\n$1\r\na\r\n", "r.set.a == true"),
        ("|1\r\n+k\r\n+v\r\n:5\r\n", "r == 5"),
    ] {
        let source = format!("local r = redis.call('x') return {expression}");
        let answer = scripts.eval_with(&source, &[], &[], |_| Ok(reply.into()));
        assert_eq!(answer, ":1\r\n", "{reply:?}");
    }
}

#[test]
fn commands_get_arguments_and_errors_come_back() {
    replies(&[
        ("return redis.call('get', 1, 1.5, 'x')", "*4\r\n$3\r\nget\r\n$1\r\n1\r\n$3\r\n1.5\r\n$1\r\nx\r\n"),
        ("return redis.call('x', 1e15)", "*2\r\n$1\r\nx\r\n$16\r\n1000000000000000\r\n"),
        (
            "return redis.call()",
            "-ERR Please specify at least one argument for this redis lib call script: test, on @user_script:1.",
        ),
        ("return redis.pcall('get', {})", "-ERR Lua redis lib command arguments must be strings or integers"),
        ("return redis.sha1hex('')", "$40\r\nda39a3ee5e6b4b0d3255bfef95601890afd80709\r\n"),
        ("return redis.sha1hex()", "-ERR wrong number of arguments script: test, on @user_script:1."),
        ("\n\nerror('x')", "-ERR user_script:3: x script: test, on @user_script:3."),
        ("error({err='MY x'})", "-MY x script: test, on @user_script:1."),
        ("error()", "-ERR nil script: test, on @user_script:1."),
        ("error({})", "-ERR unknown error script: test, on @user_script:1."),
        (
            "local x = nil; x()",
            "-ERR user_script:1: attempt to call local 'x' (a nil value) script: test, on @user_script:1.",
        ),
        ("local x = ", "compile: user_script:1: unexpected symbol near '<eof>'"),
    ]);
    let mut scripts = Scripts::new();
    let mut with = |source: &str, answer: Result<&str, &str>| {
        scripts.eval_with(source, &["k"], &["a", "b"], |_| {
            answer.map(|reply| reply.as_bytes().to_vec()).map_err(str::to_owned)
        })
    };
    assert_eq!(
        with("return redis.call('x')", Ok("-WRONGTYPE bad\r\n")),
        "-WRONGTYPE bad script: test, on @user_script:1."
    );
    assert_eq!(with("return redis.pcall('x')", Ok("-WRONGTYPE bad\r\n")), "-WRONGTYPE bad");
    assert_eq!(
        with("return redis.call('x')", Err("Unknown command")),
        "-ERR Unknown command script: test, on @user_script:1."
    );
    assert_eq!(with("return redis.pcall('x')", Err("-OOM full")), "-OOM full");
    assert_eq!(
        with("local ok, e = pcall(redis.call, 'x') return {tostring(ok), e}", Ok("-A b\r\n")),
        "*2\r\n$5\r\nfalse\r\n$3\r\nA b\r\n"
    );
    assert_eq!(
        with("return {#KEYS, KEYS[1], #ARGV, ARGV[2]}", Ok("")),
        "*4\r\n:1\r\n$1\r\nk\r\n:2\r\n$1\r\nb\r\n"
    );
    assert_eq!(
        with("local r = redis.pcall('x') return {tostring(r.ignore_error_stats_update)}", Ok("-A b\r\n")),
        "*1\r\n$4\r\ntrue\r\n"
    );
}

#[test]
fn the_log_gets_lines() {
    let mut scripts = Scripts::new();
    assert_eq!(scripts.eval("redis.log(redis.LOG_WARNING, 'a', 1, {}, 'b') return 1"), ":1\r\n");
    assert_eq!(scripts.log, ["Warning a 1 b"]);
    assert!(scripts.eval("redis.log(9, 'a')").starts_with("-ERR Invalid debug level."));
}

#[test]
fn the_environment_is_what_redis_has() {
    let list = |table: &str| {
        format!(
            "local t = {{}} for k in pairs({table}) do t[#t+1] = k end table.sort(t) return table.concat(t, ' ')"
        )
    };
    let mut scripts = Scripts::new();
    let mut names = |table: &str| {
        let reply = scripts.eval(&list(table));
        reply.split("\r\n").nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(
        names("_G"),
        "ARGV KEYS _G _VERSION __redis__err__handler __server__err__handler assert bit cjson cmsgpack collectgarbage \
         coroutine error gcinfo getmetatable ipairs load loadstring math next os pairs pcall rawequal rawget rawset redis \
         select server setmetatable string struct table tonumber tostring type unpack xpcall"
    );
    assert_eq!(
        names("redis"),
        "LOG_DEBUG LOG_NOTICE LOG_VERBOSE LOG_WARNING REDIS_VERSION REDIS_VERSION_NUM REPL_ALL REPL_AOF REPL_NONE \
         REPL_REPLICA REPL_SLAVE SERVER_NAME SERVER_VERSION acl_check_cmd breakpoint call debug error_reply log pcall \
         replicate_commands set_repl setresp sha1hex status_reply"
    );
    assert_eq!(
        names("string"),
        "byte char dump find format gfind gmatch gsub len lower match rep reverse sub upper"
    );
    assert_eq!(names("table"), "concat foreach foreachi getn insert maxn remove setn sort");
    assert_eq!(
        names("math"),
        "abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min mod modf pi pow rad \
         random randomseed sin sinh sqrt tan tanh"
    );
    assert_eq!(names("os"), "clock");
    assert_eq!(names("coroutine"), "create resume running status wrap yield");
    assert_eq!(names("struct"), "pack size unpack");
    assert_eq!(names("bit"), "arshift band bnot bor bswap bxor lshift rol ror rshift tobit tohex");
}

#[test]
fn lua_is_as_it_should_be() {
    all_true(&[
        "select('#', pcall(error)) == 2",
        "({pcall(function() return 1, 2 end)})[3] == 2",
        "({xpcall(function() error('x', 0) end, function(e) return e .. 'y' end)})[2] == 'xy'",
        "({xpcall(function() return 1, 2 end, type)})[3] == 2",
        "loadstring('return 5')() == 5",
        "select(2, loadstring('return +')) == '[string \"return +\"]:1: unexpected symbol near \\'+\\''",
        "select(2, loadstring('x', '=name')) == \"name:1: '=' expected near '<eof>'\"",
        "(function() local p = {'return ', '6'} local i = 0 return load(function() i = i + 1 return p[i] end)() end)() == 6",
        "select(2, load(function() error('x', 0) end)) == 'x'",
        "next({}) == nil",
        "next({5}) == 1",
        "rawget(_G, 'redis') == redis",
        "unpack({1,2,3}, 2) == 2",
        "select('#', unpack({}, 1, 3)) == 3",
        "(function() local t = {3,1,2} table.sort(t) return t[1] == 1 and t[3] == 3 end)()",
        "(function() local t = {} for i = 1, 3000 do t[i] = (i * 7919) % 3001 end table.sort(t) \
         for i = 2, 3000 do if t[i-1] > t[i] then return false end end return true end)()",
        "(function() local t = {3,1,2} table.sort(t, function(a, b) return a > b end) return t[1] == 3 end)()",
        "(function() local t = {} table.insert(t, 'a') table.insert(t, 1, 'b') return table.concat(t) == 'ba' end)()",
        "coroutine.wrap(function() coroutine.yield(redis.call('x')[1]) end)() == 'x'",
        "type(os.clock()) == 'number'",
        "tostring(nil) == 'nil'",
        "collectgarbage('count') > 0",
        "collectgarbage() == 0",
        "redis.replicate_commands()",
        "not redis.breakpoint()",
        "redis == server",
        "math.random() ~= math.random()",
        "(function() math.randomseed(7) local a = math.random() math.randomseed(7) return a == math.random() end)()",
        "math.random(3) <= 3 and math.random(5, 6) >= 5",
    ]);
    // The first number of redis-server.
    replies(&[("return tostring(math.random())", "$16\r\n0.39646477363839\r\n")]);
}

/// Searches that find, or do not find, what Lua's do.
const SEARCHES: &[&str] = &[
    "('hello world'):find('wor') == 7",
    "select(2, ('hello world'):find('wor')) == 9",
    "('hello'):find('l', 1, true) == 3",
    "('hello'):find('xyz') == nil",
    "('hello'):find('') == 1",
    "('hello'):find('', 10) == 6",
    "('hello'):find('l', -2) == 4",
    "('a.b'):find('.', 1, true) == 2",
    "('a.b'):find('%.') == 2",
    "('key=value'):match('(%w+)=(%w+)') == 'key'",
    "select(2, ('key=value'):match('(%w+)=(%w+)')) == 'value'",
    "('  x '):match('^%s*(.-)%s*$') == 'x'",
    "('abc'):match('()b()') == 2",
    "('THE (quick) fox'):find('%((%a+)%)') == 5",
    "('f(a(b)c)d'):match('%b()') == '(a(b)c)'",
    "('THE (quick) fox'):gsub('%f[%a]%a+', 'x') == 'x (x) x'",
    "('abcabc'):match('(a)(b)c%1%2c') == 'a'",
    "('x^y'):match('[%^x]+') == 'x^'",
    "('a-b'):match('[a-]+') == 'a-'",
    "('a]b'):match('[]]') == ']'",
    "('abc'):match('[^a]+') == 'bc'",
    "('aXb'):match('%u') == 'X'",
    "('a\\0b'):match('%z') == '\\0'",
    "('aaa'):match('a-$') == 'aaa'",
    "('aaa'):match('a?a?a?a?') == 'aaa'",
    "('hello'):gsub('l', 'L') == 'heLLo'",
    "select(2, ('hello'):gsub('l', 'L')) == 2",
    "('hello'):gsub('l', 'L', 1) == 'heLlo'",
    "('hello'):gsub('', '-') == '-h-e-l-l-o-'",
    "('hello world'):gsub('(%w+)', '<%1>') == '<hello> <world>'",
    "('hello world'):gsub('%w+', '%0 %0', 1) == 'hello hello world'",
    "('a b'):gsub('(%w) (%w)', '%2 %1') == 'b a'",
    "('$name'):gsub('%$(%w+)', {name = 'x'}) == 'x'",
    "('$name'):gsub('%$(%w+)', {}) == '$name'",
    "('abc'):gsub('%w', function(c) return c:upper() end) == 'ABC'",
    "('abc'):gsub('%w', function(c) if c == 'b' then return 7 end end) == 'a7c'",
    "('abc'):gsub('^a', 'x') == 'xbc'",
    "('abc'):gsub('b', '%%') == 'a%c'",
    "(function() local n = 0 for w in ('one two three'):gmatch('%a+') do n = n + 1 end return n == 3 end)()",
    "(function() local s = '' for k, v in ('a=1,b=2'):gmatch('(%w)=(%w)') do s = s .. v .. k end return s == '1a2b' end)()",
    "(function() local n = 0 for _ in ('abc'):gmatch('') do n = n + 1 end return n == 4 end)()",
    "('ab'):rep(3) == 'ababab'",
    "('ab'):rep(0) == '' and ('ab'):rep(-1) == '' and (''):rep(1e18) == ''",
    "string.find(12, 2) == 2",
];

#[test]
fn strings_are_searched_as_lua_does() {
    all_true(SEARCHES);
    replies(&[
        (
            "return ('a'):find('[a')",
            "-ERR user_script:1: malformed pattern (missing ']') script: test, on @user_script:1.",
        ),
        (
            "return ('a'):find('%')",
            "-ERR user_script:1: malformed pattern (ends with '%') script: test, on @user_script:1.",
        ),
        (
            "return ('a'):find('(a')",
            "-ERR user_script:1: unfinished capture script: test, on @user_script:1.",
        ),
        (
            "return ('a'):find('.)')",
            "-ERR user_script:1: invalid pattern capture script: test, on @user_script:1.",
        ),
        (
            "return ('a'):find('%1')",
            "-ERR user_script:1: invalid capture index script: test, on @user_script:1.",
        ),
        (
            "return ('a'):gsub('a', '%2')",
            "-ERR user_script:1: invalid capture index script: test, on @user_script:1.",
        ),
        (
            "return ('a'):gsub('a', {a = {}})",
            "-ERR user_script:1: invalid replacement value (a table) script: test, on @user_script:1.",
        ),
        (
            "return ('a'):gsub('a')",
            "-ERR user_script:1: bad argument #2 to 'gsub' (string/function/table expected, got no value) script: test, on \
             @user_script:1.",
        ),
        (
            "return string.rep()",
            "-ERR user_script:1: bad argument #1 to 'rep' (string expected, got no value) script: test, on @user_script:1.",
        ),
    ]);
}

#[test]
fn bits_are_operated_on() {
    all_true(&[
        "bit.tobit(0xffffffff) == -1",
        "bit.tobit(2^40 + 5) == 5",
        "bit.tohex(1) == '00000001'",
        "bit.tohex(-1, 4) == 'ffff'",
        "bit.tohex(255, -4) == '00FF'",
        "bit.tohex(0x87654321, 100) == '87654321'",
        "bit.tohex(0, -2147483648) == '00000000'",
        "bit.tohex(0, 0) == ''",
        "bit.bnot(0) == -1",
        "bit.band(0xff, 0x0f, 0x3) == 3",
        "bit.bor(1, 2, 4) == 7",
        "bit.bxor(0xa5, 0xf0) == 0x55",
        "bit.lshift(1, 31) == -2147483648",
        "bit.lshift(1, 32) == 1",
        "bit.rshift(-1, 28) == 15",
        "bit.arshift(-256, 4) == -16",
        "bit.rol(0x12345678, 12) == 0x45678123",
        "bit.ror(0x12345678, 12) == 0x67812345",
        "bit.bswap(0x12345678) == 0x78563412",
    ]);
}

#[test]
fn json_is_read_and_written() {
    all_true(&[
        "cjson.encode({1,2,nil,4}) == '[1,2,null,4]'",
        "cjson.encode({}) == '{}'",
        "cjson.encode({a={}}) == '{\"a\":{}}'",
        "cjson.encode('a/b\\1\\127\\n\"\\\\') == '\"a\\\\/b\\\\u0001\\\\u007f\\\\n\\\\\"\\\\\\\\\"'",
        "cjson.encode(1e15) == '1e+15'",
        "cjson.encode(0.1) == '0.1'",
        "cjson.encode(123456789) == '123456789'",
        "cjson.encode({[1.5]=1}) == '{\"1.5\":1}'",
        "cjson.encode({cjson.null, true, false}) == '[null,true,false]'",
        "cjson.decode('[1,2.5,-3e2,\"x\",true,false,null]')[3] == -300",
        "cjson.decode('[null]')[1] == cjson.null",
        "cjson.decode('{\"a\":{\"b\":[1,{}]}}').a.b[1] == 1",
        "cjson.decode('\"\\\\u00e9\\\\ud83d\\\\ude00\\\\n\"') == 'é😀\\n'",
        "cjson.decode(' [ ] ')[1] == nil",
        "cjson.decode('0x10') == 16",
        "cjson.decode('nan') ~= cjson.decode('nan')",
        "pcall(cjson.decode, '[1,]') == false",
        "pcall(cjson.decode, '\"\\\\ud800\"') == false",
        "(function() cjson.encode_sparse_array(true) return cjson.encode({[1]=1,[100]=2}) == '{\"1\":1,\"100\":2}' end)()",
        "(function() cjson.encode_invalid_numbers('null') return cjson.encode(0/0) == 'null' end)()",
        "(function() cjson.encode_number_precision(3) return cjson.encode(3.14159) == '3.14' end)()",
        "cjson.encode(3.14159) == '3.14159'",
        "cjson.encode_max_depth() == 1000",
        "(function() cjson.decode_invalid_numbers(false) return pcall(cjson.decode, '0x10') == false end)()",
        "(function() cjson.decode_array_with_array_mt(true) return cjson.encode(cjson.decode('{\"a\":[]}')) == '{\"a\":[]}' end)()",
        "cjson.encode(cjson.decode('{\"a\":[]}')) == '{\"a\":{}}'",
    ]);
    replies(&[
        (
            "return cjson.decode('{')",
            "-ERR user_script:1: Expected object key string but found T_END at character 2 script: test, on @user_script:1.",
        ),
        (
            "return cjson.decode('[1,2,')",
            "-ERR user_script:1: Expected value but found T_END at character 6 script: test, on @user_script:1.",
        ),
        (
            "return cjson.decode('[1 2]')",
            "-ERR user_script:1: Expected comma or array end but found T_NUMBER at character 4 script: test, on @user_script:1.",
        ),
        (
            "return cjson.decode('x')",
            "-ERR user_script:1: Expected value but found invalid token at character 1 script: test, on @user_script:1.",
        ),
        (
            "return cjson.encode(0/0)",
            "-ERR user_script:1: Cannot serialise number: must not be NaN or Inf script: test, on @user_script:1.",
        ),
        (
            "return cjson.encode({[1]=1,[100]=2})",
            "-ERR user_script:1: Cannot serialise table: excessively sparse array script: test, on @user_script:1.",
        ),
    ]);
}

#[test]
fn message_pack_is_read_and_written() {
    let mut scripts = Scripts::new();
    let hex = |expression: &str| {
        format!("return (({expression}):gsub('.', function(c) return ('%02x'):format(c:byte()) end))")
    };
    for (expression, bytes) in [
        ("cmsgpack.pack(1)", "01"),
        ("cmsgpack.pack(128)", "cc80"),
        ("cmsgpack.pack(300)", "cd012c"),
        ("cmsgpack.pack(70000)", "ce00011170"),
        ("cmsgpack.pack(2^40)", "cf0000010000000000"),
        ("cmsgpack.pack(-1)", "ff"),
        ("cmsgpack.pack(-33)", "d0df"),
        ("cmsgpack.pack(-300)", "d1fed4"),
        ("cmsgpack.pack(-70000)", "d2fffeee90"),
        ("cmsgpack.pack(-2^40)", "d3ffffff0000000000"),
        ("cmsgpack.pack(0.5)", "ca3f000000"),
        ("cmsgpack.pack(0.1)", "cb3fb999999999999a"),
        ("cmsgpack.pack('abc')", "a3616263"),
        ("cmsgpack.pack(true, false, nil)", "c3c2c0"),
        ("cmsgpack.pack({1,2})", "920102"),
        ("cmsgpack.pack({a=1})", "81a16101"),
        ("cmsgpack.pack({})", "90"),
        ("cmsgpack.pack({[1]=1,[3]=3})", "8201010303"),
    ] {
        let reply = scripts.eval(&hex(expression));
        assert_eq!(reply, format!("${}\r\n{bytes}\r\n", bytes.len()), "{expression}");
    }
    all_true(&[
        "cmsgpack.unpack(cmsgpack.pack({1,{a='x'},0.1}))[2].a == 'x'",
        "select(3, cmsgpack.unpack(cmsgpack.pack(1, 2, 3))) == 3",
        "select(2, cmsgpack.unpack_one(cmsgpack.pack(1, 2))) == 1",
        "cmsgpack.unpack_one(cmsgpack.pack(1, 2)) == 1",
        "cmsgpack.unpack_one(cmsgpack.pack(1, 2), 1) == -1",
        "select('#', cmsgpack.unpack_limit(cmsgpack.pack(1, 2, 3), 2)) == 3",
        "#cmsgpack.unpack(cmsgpack.pack(('x'):rep(70000))) == 70000",
        "pcall(cmsgpack.unpack, '\\220') == false",
        "pcall(cmsgpack.unpack, '\\221\\255\\255\\255\\255') == false",
        "pcall(cmsgpack.unpack, '\\193') == false",
    ]);
}

#[test]
fn records_are_read_and_written() {
    all_true(&[
        "struct.pack('>I2', 258) == '\\1\\2'",
        "struct.pack('<I2', 258) == '\\2\\1'",
        "struct.pack('>i4', -2) == '\\255\\255\\255\\254'",
        "struct.pack('s', 'ab') == 'ab\\0'",
        "struct.pack('c2', 'abc') == 'ab'",
        "struct.pack('c0', 'abc') == 'abc'",
        "struct.pack('!4 b I4', 1, 2) == '\\1\\0\\0\\0\\2\\0\\0\\0'",
        "struct.pack('bx', 1) == '\\1\\0'",
        "struct.pack('>d', 1) == '\\63\\240\\0\\0\\0\\0\\0\\0'",
        "struct.pack('>f', 1) == '\\63\\128\\0\\0'",
        "struct.unpack('>I2', '\\1\\2') == 258",
        "select(2, struct.unpack('>I2', '\\1\\2')) == 3",
        "struct.unpack('>i4', '\\255\\255\\255\\254') == -2",
        "struct.unpack('s', 'ab\\0c') == 'ab'",
        "struct.unpack('bc0', '\\2abc') == 'ab'",
        "struct.unpack('<d', struct.pack('<d', 2.5)) == 2.5",
        "struct.unpack('>f', struct.pack('>f', 2.5)) == 2.5",
        "struct.unpack('i8', struct.pack('i8', -5)) == -5",
        "struct.unpack('i16', struct.pack('i16', 5)) == 5",
        "struct.size('!8 b d') == 16",
        "struct.size('i2i4c10') == 16",
        "pcall(struct.unpack, 'I4', 'abc') == false",
        "pcall(struct.unpack, 's', 'abc') == false",
        "pcall(struct.unpack, 'I4', 'abcd', -1) == false",
        "pcall(struct.unpack, 'I4', 'abcd', 2^53) == false",
        "pcall(struct.unpack, 'dc0', struct.pack('d', -1)) == false",
        "pcall(struct.size, 's') == false",
        "pcall(struct.size, 'c9999999999') == false",
        "pcall(struct.pack, '!3', 1) == false",
        "pcall(struct.pack, 'i33', 1) == false",
        "pcall(struct.pack, 'y', 1) == false",
    ]);
}

/// Libraries that cannot be loaded, and what is said of them.
const FAULTY_LIBRARIES: &[(&str, &str)] = &[
    (
        "redis.call('get')",
        "Error registering functions: ERR user_function:1: Script attempted to access nonexistent global variable 'call'",
    ),
    (
        "local x = math.random()",
        "Error registering functions: ERR user_function:1: Script attempted to access nonexistent global variable 'math'",
    ),
    (
        "redis.register_function()",
        "Error registering functions: ERR wrong number of arguments to redis.register_function",
    ),
    (
        "redis.register_function('a b', function() end)",
        "Error registering functions: ERR Library names can only contain letters, numbers, or underscores(_) and must be at \
             least one character long",
    ),
    (
        "redis.register_function(1, 2)",
        "Error registering functions: ERR second argument to redis.register_function must be a function",
    ),
    (
        "redis.register_function{}",
        "Error registering functions: ERR redis.register_function must get a function name argument",
    ),
    (
        "redis.register_function{function_name='a', callback=function() end, flags={'x'}}",
        "Error registering functions: ERR unknown flag given",
    ),
    (
        "redis.register_function{function_name='a', callback=function() end, [1]='x'}",
        "Error registering functions: ERR unknown argument given to redis.register_function",
    ),
    (
        "redis.register_function('f', function() end) redis.register_function('f', function() end)",
        "Error registering functions: ERR Function already exists in the library",
    ),
    ("local x =", "Error compiling function: user_function:1: unexpected symbol near '<eof>'"),
    ("local x = 1", "No functions registered"),
    ("x = 1", "Error registering functions: ERR user_function:1: Attempt to modify a readonly table"),
    ("while true do end", "Error registering functions: ERR FUNCTION LOAD timeout"),
    ("redis.log(1)", "Error registering functions: ERR redis.log() requires two arguments or more."),
];

#[test]
fn libraries_register_functions() {
    let mut scripts = Scripts::new();
    assert_eq!(
        scripts.load_library(
            "local count = 0
             redis.register_function('f', function(keys, args) count = count + 1 return {count, keys[1], args[1]} end)
             redis.register_function{function_name='g', callback=function() return redis.call('x') end, flags={'no-writes'}, \
             description='d'}
             redis.register_function('h', function() return KEYS end)
             redis.register_function('i', function() return redis.breakpoint end)
             local register = redis.register_function
             redis.register_function('k', function() return loadstring('return KEYS')() end)
             redis.register_function('l', function() return loadstring('return redis.breakpoint')() end)
             redis.register_function('j', function() register('x', function() end) end)"
        ),
        "f g h i k l j"
    );
    assert_eq!(scripts.call("f", &["k"], &["a"]), "*3\r\n:1\r\n$1\r\nk\r\n$1\r\na\r\n");
    assert_eq!(scripts.call("f", &["k"], &["a"]), "*3\r\n:2\r\n$1\r\nk\r\n$1\r\na\r\n");
    assert_eq!(scripts.call("g", &[], &[]), "+OK\r\n");
    assert_eq!(
        scripts.call("h", &[], &[]),
        "-ERR user_function:4: Script attempted to access nonexistent global variable 'KEYS' script: h, on @user_function:4."
    );
    assert_eq!(scripts.call("i", &[], &[]), "$-1\r\n");
    // What a function compiles sees what it sees, not what scripts do.
    assert_eq!(scripts.eval("return 1"), ":1\r\n");
    assert!(scripts.call("k", &[], &[]).contains("nonexistent global variable 'KEYS'"));
    assert_eq!(scripts.call("l", &[], &[]), "$-1\r\n");
    assert_eq!(
        scripts.call("j", &[], &[]),
        "-ERR redis.register_function can only be called on FUNCTION LOAD command script: j, on @user_function:9."
    );
    assert_eq!(scripts.call("nothing", &[], &[]), "no such function");
    for (body, fault) in FAULTY_LIBRARIES {
        assert_eq!(scripts.load_library(body), format!("-{fault}"), "{body}");
    }
    // What was loaded before is still there.
    assert_eq!(scripts.call("f", &["k"], &["a"]), "*3\r\n:3\r\n$1\r\nk\r\n$1\r\na\r\n");
}

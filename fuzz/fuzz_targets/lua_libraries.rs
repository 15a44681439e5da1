//! Any bytes to `cjson.decode`, `cmsgpack.unpack`, `struct.unpack` and the functions that take patterns: values or errors come out,
//! and what comes out goes in again.

#![no_main]

use std::cell::RefCell;

use larder_lua::{Answer, Ending, Interpreter, ScriptDigest, Settings, Start, Step};
use larder_resp::Protocol;
use libfuzzer_sys::fuzz_target;

/// A script that returns 1 if all is well. ARGV has a format or pattern, and the bytes.
const SCRIPT: &[u8] = b"
local ok, value = pcall(cjson.decode, ARGV[2])
if ok then
  local encoded, text = pcall(cjson.encode, value)
  if encoded then pcall(cjson.decode, text) end
end
local results = {pcall(cmsgpack.unpack, ARGV[2])}
if results[1] and #results > 1 then
  -- What is nested deeper than it packs becomes nil, which is no key.
  local packed = cmsgpack.pack(unpack(results, 2))
  local back = {pcall(cmsgpack.unpack, packed)}
  assert(#back == #results or back[2]:find('table index is nil'))
end
pcall(cmsgpack.unpack_one, ARGV[2], #ARGV[1])
results = {pcall(struct.unpack, ARGV[1], ARGV[2])}
if results[1] then pcall(struct.pack, ARGV[1], unpack(results, 2)) end
pcall(struct.size, ARGV[1])
pcall(string.find, ARGV[2], ARGV[1])
pcall(string.gsub, ARGV[2], ARGV[1], '<%0%1>')
pcall(string.gsub, ARGV[2], ARGV[1], string.upper)
pcall(loadstring, ARGV[2], ARGV[1])
return 1";

/// Pauses after which a search has taken long enough.
const PAUSES_MAX: usize = 200;

thread_local! {
    static IDLE: RefCell<Option<Interpreter>> = const { RefCell::new(None) };
}

fuzz_target!(|input: (&[u8], &[u8])| {
    let idle = IDLE.with_borrow_mut(Option::take);
    let mut interpreter = idle.unwrap_or_else(|| {
        let settings = Settings { memory_limit: 64 * 1024 * 1024, ..Settings::default() };
        Interpreter::new(settings).expect("there is memory")
    });
    let digest = ScriptDigest::of(SCRIPT);
    interpreter.load(digest, SCRIPT).expect("it is Lua");
    let start = Start {
        keys: [&b""[..]; 0],
        arguments: [input.0, input.1],
        protocol: Protocol::Resp2,
        name: b"fuzz",
    };
    let Ok(mut run) = interpreter.start_script(digest, start) else { unreachable!("it is loaded") };
    let mut pauses = 0;
    let ending = loop {
        match run.resume(Answer::Go) {
            Step::Done(ending) => break ending,
            _ => pauses += 1,
        }
        if pauses == PAUSES_MAX {
            run.kill();
        }
    };
    let text = String::from_utf8_lossy(&run.text()).into_owned();
    let expected = ["killed by user", "not enough memory", "too many results", "stack overflow"];
    assert!(ending == Ending::Replied || expected.iter().any(|words| text.contains(words)), "{text}");
    IDLE.set(Some(run.finish()));
});

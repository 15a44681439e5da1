//! What a short script costs from its start to its end, with its commands answered at once.

#![expect(missing_docs, reason = "criterion's macros define what nobody reads")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use larder_lua::{Answer, Interpreter, ScriptDigest, Settings, Start, Step};
use larder_resp::{Output, Protocol};

const GET_AND_SET: &[u8] = b"local value = redis.call('GET', KEYS[1])
if value then
  redis.call('SET', KEYS[1], ARGV[1])
end
return value";

fn run(interpreter: Interpreter, digest: ScriptDigest, out: &mut Output) -> Interpreter {
    let name = digest.hex();
    let start = Start {
        keys: [&b"key:000000123456"[..]],
        arguments: [&b"a value of some length"[..]],
        protocol: Protocol::Resp2,
        name: &name,
    };
    let Ok(mut run) = interpreter.start_script(digest, start) else { unreachable!("it is loaded") };
    let mut answer = Answer::Go;
    loop {
        match run.resume(answer) {
            Step::Call => {
                let arguments = run.arguments();
                answer = match arguments.get(0) {
                    Some(b"GET") => Answer::Reply(b"$5\r\nhello\r\n"),
                    _ => Answer::Reply(b"+OK\r\n"),
                };
                black_box(arguments.len());
            }
            Step::Done(ending) => {
                black_box(ending);
                break;
            }
            _ => answer = Answer::Go,
        }
    }
    run.reply(out);
    run.finish()
}

fn scripts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("script");
    for (name, source) in [
        ("return 1", &b"return 1"[..]),
        ("get and set", GET_AND_SET),
        ("loop of 10,000", b"local n = 0 for i = 1, 10000 do n = n + i end return n"),
        (
            "json there and back",
            b"return cjson.encode(cjson.decode('{\"a\":[1,2,3],\"b\":\"text\",\"c\":{\"d\":null}}'))",
        ),
    ] {
        let mut interpreter = Interpreter::new(Settings::default()).expect("there is memory");
        let digest = ScriptDigest::of(source);
        interpreter.load(digest, source).expect("it is Lua");
        let mut out = Output::default();
        let mut idle = Some(interpreter);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                if let Some(interpreter) = idle.take() {
                    idle = Some(run(interpreter, digest, &mut out));
                }
                out.clear();
            });
        });
    }
    group.bench_function("a new interpreter", |bencher| {
        bencher.iter(|| Interpreter::new(Settings::default()).expect("there is memory"));
    });
    group.finish();
}

criterion_group!(benches, scripts);
criterion_main!(benches);

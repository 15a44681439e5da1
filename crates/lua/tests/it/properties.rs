//! Values that go out and come back.

use larder_resp::Protocol;
use proptest::prelude::*;

use crate::driver::Scripts;

/// A value of RESP.
#[derive(Clone, Debug)]
enum Value {
    Bulk(Vec<u8>),
    Integer(i32),
    Array(Vec<Value>),
    Map(Vec<(u8, Value)>),
    Boolean(bool),
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bulk),
        any::<i32>().prop_map(Value::Integer),
        any::<bool>().prop_map(Value::Boolean),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            // One pair at most: Lua keeps no order.
            proptest::collection::vec((any::<u8>(), inner), 0..2).prop_map(Value::Map),
        ]
    })
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Bulk(bytes) => {
            out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        }
        Value::Integer(value) => out.extend_from_slice(format!(":{value}\r\n").as_bytes()),
        Value::Boolean(value) => out.extend_from_slice(if *value { b"#t\r\n" } else { b"#f\r\n" }),
        Value::Array(values) => {
            out.extend_from_slice(format!("*{}\r\n", values.len()).as_bytes());
            values.iter().for_each(|value| write(value, out));
        }
        Value::Map(pairs) => {
            out.extend_from_slice(format!("%{}\r\n", pairs.len()).as_bytes());
            for (key, value) in pairs {
                out.extend_from_slice(format!(":{key}\r\n").as_bytes());
                write(value, out);
            }
        }
    }
}

/// Lua source of the value.
fn source(value: &Value) -> String {
    match value {
        Value::Bulk(bytes) => {
            let escaped: String = bytes.iter().map(|byte| format!("\\{byte:03}")).collect();
            format!("'{escaped}'")
        }
        Value::Integer(value) => format!("({value})"),
        Value::Boolean(value) => value.to_string(),
        Value::Array(values) => {
            format!("{{{}}}", values.iter().map(source).collect::<Vec<_>>().join(","))
        }
        Value::Map(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| format!("['k{key}']={}", source(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        }
    }
}

thread_local! {
    static SCRIPTS: std::cell::RefCell<Scripts> = std::cell::RefCell::new(Scripts::new());
}

proptest! {
    #[test]
    fn what_a_command_replies_a_script_returns(value in value()) {
        let mut reply = Vec::new();
        write(&value, &mut reply);
        SCRIPTS.with_borrow_mut(|scripts| {
            scripts.protocol = Protocol::Resp3;
            let answer = scripts.eval_with(
                "redis.setresp(3) return redis.call('x')",
                &[],
                &[],
                |_| Ok(reply.clone()),
            );
            assert_eq!(answer, String::from_utf8_lossy(&reply));
        });
    }

    #[test]
    fn what_is_packed_is_unpacked(value in value()) {
        // Tables are compared by what they are packed to: one pair at most has no order.
        let source = format!(
            "local v = {} return cmsgpack.pack(cmsgpack.unpack(cmsgpack.pack(v))) == cmsgpack.pack(v)",
            source(&value)
        );
        SCRIPTS.with_borrow_mut(|scripts| {
            scripts.protocol = Protocol::Resp2;
            assert_eq!(scripts.eval(&source), ":1\r\n");
        });
    }

    #[test]
    fn what_is_encoded_is_decoded(value in value()) {
        let source = format!(
            "local v = {} return cjson.encode(cjson.decode(cjson.encode(v))) == cjson.encode(v)",
            source(&value)
        );
        SCRIPTS.with_borrow_mut(|scripts| {
            scripts.protocol = Protocol::Resp2;
            assert_eq!(scripts.eval(&source), ":1\r\n");
        });
    }

    #[test]
    fn numbers_are_packed_into_records(number in any::<i64>(), size in 1..=8_u32, big in any::<bool>()) {
        let shift = 64 - 8 * size;
        // A double holds 53 bits.
        let number = (number << shift >> shift) >> 11 << 11 >> shift.min(11);
        let number = if size == 8 { number } else { number << shift >> shift };
        let source = format!(
            "local n = {number} return struct.unpack('{0}i{size}', struct.pack('{0}i{size}', n)) == n",
            if big { '>' } else { '<' }
        );
        SCRIPTS.with_borrow_mut(|scripts| {
            scripts.protocol = Protocol::Resp2;
            assert_eq!(scripts.eval(&source), ":1\r\n");
        });
    }

    /// Whatever the pattern, it is found, or not, or wrong.
    #[test]
    fn any_pattern_ends(pattern in "[ab%().*+?^$\\-\\[\\]w]{0,8}", subject in "[abw]{0,12}") {
        SCRIPTS.with_borrow_mut(|scripts| {
            scripts.protocol = Protocol::Resp2;
            let answer = scripts.eval_with(
                "pcall(string.find, ARGV[1], ARGV[2]) pcall(string.gsub, ARGV[1], ARGV[2], '%0') \
                 pcall(function() for _ in ARGV[1]:gmatch(ARGV[2]) do end end) return 1",
                &[],
                &[&subject, &pattern],
                |_| Ok(Vec::new()),
            );
            assert_eq!(answer, ":1\r\n");
        });
    }
}

use super::*;

/// Writes a tree on one line: `name:kind[TOKEN]{flags}(members)`.
fn shown(arguments: &[Argument]) -> String {
    let one = |argument: &Argument| {
        let mut text = format!("{}:{}", argument.name, argument.kind.name());
        if let Some(token) = &argument.token {
            text += &format!("[{token}]");
        }
        let flags: Vec<_> = argument.flags().collect();
        if !flags.is_empty() {
            text += &format!("{{{}}}", flags.join(","));
        }
        if !argument.arguments.is_empty() {
            text += &format!("({})", shown(&argument.arguments));
        }
        text
    };
    arguments.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn lines_of_the_reference_become_trees() {
    for (syntax, expected) in [
        ("", ""),
        ("key", "key:key"),
        (
            "key value [NX | XX] [GET]",
            "key:key value:string nx_xx:oneof{optional}(nx:pure-token[NX] xx:pure-token[XX]) get:pure-token[GET]{optional}",
        ),
        (
            "[EX seconds | EXAT unix-time-seconds | KEEPTTL]",
            "seconds_unix-time-seconds_keepttl:oneof{optional}(seconds:integer[EX] unix-time-seconds:unix-time[EXAT] \
             keepttl:pure-token[KEEPTTL])",
        ),
        ("key [key ...]", "key:key{multiple}"),
        ("[section [section ...]]", "section:string{optional,multiple}"),
        ("key value [key value ...]", "key_value:block{multiple}(key:key value:string)"),
        ("[PREFIX prefix [PREFIX prefix ...]]", "prefix:string[PREFIX]{optional,multiple,multiple_token}"),
        ("[ID client-id [client-id ...]]", "client-id:integer[ID]{optional,multiple}"),
        (
            "[TYPE <NORMAL | PUBSUB>]",
            "normal_pubsub:oneof[TYPE]{optional}(normal:pure-token[NORMAL] pubsub:pure-token[PUBSUB])",
        ),
        ("[LIMIT offset count]", "offset_count:block[LIMIT]{optional}(offset:integer count:integer)"),
        ("STREAMS key [key ...] id [id ...]", "key_id:block[STREAMS](key:key{multiple} id:string{multiple})"),
        ("<ON | OFF>", "on_off:oneof(on:pure-token[ON] off:pure-token[OFF])"),
        (
            "[[NOSAVE | SAVE] [NOW] | ABORT]",
            "nosave_save_now_abort:oneof{optional}(nosave_save_now:block(nosave_save:oneof{optional}(nosave:pure-token[NOSAVE] \
             save:pure-token[SAVE]) now:pure-token[NOW]{optional}) abort:pure-token[ABORT])",
        ),
        (
            "[= | ~] threshold",
            "equal_approximately:oneof{optional}(equal:pure-token[=] approximately:pure-token[~]) threshold:string",
        ),
        (
            "<GET encoding offset | SET value:integer> [...]",
            "encoding_offset_value:oneof{multiple}(encoding_offset:block[GET](encoding:string offset:integer) \
             value:integer[SET])",
        ),
        ("ip:port start:string", "ip:port:string start:string"),
    ] {
        assert_eq!(parse(syntax).map(|arguments| shown(&arguments)), Ok(expected.to_owned()), "{syntax}");
    }
}

#[test]
fn bad_lines_are_refused() {
    for (syntax, expected) in [
        ("[key", SyntaxError::Unbalanced),
        ("key]", SyntaxError::Unbalanced),
        ("<a]", SyntaxError::Unbalanced),
        ("a | b", SyntaxError::Unbalanced),
        ("[a |]", SyntaxError::Empty),
        ("<>", SyntaxError::Empty),
        ("key ...", SyntaxError::RepeatsNothing),
        ("[...]", SyntaxError::RepeatsNothing),
        ("key [value ...]", SyntaxError::RepeatsNothing),
    ] {
        assert_eq!(parse(syntax), Err(expected), "{syntax}");
    }
}

#[test]
fn people_see_no_kinds() {
    assert_eq!(display("key <a:double | ip:port> [start:string]"), "key <a | ip:port> [start]");
}

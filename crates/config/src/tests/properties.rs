//! Properties: what is printed is read back, and no text makes the readers panic.

use proptest::prelude::*;

use crate::*;

fn rows() -> impl Strategy<Value = &'static Directive> {
    (0..DIRECTIVES.len()).prop_map(|index| &DIRECTIVES[index])
}

/// Words that a directive accepts.
fn accepted(row: &'static Directive) -> BoxedStrategy<Vec<String>> {
    let one = |word: BoxedStrategy<String>| word.prop_map(|word| vec![word]).boxed();
    match row.kind {
        Kind::YesNo => one(prop::sample::select(vec!["yes".to_owned(), "no".to_owned()]).boxed()),
        Kind::Integer { min, max, .. } => one((min..=max).prop_map(|number| number.to_string()).boxed()),
        Kind::Memory { min, max } => one((min..=max).prop_map(|bytes| bytes.to_string()).boxed()),
        Kind::MemoryOrPercent => one("[0-9]{1,9}(|k|kb|M|GB)|[1-9][0-9]?%|100%".boxed()),
        Kind::Octal { max } => one((0..=max).prop_map(|mode| format!("{mode:o}")).boxed()),
        Kind::Choice(names) => one(prop::sample::select(names).prop_map(str::to_owned).boxed()),
        Kind::Flags(names) => {
            prop::collection::vec(prop::sample::select(names).prop_map(str::to_owned), 1..4).boxed()
        }
        Kind::Scores => {
            prop::collection::vec((-2_000..=2_000).prop_map(|score: i32| score.to_string()), 3).boxed()
        }
        Kind::Text => one(any::<String>().boxed()),
        Kind::Words { most, .. } => prop::collection::vec("[*a-z0-9.:-]{1,20}", 1..=most).boxed(),
        Kind::Percentiles => prop::collection::vec("[0-9]{1,2}(\\.[0-9]{1,6})?|100", 1..9).boxed(),
        Kind::Events => one("[Ag$lshzxeKEtmdn]{0,20}".boxed()),
        Kind::SavePoints => pairs(),
        Kind::OutputBufferLimits => limits(),
    }
}

fn pairs() -> BoxedStrategy<Vec<String>> {
    let pair =
        (1..i32::MAX, 0..i32::MAX).prop_map(|(seconds, changes)| [seconds.to_string(), changes.to_string()]);
    prop::collection::vec(pair, 1..6).prop_map(|pairs| pairs.into_iter().flatten().collect()).boxed()
}

fn limits() -> BoxedStrategy<Vec<String>> {
    let class = prop::sample::select(vec!["normal", "slave", "REPLICA", "pubsub"]);
    let limit = (class, "[0-9]{1,9}(|mb|g)", "[0-9]{1,9}", 0..i32::MAX)
        .prop_map(|(class, hard, soft, seconds)| [class.to_owned(), hard, soft, seconds.to_string()]);
    prop::collection::vec(limit, 1..5).prop_map(|limits| limits.into_iter().flatten().collect()).boxed()
}

fn directive_and_words() -> impl Strategy<Value = (&'static Directive, Vec<String>)> {
    rows().prop_flat_map(|row| (Just(row), accepted(row)))
}

/// Nothing but valid lines, blanks and quotes, in disorder.
fn near_configuration() -> impl Strategy<Value = String> {
    let name = rows().prop_map(|row| row.name.to_owned());
    let piece =
        prop_oneof![name, "[ \"'\\\\\n#x0-9a-f%-]{0,6}", Just("include ".to_owned()), any::<String>()];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

fn no_file(_: &str) -> Result<Vec<(String, String)>, String> {
    Err("there are no files".to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_value_prints_apply_reads((row, words) in directive_and_words()) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut first = Settings::default();
        if let Err(refusal) = first.apply(row, &words) {
            // A directive's own check may ask for more than its kind.
            prop_assert!(matches!(refusal, SettingError::Refused(_) | SettingError::WrongNumberOfArguments));
            return Ok(());
        }
        let printed = first.value(row);

        let mut second = Settings::default();
        second.apply(row, &[&printed]).unwrap();
        prop_assert_eq!(&first, &second, "{}: {:?} printed {:?}", row.name, words, printed);

        if row.live == Live::Live {
            let third = Settings::default().set_many(&[(row.name, &printed)]).unwrap();
            prop_assert_eq!(&first, &third);
        }
    }

    #[test]
    fn quoted_words_are_read_back(words in prop::collection::vec(any::<String>(), 0..6)) {
        let line: Vec<String> = words.iter().map(|word| crate::words::quote(word)).collect();
        prop_assert_eq!(crate::words::split(&line.join(" ")), Ok(words));
    }

    #[test]
    fn a_rewritten_file_says_what_is_in_force(
        said in prop::collection::vec((directive_and_words(), "(# a comment)?\n{0,3}"), 0..8),
        set in directive_and_words(),
    ) {
        let lines = said.iter().map(|((row, words), between)| {
            let words: Vec<_> = words.iter().map(|word| crate::words::quote(word)).collect();
            format!("{} {}\n{between}\n", row.name, words.join(" "))
        });
        let text = lines.collect::<String>();
        let Ok(mut settings) = Settings::load(&text, "f", &mut no_file) else { return Ok(()) };
        let words: Vec<&str> = set.1.iter().map(String::as_str).collect();
        let _ = settings.apply(set.0, &words);

        let rewrite = |text: &str| {
            let rewritten = settings.rewrite(text.as_bytes(), Rewrite::Needed, &Settings::default());
            String::from_utf8(rewritten).unwrap()
        };
        let rewritten = rewrite(&text);
        let again = Settings::load(&rewritten, "f", &mut no_file).unwrap();
        for row in DIRECTIVES {
            prop_assert_eq!(again.value(row), settings.value(row), "{}: {}", row.name, rewritten);
        }
        prop_assert_eq!(&rewrite(&rewritten), &rewritten);
        prop_assert_eq!(rewritten.matches("# a comment").count(), text.matches("# a comment").count());
    }

    #[test]
    fn a_refused_value_changes_nothing(row in rows(), words in prop::collection::vec("[a-z0-9 %-]{0,8}", 0..5)) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut settings = Settings::default();
        if settings.apply(row, &words).is_err() {
            prop_assert_eq!(settings, Settings::default());
        }
    }

    #[test]
    fn any_text_loads_or_names_a_line_of_itself(text in near_configuration()) {
        let mut include = |name: &str| Ok(vec![(name.to_owned(), "timeout 1".to_owned())]);
        if let Err(error) = Settings::load(&text, "f", &mut include) {
            prop_assert!(text.contains(&error.text));
            let in_the_file = matches!(error.place, Place::File { line, .. } if line <= text.split('\n').count());
            prop_assert!(in_the_file);
        }
    }

    #[test]
    fn any_arguments_are_read_without_panic(arguments in prop::collection::vec("(--)?[a-z]{0,6}[ \"'\\\\=0-9]{0,4}", 0..8)) {
        let mut settings = Settings::default();
        if settings.load_arguments(&arguments, &mut no_file).is_err() {
            prop_assert_eq!(settings, Settings::default());
        }
    }

    #[test]
    fn any_arguments_of_memcached_are_read_or_refused(arguments in prop::collection::vec("-{0,2}[a-zA-Z]{0,6}[=:,0-9km -]{0,6}", 0..8)) {
        match memcached_arguments(&arguments) {
            Ok(Memcached::Serve { settings, .. }) => {
                prop_assert_eq!(settings.port, 0);
                prop_assert!(settings.memcached_item_size_max <= settings.maxmemory / 2);
            }
            Ok(_) => {}
            Err(complaint) => prop_assert!(!complaint.is_empty()),
        }
    }
}

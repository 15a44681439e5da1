//! Runs scripts with commands answered by a function.

use larder_lua::{Answer, Ending, Interpreter, ScriptDigest, Settings, Start, Step, script_header};
use larder_resp::{Output, Protocol};

/// An interpreter for tests.
pub(crate) struct Scripts {
    interpreter: Option<Interpreter>,
    pub(crate) protocol: Protocol,
    /// What was logged.
    pub(crate) log: Vec<String>,
    /// Whether the last script was killed.
    pub(crate) killed: bool,
    /// How often a script may pause before it is killed.
    pub(crate) patience: usize,
    /// After how many steps a script is dropped instead of resumed, if at all.
    pub(crate) drop_after: Option<usize>,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self::with_memory(64 * 1024 * 1024)
    }

    pub(crate) fn with_memory(memory_limit: usize) -> Self {
        let interpreter = Interpreter::new(Settings { memory_limit, ..Settings::default() });
        Self {
            interpreter: Some(interpreter.expect("there is memory")),
            protocol: Protocol::Resp2,
            log: Vec::new(),
            killed: false,
            patience: 300,
            drop_after: None,
        }
    }

    /// Runs a script without keys; commands are answered with their own arguments.
    pub(crate) fn eval(&mut self, source: &str) -> String {
        self.eval_with(source, &[], &[], |arguments| {
            let mut reply = format!("*{}\r\n", arguments.len()).into_bytes();
            for argument in arguments {
                reply.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
                reply.extend_from_slice(argument);
                reply.extend_from_slice(b"\r\n");
            }
            Ok(reply)
        })
    }

    /// Runs a script, and returns what the client gets.
    pub(crate) fn eval_with(
        &mut self,
        source: &str,
        keys: &[&str],
        arguments: &[&str],
        execute: impl FnMut(&[Vec<u8>]) -> Result<Vec<u8>, String>,
    ) -> String {
        let digest = ScriptDigest::of(source.as_bytes());
        let body = script_header(source.as_bytes()).expect("a good first line").body;
        let mut interpreter = self.interpreter.take().expect("it is there between scripts");
        if let Err(text) = interpreter.load(digest, body) {
            self.interpreter = Some(interpreter);
            return format!("compile: {}", String::from_utf8_lossy(&text));
        }
        let start = Start {
            keys: keys.iter().map(|key| key.as_bytes()),
            arguments: arguments.iter().map(|argument| argument.as_bytes()),
            protocol: self.protocol,
            name: b"test",
        };
        let run = interpreter.start_script(digest, start).expect("it was loaded");
        self.drive(run, execute)
    }

    /// Loads a library, and returns the names of its functions or what is wrong.
    pub(crate) fn load_library(&mut self, body: &str) -> String {
        let interpreter = self.interpreter.take().expect("it is there between scripts");
        let answer = self.drive(interpreter.start_library(b"library", body.as_bytes()), |_| Ok(Vec::new()));
        let functions = self.interpreter.as_ref().and_then(|interpreter| interpreter.functions(b"library"));
        match functions {
            Some(functions) if answer == "registered" => {
                let names = functions.iter().map(|function| String::from_utf8_lossy(&function.name));
                names.collect::<Vec<_>>().join(" ")
            }
            _ => answer,
        }
    }

    /// Calls a function of the library.
    pub(crate) fn call(&mut self, name: &str, keys: &[&str], arguments: &[&str]) -> String {
        let interpreter = self.interpreter.take().expect("it is there between scripts");
        let start = Start {
            keys: keys.iter().map(|key| key.as_bytes()),
            arguments: arguments.iter().map(|argument| argument.as_bytes()),
            protocol: self.protocol,
            name: name.as_bytes(),
        };
        match interpreter.start_function(b"library", start) {
            Ok(run) => self.drive(run, |_| Ok(b"+OK\r\n".to_vec())),
            Err(interpreter) => {
                self.interpreter = Some(interpreter);
                "no such function".into()
            }
        }
    }

    fn drive(
        &mut self,
        mut run: larder_lua::Run,
        mut execute: impl FnMut(&[Vec<u8>]) -> Result<Vec<u8>, String>,
    ) -> String {
        let mut answer = Ok(Vec::new());
        let mut begun = false;
        let mut pauses = 0;
        self.killed = false;
        for steps in 0.. {
            if self.drop_after.is_some_and(|after| steps >= after) {
                self.interpreter = Some(run.finish());
                return "dropped".into();
            }
            let step = match (&answer, begun) {
                (Ok(reply), true) => run.resume(Answer::Reply(reply)),
                (Err(text), true) => {
                    let text: &String = text;
                    run.resume(Answer::Refused(text.as_bytes()))
                }
                (_, false) => run.resume(Answer::Go),
            };
            begun = false;
            match step {
                Step::Call => {
                    let arguments: Vec<_> = run.arguments().iter().map(<[u8]>::to_vec).collect();
                    answer = execute(&arguments);
                    begun = true;
                }
                Step::Permission => {}
                Step::Log(level) => {
                    self.log.push(format!("{level:?} {}", String::from_utf8_lossy(&run.text())));
                }
                Step::Paused => {
                    pauses += 1;
                    if pauses == self.patience {
                        self.killed = true;
                        run.kill();
                    }
                    assert!(pauses < 10 * self.patience, "it cannot be killed");
                }
                Step::Done(ending) => {
                    let mut out = Output::default();
                    run.reply(&mut out);
                    let text = match ending {
                        Ending::Replied => {
                            String::from_utf8_lossy(out.contiguous().expect("a small reply")).into_owned()
                        }
                        Ending::Failed { .. } => format!("-{}", String::from_utf8_lossy(&run.text())),
                        Ending::Registered => "registered".into(),
                    };
                    self.interpreter = Some(run.finish());
                    return text;
                }
            }
        }
        unreachable!("there is no last step")
    }
}

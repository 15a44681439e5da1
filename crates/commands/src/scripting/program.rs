//! A script or function as the engine runs it.

use std::sync::Arc;

use larder_config::LogLevel;
use larder_engine::{Answer, Node, Program, ProgramStep};
use larder_lua::{Ending, Permission, Run, Step};
use larder_resp::{Protocol, Reply, Span};

use super::interpreters::Home;
use crate::prelude::*;

/// A script on its way.
pub(super) struct ScriptProgram {
    /// What runs, and where its interpreter goes then.
    run: Option<(Run, Home)>,
    node: Arc<Node>,
    /// From which level on lines are logged.
    level: LogLevel,
    writes: bool,
    /// Whether it may need memory.
    grows: bool,
    ending: Ending,
}

impl ScriptProgram {
    /// One that does not run yet.
    pub(super) fn new(node: Arc<Node>, level: LogLevel, writes: bool, grows: bool) -> ScriptProgram {
        ScriptProgram { run: None, node, level, writes, grows, ending: Ending::Failed { counted: false } }
    }

    pub(super) fn running(mut self, run: Run, home: Home) -> ScriptProgram {
        self.run = Some((run, home));
        self
    }
}

/// Writes a line of a script to the log, if that takes it.
pub(super) fn log(node: &Node, from: LogLevel, level: larder_lua::LogLevel, text: &[u8]) {
    let level = match level {
        larder_lua::LogLevel::Debug => LogLevel::Debug,
        larder_lua::LogLevel::Verbose => LogLevel::Verbose,
        larder_lua::LogLevel::Notice => LogLevel::Notice,
        larder_lua::LogLevel::Warning => LogLevel::Warning,
    };
    if level as u8 >= from as u8 {
        node.host.log(&String::from_utf8_lossy(text));
    }
}

/// Whether a client may execute a command: there are no rules yet that forbid one.
fn permission(node: &Node, run: &Run) -> Permission {
    let arguments = run.arguments();
    let row = arguments.get(0).and_then(|name| node.table.find(name));
    let known = row.is_some_and(|row| {
        let subcommand = || arguments.get(1).and_then(|word| node.table.find_subcommand(row, word));
        row.command.subcommands.is_empty() || subcommand().is_some()
    });
    if known { Permission::Granted } else { Permission::UnknownCommand }
}

impl Program for ScriptProgram {
    fn resume(&mut self, answer: Answer<'_>) -> ProgramStep {
        let Some((run, home)) = &mut self.run else { return ProgramStep::Done };
        let mut step = match answer {
            Answer::Go => run.resume(larder_lua::Answer::Go),
            Answer::Reply(reply) => run.resume(larder_lua::Answer::Reply(reply)),
            Answer::Refused(error) => run.resume(larder_lua::Answer::Refused(format!("-{error}").as_bytes())),
            Answer::Kill(_) => {
                run.kill();
                run.resume(larder_lua::Answer::Go)
            }
        };
        loop {
            match step {
                Step::Call => {
                    run.swap_arguments(&mut home.arguments);
                    let (_, ends) = home.arguments.parts();
                    let mut start = 0;
                    home.spans.clear();
                    home.spans.extend(ends.iter().map(|&end| {
                        let span = Span { start, len: end as u32 - start };
                        start = end as u32;
                        span
                    }));
                    return ProgramStep::Call;
                }
                Step::Permission => {
                    let permission = permission(&self.node, run);
                    step = run.resume(larder_lua::Answer::Permission(permission));
                }
                Step::Log(level) => {
                    log(&self.node, self.level, level, &run.text());
                    step = run.resume(larder_lua::Answer::Go);
                }
                Step::Paused => return ProgramStep::Pause,
                Step::Done(ending) => {
                    self.ending = ending;
                    return ProgramStep::Done;
                }
            }
        }
    }

    fn request(&self) -> (&[u8], &[Span]) {
        match &self.run {
            Some((_, home)) => (home.arguments.parts().0, &home.spans),
            None => (&[], &[]),
        }
    }

    fn finish(&mut self, reply: &mut Reply<'_>) -> Result<(), CommandError> {
        let Some((run, _)) = &mut self.run else { return Ok(()) };
        if self.ending == Ending::Replied {
            run.reply(reply.out);
            return Ok(());
        }
        let text = String::from_utf8_lossy(&run.text()).into_owned();
        Err(match self.ending {
            Ending::Failed { counted: true } => CommandError::PassedOn(text.into()),
            _ => CommandError::MadeUp(text.into()),
        })
    }

    fn protocol(&self) -> Protocol {
        self.run.as_ref().map_or(Protocol::Resp2, |(run, _)| run.protocol())
    }

    fn may_grow(&self) -> bool {
        self.grows
    }

    fn may_write(&self) -> bool {
        self.writes
    }
}

impl Drop for ScriptProgram {
    fn drop(&mut self) {
        if let Some((run, home)) = self.run.take() {
            home.receive(run);
        }
    }
}

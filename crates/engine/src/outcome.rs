//! How the execution of a request ends.

use std::ops::ControlFlow;

use larder_store::UnixMillis;

use crate::context::Context;
use crate::error::CommandError;
use crate::program::Launch;
use crate::waiting::Waiting;

/// What a handler returns.
pub type CommandResult = Result<Outcome, CommandError>;

/// What continues a request that did not end at once.
pub type Resume = Box<dyn FnMut(&mut Context<'_>) -> CommandResult + Send>;

/// How a handler ended when nothing was wrong.
pub enum Outcome {
    /// The reply is written.
    Reply,
    /// The request goes on later; its client's next requests wait for it, other clients do not.
    Later(Later),
    /// What the client has queued is to be executed now, which writes the reply.
    Transaction,
    /// A program is to be run, which writes the reply.
    Program(Launch),
    /// The program that was put aside on this worker is to go on.
    ProgramAside,
}

/// The rest of a request.
pub struct Later {
    /// Called with the request's own arguments; may again answer [`Outcome::Later`].
    pub resume: Resume,
    /// When it is called.
    pub when: When,
}

/// When a request goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// As soon as others had their turn.
    Soon,
    /// Amid its reply: as soon as what is written of it is on its way and others had their turn. From now on it cannot fail.
    Replying,
    /// At this time. Until then it counts as being executed.
    At(UnixMillis),
    /// At this time, if it has an end; earlier when somebody else ends its waiting.
    Blocked(Option<UnixMillis>),
    /// When CLIENT PAUSE lets it: at this time, or earlier.
    Postponed(UnixMillis),
}

/// Later than anything: the end of what has none.
const NEVER: UnixMillis = UnixMillis(i64::MAX);

impl When {
    /// The time at which it goes on if nothing else happens; none is soon.
    #[must_use]
    pub fn time(self) -> Option<UnixMillis> {
        match self {
            When::Soon | When::Replying => None,
            When::At(at) | When::Postponed(at) => Some(at),
            When::Blocked(until) => Some(until.unwrap_or(NEVER)),
        }
    }

    /// How it is waited.
    pub(crate) fn waiting(self) -> Waiting {
        match self {
            When::Soon | When::Replying | When::At(_) => Waiting::No,
            When::Blocked(None) => Waiting::Blocked,
            When::Blocked(Some(_)) => Waiting::BlockedUntil,
            When::Postponed(_) => Waiting::Postponed,
        }
    }
}

impl Outcome {
    /// Goes on with `resume` once other clients had their turn.
    pub fn soon(resume: impl FnMut(&mut Context<'_>) -> CommandResult + Send + 'static) -> Outcome {
        Outcome::Later(Later { resume: Box::new(resume), when: When::Soon })
    }

    /// Goes on with `resume`, which writes more of the reply that has been begun, or its end. Nothing else is sent to the client
    /// in between. `resume` must not fail.
    pub fn replying(resume: impl FnMut(&mut Context<'_>) -> CommandResult + Send + 'static) -> Outcome {
        Outcome::Later(Later { resume: Box::new(resume), when: When::Replying })
    }

    /// Goes on step by step, other clients having their turn before each, until a step says `Break`, having replied. A step
    /// that finds a stripe in use is tried again with what it has captured so far.
    pub fn in_steps(
        step: impl FnMut(&mut Context<'_>) -> Result<ControlFlow<()>, CommandError> + Send + 'static,
    ) -> Outcome {
        let mut rest = Some(step);
        Outcome::soon(move |cx| {
            let mut step = rest.take().expect("only a step that failed is called again from here");
            match step(cx) {
                Ok(ControlFlow::Continue(())) => Ok(Outcome::in_steps(step)),
                Ok(ControlFlow::Break(())) => Ok(Outcome::Reply),
                Err(error) => {
                    rest = Some(step);
                    Err(error)
                }
            }
        })
    }

    /// Blocks the client, until a time at the latest if there is one, and goes on with `resume`. CLIENT UNBLOCK may end this before,
    /// by calling `resume` early or by an error in its stead.
    pub fn blocked(
        until: Option<UnixMillis>,
        resume: impl FnMut(&mut Context<'_>) -> CommandResult + Send + 'static,
    ) -> Outcome {
        Outcome::Later(Later { resume: Box::new(resume), when: When::Blocked(until) })
    }

    /// Goes on with `resume` at a time.
    pub fn at(
        at: UnixMillis,
        resume: impl FnMut(&mut Context<'_>) -> CommandResult + Send + 'static,
    ) -> Outcome {
        Outcome::Later(Later { resume: Box::new(resume), when: When::At(at) })
    }
}

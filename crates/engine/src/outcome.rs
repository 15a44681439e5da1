//! How the execution of a request ends.

use std::ops::ControlFlow;

use larder_store::UnixMillis;

use crate::context::Context;
use crate::error::CommandError;

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
}

/// The rest of a request.
pub struct Later {
    /// Called with the request's own arguments; may again answer [`Outcome::Later`].
    pub resume: Resume,
    /// Not before this time; `None` = as soon as others had their turn.
    pub not_before: Option<UnixMillis>,
}

impl Outcome {
    /// Goes on with `resume` once other clients had their turn.
    pub fn soon(resume: impl FnMut(&mut Context<'_>) -> CommandResult + Send + 'static) -> Outcome {
        Outcome::Later(Later { resume: Box::new(resume), not_before: None })
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

    /// Goes on with `resume` at a time.
    pub fn at(
        at: UnixMillis,
        resume: impl FnMut(&mut Context<'_>) -> CommandResult + Send + 'static,
    ) -> Outcome {
        Outcome::Later(Later { resume: Box::new(resume), not_before: Some(at) })
    }
}

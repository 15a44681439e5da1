//! The one program that a node runs at a time: who runs it, since when, and whether it is to end.

use std::sync::Arc;

use crate::error::CommandError;
use crate::node::Node;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Mutex, Ordering};

/// Why a program is to end before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// SCRIPT KILL.
    Script,
    /// FUNCTION KILL.
    Function,
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Whether SCRIPT KILL or FUNCTION KILL ends it.
    pub ended_by: Kill,
    /// What it is called.
    pub name: Vec<u8>,
    /// The request that has called it.
    pub request: Vec<Vec<u8>>,
}

/// Who runs a program, if somebody does.
#[derive(Debug, Default)]
pub struct Programs {
    claimed: AtomicBool,
    /// Whether it is put aside until others had their turn.
    aside: AtomicBool,
    /// When it began, in nanoseconds of the node's steady clock, and one more; 0 while none runs.
    begun: AtomicU64,
    wrote: AtomicBool,
    /// 0, or one more than the number of the kill.
    kill: AtomicU32,
    running: Mutex<Option<Running>>,
}

/// Why a program cannot be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unkillable {
    /// There is none.
    NotBusy,
    /// It has changed keys.
    HasWritten,
    /// Another command ends it.
    ByOther(Kill),
}

const NOTBUSY: CommandError = CommandError::line("NOTBUSY No scripts in execution right now.");
const UNKILLABLE: CommandError = CommandError::line(
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script \
     termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
);
const BUSY_SCRIPT: CommandError = CommandError::line(
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
);
const BUSY_FUNCTION: CommandError = CommandError::line(
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
);

impl From<Unkillable> for CommandError {
    fn from(unkillable: Unkillable) -> CommandError {
        match unkillable {
            Unkillable::NotBusy => NOTBUSY,
            Unkillable::HasWritten => UNKILLABLE,
            Unkillable::ByOther(Kill::Script) => BUSY_SCRIPT,
            Unkillable::ByOther(Kill::Function) => BUSY_FUNCTION,
        }
    }
}

impl Programs {
    /// Whether a program is put aside, with stripes reserved for it.
    #[inline]
    #[must_use]
    pub fn is_aside(&self) -> bool {
        self.aside.load(Ordering::SeqCst)
    }

    pub(crate) fn resumed(&self) {
        self.aside.store(false, Ordering::SeqCst);
    }

    /// For how many nanoseconds a program has been running at this time of the steady clock.
    #[inline]
    #[must_use]
    pub fn busy_nanos(&self, now: u64) -> Option<u64> {
        self.begun.load(Ordering::Relaxed).checked_sub(1).map(|begun| now.saturating_sub(begun))
    }

    /// What others are told while a program has been running for too long.
    pub(crate) fn busy_error(&self) -> CommandError {
        match self.running.lock().as_ref() {
            Some(Running { ended_by: Kill::Function, .. }) => BUSY_FUNCTION,
            _ => BUSY_SCRIPT,
        }
    }

    /// What is run.
    #[must_use]
    pub fn running(&self) -> Option<Running> {
        self.running.lock().clone()
    }

    /// Ends the program that is running.
    ///
    /// # Errors
    /// It cannot be ended.
    pub fn end(&self, kill: Kill) -> Result<(), Unkillable> {
        match self.running.lock().as_ref() {
            None => return Err(Unkillable::NotBusy),
            Some(running) if running.ended_by != kill => return Err(Unkillable::ByOther(running.ended_by)),
            Some(_) => {}
        }
        if self.wrote.load(Ordering::SeqCst) {
            return Err(Unkillable::HasWritten);
        }
        self.kill.store(1 + kill as u32, Ordering::SeqCst);
        Ok(())
    }

    fn claim(&self) -> bool {
        self.claimed.compare_exchange(false, true, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    fn forget(&self) {
        *self.running.lock() = None;
        self.wrote.store(false, Ordering::SeqCst);
        self.kill.store(0, Ordering::SeqCst);
    }

    fn release(&self) {
        self.forget();
        self.begun.store(0, Ordering::Relaxed);
        self.aside.store(false, Ordering::SeqCst);
        self.claimed.store(false, Ordering::SeqCst);
    }
}

/// The right to run a program: while it lives, nobody else does.
pub struct ProgramToken {
    node: Arc<Node>,
    /// Whether it is the right of a program that another one has begun, and ends with that.
    within: bool,
}

impl ProgramToken {
    /// The right, unless somebody else has it.
    pub(crate) fn claim(node: &Arc<Node>) -> Option<ProgramToken> {
        node.programs.claim().then(|| {
            node.programs.begun.store(node.host.time().nanos + 1, Ordering::Relaxed);
            ProgramToken { node: Arc::clone(node), within: false }
        })
    }

    /// The right of a program that another one begins.
    pub(crate) fn within(node: &Arc<Node>) -> ProgramToken {
        ProgramToken { node: Arc::clone(node), within: true }
    }

    /// Lets others know what is run.
    pub fn tell(&self, running: impl FnOnce() -> Running) {
        *self.node.programs.running.lock() = Some(running());
    }

    pub(crate) fn note_write(&self) {
        self.node.programs.wrote.store(true, Ordering::SeqCst);
    }

    /// Whether one of its requests may have changed keys.
    pub(crate) fn has_written(&self) -> bool {
        self.node.programs.wrote.load(Ordering::SeqCst)
    }

    pub(crate) fn put_aside(&self) {
        self.node.programs.aside.store(true, Ordering::SeqCst);
    }

    /// Notes that the innermost program has ended; the one that has begun it goes on.
    pub(crate) fn inner_ended(&self) {
        self.node.programs.forget();
    }

    /// Why it is to end, if it is.
    pub(crate) fn kill(&self) -> Option<Kill> {
        match self.node.programs.kill.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Kill::Script),
            _ => Some(Kill::Function),
        }
    }
}

impl Drop for ProgramToken {
    fn drop(&mut self) {
        if !self.within {
            self.node.programs.release();
        }
    }
}

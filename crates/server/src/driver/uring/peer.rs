//! One connection on the ring: what it has sent, what it was answered, and what comes next.

use std::io;
use std::time::Instant;

use larder_engine::Served;
use larder_resp::Output;

use crate::driver::Conversation;
use crate::driver::session::{KEPT_MAX, Session};
use crate::worker::{Local, Registered};

/// See the module's documentation.
pub(super) struct Peer {
    pub(super) session: Session,
    /// Tells it from others that had or will have its key.
    pub(super) ticket: u64,
    /// What it does once it has taken its replies. `NeedInput(0)` means that as much has come as was needed.
    pub(super) stage: Served,
    /// Replies that the ring has not been given yet.
    pub(super) output: Output,
    /// Bytes of reply that the ring has been given and the socket has not taken.
    pub(super) unsent: usize,
    /// Whether others have been told of unsent replies.
    pub(super) behind: bool,
    /// Nothing more will come.
    pub(super) eof: bool,
    /// It was to be served while replies of it were on their way.
    pub(super) woken: bool,
    /// Nothing more is to be received for now.
    pub(super) paused: bool,
    /// When a timer of it fires.
    pub(super) due: Option<Instant>,
    /// Set while input of it waits in the wave.
    in_wave: bool,
    _registered: Registered,
}

impl Peer {
    pub(super) fn new(conversation: Box<dyn Conversation>, registered: Registered, ticket: u64) -> Peer {
        Peer {
            session: Session::new(conversation),
            ticket,
            stage: Served::NeedInput(1),
            output: Output::default(),
            unsent: 0,
            behind: false,
            eof: false,
            woken: false,
            paused: false,
            due: None,
            in_wave: false,
            _registered: registered,
        }
    }

    /// Counts input that joins the wave, and looks ahead at it if it begins with a request.
    pub(super) fn note_arrival(&mut self, local: &Local, input: &mut [u8]) {
        self.session.count_input(local, input.len());
        if !self.in_wave && self.may_execute() && self.session.kept() == 0 {
            self.session.look_ahead(local, input);
        }
        self.in_wave = true;
    }

    /// Serves input, or keeps it when none may be executed now; an error when that becomes too much.
    pub(super) fn take_in(&mut self, local: &Local, input: &mut [u8], output: &mut Output) -> io::Result<()> {
        self.in_wave = false;
        if self.stage == Served::Close {
            return Ok(());
        }
        if self.may_execute() && self.session.kept() == 0 {
            self.stage = self.session.serve(local, input, output);
            return Ok(());
        }
        let needed = if let Served::NeedInput(needed) = self.stage { needed } else { 0 };
        self.session.tail_with_room(needed, input.len()).extend_from_slice(input);
        self.session.judge_kept(local)?;
        self.session.note_kept(local);
        self.session.note_active(local);
        if matches!(self.stage, Served::NeedInput(_)) {
            self.stage = Served::NeedInput(needed.saturating_sub(input.len()));
        }
        if self.can_go_on() && self.stage != Served::Again {
            self.go_on(local, output);
        }
        Ok(())
    }

    /// Whether kept input or a request that goes on later can be worked on now.
    pub(super) fn can_go_on(&self) -> bool {
        self.unsent == 0 && matches!(self.stage, Served::Again | Served::NeedInput(0))
    }

    /// Works on what was kept.
    pub(super) fn go_on(&mut self, local: &Local, output: &mut Output) {
        self.stage = self.session.serve_tail(local, output);
    }

    /// Makes it one that can go on, if it waits for input or a time; says whether it does now. Replies that are on their way are
    /// waited for first.
    pub(super) fn wake(&mut self) -> bool {
        self.woken = self.unsent > 0;
        let waits = !self.woken && matches!(self.stage, Served::NeedInput(_) | Served::At(_));
        if waits {
            self.stage = Served::Again;
        }
        waits
    }

    /// Whether so much input waits that no more is to be received.
    pub(super) fn has_kept_enough(&self) -> bool {
        !self.paused && !self.may_execute() && self.session.kept() >= KEPT_MAX
    }

    /// Judges how much it leaves unread; see [`Session::judge`].
    pub(super) fn judge(&mut self, local: &Local) -> io::Result<Option<Instant>> {
        self.behind = self.unsent > 0;
        self.session.judge(local, self.unsent)
    }

    /// Whether it is to be judged now that it has taken what was on its way.
    pub(super) fn was_behind(&self) -> bool {
        self.behind || self.session.is_in_grace()
    }

    /// The output that replies go to: its own if it has one, or an empty one of those that are kept.
    pub(super) fn output_from(&mut self, outputs: &mut Vec<Output>) -> Output {
        if self.output.is_empty() { outputs.pop().unwrap_or_default() } else { self.output.take() }
    }

    /// Takes that output back, or keeps it for others when it is empty.
    pub(super) fn put_output(&mut self, output: Output, outputs: &mut Vec<Output>) {
        if output.is_empty() { super::keep_output(outputs, output) } else { self.output = output }
    }

    /// Whether new requests may be executed.
    fn may_execute(&self) -> bool {
        self.unsent == 0 && matches!(self.stage, Served::NeedInput(_))
    }
}

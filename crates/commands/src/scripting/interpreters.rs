//! A worker's interpreters. One runs a script at a time; there are more where a script is put aside while another one runs.

use std::cell::RefCell;
use std::rc::Rc;

use larder_engine::{Library, Node};
use larder_lua::{Arguments, Ending, Interpreter, Run, ScriptDigest, Settings, Start, Step};
use larder_resp::Span;

use super::program::ScriptProgram;
use crate::prelude::*;

/// Interpreters that are kept for later.
const IDLE_MAX: usize = 4;

/// Scripts that an interpreter has compiled, beyond those that the server has, before it looks which of them are gone.
const STALE_SCRIPTS_MAX: usize = 500;

/// Those of a worker that run nothing.
#[derive(Default)]
pub(super) struct Interpreters {
    idle: Rc<RefCell<Vec<Workbench>>>,
}

/// An interpreter with the buffers of the program that runs on it.
pub(super) struct Workbench {
    interpreter: Interpreter,
    pub(super) arguments: Arguments,
    pub(super) spans: Vec<Span>,
    /// How often scripts had been flushed when it was last in use.
    flushes: u64,
    /// Where it comes from.
    home: Rc<RefCell<Vec<Workbench>>>,
}

/// What a program keeps of its workbench while it runs.
pub(super) struct Home {
    pub(super) arguments: Arguments,
    pub(super) spans: Vec<Span>,
    flushes: u64,
    idle: Rc<RefCell<Vec<Workbench>>>,
}

fn failed(text: &[u8]) -> CommandError {
    CommandError::Line(format!("ERR {}", String::from_utf8_lossy(text)).into())
}

impl Interpreters {
    /// One that runs nothing.
    pub(super) fn take(&self, node: &Node) -> Result<Workbench, CommandError> {
        let idle = self.idle.borrow_mut().pop();
        let mut workbench = match idle {
            Some(workbench) => workbench,
            None => Workbench {
                interpreter: Interpreter::new(Settings::default())
                    .map_err(|error| failed(error.to_string().as_bytes()))?,
                arguments: Arguments::default(),
                spans: Vec::new(),
                flushes: node.scripts.flushes(),
                home: Rc::clone(&self.idle),
            },
        };
        let flushes = node.scripts.flushes();
        if workbench.flushes != flushes {
            workbench.flushes = flushes;
            workbench.interpreter.forget_scripts();
        }
        if workbench.interpreter.script_count() > node.scripts.script_totals().0 + STALE_SCRIPTS_MAX {
            workbench.interpreter.retain_scripts(|digest| node.scripts.has_script(digest));
        }
        Ok(workbench)
    }

    /// Keeps one for later.
    pub(super) fn put_back(&self, workbench: Workbench) {
        keep(&self.idle, workbench);
    }
}

fn keep(idle: &RefCell<Vec<Workbench>>, workbench: Workbench) {
    let mut idle = idle.borrow_mut();
    if idle.len() < IDLE_MAX {
        idle.push(workbench);
    }
}

impl Home {
    /// Takes the interpreter back from a run.
    pub(super) fn receive(self, run: Run) {
        let Home { arguments, spans, flushes, idle } = self;
        let home = Rc::clone(&idle);
        keep(&idle, Workbench { interpreter: run.finish(), arguments, spans, flushes, home });
    }
}

impl Workbench {
    /// Compiles a script if it has not been.
    pub(super) fn load(&mut self, digest: ScriptDigest, body: &[u8]) -> Result<(), CommandError> {
        self.interpreter.load(digest, body).map_err(|fault| {
            let fault = String::from_utf8_lossy(&fault);
            CommandError::Line(format!("ERR Error compiling script (new function): {fault}").into())
        })
    }

    fn parted(self) -> (Interpreter, Home) {
        let Workbench { interpreter, arguments, spans, flushes, home: idle } = self;
        (interpreter, Home { arguments, spans, flushes, idle })
    }

    /// Begins a script that has been compiled.
    pub(super) fn start_script<'a, K, A>(
        self,
        digest: ScriptDigest,
        start: Start<'_, K, A>,
        program: ScriptProgram,
    ) -> Result<Box<ScriptProgram>, CommandError>
    where
        K: IntoIterator<Item = &'a [u8]>,
        A: IntoIterator<Item = &'a [u8]>,
    {
        let (interpreter, home) = self.parted();
        let run = interpreter.start_script(digest, start).map_err(|_| failed(b"the script is gone"))?;
        Ok(Box::new(program.running(run, home)))
    }

    /// Begins a function of a library that has been loaded.
    pub(super) fn start_function<'a, K, A>(
        self,
        library: &Library,
        start: Start<'_, K, A>,
        program: ScriptProgram,
    ) -> Result<Box<ScriptProgram>, CommandError>
    where
        K: IntoIterator<Item = &'a [u8]>,
        A: IntoIterator<Item = &'a [u8]>,
    {
        let (interpreter, home) = self.parted();
        let run = interpreter
            .start_function(&library.id.to_le_bytes(), start)
            .map_err(|_| failed(b"the function is gone"))?;
        Ok(Box::new(program.running(run, home)))
    }

    /// Whether the interpreter has this library, and not an older one of its name.
    pub(super) fn has_library(&self, id: u64) -> bool {
        self.interpreter.functions(&id.to_le_bytes()).is_some()
    }

    /// Loads a library, which `goes_on` may end early. Returns the interpreter with it, or with what is wrong with the library.
    pub(super) fn load_library(
        self,
        id: u64,
        body: &[u8],
        mut log: impl FnMut(larder_lua::LogLevel, &[u8]),
        mut goes_on: impl FnMut() -> bool,
    ) -> (Workbench, Result<(), CommandError>) {
        let (interpreter, home) = self.parted();
        let mut run = interpreter.start_library(&id.to_le_bytes(), body);
        let result = loop {
            match run.resume(larder_lua::Answer::Go) {
                Step::Done(Ending::Registered) => break Ok(()),
                Step::Done(_) => break Err(failed(&run.text())),
                Step::Log(level) => log(level, &run.text()),
                Step::Call | Step::Permission | Step::Paused => {}
            }
            if !goes_on() {
                run.kill();
            }
        };
        let Home { arguments, spans, flushes, idle } = home;
        let workbench = Workbench { interpreter: run.finish(), arguments, spans, flushes, home: idle };
        (workbench, result)
    }

    /// What a library that has been loaded has registered.
    pub(super) fn functions(&self, id: u64) -> &[larder_lua::Registration] {
        self.interpreter.functions(&id.to_le_bytes()).unwrap_or_default()
    }

    /// Forgets libraries that the server no longer has.
    pub(super) fn retain_libraries(&mut self, node: &Node) {
        let libraries = node.scripts.libraries();
        self.interpreter
            .retain_libraries(|name| libraries.iter().any(|library| library.id.to_le_bytes() == name));
    }
}

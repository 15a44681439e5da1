//! Scripts and libraries of functions: their sources, which all workers share. Each worker's interpreters compile what they run.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use larder_lua::{ScriptDigest, ScriptFlags};

use crate::sync::{AtomicU64, Mutex, Ordering};

/// Scripts that only EVAL has brought are kept up to this number; of more, those go that have not been used for longest.
const EVAL_SCRIPTS_MAX: usize = 500;

/// A script.
#[derive(Debug, PartialEq, Eq)]
pub struct Script {
    /// What it is known by.
    pub digest: ScriptDigest,
    /// As it came.
    pub source: Box<[u8]>,
    /// Where in it the script begins, behind a first line that says something about it.
    pub body_at: usize,
    /// What it declares about itself, if it does.
    pub flags: Option<ScriptFlags>,
}

/// Where a script comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptOrigin {
    /// EVAL: it may go again.
    Eval,
    /// SCRIPT LOAD: it stays until scripts are flushed.
    Load,
}

/// A library of functions.
#[derive(Debug, PartialEq, Eq)]
pub struct Library {
    /// Of all that were ever loaded, this one.
    pub id: u64,
    /// By what it is called.
    pub name: Vec<u8>,
    /// As it came.
    pub source: Vec<u8>,
    /// Where in it the library begins, behind its first line.
    pub body_at: usize,
    /// What it has registered.
    pub functions: Vec<LibraryFunction>,
}

/// A function of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryFunction {
    /// By what it is called.
    pub name: Vec<u8>,
    /// What it does, in its author's words.
    pub description: Option<Vec<u8>>,
    /// What it declares about itself.
    pub flags: ScriptFlags,
}

/// Libraries as they are at one time. A change makes others.
#[derive(Clone, Debug, Default)]
pub struct Libraries {
    by_name: BTreeMap<Vec<u8>, Arc<Library>>,
    /// By names in lower case: whoever calls a function need not write it as its author did.
    by_function: HashMap<Vec<u8>, (Arc<Library>, usize), RandomState>,
}

/// What can be run.
#[derive(Debug, Default)]
pub struct Scripts {
    cache: Mutex<Cache>,
    /// How often scripts have been flushed.
    flushes: AtomicU64,
    evicted: AtomicU64,
    libraries: Mutex<Arc<Libraries>>,
    next_library: AtomicU64,
}

#[derive(Debug, Default)]
struct Cache {
    scripts: HashMap<ScriptDigest, Cached, RandomState>,
    /// Scripts of EVAL by when they were last used.
    by_use: BTreeMap<u64, ScriptDigest>,
    uses: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Cached {
    script: Arc<Script>,
    /// Its place in the order of use; none if it stays.
    used: Option<u64>,
}

impl Cache {
    /// Notes that a script is used, if that matters.
    fn touch(&mut self, digest: ScriptDigest) {
        let Some(used) = self.scripts.get_mut(&digest).and_then(|cached| cached.used.as_mut()) else {
            return;
        };
        // Nothing changes for one that is used again and again.
        if *used == self.uses {
            return;
        }
        self.by_use.remove(used);
        self.uses += 1;
        *used = self.uses;
        self.by_use.insert(self.uses, digest);
    }
}

impl Scripts {
    /// The script of this digest, which is about to be run.
    #[must_use]
    pub fn script(&self, digest: ScriptDigest) -> Option<Arc<Script>> {
        let mut cache = self.cache.lock();
        let script = Arc::clone(&cache.scripts.get(&digest)?.script);
        cache.touch(digest);
        Some(script)
    }

    /// Adds a script, which then is there in any case.
    pub fn add_script(&self, script: Script, origin: ScriptOrigin) -> Arc<Script> {
        let mut cache = self.cache.lock();
        let cache = &mut *cache;
        if let Some(cached) = cache.scripts.get_mut(&script.digest) {
            if origin == ScriptOrigin::Load
                && let Some(used) = cached.used.take()
            {
                cache.by_use.remove(&used);
            }
            return Arc::clone(&cached.script);
        }
        let used = (origin == ScriptOrigin::Eval).then(|| {
            while cache.by_use.len() >= EVAL_SCRIPTS_MAX {
                let Some((_, oldest)) = cache.by_use.pop_first() else { break };
                if let Some(gone) = cache.scripts.remove(&oldest) {
                    cache.bytes -= gone.script.source.len();
                    self.evicted.fetch_add(1, Ordering::Relaxed);
                }
            }
            cache.uses += 1;
            cache.by_use.insert(cache.uses, script.digest);
            cache.uses
        });
        cache.bytes += script.source.len();
        let script = Arc::new(script);
        cache.scripts.insert(script.digest, Cached { script: Arc::clone(&script), used });
        script
    }

    /// Whether the script is there.
    #[must_use]
    pub fn has_script(&self, digest: ScriptDigest) -> bool {
        self.cache.lock().scripts.contains_key(&digest)
    }

    /// Forgets all scripts.
    pub fn flush_scripts(&self) {
        let flushed = std::mem::take(&mut *self.cache.lock());
        self.flushes.fetch_add(1, Ordering::Release);
        drop(flushed);
    }

    /// How often scripts have been flushed: what was compiled before goes.
    #[must_use]
    pub fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Acquire)
    }

    /// How many scripts there are, and how many bytes their sources have.
    #[must_use]
    pub fn script_totals(&self) -> (usize, usize) {
        let cache = self.cache.lock();
        (cache.scripts.len(), cache.bytes)
    }

    /// How many scripts of EVAL have had to go for others.
    #[must_use]
    pub fn evicted_scripts(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// The libraries as they are now.
    #[must_use]
    pub fn libraries(&self) -> Arc<Libraries> {
        Arc::clone(&self.libraries.lock())
    }

    /// A number for a library that is to be loaded.
    #[must_use]
    pub fn next_library_id(&self) -> u64 {
        self.next_library.fetch_add(1, Ordering::Relaxed)
    }

    /// Changes libraries: `change` derives new ones from the present ones. All or nothing.
    ///
    /// # Errors
    /// Whatever `change` says.
    pub fn change_libraries<E>(
        &self,
        change: impl FnOnce(&Libraries) -> Result<Libraries, E>,
    ) -> Result<(), E> {
        let mut libraries = self.libraries.lock();
        *libraries = Arc::new(change(&libraries)?);
        Ok(())
    }
}

impl Libraries {
    /// The library of this name.
    #[must_use]
    pub fn library(&self, name: &[u8]) -> Option<&Arc<Library>> {
        self.by_name.get(name)
    }

    /// The function of this name, and its library.
    #[must_use]
    pub fn function(&self, name: &[u8]) -> Option<(&Arc<Library>, &LibraryFunction)> {
        let (library, index) = self.by_function.get(name.to_ascii_lowercase().as_slice())?;
        Some((library, &library.functions[*index]))
    }

    /// All libraries by their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Library>> {
        self.by_name.values()
    }

    /// How many functions there are.
    #[must_use]
    pub fn function_count(&self) -> usize {
        self.by_function.len()
    }

    /// How many bytes names, descriptions and sources have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of_function = |function: &LibraryFunction| {
            function.name.len() + function.description.as_ref().map_or(0, Vec::len)
        };
        let of_library = |library: &Arc<Library>| {
            library.name.len()
                + library.source.len()
                + library.functions.iter().map(of_function).sum::<usize>()
        };
        self.iter().map(of_library).sum()
    }

    /// Adds a library in the place of one of the same name.
    ///
    /// # Errors
    /// A function of it is another library's already: its name.
    pub fn insert(&mut self, library: Library) -> Result<(), Vec<u8>> {
        self.insert_shared(Arc::new(library))
    }

    /// As [`Libraries::insert`], of a library that is in others too.
    ///
    /// # Errors
    /// A function of it is another library's already: its name.
    pub fn insert_shared(&mut self, library: Arc<Library>) -> Result<(), Vec<u8>> {
        let other = |function: &&LibraryFunction| {
            let owner = self.by_function.get(&function.name.to_ascii_lowercase());
            owner.is_some_and(|(owner, _)| owner.name != library.name)
        };
        if let Some(function) = library.functions.iter().find(other) {
            return Err(function.name.clone());
        }
        self.remove(&library.name);
        for (index, function) in library.functions.iter().enumerate() {
            self.by_function.insert(function.name.to_ascii_lowercase(), (Arc::clone(&library), index));
        }
        self.by_name.insert(library.name.clone(), library);
        Ok(())
    }

    /// Removes a library; whether it was there.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let Some(library) = self.by_name.remove(name) else { return false };
        for function in &library.functions {
            self.by_function.remove(&function.name.to_ascii_lowercase());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(number: usize) -> Script {
        let source = format!("return {number}").into_bytes();
        let digest = ScriptDigest::of(&source);
        Script { digest, source: source.into(), body_at: 0, flags: None }
    }

    #[test]
    fn scripts_of_eval_go_when_there_are_many() {
        let scripts = Scripts::default();
        let loaded = scripts.add_script(script(0), ScriptOrigin::Load).digest;
        let used = scripts.add_script(script(1), ScriptOrigin::Eval).digest;
        let promoted = scripts.add_script(script(2), ScriptOrigin::Eval).digest;
        scripts.add_script(script(2), ScriptOrigin::Load);
        let forgotten = scripts.add_script(script(3), ScriptOrigin::Eval).digest;
        for number in 4..EVAL_SCRIPTS_MAX + 10 {
            assert!(scripts.script(used).is_some());
            scripts.add_script(script(number), ScriptOrigin::Eval);
        }
        assert!([loaded, used, promoted].into_iter().all(|digest| scripts.has_script(digest)));
        assert!(!scripts.has_script(forgotten));
        assert_eq!(scripts.script_totals().0, EVAL_SCRIPTS_MAX + 2);
        assert_eq!(scripts.evicted_scripts(), 8);
        scripts.flush_scripts();
        assert_eq!(scripts.script_totals(), (0, 0));
        assert_eq!(scripts.flushes(), 1);
    }

    fn library(id: u64, name: &str, functions: &[&str]) -> Library {
        let function = |name: &&str| LibraryFunction {
            name: name.as_bytes().to_vec(),
            description: None,
            flags: ScriptFlags::NONE,
        };
        Library {
            id,
            name: name.as_bytes().to_vec(),
            source: Vec::new(),
            body_at: 0,
            functions: functions.iter().map(function).collect(),
        }
    }

    #[test]
    fn functions_belong_to_one_library() {
        let mut libraries = Libraries::default();
        libraries.insert(library(1, "a", &["f", "g"])).unwrap();
        assert_eq!(libraries.insert(library(2, "b", &["h", "g"])), Err(b"g".to_vec()));
        assert!(libraries.function(b"h").is_none());
        libraries.insert(library(3, "a", &["f", "i"])).unwrap();
        assert!(libraries.function(b"g").is_none());
        assert_eq!(libraries.function(b"f").unwrap().0.id, 3);
        assert_eq!((libraries.iter().len(), libraries.function_count()), (1, 2));
        assert!(libraries.remove(b"a") && !libraries.remove(b"a"));
        assert_eq!((libraries.iter().len(), libraries.function_count(), libraries.bytes()), (0, 0, 0));
    }
}

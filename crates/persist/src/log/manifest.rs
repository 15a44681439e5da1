//! The manifest: which files make a log.
//!
//! A line for each file: `file NAME seq NUMBER type LETTER`. The letter is `b` for the base, `i` for increments, `h` for what a newer
//! base made useless and is to be removed. A name with blanks or bytes that cannot be printed is quoted.

use std::fmt::{Display, Formatter};

use larder_resp::{Span, split_words};

/// Longest line, its end counted.
const LINE_BYTES_MAX: usize = 1024;
/// Fewest words of a line. There may be more, in pairs, for facts that are not known yet.
const WORDS_MIN: usize = 6;

/// A file of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Its name, without a folder.
    pub name: Vec<u8>,
    /// Its number among those of its kind.
    pub sequence: u64,
}

/// What a base is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseFormat {
    /// A snapshot (directive `aof-use-rdb-preamble`).
    Snapshot,
    /// Commands.
    Commands,
}

/// The files of a log, in the order in which they are loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// What the log begins with.
    pub base: Option<LogFile>,
    /// What is to be removed.
    pub history: Vec<LogFile>,
    /// What follows the base, by rising numbers. The last one is being written.
    pub increments: Vec<LogFile>,
}

/// Why a manifest was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What the line says, unless it cannot be told.
    pub text: Option<String>,
    /// What is wrong with it.
    pub fault: ManifestFault,
}

/// What is wrong with a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestFault {
    /// It has no line.
    Empty,
    /// A line is too long, or does not end.
    LongLine,
    /// A line does not say what it has to.
    Format,
    /// The name of a file is a path.
    Path,
    /// There are two bases.
    TwoBases,
    /// The numbers of increments do not rise.
    Sequence,
    /// A letter is not known.
    Type,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// It is not one.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, ManifestError> {
        let mut manifest = Manifest::default();
        if bytes.is_empty() {
            return Err(ManifestError { line: 0, text: None, fault: ManifestFault::Empty });
        }
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if line.starts_with(b"#") {
                continue;
            }
            let refused = |text: Option<&[u8]>, fault| ManifestError {
                line: number + 1,
                text: text.map(|text| String::from_utf8_lossy(text).into_owned()),
                fault,
            };
            if line.len() > LINE_BYTES_MAX || !line.ends_with(b"\n") {
                return Err(refused(None, ManifestFault::LongLine));
            }
            let text = line.trim_ascii();
            manifest.add_line(text).map_err(|fault| refused(Some(text), fault))?;
        }
        Ok(manifest)
    }

    fn add_line(&mut self, text: &[u8]) -> Result<(), ManifestFault> {
        let (mut line, mut spans) = (text.to_vec(), Vec::new());
        split_words(&mut line, 0, &mut spans).map_err(|_| ManifestFault::Format)?;
        if spans.len() < WORDS_MIN || spans.len() % 2 != 0 {
            return Err(ManifestFault::Format);
        }
        let words: Vec<&[u8]> = spans.iter().map(|span: &Span| span.of(&line)).collect();
        let (mut name, mut sequence, mut kind) = (None, None, None);
        for pair in words.chunks_exact(2) {
            let (fact, value) = (pair[0], pair[1]);
            if fact.eq_ignore_ascii_case(b"file") {
                if value.iter().any(|byte| matches!(byte, b'/' | b'\\')) {
                    return Err(ManifestFault::Path);
                }
                name = Some(value).filter(|name| !name.is_empty() && !name.contains(&0));
            } else if fact.eq_ignore_ascii_case(b"seq") {
                sequence = str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
            } else if fact.eq_ignore_ascii_case(b"type") {
                kind = value.first().copied();
            }
        }
        let (Some(name), Some(sequence @ 1..), Some(kind)) = (name, sequence, kind) else {
            return Err(ManifestFault::Format);
        };
        self.add(kind, LogFile { name: name.to_vec(), sequence })
    }

    fn add(&mut self, kind: u8, file: LogFile) -> Result<(), ManifestFault> {
        match kind {
            b'b' if self.base.is_some() => return Err(ManifestFault::TwoBases),
            b'b' => self.base = Some(file),
            b'h' => self.history.push(file),
            b'i' if self.increments.last().is_some_and(|last| file.sequence <= last.sequence) => {
                return Err(ManifestFault::Sequence);
            }
            b'i' => self.increments.push(file),
            _ => return Err(ManifestFault::Type),
        }
        Ok(())
    }

    /// The manifest as a file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let base = self.base.iter().map(|file| (file, 'b'));
        let history = self.history.iter().map(|file| (file, 'h'));
        let increments = self.increments.iter().map(|file| (file, 'i'));
        for (file, kind) in base.chain(history).chain(increments) {
            out.extend_from_slice(b"file ");
            write_name(&mut out, &file.name);
            out.extend_from_slice(format!(" seq {} type {kind}\n", file.sequence).as_bytes());
        }
        out
    }

    /// The files to load, in order: the base, then the increments.
    pub fn files(&self) -> impl Iterator<Item = &LogFile> {
        self.base.iter().chain(&self.increments)
    }

    /// Whether there is nothing to load.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.increments.is_empty()
    }

    /// Makes the log's only file one of an old version.
    #[must_use]
    pub fn of_single_file(name: &[u8]) -> Manifest {
        let base = LogFile { name: name.to_vec(), sequence: 1 };
        Manifest { base: Some(base), ..Manifest::default() }
    }

    /// Adds an increment behind the others, and returns it. `log` is what names of the log's files begin with (directive
    /// `appendfilename`).
    pub fn begin_increment(&mut self, log: &str) -> &LogFile {
        let sequence = self.increments.last().map_or(0, |last| last.sequence) + 1;
        self.increments
            .push_mut(LogFile { name: format!("{log}.{sequence}.incr.aof").into_bytes(), sequence })
    }

    /// Puts a new base in the place of the old one, which becomes history, and returns it.
    pub fn replace_base(&mut self, log: &str, format: BaseFormat) -> &LogFile {
        let sequence = self.base.as_ref().map_or(0, |base| base.sequence) + 1;
        let ending = match format {
            BaseFormat::Snapshot => "rdb",
            BaseFormat::Commands => "aof",
        };
        if let Some(old) = self.base.take() {
            self.history.insert(0, old);
        }
        self.base.insert(LogFile { name: format!("{log}.{sequence}.base.{ending}").into_bytes(), sequence })
    }

    /// Makes history of the increments up to the one that is being written, as a new base has what they say; of all, if none is.
    pub fn retire_increments(&mut self, written: Written) {
        let kept = match written {
            Written::Last => self.increments.len().saturating_sub(1),
            Written::None => self.increments.len(),
        };
        // The latest last, as they were.
        for file in self.increments.drain(..kept).rev() {
            self.history.insert(0, file);
        }
    }
}

/// Whether an increment is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The last one.
    Last,
    /// None: the log is off.
    None,
}

/// Writes a name, quoted if it has to be.
fn write_name(out: &mut Vec<u8>, name: &[u8]) {
    if name.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'\'')) {
        return out.extend_from_slice(name);
    }
    out.push(b'"');
    for byte in name {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            7 => out.extend_from_slice(b"\\a"),
            8 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(*byte),
            other => out.extend_from_slice(format!("\\x{other:02x}").as_bytes()),
        }
    }
    out.push(b'"');
}

impl Display for ManifestFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ManifestFault::Empty => "Found an empty AOF manifest",
            ManifestFault::LongLine => "The AOF manifest file contains too long line",
            ManifestFault::Format => "Invalid AOF manifest file format",
            ManifestFault::Path => "File can't be a path, just a filename",
            ManifestFault::TwoBases => "Found duplicate base file information",
            ManifestFault::Sequence => "Found a non-monotonic sequence number",
            ManifestFault::Type => "Unknown AOF file type",
        })
    }
}

/// As the peers log it.
impl Display for ManifestError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "*** FATAL AOF MANIFEST FILE ERROR ***")?;
        if let Some(text) = &self.text {
            writeln!(f, "Reading the manifest file, at line {}", self.line)?;
            writeln!(f, ">>> '{text}'")?;
        }
        write!(f, "{}", self.fault)
    }
}

impl std::error::Error for ManifestError {}

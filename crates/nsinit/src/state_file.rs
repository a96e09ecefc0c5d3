//! The file `state.json` as bytes, whoever wrote it and whatever is in it.
//!
//! Called by the two generations of the state. A file may be half-written, huge, or not a file at all; each of
//! that is told, and none keeps us waiting.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use cofferdam::{Error, ErrorKind, Result};
use cofferdam_oci::MAX_DOCUMENT;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The file's name in a container's data directory.
pub(crate) const FILE: &str = "state.json";
/// What we were doing.
const READING: &str = "reading the state";

/// Reads it from a data directory: at most [`MAX_DOCUMENT`] bytes, and only from a regular file.
pub(crate) fn read(dir: &Path) -> Result<Vec<u8>> {
    let path = dir.join(FILE);
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Error::new(ErrorKind::NotFound, "there is no running container in")
            .with_object(dir.display().to_string()),
        _ => Error::io(READING, &path, &e),
    };
    // A fifo would keep us waiting for somebody to write to it.
    let nonblock = i32::try_from(cofferdam_sys::open::O_NONBLOCK).unwrap_or_default();
    let file = File::options().read(true).custom_flags(nonblock).open(&path).map_err(failed)?;
    let told = |what: &str| {
        Error::new(ErrorKind::System, READING).with_object(path.display().to_string()).with_detail(what)
    };
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(told("not a regular file"));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_DOCUMENT).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_DOCUMENT {
        return Err(told(&format!("longer than {MAX_DOCUMENT} bytes")));
    }
    Ok(bytes)
}

/// Writes it: it is whole or as it was.
pub(crate) fn write(dir: &Path, state: &impl Serialize) -> Result<()> {
    let (new, path) = (dir.join("state.json.new"), dir.join(FILE));
    let failed = |e: &std::io::Error| Error::io("writing the state", &path, e);
    let bytes = serde_json::to_vec(state).map_err(|e| failed(&e.into()))?;
    std::fs::write(&new, bytes).and_then(|()| std::fs::rename(&new, &path)).map_err(|e| failed(&e))
}

/// A state of either generation. `judge` says what is wrong with one whose JSON is right.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8], judge: fn(&T) -> Option<String>) -> Result<T> {
    let wrong = |what: String| Error::new(ErrorKind::System, READING).with_detail(what);
    let unfinished = |error: Error| {
        error.with_hint(
            "whoever wrote it was stopped in the middle; when the container does not run, remove it",
        )
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(unfinished(wrong("it is empty".into())));
    }
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
        return Err(wrong("it is no JSON object".into()));
    }
    let state = serde_json::from_slice(bytes).map_err(|e| {
        let error = wrong(e.to_string());
        if e.is_eof() { unfinished(error) } else { error }
    })?;
    judge(&state).map_or(Ok(state), |what| Err(wrong(what)))
}

/// What a first process's number and start must be.
pub(crate) fn judge(pid: (&str, i32), start: (&str, &str)) -> Option<String> {
    if pid.1 <= 0 {
        return Some(format!("{} is {}, which is no process", pid.0, pid.1));
    }
    let number = start.1.parse::<u64>();
    number.is_err().then(|| format!("{} is {:?}, which is no field 22 of /proc/PID/stat", start.0, start.1))
}

/// Field 22 as a number.
pub(crate) fn started(text: &str) -> Result<u64> {
    let wrong = || {
        Error::new(ErrorKind::System, "reading when the process started")
            .with_detail(format!("{text:?} is no field 22 of /proc/PID/stat"))
    };
    text.parse().map_err(|_| wrong())
}

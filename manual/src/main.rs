//! Writes the manual pages and shell completions of every command: `cofferdam-manual DIRECTORY [DATE]`.
//!
//! Called by `scripts/man`. A program of its own, so that none of the others holds what only this needs; everything
//! it says comes from the definitions by which the commands parse their lines. It writes DIRECTORY/man1,
//! DIRECTORY/bash, DIRECTORY/zsh and DIRECTORY/fish, the same bytes each time; DATE is printed on the pages.

mod completion;
mod page;
mod programs;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let outcome = match words.as_slice() {
        [directory] => write(Path::new(directory), ""),
        [directory, date] => write(Path::new(directory), date),
        _ => Err("usage: cofferdam-manual DIRECTORY [DATE]".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Nobody is left to be told.
            let _ = writeln!(io::stderr(), "cofferdam-manual: {why}");
            ExitCode::FAILURE
        }
    }
}

fn write(directory: &Path, date: &str) -> Result<(), String> {
    for (name, text) in page::all(date).into_iter().chain(completion::all()) {
        let file = directory.join(name);
        put(&file, &text).map_err(|error| format!("write {}: {error}", file.display()))?;
    }
    Ok(())
}

fn put(file: &Path, text: &[u8]) -> io::Result<()> {
    file.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(file, text)
}

/// A file below the directory, and what is in it.
type Written = (PathBuf, Vec<u8>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_the_same_each_time() {
        let at = |name: &str| env::temp_dir().join(format!("cofferdam-manual-{}-{name}", std::process::id()));
        let read = |directory: &Path| {
            write(directory, "2026-01-02").unwrap();
            let page = fs::read(directory.join("man1/cofferdam-run.1")).unwrap();
            let bash = fs::read(directory.join("bash/cofferdam")).unwrap();
            fs::remove_dir_all(directory).unwrap();
            (page, bash)
        };
        assert_eq!(read(&at("a")), read(&at("b")));
        assert!(write(Path::new("/proc/nowhere"), "").unwrap_err().contains("/proc/nowhere/man1"));
    }
}

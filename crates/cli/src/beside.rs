//! The programs that belong to this one: where they are, and executing one instead of this one.
//!
//! Called by [`crate::far`] and by the command `agent`. Programs are looked for where this program's file really is,
//! never in PATH: they were made together, and what another user put there is not one of them.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;

/// Where they are, seen from the directory of this one: beside it, or where a distribution keeps what people do not call.
const PLACES: &[&str] = &[".", "../libexec/cofferdam", "../lib/cofferdam"];

/// Executes `program` under the name `called`. Returns only if that is not possible, with the reason.
pub(crate) fn execute(program: &str, called: &OsStr, words: Vec<OsString>) -> Failure {
    let own = match std::env::current_exe() {
        Ok(own) => own,
        Err(error) => return Failure::io("finding where this program is", &error),
    };
    for file in files(&own, program) {
        let error = Command::new(&file).arg0(called).args(&words).exec();
        if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
            return Failure::io(format_args!("executing {}", file.display()), &error);
        }
    }
    missing(&own, program)
}

fn files(own: &Path, program: &str) -> impl Iterator<Item = PathBuf> {
    PLACES.iter().map(move |place| match *place {
        "." => own.with_file_name(program),
        place => own.with_file_name(place).join(program),
    })
}

fn missing(own: &Path, program: &str) -> Failure {
    let directory = own.parent().unwrap_or(own).display();
    Failure::new(format!(
        "this is done by the program {program}, which is not there: neither in {directory} nor in \
         ../libexec/cofferdam or ../lib/cofferdam seen from there (hint: scripts/build and cargo build make \
         it, and packages install it; it belongs where cofferdam is)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_beside_this_one_or_where_a_distribution_keeps_it() {
        let found: Vec<_> = files(Path::new("/usr/bin/cofferdam"), "x").collect();
        let places = ["/usr/bin/x", "/usr/bin/../libexec/cofferdam/x", "/usr/bin/../lib/cofferdam/x"];
        assert_eq!(found, places.map(PathBuf::from));
    }

    #[test]
    fn whoever_misses_a_program_learns_where_it_should_be() {
        let failure = execute("no-such-program", OsStr::new("x"), Vec::new());
        for part in ["no-such-program", "deps", "../lib/cofferdam", "scripts/build"] {
            assert!(failure.message().contains(part), "{}", failure.message());
        }
    }
}

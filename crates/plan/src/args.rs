//! `process.args`, `process.cwd` and `process.consoleSize`: the program, where it starts, its terminal.
//!
//! Called for create and exec alike.

use cofferdam_oci::{Pointer, Process};

use crate::findings::Findings;
use crate::{InPath, TerminalPlan};

/// The program and its arguments.
pub(crate) fn args(at: &Pointer, process: &Process, findings: &mut Findings) -> Vec<String> {
    let at = at.key("args");
    match process.args.first().map(String::as_str) {
        None => findings.reject(at.clone(), "empty"),
        Some("") => findings.reject(at.index(0), "the program's name is empty"),
        Some(_) => {}
    }
    for (i, arg) in process.args.iter().enumerate() {
        findings.no_nul(&at.index(i), arg);
    }
    process.args.clone()
}

/// The working directory.
pub(crate) fn cwd(at: &Pointer, process: &Process, findings: &mut Findings) -> InPath {
    let at = at.key("cwd");
    if !process.cwd.starts_with('/') {
        findings.reject_hint(at, format!("{:?} is not an absolute path", process.cwd), "start it with /");
        return InPath::root();
    }
    InPath::new(&process.cwd).unwrap_or_else(|| {
        findings.reject(at, "holds a NUL byte");
        InPath::root()
    })
}

/// The terminal; a size without one means nothing.
pub(crate) fn terminal(at: &Pointer, process: &Process, findings: &mut Findings) -> Option<TerminalPlan> {
    if !process.terminal {
        return None;
    }
    let Some(size) = process.console_size else { return Some(TerminalPlan::default()) };
    let at = at.key("consoleSize");
    let mut side = |key, value| {
        u16::try_from(value).unwrap_or_else(|_| {
            findings.reject(at.key(key), format!("{value} is more than {}", u16::MAX));
            0
        })
    };
    Some(TerminalPlan { rows: side("height", size.height), columns: side("width", size.width) })
}

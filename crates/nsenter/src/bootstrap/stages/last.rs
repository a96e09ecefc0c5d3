//! Stage 2: the process that stays. Here it becomes leader of a session, and root.
//!
//! Called by `stages`, after the second fork; then the program goes on.

use cofferdam_sys::{Errno, prctl, setns, setuid};

use crate::bootstrap::log::Log;
use crate::bootstrap::message::Bootstrap;
use crate::bootstrap::sync::{Line, Word};
use crate::bootstrap::{Error, Result};

pub(super) fn run(log: &Log, asked: &Bootstrap, mut line: Line) -> Result<()> {
    let _ = prctl::set_name(c"runc:[2:INIT]");
    line.expect(Word::Go)?;
    let failed = |what: &'static str| move |errno: Errno| Error::new("becoming init", what).errno(errno);
    setns::setsid().map_err(failed("a session of its own"))?;
    setuid::setresuid(0).map_err(failed("user 0"))?;
    setuid::setresgid(0).map_err(failed("group 0"))?;
    if !asked.rootless && asked.setgroups {
        setuid::setgroups(&[]).map_err(|e| failed("no other groups")(e).asked_by("SETGROUP_ATTR"))?;
    }
    log.debug(format_args!("the program goes on"));
    line.send(Word::Finished)
}

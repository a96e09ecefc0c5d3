//! What a process is connected to.
//!
//! Used by Exec and ExecIn.

use cofferdam::{Command, Exec, Stdio, TerminalSize};

/// Standard input, output and error, or a terminal instead of them.
///
/// A pipe's other end, and a terminal's master, are in the [`cofferdam::Child`] that the start callback gets.
///
/// ```
/// use cofferdam::Stdio;
/// use cofferdam_nsinit::namespaces::Io;
/// let quiet = Io { stdin: Stdio::null(), ..Io::inherit() };
/// assert!(quiet.console.is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Io {
    /// Standard input.
    pub stdin: Stdio,
    /// Standard output.
    pub stdout: Stdio,
    /// Standard error.
    pub stderr: Stdio,
    /// A terminal of this size, made inside; the streams are not used then.
    pub console: Option<TerminalSize>,
}

impl Io {
    /// The caller's streams.
    #[must_use]
    pub fn inherit() -> Self {
        let inherit = Stdio::inherit;
        Self { stdin: inherit(), stdout: inherit(), stderr: inherit(), console: None }
    }

    /// A terminal.
    ///
    /// ```
    /// let size = cofferdam::TerminalSize { height: 24, width: 80 };
    /// assert_eq!(cofferdam_nsinit::namespaces::Io::terminal(size).console, Some(size));
    /// ```
    #[must_use]
    pub fn terminal(size: TerminalSize) -> Self {
        Self { console: Some(size), ..Self::inherit() }
    }

    pub(super) fn of_command(self, command: &mut Command) {
        match self.console {
            Some(size) => command.terminal(size),
            None => command.stdin(self.stdin).stdout(self.stdout).stderr(self.stderr),
        };
    }

    pub(super) fn of_exec(self, exec: &mut Exec) {
        match self.console {
            Some(size) => exec.terminal(size),
            None => exec.stdin(self.stdin).stdout(self.stdout).stderr(self.stderr),
        };
    }
}

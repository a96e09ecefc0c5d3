//! What judging a document finds: rejections and warnings, collected instead of returned one by one.
//!
//! Every rule of this crate gets one and goes on after a rejection with a harmless value, so that all
//! rejections are reported at once. It may not be read by a rule: no rule depends on another's verdict.

use cofferdam_oci::{Pointer, Reject};

/// The findings so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    rejects: Vec<Reject>,
    warnings: Vec<(Pointer, String)>,
}

impl Findings {
    /// A mistake in the document.
    pub(crate) fn reject(&mut self, at: Pointer, message: impl Into<String>) {
        self.rejects.push(Reject::new(at, message));
    }

    /// A mistake in the document whose remedy is known.
    pub(crate) fn reject_hint(&mut self, at: Pointer, message: impl Into<String>, hint: &str) {
        self.rejects.push(Reject::new(at, message).hint(hint));
    }

    /// Something that this host lacks.
    pub(crate) fn lacks(&mut self, at: Pointer, message: impl Into<String>) {
        self.rejects.push(Reject::host(at, message));
    }

    /// Something that this host lacks, and how to get it.
    pub(crate) fn lacks_hint(&mut self, at: Pointer, message: impl Into<String>, hint: &str) {
        self.rejects.push(Reject::host(at, message).hint(hint));
    }

    /// Rejections that another crate has found.
    pub(crate) fn extend(&mut self, rejects: Vec<Reject>) {
        self.rejects.extend(rejects);
    }

    /// Something odd that is obeyed, or left out without harm.
    pub(crate) fn warn(&mut self, at: Pointer, message: impl Into<String>) {
        self.warnings.push((at, message.into()));
    }

    /// Text that reaches the kernel ends at a NUL byte: none may be inside.
    pub(crate) fn no_nul(&mut self, at: &Pointer, text: &str) {
        if text.contains('\0') {
            self.reject(at.clone(), "holds a NUL byte");
        }
    }

    /// The warnings, when nothing was rejected.
    pub(crate) fn finish(self) -> Result<Vec<(Pointer, String)>, Vec<Reject>> {
        if self.rejects.is_empty() { Ok(self.warnings) } else { Err(self.rejects) }
    }
}

#[cfg(test)]
impl Findings {
    /// All rejections as `pointer: message`, for tests.
    pub(crate) fn told(&self) -> Vec<String> {
        self.rejects.iter().map(|r| format!("{}: {}", r.pointer, r.message)).collect()
    }

    /// All warnings as `pointer: message`, for tests.
    pub(crate) fn warned(&self) -> Vec<String> {
        self.warnings.iter().map(|(p, m)| format!("{p}: {m}")).collect()
    }
}

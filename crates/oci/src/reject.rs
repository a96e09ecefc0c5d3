//! A rejection: what is wrong with a document, and where.
//!
//! Made by `plan`, `seccomp` and `cgroup` when they judge a document; printed by the command line. It
//! carries text for people and may not carry behaviour.

use std::fmt;

/// A JSON pointer (RFC 6901) into the document, such as `/linux/namespaces/2/path`.
///
/// ```
/// use cofferdam_oci::Pointer;
/// let p = Pointer::root().key("mounts").index(3).key("a/b");
/// assert_eq!(p.as_str(), "/mounts/3/a~1b");
/// assert_eq!(Pointer::root().index(usize::MAX).as_str(), format!("/{}", usize::MAX));
/// ```
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Pointer(String);

impl Pointer {
    /// The whole document.
    #[must_use]
    pub fn root() -> Self {
        Self(String::new())
    }

    /// A pointer already written out, such as `"/process/args"`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The member `name` of this object; `~` and `/` are escaped.
    #[must_use]
    pub fn key(&self, name: &str) -> Self {
        let mut text = self.longer(name.len());
        if name.contains(['~', '/']) {
            text.push_str(&name.replace('~', "~0").replace('/', "~1"));
        } else {
            text.push_str(name);
        }
        Self(text)
    }

    /// The element `index` of this array.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        const MOST_DIGITS: usize = 20;
        let (mut digits, mut rest) = ([b'0'; MOST_DIGITS], index);
        let mut first = MOST_DIGITS;
        loop {
            first = first.saturating_sub(1);
            if let (Some(place), Ok(digit)) = (digits.get_mut(first), u8::try_from(rest % 10)) {
                *place = b'0'.saturating_add(digit);
            }
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let mut text = self.longer(MOST_DIGITS);
        text.extend(digits.iter().skip(first).map(|b| char::from(*b)));
        Self(text)
    }

    /// The text with a slash behind it and room for `more` bytes: a plan makes hundreds of pointers, and
    /// formatting them would cost more than all else that it does.
    fn longer(&self, more: usize) -> String {
        let mut text = String::with_capacity(self.0.len().saturating_add(more).saturating_add(1));
        text.push_str(&self.0);
        text.push('/');
        text
    }

    /// The pointer's text; empty for the whole document.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One reason why a document cannot be obeyed.
///
/// ```
/// use cofferdam_oci::{Pointer, Reject};
/// let r = Reject::new(Pointer::new("/process/cwd"), "\"x\" is not an absolute path")
///     .hint("start it with /");
/// assert_eq!(r.to_string(), "/process/cwd: \"x\" is not an absolute path (hint: start it with /)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Where in the document.
    pub pointer: Pointer,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
    /// Whether it is this host that lacks something (as opposed to a mistake in the document).
    pub host: bool,
}

impl Reject {
    /// A mistake in the document.
    #[must_use]
    pub fn new(pointer: Pointer, message: impl Into<String>) -> Self {
        Self { pointer, message: message.into(), hint: None, host: false }
    }

    /// Something that this host lacks.
    #[must_use]
    pub fn host(pointer: Pointer, message: impl Into<String>) -> Self {
        Self { pointer, message: message.into(), hint: None, host: true }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.pointer.as_str().is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

//! Parameters of a file system, out of the text that mount(2) would get in one piece.
//!
//! Called by `mount_options`. fsconfig(2) takes them one by one, mount(2) separated by commas: one option
//! of the document may hold several. See vfs_parse_monolithic_sep in the kernel.

use crate::FsParam;

/// SELinux contexts are quoted, since the categories of a label are separated by commas too.
const QUOTED: [&str; 4] = ["context", "fscontext", "defcontext", "rootcontext"];

impl FsParam {
    /// A flag.
    ///
    /// ```
    /// assert!(cofferdam_plan::FsParam::flag("ro").value.is_none());
    /// ```
    #[must_use]
    pub fn flag(key: impl Into<String>) -> Self {
        Self { key: key.into(), value: None }
    }

    /// A key with a value.
    ///
    /// ```
    /// let p = cofferdam_plan::FsParam::text("mode", "755");
    /// assert_eq!(p.value.as_deref(), Some("755"));
    /// ```
    #[must_use]
    pub fn text(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: Some(value.into()) }
    }
}

/// The parameters of one option.
pub(crate) fn read(option: &str) -> Vec<FsParam> {
    split(option)
        .into_iter()
        .map(|piece| match piece.split_once('=') {
            Some((key, value)) if QUOTED.contains(&key) => FsParam::text(key, value.trim_matches('"')),
            Some((key, value)) => FsParam::text(key, value),
            None => FsParam::flag(piece),
        })
        .collect()
}

/// Splits at commas that are neither quoted nor behind a backslash (overlayfs); empty pieces go.
fn split(option: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (i, c) in option.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                pieces.extend(option.get(start..i));
                start = i + 1;
            }
            _ => {}
        }
    }
    pieces.extend(option.get(start..));
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_separate_unless_quoted_or_escaped() {
        assert_eq!(split("a=1,,b"), ["a=1", "b"]);
        assert_eq!(split(r"upperdir=/a\,b,workdir=/w"), [r"upperdir=/a\,b", "workdir=/w"]);
        assert_eq!(
            read(r#"context="u:r:t:s0:c1,c2",size=1"#),
            [FsParam::text("context", "u:r:t:s0:c1,c2"), FsParam::text("size", "1")]
        );
    }

    #[test]
    fn an_empty_option_is_no_parameter() {
        assert!(read("").is_empty());
        assert_eq!(read("key="), [FsParam::text("key", "")]);
    }
}

//! Every file begins by saying what it is. Called by `main`.

use crate::source::Source;

/// Files whose first line is no `//!`.
pub(crate) fn check(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| format!("{}:1: the first line is no `//!` that says what the file is", source.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> usize {
        check(&[Source::parse("a.rs".into(), text.into()).unwrap()]).len()
    }

    #[test]
    fn a_file_without_a_header_is_found() {
        assert_eq!(findings("//! What it is.\nfn f() {}\n"), 0);
        assert_eq!(findings("fn f() {}\n"), 1);
        assert_eq!(findings("// What it is.\nfn f() {}\n"), 1);
    }
}

//! `unsafe` lives in two rooms only. Called by `main`.
//!
//! The lint `unsafe_code = "forbid"` says so per crate; this says it for the tree, so that a crate
//! cannot leave the workspace's lint table without being seen.

use proc_macro2::{TokenStream, TokenTree};

use crate::source::Source;

const ROOMS: &[&str] = &["crates/sys/", "crates/child/"];

/// Every `unsafe` outside the rooms.
pub(crate) fn check(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|s| !ROOMS.iter().any(|room| s.path.starts_with(room))) {
        for line in lines(source.tokens.clone()) {
            findings.push(format!("{}:{line}: `unsafe` outside crates/sys and crates/child", source.path));
        }
    }
    findings
}

/// Tokens, not syntax: macros are looked into as well, comments and strings are not.
fn lines(tokens: TokenStream) -> Vec<usize> {
    tokens
        .into_iter()
        .flat_map(|tree| match tree {
            TokenTree::Group(group) => lines(group.stream()),
            TokenTree::Ident(word) if word == "unsafe" => vec![word.span().start().line],
            _ => Vec::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(&[Source::parse(path.into(), text.into()).unwrap()])
    }

    #[test]
    fn unsafe_is_found_wherever_it_is_code() {
        let text = "fn f() {\n m!(unsafe { g() });\n}\nunsafe fn h() {}\n";
        let found = findings("crates/plan/src/a.rs", text);
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("crates/plan/src/a.rs:2: "), "{found:?}");
        assert!(findings("crates/sys/src/a.rs", text).is_empty());
    }

    #[test]
    fn the_word_unsafe_in_text_is_no_code() {
        assert!(findings("a.rs", "// unsafe\n/// unsafe\nconst A: &str = \"unsafe\";\n").is_empty());
    }
}

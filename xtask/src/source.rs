//! Every Rust file of the workspace, parsed once. Called by `main`; the other checks only look at it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Directories of the workspace that hold Rust sources.
const PLACES: &[&str] = &["crates", "manual", "xtask", "benches", "tests", "examples", "fuzz"];

/// One parsed file.
pub(crate) struct Source {
    /// Path from the root of the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) file: syn::File,
    pub(crate) tokens: TokenStream,
}

/// Reads and parses all of them.
pub(crate) fn all(root: &Path) -> Result<Vec<Source>, String> {
    let mut paths = Vec::new();
    for place in PLACES {
        find(&root.join(place), &mut paths)?;
    }
    paths.sort();
    paths.iter().map(|path| read(root, path)).collect()
}

fn find(dir: &Path, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries {
        let path = entry.map_err(|e| format!("{}: {e}", dir.display()))?.path();
        if path.is_dir() && !path.ends_with("target") {
            find(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

fn read(root: &Path, path: &Path) -> Result<Source, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    Source::parse(name, text)
}

impl Source {
    /// Parses the text of one file.
    pub(crate) fn parse(path: String, text: String) -> Result<Source, String> {
        let at = |e: &syn::Error| format!("{path}:{}: {e}", e.span().start().line);
        let file = syn::parse_file(&text).map_err(|e| at(&e))?;
        let tokens = syn::parse_str::<TokenStream>(&text).map_err(|e| at(&e))?;
        Ok(Source { path, text, file, tokens })
    }
}

/// The lines that carry code: everything but blank lines, comments and documentation.
pub(crate) fn code_lines(tokens: TokenStream) -> BTreeSet<usize> {
    let mut lines = BTreeSet::new();
    collect(tokens, &mut lines);
    lines
}

fn collect(tokens: TokenStream, lines: &mut BTreeSet<usize>) {
    let mut trees = tokens.into_iter();
    while let Some(tree) = trees.next() {
        let skipped = if is_punct(&tree, '#') { doc_length(trees.clone()) } else { 0 };
        if skipped > 0 {
            trees.nth(skipped - 1);
            continue;
        }
        match tree {
            TokenTree::Group(group) => {
                lines.insert(group.span_open().start().line);
                lines.insert(group.span_close().end().line);
                collect(group.stream(), lines);
            }
            other => lines.extend(other.span().start().line..=other.span().end().line),
        }
    }
}

/// How many trees after a `#` are `[doc …]` or `![doc …]`, which is how `///` and `//!` arrive here.
fn doc_length(mut after: impl Iterator<Item = TokenTree>) -> usize {
    let mut length = 1;
    let mut tree = after.next();
    if tree.as_ref().is_some_and(|t| is_punct(t, '!')) {
        length = 2;
        tree = after.next();
    }
    let Some(TokenTree::Group(group)) = tree else { return 0 };
    let first = group.stream().into_iter().next();
    let is_doc = matches!(first, Some(TokenTree::Ident(word)) if word == "doc");
    if is_doc && group.delimiter() == Delimiter::Bracket { length } else { 0 }
}

fn is_punct(tree: &TokenTree, c: char) -> bool {
    matches!(tree, TokenTree::Punct(p) if p.as_char() == c)
}

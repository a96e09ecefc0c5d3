//! Small rooms: no file and no function larger than one can look over. Called by `main`.

use std::collections::HashSet;

use proc_macro2::Span;
use syn::visit::{self, Visit};

use crate::allow;
use crate::source::{Source, code_lines};

/// Lines of code that a file may have, without the tests at its end.
pub(crate) const FILE_LINES: usize = 400;
/// Lines that a function may have, from `fn` to its closing brace: a screen.
pub(crate) const FUNCTION_LINES: usize = 60;

/// Files and functions over the limits, and rows of the allow list that allow nothing.
pub(crate) fn check(sources: &[Source]) -> Vec<String> {
    let mut used = HashSet::new();
    let mut findings = too_large(sources, &mut used);
    let files = allow::FILES.iter().map(|(path, _)| ((*path).to_owned(), String::new()));
    let functions = allow::FUNCTIONS.iter().map(|(path, name, _)| ((*path).to_owned(), (*name).to_owned()));
    for row in files.chain(functions).filter(|row| !used.contains(row)) {
        findings.push(format!("xtask/src/allow.rs: the row {} {} allows nothing", row.0, row.1));
    }
    findings
}

fn too_large(sources: &[Source], used: &mut HashSet<(String, String)>) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        findings.extend(file(source, used));
        findings.extend(functions(source, used));
    }
    findings
}

fn file(source: &Source, used: &mut HashSet<(String, String)>) -> Option<String> {
    let mut lines = code_lines(source.tokens.clone());
    if let Some(tests) = source.file.items.last().and_then(tests_begin) {
        lines = lines.range(..tests).copied().collect();
    }
    if lines.len() <= FILE_LINES {
        return None;
    }
    if allow::FILES.iter().any(|(path, _)| *path == source.path) {
        used.insert((source.path.clone(), String::new()));
        return None;
    }
    Some(format!("{}: {} lines of code; at most {FILE_LINES}", source.path, lines.len()))
}

/// The line where `#[cfg(test)] mod tests { … }` begins, if the item is that.
fn tests_begin(item: &syn::Item) -> Option<usize> {
    let syn::Item::Mod(module) = item else { return None };
    let is_cfg_test = |a: &&syn::Attribute| {
        a.path().is_ident("cfg") && a.parse_args::<syn::Path>().is_ok_and(|inner| inner.is_ident("test"))
    };
    module.attrs.iter().find(is_cfg_test).map(|a| a.pound_token.span.start().line)
}

fn functions(source: &Source, used: &mut HashSet<(String, String)>) -> Vec<String> {
    let mut long = LongFunctions::default();
    long.visit_file(&source.file);
    let mut findings = Vec::new();
    for (name, line, lines) in long.found {
        if allow::FUNCTIONS.iter().any(|(path, allowed, _)| *path == source.path && *allowed == name) {
            used.insert((source.path.clone(), name));
        } else {
            let path = &source.path;
            findings.push(format!("{path}:{line}: fn {name} has {lines} lines; at most {FUNCTION_LINES}"));
        }
    }
    findings
}

/// Name, line and number of lines of every function that is too long.
#[derive(Default)]
struct LongFunctions {
    found: Vec<(String, usize, usize)>,
}

impl LongFunctions {
    fn measure(&mut self, signature: &syn::Signature, end: Span) {
        let first = signature.fn_token.span.start().line;
        let lines = end.end().line.saturating_sub(first) + 1;
        if lines > FUNCTION_LINES {
            self.found.push((signature.ident.to_string(), first, lines));
        }
    }
}

impl<'ast> Visit<'ast> for LongFunctions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, function.block.brace_token.span.close());
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, function.block.brace_token.span.close());
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig, block.brace_token.span.close());
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: String) -> Vec<String> {
        too_large(&[Source::parse("a.rs".into(), text).unwrap()], &mut HashSet::new())
    }

    #[test]
    fn a_function_of_sixty_one_lines_is_found() {
        let function = |lines: usize| format!("fn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2));
        assert!(findings(function(60)).is_empty());
        assert_eq!(findings(function(61)), ["a.rs:1: fn f has 61 lines; at most 60"]);
    }

    #[test]
    fn a_method_counts_from_its_signature_not_from_its_documentation() {
        let text = format!("struct S;\nimpl S {{\n{}fn f() {{\n}}\n}}\n", "/// A line.\n".repeat(70));
        assert!(findings(text).is_empty());
    }

    #[test]
    fn comments_blank_lines_and_the_tests_at_the_end_are_no_lines_of_code() {
        let code = "const A: u8 = 1;\n".repeat(400);
        let rest = "\n// a comment\n/// documentation\n/* more\n of it */\n#[doc = \"text\"]\n";
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "const B: u8 = 1;\n".repeat(100));
        assert!(findings(format!("//! What it is.\n{code}{rest}{tests}")).is_empty());
        assert_eq!(findings(format!("{code}const C: u8 = 1;\n")), ["a.rs: 401 lines of code; at most 400"]);
    }

    #[test]
    fn a_row_that_allows_nothing_is_found() {
        assert_eq!(check(&[]).len(), allow::FILES.len() + allow::FUNCTIONS.len());
    }

    #[test]
    fn every_line_of_a_long_text_is_a_line_of_code() {
        let text = format!("const A: &str = \"{}\";\n", "line\n".repeat(400));
        assert_eq!(findings(text).len(), 1);
    }
}

//! Whoever reads the documentation finds an example. Called by `main`.
//!
//! Every public type, trait and function of a library has one: in its own documentation or that of its
//! methods, or it is named by an example on something else in its file. Whether an example compiles is for
//! `cargo test --doc`.

use syn::{Attribute, ImplItem, Item, Visibility};

use crate::source::Source;

/// Public items without an example.
pub(crate) fn check(sources: &[Source]) -> Vec<String> {
    sources.iter().filter(|source| is_library(&source.path)).flat_map(missing).collect()
}

/// The packages of programs, whose items are nobody's to use.
const PROGRAMS: &[&str] = &["crates/agent/", "crates/cli/"];

fn is_library(path: &str) -> bool {
    path.starts_with("crates/")
        && path.contains("/src/")
        && !PROGRAMS.iter().any(|program| path.starts_with(program))
}

fn missing(source: &Source) -> Vec<String> {
    let mut seen = Seen::default();
    seen.text.push_str(&examples(&source.file.attrs));
    seen.items(&source.file.items);
    let lacks = |item: &&Public| !item.has && !names(&seen.text, &item.name);
    let tell = |item: &Public| {
        format!("{}:{}: {} has no example, and none in its file names it", source.path, item.line, item.name)
    };
    seen.public.iter().filter(lacks).map(tell).collect()
}

/// What a file shows.
#[derive(Default)]
struct Seen {
    /// The text of all examples.
    text: String,
    public: Vec<Public>,
}

struct Public {
    name: String,
    line: usize,
    has: bool,
}

impl Seen {
    fn items(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Fn(i) => self.item(&i.vis, &i.sig.ident, &i.attrs),
                Item::Struct(i) => self.item(&i.vis, &i.ident, &i.attrs),
                Item::Enum(i) => self.item(&i.vis, &i.ident, &i.attrs),
                Item::Union(i) => self.item(&i.vis, &i.ident, &i.attrs),
                Item::Trait(i) => self.item(&i.vis, &i.ident, &i.attrs),
                Item::Mod(i) => self.items(i.content.as_ref().map_or(&[], |(_, items)| items.as_slice())),
                _ => {}
            }
        }
        for item in items {
            if let Item::Impl(block) = item {
                self.methods(block);
            }
        }
    }

    fn item(&mut self, vis: &Visibility, name: &syn::Ident, attrs: &[Attribute]) {
        let example = examples(attrs);
        if matches!(vis, Visibility::Public(_)) && !attrs.iter().any(is_hidden) {
            let (has, line) = (!example.is_empty(), name.span().start().line);
            self.public.push(Public { name: name.to_string(), line, has });
        }
        self.text.push_str(&example);
    }

    /// An example on a method shows its type.
    fn methods(&mut self, block: &syn::ItemImpl) {
        let syn::Type::Path(of) = &*block.self_ty else { return };
        let Some(of) = of.path.segments.last().map(|s| s.ident.to_string()) else { return };
        for item in &block.items {
            let ImplItem::Fn(method) = item else { continue };
            let example = examples(&method.attrs);
            if !example.is_empty() {
                self.public.iter_mut().filter(|p| p.name == of).for_each(|p| p.has = true);
            }
            self.text.push_str(&example);
        }
    }
}

/// The text between the fences of an item's documentation.
fn examples(attrs: &[Attribute]) -> String {
    let mut fence = None;
    let mut text = String::new();
    for line in attrs.iter().filter_map(documentation) {
        let trimmed = line.trim_start();
        match (trimmed.strip_prefix("```"), fence) {
            (Some(_), Some(_)) => fence = None,
            (Some(kind), None) => fence = Some(kind.trim() != "text"),
            (None, Some(true)) => {
                text.push_str(trimmed);
                text.push('\n');
            }
            (None, _) => {}
        }
    }
    text
}

/// `#[doc(hidden)]`
fn is_hidden(attr: &Attribute) -> bool {
    attr.path().is_ident("doc") && attr.parse_args::<syn::Path>().is_ok_and(|p| p.is_ident("hidden"))
}

fn documentation(attr: &Attribute) -> Option<String> {
    let syn::Meta::NameValue(doc) = &attr.meta else { return None };
    let syn::Expr::Lit(value) = &doc.value else { return None };
    match &value.lit {
        syn::Lit::Str(text) if attr.path().is_ident("doc") => Some(text.value()),
        _ => None,
    }
}

/// Whether the text has this word.
fn names(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        check(&[Source::parse("crates/a/src/b.rs".into(), text.into()).unwrap()])
    }

    #[test]
    fn a_public_item_without_an_example_is_found() {
        let found = findings("/// Docs.\npub fn f() {}\npub(crate) fn g() {}\nfn h() {}\n");
        assert_eq!(found, ["crates/a/src/b.rs:2: f has no example, and none in its file names it"]);
        assert!(findings("#[doc(hidden)]\npub fn f() {}\n").is_empty());
        assert!(findings("/// ```\n/// assert!(true);\n/// ```\npub fn f() {}\n").is_empty());
    }

    #[test]
    fn an_example_shows_the_items_that_it_names() {
        assert!(findings("//! ```\n//! b::f();\n//! ```\npub fn f() {}\n").is_empty());
        assert_eq!(findings("//! ```\n//! b::ff();\n//! ```\npub fn f() {}\n").len(), 1);
        assert_eq!(findings("//! ```text\n//! f\n//! ```\n//! f\npub fn f() {}\n").len(), 1);
        assert_eq!(findings("//! The function f.\npub fn f() {}\n").len(), 1);
    }

    #[test]
    fn an_example_on_a_method_shows_the_type() {
        let method = "/// ```\n/// x();\n/// ```\npub fn m() {}";
        assert!(findings(&format!("pub struct S;\nimpl S {{ {method} }}\n")).is_empty());
        assert_eq!(findings(&format!("pub struct S;\nimpl T {{ {method} }}\n")).len(), 1);
    }

    #[test]
    fn programs_and_tests_need_none() {
        for path in ["crates/cli/src/a.rs", "crates/a/tests/b.rs", "xtask/src/a.rs"] {
            assert!(check(&[Source::parse(path.into(), "pub fn f() {}\n".into()).unwrap()]).is_empty());
        }
    }
}

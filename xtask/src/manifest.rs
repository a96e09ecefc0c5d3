//! What a crate needs before it may be published. Called by `main`.

use std::path::Path;

use serde_json::Value;

use crate::edges::{members, word};

/// Fields of the manifest that a registry, or whoever looks for a crate, reads.
const WORDS: &[&str] = &["description", "license", "repository", "rust_version"];
const LISTS: &[&str] = &["keywords", "categories"];
/// Files beside it that go into the package: the licence asks for its own text.
const FILES: &[&str] = &["README.md", "LICENSE"];

/// Everything that a crate lacks; one that says `publish = false` lacks nothing.
pub(crate) fn check(metadata: &Value) -> Vec<String> {
    members(metadata, "packages").iter().flat_map(lacks).collect()
}

fn lacks(package: &Value) -> Vec<String> {
    // `publish = false` arrives as an empty list of registries.
    if package.get("publish").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        return Vec::new();
    }
    let manifest = Path::new(word(package, "manifest_path"));
    let words = WORDS.iter().filter(|key| word(package, key).is_empty());
    let lists = LISTS.iter().filter(|key| members(package, key).is_empty());
    let files = FILES.iter().filter(|name| !manifest.with_file_name(name).is_file());
    let name = word(package, "name");
    words
        .chain(lists)
        .chain(files)
        .map(|what| format!("{name}: has no {what}, so it cannot be published"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn findings(publish: &Value, keywords: &[&str]) -> Vec<String> {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/oci/Cargo.toml");
        let package = json!({
            "name": "a", "manifest_path": manifest, "publish": publish, "description": "d", "license": "l",
            "repository": "r", "rust_version": "1.0", "keywords": keywords, "categories": ["c"],
        });
        check(&json!({ "packages": [package] }))
    }

    #[test]
    fn what_a_published_crate_lacks_is_found() {
        assert_eq!(findings(&Value::Null, &[]), ["a: has no keywords, so it cannot be published"]);
        assert!(findings(&Value::Null, &["k"]).is_empty());
    }

    #[test]
    fn what_is_not_published_lacks_nothing() {
        assert!(findings(&json!([]), &[]).is_empty());
    }
}

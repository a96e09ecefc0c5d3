//! The properties of the specification's JSON schemas as a list of paths. Called by the coverage test.
//!
//! A path is a JSON pointer in which `*` stands for any element or name; `=VALUE` at its end is one value of an
//! enumeration.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// Objects of other operating systems: one path each, not followed.
const ELSEWHERE: &[&str] = &["/solaris", "/windows", "/vm", "/zos", "/freebsd"];

/// Every path of the document that this schema file describes, behind a prefix.
///
/// # Panics
/// When a schema is missing or refers to something that does not exist.
pub fn of(dir: &Path, file: &str, prefix: &str) -> BTreeSet<String> {
    let mut walk = Walk { dir, paths: BTreeSet::new() };
    walk.schema(&load(dir, file), file, prefix);
    walk.paths
}

struct Walk<'a> {
    dir: &'a Path,
    paths: BTreeSet<String>,
}

impl Walk<'_> {
    fn schema(&mut self, schema: &Value, file: &str, path: &str) {
        if let Some(reference) = schema["$ref"].as_str() {
            let (other, pointer) = reference.split_once('#').expect("a reference with a fragment");
            let other = if other.is_empty() { file } else { other };
            let pointer = format!("/{}", pointer.trim_start_matches('/'));
            let document = load(self.dir, other);
            let target = document.pointer(&pointer).unwrap_or_else(|| panic!("{reference} in {file}"));
            self.schema(target, other, path);
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}/{name}");
            self.paths.insert(path.clone());
            if !ELSEWHERE.contains(&path.as_str()) {
                self.schema(property, file, &path);
            }
        }
        for alternative in ["allOf", "anyOf", "oneOf"] {
            for part in schema[alternative].as_array().into_iter().flatten() {
                self.schema(part, file, path);
            }
        }
        for inner in ["items", "additionalProperties"] {
            if schema[inner].is_object() {
                self.schema(&schema[inner], file, &format!("{path}/*"));
            }
        }
        for value in schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            self.paths.insert(format!("{path}={value}"));
        }
    }
}

fn load(dir: &Path, file: &str) -> Value {
    let path = dir.join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

//! The child program has no heap and cannot panic: read from the symbols of its ELF file.
//!
//! Called by `main`. It needs a file that is not stripped: without symbols there is nothing to see,
//! and that is an error, not a pass.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object, ObjectSymbol};
use serde_json::Value;

/// Beginnings of names, demangled, that a heap-free program which cannot panic never holds.
const FORBIDDEN: &[&str] = &[
    "__rust_alloc",
    "__rust_realloc",
    "__rust_dealloc",
    "__rustc::__rust_",
    "alloc::",
    "<alloc::",
    "core::panicking",
    "core::panic::",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "core::result::unwrap_failed",
    "core::slice::index::slice_",
    "std::",
    "malloc",
    "calloc",
    "realloc",
    "free",
];

/// The child that the library's build script makes, before it is stripped.
pub(crate) fn built(root: &Path) -> Result<PathBuf, String> {
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--package=cofferdam", "--message-format=json"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo check: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo check: {}", String::from_utf8_lossy(&output.stderr).trim_end()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    out_dir(&text)
        .map(|dir| Path::new(&dir).join("cofferdam-child"))
        .ok_or_else(|| "no build script of the package cofferdam ran".to_owned())
}

/// The output directory of the library's build script, from cargo's messages.
fn out_dir(messages: &str) -> Option<String> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_ours = |m: &Value| {
        let of = |key: &str| m.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        of("reason") == "build-script-executed" && of("package_id").contains("/crates/cofferdam#")
    };
    messages.filter(is_ours).find_map(|m| Some(m.get("out_dir")?.as_str()?.to_owned()))
}

/// Findings about one ELF file.
pub(crate) fn check(path: &Path) -> Result<Vec<String>, String> {
    let at = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let bytes = fs::read(path).map_err(|e| at(&e))?;
    let elf = object::File::parse(&*bytes).map_err(|e| at(&e))?;
    let mut names = Vec::new();
    let mut findings = Vec::new();
    for symbol in elf.symbols().chain(elf.dynamic_symbols()) {
        let name = symbol.name().map_err(|e| at(&e))?;
        if name.is_empty() {
            continue;
        }
        if symbol.is_undefined() && !symbol.is_weak() {
            findings.push(at(&format!("needs `{name}` from elsewhere")));
        }
        names.push(format!("{:#}", rustc_demangle::demangle(name)));
    }
    if names.is_empty() {
        return Err(at(&"no symbols: build it without stripping"));
    }
    findings
        .extend(names.iter().filter(|name| is_forbidden(name)).map(|name| at(&format!("holds `{name}`"))));
    Ok(findings)
}

fn is_forbidden(name: &str) -> bool {
    let is_c = |word: &&str| !word.contains([':', '_']);
    FORBIDDEN.iter().any(|word| if is_c(word) { name == *word } else { name.starts_with(word) })
        || name.contains("panic_fmt")
        || name.ends_with("rust_begin_unwind")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocators_and_panics_are_forbidden_by_their_demangled_names() {
        for name in ["__rust_alloc", "alloc::vec::Vec<T>::push", "core::panicking::panic_fmt", "malloc"] {
            assert!(is_forbidden(name), "{name}");
        }
        for name in ["_start", "cofferdam_child::ops::mount", "memcpy", "core::str::from_utf8", "free_slot"] {
            assert!(!is_forbidden(name), "{name}");
        }
    }

    #[test]
    fn this_very_program_has_a_heap_and_can_panic() {
        let found = check(&std::env::current_exe().unwrap()).unwrap();
        assert!(found.iter().any(|f| f.contains("panicking")), "{found:?}");
        assert!(found.iter().any(|f| f.contains("alloc::")), "{found:?}");
    }

    #[test]
    fn the_directory_of_the_child_is_that_of_the_librarys_own_build_script() {
        let message = |name: &str| {
            let id = format!("path+file:///w/crates/{name}#0.1.0");
            format!(r#"{{"reason":"build-script-executed","package_id":"{id}","out_dir":"/o/{name}"}}"#)
        };
        let all = format!("{}\n{}\n", message("sys"), message("cofferdam"));
        assert_eq!(out_dir(&all).as_deref(), Some("/o/cofferdam"));
        assert_eq!(out_dir(&message("sys")), None);
    }

    #[test]
    fn a_file_that_is_no_elf_is_an_error() {
        assert!(check(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))).is_err());
    }
}

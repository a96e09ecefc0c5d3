//! `cargo xtask`: the checks of this workspace that no lint does.
//!
//! Called by people and by `.ci/run`. It reads the tree and prints what it finds; it may not change it.

#![allow(clippy::print_stdout, clippy::print_stderr)] // printing findings is what this program is for

mod allow;
mod child_symbols;
mod edges;
mod examples;
mod header;
mod manifest;
mod rooms;
mod size;
mod source;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask check | cargo xtask child-symbols [ELF]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let findings = match words.as_slice() {
        ["check"] => check(),
        ["child-symbols"] => child_symbols::built(&root()).and_then(|elf| child_symbols::check(&elf)),
        ["child-symbols", elf] => child_symbols::check(Path::new(elf)),
        _ => Err(USAGE.to_owned()),
    };
    match findings {
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            for finding in &findings {
                println!("{finding}");
            }
            eprintln!("{} findings", findings.len());
            ExitCode::FAILURE
        }
    }
}

/// Every check of the tree: all findings of all of them, so that one run shows everything.
fn check() -> Result<Vec<String>, String> {
    let sources = source::all(&root())?;
    let metadata = edges::metadata(&root())?;
    let mut findings = edges::check(&metadata);
    findings.extend(manifest::check(&metadata));
    findings.extend(examples::check(&sources));
    findings.extend(header::check(&sources));
    findings.extend(rooms::check(&sources));
    findings.extend(size::check(&sources));
    println!("{} source files checked", sources.len());
    Ok(findings)
}

/// The root of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

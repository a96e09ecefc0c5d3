//! Builds the child program: `sys` and `child` once more, static, without a C library, and stripped.
//!
//! Plain rustc calls of the same toolchain: no registry and no network, wherever this crate is built.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    let sys = PathBuf::from(variable("DEP_COFFERDAM_SYS_SRC"));
    let child = PathBuf::from(variable("DEP_COFFERDAM_CHILD_DIR"));
    let out = PathBuf::from(variable("OUT_DIR"));
    println!("cargo::rerun-if-changed={}", sys.display());
    println!("cargo::rerun-if-changed={}", child.join("src").display());
    println!("cargo::rerun-if-changed={}", child.join("program").display());

    let sys_lib = library("cofferdam_sys", &sys.join("lib.rs"), &[], &out);
    let child_lib =
        library("cofferdam_child", &child.join("src/lib.rs"), &[("cofferdam_sys", &sys_lib)], &out);
    let program = out.join("cofferdam-child");
    let mut link = rustc("cofferdam_init", "bin", &child.join("program/main.rs"), &out);
    link.args(["-C", "lto=fat", "-C", "relocation-model=static", "-C", "target-feature=+crt-static"]);
    link.args(["-C", "link-arg=-nostartfiles", "-C", "link-arg=-nostdlib", "-C", "link-arg=-static"]);
    link.args(["-C", "link-arg=-Wl,-z,noexecstack,--build-id=none,-z,max-page-size=4096"]);
    link.arg("--extern").arg(format!("cofferdam_sys={}", sys_lib.display()));
    link.arg("--extern").arg(format!("cofferdam_child={}", child_lib.display()));
    run(link.arg("-o").arg(&program));

    let stripped = out.join("cofferdam-child.stripped");
    let strip = Command::new("strip").arg("-o").arg(&stripped).arg(&program).status();
    if !strip.is_ok_and(|s| s.success()) {
        fs::copy(&program, &stripped).unwrap_or_else(|e| fail(&format!("cannot copy the child: {e}")));
    }
    println!("cargo::rustc-env=COFFERDAM_CHILD={}", stripped.display());
    println!("cargo::metadata=child={}", program.display());
}

fn library(name: &str, source: &Path, dependencies: &[(&str, &Path)], out: &Path) -> PathBuf {
    let file = out.join(format!("lib{name}.rlib"));
    let mut command = rustc(name, "rlib", source, out);
    for (dependency, path) in dependencies {
        command.arg("--extern").arg(format!("{dependency}={}", path.display()));
    }
    run(command.arg("-o").arg(&file));
    file
}

fn rustc(name: &str, kind: &str, source: &Path, out: &Path) -> Command {
    let mut command = Command::new(variable("RUSTC"));
    command.args(["--crate-name", name, "--crate-type", kind, "--edition", "2024", "--target"]);
    command.arg(variable("TARGET"));
    command.args([
        "-C",
        "opt-level=s",
        "-C",
        "panic=abort",
        "-C",
        "overflow-checks=off",
        "-C",
        "debug-assertions=off",
    ]);
    command.args(["-C", "codegen-units=1", "-C", "embed-bitcode=yes", "--cap-lints", "allow"]);
    command.arg("-L").arg(out).arg(source);
    // What the caller sets for its own code (coverage, sanitizers) has no place in the child.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

fn run(command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("{command:?}: {status}")),
        Err(e) => fail(&format!("{command:?}: {e}")),
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("cargo did not set {name}")))
}

#[allow(clippy::panic, reason = "a build script has no other way to fail")]
fn fail(message: &str) -> ! {
    panic!("{message}")
}

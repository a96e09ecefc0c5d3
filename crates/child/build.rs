//! Tells the library's build script where these sources are: it compiles them again as a program.

fn main() {
    println!("cargo::metadata=dir={}", std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=program");
}

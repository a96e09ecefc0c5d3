//! Tells the library's build script where these sources are: it compiles them again for the child.

fn main() {
    println!("cargo::metadata=src={}/src", std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo::rerun-if-changed=src");
}

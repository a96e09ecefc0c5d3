//! Documents that engines wrote. A test that runs one gives it what the engine had made: a root filesystem, the
//! files that are bound into it, a cgroup. Nothing else of it is changed.

use std::fs;
use std::path::{Path, PathBuf};

use cofferdam_tests::{Bundle, Test, Value};

/// Where the documents are.
pub(crate) fn directory(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(kind)
}

/// Names of all documents, without `.json`.
pub(crate) fn names() -> Vec<String> {
    let entries = fs::read_dir(directory("bundles")).expect("documents");
    let name = |e: std::io::Result<fs::DirEntry>| {
        e.expect("entry").path().file_stem().expect("a name").to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

/// One document.
pub(crate) fn read(name: &str) -> Value {
    let path = directory("bundles").join(name).with_extension("json");
    let text = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The bundle of a document, with what the engine would have made for it.
pub(crate) fn bundle<'t>(t: &'t Test, name: &str) -> Bundle<'t> {
    let mut b = t.bundle();
    b.config = read(name);
    let (root, id) = (b.rootfs().display().to_string(), b.id.clone());
    b.set("/root/path", root.clone()).set("/linux/cgroupsPath", format!("/{id}"));
    if let Some(first) = b.config.pointer("/linux/uidMappings/0/hostID").and_then(Value::as_u64) {
        t.host(&format!("chown -h {first}:{first} {root} {root}/*"));
    }
    let dir = b.dir.clone();
    for (n, mount) in b.config["mounts"].as_array_mut().into_iter().flatten().enumerate() {
        if mount["type"] == "bind" && mount["source"].as_str().is_some_and(|s| !Path::new(s).exists()) {
            mount["source"] = source(&dir, n, mount["destination"] == "/dev/shm").into();
        }
    }
    for namespace in b.config["linux"]["namespaces"].as_array_mut().into_iter().flatten() {
        if let Some(object) = namespace.as_object_mut() {
            object.remove("path");
        }
    }
    if let Some(document) = b.config.as_object_mut() {
        // Docker's hook is Docker itself.
        document.remove("hooks");
    }
    b
}

fn source(dir: &Path, n: usize, is_directory: bool) -> String {
    let path = dir.join(format!("source{n}"));
    if is_directory {
        fs::create_dir(&path).expect("directory to bind");
    } else {
        fs::write(&path, "bound\n").expect("file to bind");
    }
    path.display().to_string()
}

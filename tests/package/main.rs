//! The Debian package: built by one command, twice the same, without a complaint of lintian's, and installed, used and
//! removed on a copy of the host that is the test's alone (`inside.sh`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cofferdam_tests::{Check, Test, facts};

/// What is installed beside the runtime.
const BESIDE: [&str; 2] = ["cofferdam-agent", "cofferdam-nsinit"];

/// Whether there is such a program on this host.
fn has(program: &str) -> bool {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].iter().any(|dir| Path::new(dir).join(program).exists())
}

/// The package with the binaries under test, in the directory of the test.
fn built(t: &Test, name: &str) -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/package-deb");
    let mut command = Command::new(script);
    command.arg(t.runtime.path.parent().expect("directory of the binary"));
    let printed = said(command.env("SOURCE_DATE_EPOCH", "1767312000"));
    let package = t.dir.join(name);
    fs::copy(printed.trim_end(), &package).expect("the package");
    package
}

/// What a command prints that may take its time and must succeed.
fn said(command: &mut Command) -> String {
    let output = command.output().expect("a command");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Whether it names an interpreter, which stands before its code.
fn is_dynamic(program: &Path) -> bool {
    fs::read(program).expect("a program")[..4096].windows(8).any(|bytes| bytes == b"ld-linux")
}

fn can_be_built(t: &Test) -> Check {
    t.need(t.runtime.name == "cofferdam", "it is cofferdam's package")?;
    for program in ["dpkg-deb", "dpkg", "jq", "strip", "man"] {
        t.need(has(program), &format!("{program} is not installed"))?;
    }
    for program in BESIDE {
        let here = t.runtime.path.with_file_name(program);
        t.need(here.exists(), &format!("{} is not built", here.display()))?;
    }
    Ok(())
}

/// Installs, uses and removes it where nobody else looks; what was seen.
fn lived(t: &Test, package: &Path) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/package/inside.sh");
    let mut command = Command::new("unshare");
    said(command.args(["--mount", "--propagation", "private", "sh", script]).arg(&t.dir).arg(package))
}

facts! {
    fn the_debian_package_is_the_same_each_time_and_is_installed_used_and_removed(t) {
        can_be_built(t)?;
        let package = built(t, "cofferdam_0_amd64.deb");
        let again = built(t, "again.deb");
        assert!(fs::read(&package).unwrap() == fs::read(&again).unwrap(), "two builds differ");

        let before = fs::read("/var/lib/dpkg/status").expect("dpkg's database");
        let seen = lived(t, &package);
        t.need(seen.trim_end() != "no overlay", "overlayfs cannot be put over the root here")?;
        let installed = format!("installed installed {}", env!("CARGO_PKG_VERSION"));
        let expected = [
            installed.as_str(), "ran from inside", "beside { nsinit", "agent cofferdam-agent", "{}",
            "page cofferdam-run", "completed", "removed nothing",
        ];
        assert_eq!(seen.lines().collect::<Vec<_>>(), expected);
        assert!(before == fs::read("/var/lib/dpkg/status").unwrap(), "the host's own database");

        t.need(has("lintian"), "lintian is not installed")?;
        let mut lintian = Command::new("lintian");
        lintian.args(["--allow-root", "--no-tag-display-limit"]).arg(&package);
        let mut beside = BESIDE.iter().map(|name| t.runtime.path.with_file_name(name));
        if is_dynamic(&t.runtime.path) || beside.any(|program| is_dynamic(&program)) {
            // What is built for debugging is no package.
            lintian.args(["--suppress-tags", "undeclared-elf-prerequisites"]);
        }
        assert_eq!(said(&mut lintian), "");
    }
}

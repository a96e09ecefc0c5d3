//! Descriptors of the host's directories, the caller's or the runtime's own: no way leads through them.

use cofferdam_tests::{Test, facts, json};

use crate::attack::{Host, leaking};

/// The numbers that a descriptor of the runtime's could have.
const NUMBERS: std::ops::Range<u32> = 3..14;

/// Looks for what only a working directory outside of the container has: the host's file, the host's processes.
fn search(host: &Host) -> String {
    let up = "../".repeat(12);
    let secret = &host.dir.join("secret").display().to_string()[1..];
    format!(
        "for f in {up}{secret} {}/comm passwd; do test -e $f && echo reached $f; done; true",
        std::process::id()
    )
}

/// `/proc/self/fd/N`, by itself and by names that say the same.
fn ways(n: u32) -> [String; 3] {
    [format!("/proc/self/fd/{n}"), format!("/proc/thread-self/fd/{n}/../"), format!("/data/link{n}")]
}

fn links(t: &Test, rootfs: &std::path::Path) {
    for n in NUMBERS {
        t.host(&format!("ln -s /proc/self/fd/{n} {}/data/link{n}", rootfs.display()));
    }
}

facts! {
    /// CVE-2024-21626. Any one of three is enough; seen failing with the comparison of getcwd(2) taken out of
    /// `root::chdir`, the `Directory` step for the working directory out of lower/mod.rs and `Forget` out of
    /// `process::forget`.
    fn a_working_directory_is_not_found_through_a_descriptor(t) {
        let host = Host::new(t);
        let mut b = t.bundle();
        b.args(&["/bin/sh", "-c", &search(&host)]);
        links(t, &b.rootfs());
        for cwd in NUMBERS.flat_map(ways) {
            let out = leaking(t, &b.set("/process/cwd", cwd.as_str()).write().command_line("run", &[]));
            assert!(!out.stdout.contains("reached"), "{cwd}: {out}");
        }
    }

    /// CVE-2024-21626, by exec. Seen failing with the comparison of getcwd(2) taken out of `root::chdir`, `Forget` out
    /// of `process::forget` and `keep_only` out of lower/exec.rs.
    fn a_working_directory_of_exec_is_not_found_through_a_descriptor(t) {
        let host = Host::new(t);
        let b = t.bundle();
        links(t, &b.rootfs());
        let c = b.start();
        for cwd in NUMBERS.flat_map(ways) {
            let out = leaking(t, &["exec", "--cwd", &cwd, &c.id, "/bin/sh", "-c", &search(&host)]);
            assert!(!out.stdout.contains("reached"), "{cwd}: {out}");
        }
    }

    /// CVE-2024-21626: getcwd(2) alone, where the caller hands a directory over on purpose. Seen failing with the
    /// comparison of getcwd(2) taken out of `root::chdir`.
    fn a_working_directory_is_not_found_through_a_preserved_descriptor(t) {
        let c = t.bundle().start();
        let mut command = t.command(std::path::Path::new("/bin/sh"));
        command.args(["-c", "exec 3</ 4</etc; exec \"$@\"", "sh"]).arg(&t.runtime.path).arg("--root").arg(t.dir.join("state"));
        let out = t.finish(command.args(["exec", "--preserve-fds", "2", "--cwd", "/proc/self/fd/4", &c.id, "/bin/pwd"]));
        assert!(out.refused().contains("outside the container"), "{out}");
    }

    /// CVE-2024-21626: a program whose path, or whose interpreter's, leads through a descriptor would be the host's
    /// (and writable from inside by /proc/PID/exe). Seen failing with `Forget` taken out of `process::forget`.
    fn a_program_is_not_found_through_a_descriptor(t) {
        let host = Host::new(t);
        let tool = host.dir.join("busybox");
        std::fs::copy("/bin/busybox", &tool).unwrap();
        let own = tool.display().to_string();
        let rights = json!(["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN"]);
        for n in NUMBERS {
            for way in ["".to_owned(), format!("{}/root", std::process::id()), "1/root".to_owned()] {
                let mut b = t.bundle();
                b.set("/process/capabilities", json!({"bounding": rights, "permitted": rights, "effective": rights}));
                let out = leaking(t, &b.args(&[&format!("/proc/self/fd/{n}/{way}{own}"), "true"]).write().command_line("run", &[]));
                assert!(out.code != 0, "{n} {way}: the host's program was run");
            }
        }
    }

    /// CVE-2016-9962, CVE-2024-21626. Seen failing with `close_others` and `cloexec_from` of the child's
    /// descriptors.rs doing nothing.
    fn a_process_has_no_descriptors_but_its_streams(t) {
        let mut b = t.bundle();
        let out = leaking(t, &b.args(&["probe", "fdinfo"]).write().command_line("run", &[]));
        assert_eq!(out.ok().lines().filter(|l| !["fd.0=", "fd.1=", "fd.2="].iter().any(|p| l.starts_with(p))).count(), 0, "{out}");
        let c = t.bundle().start();
        let out = leaking(t, &["exec", &c.id, "probe", "fdinfo"]);
        assert_eq!(out.ok().lines().filter(|l| !["fd.0=", "fd.1=", "fd.2="].iter().any(|p| l.starts_with(p))).count(), 0, "{out}");
    }
}

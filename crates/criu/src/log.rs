//! CRIU's log: which of its lines say why it failed, and what to do about the causes that are known.
//!
//! Called by the library when a conversation failed. The log is as CRIU wrote it: read within a limit, believed in
//! nothing.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How much of a log is looked at, from its beginning: 16 MiB.
pub const LOG_LIMIT: u64 = 16 << 20;
/// Most causes that are told.
const MOST: usize = 3;
/// Longest of them, in characters.
const LONGEST: usize = 300;

/// Complaints that CRIU makes on its way and gets over.
const HARMLESS: &[&str] = &[
    "rlimit: Can't setup RLIMIT_NOFILE",
    "Can't get process cgroup",
    "tun: Can't create tun",
    "Failed getting security.selinux",
    "Dumping FAILED",
    "Restoring FAILED",
    "failed with -1",
];

/// The first things that the log at this path calls errors, without time, file and line; at most three. Nothing where
/// there is no log.
///
/// ```
/// let path = std::env::temp_dir().join(format!("criu-{}.log", std::process::id()));
/// std::fs::write(&path, "(00.01) Seized\n(00.02) Error (criu/sockets.c:7): inet: Connected TCP socket\n").unwrap();
/// assert_eq!(cofferdam_criu::causes(&path), ["inet: Connected TCP socket"]);
/// # std::fs::remove_file(path).unwrap();
/// ```
#[must_use]
pub fn causes(path: &Path) -> Vec<String> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LOG_LIMIT).read_to_end(&mut text));
    if read.is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().filter_map(cause).collect();
    let serious: Vec<&str> =
        all.iter().copied().filter(|c| !HARMLESS.iter().any(|h| c.contains(h))).collect();
    let told = if serious.is_empty() { all } else { serious };
    let mut causes: Vec<String> = Vec::new();
    for one in told.into_iter().map(|c| c.chars().take(LONGEST).collect::<String>()) {
        if causes.len() < MOST && !causes.contains(&one) {
            causes.push(one);
        }
    }
    causes
}

/// `(00.012345) [   77: ]Error (criu/FILE.c:LINE): WORDS`
fn cause(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("Error (")?;
    let (_, words) = rest.split_once("): ")?;
    Some(words.trim()).filter(|words| !words.is_empty())
}

/// What to do about a cause, where that is known.
///
/// ```
/// assert!(cofferdam_criu::hint(&["inet: Connected TCP socket, consider using --tcp-established".into()]).is_some());
/// assert_eq!(cofferdam_criu::hint(&["who knows".into()]), None);
/// ```
#[must_use]
pub fn hint(causes: &[String]) -> Option<&'static str> {
    const EXTERNAL: &str = "the option ext-unix-sk allows Unix sockets whose other end is outside";
    const SHELL_JOB: &str = "the option shell-job allows a session and a terminal that are the caller's";
    const VDSO: &str = "this CRIU is older than the kernel and cannot read its vDSO: use a newer one";
    const PIPES: &str = "criu's page server needs pipes of 4 MiB: raise fs.pipe-max-size (proc(5)), or give it CAP_SYS_RESOURCE";
    const KNOWN: &[(&str, &str)] = &[
        ("Connected TCP socket", "the option tcp-established dumps and restores TCP connections"),
        (
            "In-flight connection",
            "the option tcp-skip-in-flight leaves out connections that nobody has accepted yet",
        ),
        ("xternal socket", EXTERNAL),
        ("External unix", EXTERNAL),
        ("without peer", "the other end of a Unix socket must be in the same network namespace"),
        ("ile locks are hold", "the option file-locks dumps and restores file locks"),
        ("link-remap", "the option link-remap gives files that were removed a name for the time being"),
        (
            "kerndat_tcp_repair failed",
            "the network namespace that criu is started in needs its loopback device up",
        ),
        (
            "Can't get 1:16 opt",
            "this CRIU is older than the kernel (sockets are others since Linux 6.16): use a newer one",
        ),
        ("page-pipe: splice", PIPES),
        ("page-pipe: tee", PIPES),
        (
            "Abort restore of existing cgroups",
            "the container's cgroups are made first: use another mode than strict",
        ),
        ("place stdin fd", "the option shell-job needs a standard input that is a terminal"),
        ("is a tty", SHELL_JOB),
        ("shell-job", SHELL_JOB),
        ("session leader", SHELL_JOB),
        ("vdso", VDSO),
        ("vDSO", VDSO),
        ("doesn't have a proper root mount", "something was mounted that config.json does not name"),
        ("No mapping for", "the images have a bind mount that this config.json does not have"),
        ("Can't lookup mount", "a file is open that is not in the container: give it a pipe or a terminal"),
        ("Can't open file", "restoring needs every file where it was when it was dumped"),
        ("has bad size", "a file has changed since the dump"),
        ("No such file or directory", "the images are not complete, or a file of the container is gone"),
        ("magic doesn't match", "the images are damaged"),
        ("Unexpected EOF", "the images are damaged"),
    ];
    let known = |(words, _): &&(&str, &str)| causes.iter().any(|cause| cause.contains(words));
    KNOWN.iter().find(known).map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let n = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("cofferdam-criu-{}-{n}.log", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let causes = causes(&path);
        std::fs::remove_file(path).unwrap();
        causes
    }

    #[test]
    fn lines_of_every_shape_are_understood() {
        let text = "(00.1) Error (criu/util.c:1): rlimit: Can't setup RLIMIT_NOFILE for self: no\n\
                    Error\nError (\nError (a.c:1): \n(00.2)      7: Error (criu/mount.c:9): mnt: first\n\
                    (00.3) Error (criu/cr-dump.c:1): second\n(00.4) Error (criu/cr-dump.c:1): second\n";
        assert_eq!(of(text), ["mnt: first", "second"]);
    }

    #[test]
    fn what_is_usually_harmless_is_told_when_there_is_nothing_else() {
        assert_eq!(of("Error (x.c:1): rlimit: Can't setup RLIMIT_NOFILE\n").len(), 1);
    }

    #[test]
    fn a_flood_is_cut() {
        let text: String = (0..9).map(|n| format!("Error (x.c:1): {n}{}\n", "x".repeat(5000))).collect();
        let causes = of(&text);
        assert!(causes.len() == MOST && causes.iter().all(|c| c.chars().count() == LONGEST));
        assert!(super::causes("/nowhere".as_ref()).is_empty());
    }
}

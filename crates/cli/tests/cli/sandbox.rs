//! A program in a sandbox.

use crate::world::{BINARY, World, stderr, stdout};
use std::process::{Command, Output, Stdio};

/// Runs a shell script in a sandbox.
fn sandboxed(world: &World, flags: &[&str], script: &str) -> Output {
    let words = [&["sandbox"], flags, &["--", "sh", "-c", script]].concat();
    world.command(words).output().unwrap()
}

fn says(world: &World, flags: &[&str], script: &str) -> String {
    let output = sandboxed(world, flags, script);
    assert!(output.status.success(), "{flags:?} {script}: {output:?}");
    stdout(&output).trim_end().to_owned()
}

#[test]
fn the_exit_code_is_the_commands_and_nothing_stays() {
    let Some(world) = World::new() else { return };
    assert_eq!(sandboxed(&world, &[], "exit 7").status.code(), Some(7));
    assert_eq!(world.success(&["list", "-q"]), "");
}

#[test]
fn what_is_written_is_forgotten() {
    let Some(world) = World::new() else { return };
    let mark = format!("/etc/{}", world.id);
    assert_eq!(says(&world, &[], &format!("echo x > {mark} && cat {mark}")), "x");
    assert!(!std::path::Path::new(&mark).exists());
}

#[test]
fn a_read_only_root_is_not_written() {
    let Some(world) = World::new() else { return };
    let output = sandboxed(&world, &["--read-only"], "echo x > /etc/x");
    assert_ne!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("ead-only file system"), "{}", stderr(&output));
    assert_eq!(says(&world, &["--read-only"], "echo x > /tmp/x && cat /tmp/x"), "x");
}

#[test]
fn it_has_no_rights() {
    let Some(world) = World::new() else { return };
    let caps =
        says(&world, &[], "grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status");
    for line in caps.lines().filter(|line| line.starts_with("Cap")) {
        assert!(line.ends_with("0000000000000000"), "{line}");
    }
    assert!(caps.contains("NoNewPrivs:\t1") && caps.contains("Seccomp:\t2"), "{caps}");
}

#[test]
fn it_sees_itself_only() {
    let Some(world) = World::new() else { return };
    assert_eq!(says(&world, &[], "echo $$; hostname; ls /sys/class/net"), "1\nsandbox\nlo");
    assert_eq!(says(&world, &["--hostname", "box"], "hostname"), "box");
    let host = says(&world, &["--net", "host"], "readlink /proc/self/ns/net");
    assert_eq!(host, std::fs::read_link("/proc/self/ns/net").unwrap().to_str().unwrap());
}

#[test]
fn directories_are_shown_where_asked() {
    let Some(world) = World::new() else { return };
    let here = world.dir.to_str().unwrap();
    std::fs::write(world.dir.join("file"), "text").unwrap();
    assert_eq!(says(&world, &["--ro-bind", &format!("{here}:/mnt")], "cat /mnt/file"), "text");
    let output = sandboxed(&world, &["--ro-bind", here], &format!("echo x > {here}/file"));
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(says(&world, &["--bind", here], "pwd; echo new > file"), here);
    assert_eq!(std::fs::read_to_string(world.dir.join("file")).unwrap(), "new\n");
}

#[test]
fn another_root_may_be_taken() {
    let Some(world) = World::new() else { return };
    let rootfs = world.dir.join("rootfs");
    assert_eq!(
        says(&world, &["--rootfs", rootfs.to_str().unwrap()], "ls /bin | grep -c busybox; echo x > /new"),
        "1"
    );
    assert!(!rootfs.join("new").exists());
}

#[test]
fn the_environment_is_clean() {
    let Some(world) = World::new() else { return };
    let output = world
        .command(["sandbox", "-e", "A=1", "-e", "SECRET2", "--", "env"])
        .envs([("SECRET", "x"), ("SECRET2", "y"), ("HOME", "/h")])
        .output()
        .unwrap();
    let text = stdout(&output);
    assert!(!text.contains("SECRET=") && text.contains("SECRET2=y"), "{text}");
    assert!(text.contains("A=1") && text.contains("HOME=/h"), "{text}");
}

#[test]
fn limits_are_kept() {
    let Some(world) = World::new() else { return };
    let output = sandboxed(&world, &["--pids", "3"], "for i in 1 2 3 4 5 6; do sleep 1 & done; wait");
    assert!(stderr(&output).contains("fork"), "{output:?}");
    let output = sandboxed(&world, &["--memory", "16m"], "head -c 100000000 /dev/zero | tail | wc -c");
    assert!(!stdout(&output).contains("100000000"), "{output:?}");
}

#[test]
fn a_terminal_may_be_given() {
    let Some(world) = World::new() else { return };
    let line = format!("{BINARY} --root {}/state sandbox -t -- tty", world.dir.display());
    match Command::new("script").args(["-qefc", &line, "/dev/null"]).stdin(Stdio::null()).output() {
        Ok(output) => assert!(stdout(&output).contains("/dev/pts/0"), "{output:?}"),
        Err(error) => eprintln!("skipped: script(1): {error}"),
    }
}

/// Runs a script in a sandbox as nobody; `None`, with a word about it, where that cannot be done.
fn as_nobody(world: &World, flags: &[&str], script: &str) -> Option<Output> {
    let state = world.dir.join("user-state");
    std::fs::create_dir_all(&state).unwrap();
    rustix::fs::chown(&state, Some(rustix::process::Uid::from_raw(65534)), None).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", BINARY, "--root"])
        .arg(&state)
        .arg("sandbox")
        .args(flags)
        .args(["--", "sh", "-c", script])
        .current_dir("/")
        .stdin(Stdio::null())
        .output();
    output.inspect_err(|error| eprintln!("skipped: setpriv(1): {error}")).ok()
}

#[test]
fn an_ordinary_user_may_have_one() {
    let Some(world) = World::new() else { return };
    let rootfs = world.dir.join("rootfs");
    let root = ["--rootfs", rootfs.to_str().unwrap()];
    let script = "id -u; id -g; echo x > /tmp/x; grep CapEff /proc/self/status";
    let Some(output) = as_nobody(&world, &root, script) else { return };
    assert_eq!(stdout(&output), "65534\n65534\nCapEff:\t0000000000000000\n", "{}", stderr(&output));
    let named = [&root[..], &["--user", "0"]].concat();
    let Some(output) = as_nobody(&world, &named, "id -u; echo x > /new; exit 3") else { return };
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("0\n", Some(3)), "{}", stderr(&output));
    assert!(!rootfs.join("new").exists());
    let limited = [&root[..], &["--memory", "16m"]].concat();
    let Some(output) = as_nobody(&world, &limited, "true") else { return };
    assert_eq!(output.status.code(), Some(1), "a limit that cannot be kept is an error");
    assert!(stderr(&output).contains("permission denied"), "{}", stderr(&output));
}

#[test]
fn an_ordinary_user_sees_the_hosts_files() {
    let Some(world) = World::new() else { return };
    let Some(output) = as_nobody(&world, &[], "id -u; ls /usr > /dev/null && echo seen") else { return };
    assert_eq!(stdout(&output), "65534\nseen\n", "{}", stderr(&output));
}

//! Malformed, enormous and half-written documents, hostile names: one clear error, in time, and nothing is lost.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use cofferdam_tests::{Bundle, Output, Test, json};

use crate::left;

/// Exit status 1 and one line that says all of this.
#[track_caller]
fn one_line(out: &Output, words: &[&str]) {
    assert_eq!(out.code, 1, "{out}");
    assert_eq!(out.stderr.trim_end().lines().count(), 1, "{out}");
    assert!(out.stderr.len() < 2000, "{out}");
    for word in words {
        assert!(out.stderr.contains(word), "{word:?} is not said: {out}");
    }
    assert!(!out.stderr.contains("panicked"), "{out}");
}

fn raw(t: &Test, text: &[u8]) -> Output {
    let b = t.bundle();
    fs::write(b.dir.join("config.json"), text).expect("config.json");
    let out = t.runtime(&b.command_line("create", &[]));
    left::nothing(t, std::slice::from_ref(&b.id), "a refusal");
    out
}

fn mkfifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).expect("fifo");
}

/// Containers whose state is damaged in every way: each is refused with its file's name, and removed by force.
fn damage(t: &Test, how: fn(&Path), words: &[&str]) {
    let b: Bundle<'_> = t.bundle();
    let c = b.start();
    let pid = c.pid();
    let dir = t.dir.join("state").join(&b.id);
    how(&dir);
    for verb in ["state", "start", "kill", "delete", "pause"] {
        one_line(&c.verb(verb, &[]), words);
    }
    one_line(&t.runtime(&b.command_line("create", &[])), &["already exists", &b.id]);
    t.runtime(&["list"]).ok();
    assert!(Path::new(&format!("/proc/{pid}")).exists(), "nothing is lost by looking");
    c.verb("delete", &["--force"]).ok();
    left::nothing(t, std::slice::from_ref(&b.id), "delete --force of what is damaged");
}

cofferdam_tests::own! {
    fn a_malformed_configuration_is_one_line_with_place_and_field(t) {
        for (text, words) in [
            ("", ["config.json", "EOF"]),
            ("{", ["config.json", "line 1"]),
            ("[]", ["config.json", "line 1"]),
            ("null", ["config.json", ""]),
            ("{\"ociVersion\": 1}", ["config.json", "[/ociVersion]"]),
            ("{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":-1}}}", ["config.json", "[/process/user/uid]"]),
            ("{\"ociVersion\":\"1.0.2\",\"mounts\":[{\"destination\":7}]}", ["config.json", "[/mounts/0/destination]"]),
            ("{\"ociVersion\":\"1.0.2\",\"linux\":{\"resources\":{\"memory\":{\"limit\":1e99}}}}", ["config.json", "[/linux/resources/memory/limit]"]),
            ("{\"ociVersion\":\"1.0.2\"} more", ["config.json", "trailing"]),
            ("\u{feff}{}", ["config.json", "line 1"]),
        ] {
            one_line(&raw(t, text.as_bytes()), &words);
        }
        one_line(&raw(t, b"{\"ociVersion\":\"\xff\xfe\"}"), &["config.json"]);
        one_line(&raw(t, &[0; 4096]), &["config.json"]);
    }

    fn nesting_without_end_is_refused(t) {
        let deep = format!("{{\"annotations\":{}", "[".repeat(1_000_000));
        one_line(&raw(t, deep.as_bytes()), &["config.json"]);
        let deep = format!("{{\"x\":{}", "{\"x\":".repeat(1_000_000));
        one_line(&raw(t, deep.as_bytes()), &["config.json", "[/x]"]);
    }

    fn an_enormous_configuration_is_refused(t) {
        let b = t.bundle();
        let mut file = File::create(b.dir.join("config.json")).unwrap();
        file.write_all(b"{\"ociVersion\":\"").unwrap();
        let block = vec![b'x'; 1 << 20];
        for _ in 0..100 {
            file.write_all(&block).unwrap();
        }
        drop(file);
        one_line(&t.runtime(&b.command_line("create", &[])), &["config.json", "longer than"]);
    }

    fn a_hundred_thousand_mounts_end_in_time(t) {
        let mut b = t.bundle();
        let many = (0..100_000).map(|n| json!({"destination": format!("/m{n}"), "type": "nosuchfs", "source": "x"}));
        b.set("/mounts", many.collect::<Vec<_>>());
        b.write();
        let out = t.runtime(&b.command_line("create", &[]));
        one_line(&out, &["/mounts/0"]);
        left::nothing(t, std::slice::from_ref(&b.id), "a refusal");
    }

    fn a_configuration_that_is_no_file_is_not_waited_for(t) {
        let b = t.bundle();
        let path = b.dir.join("config.json");
        one_line(&t.runtime(&b.command_line("create", &[])), &["config.json", "ENOENT"]);
        mkfifo(&path);
        one_line(&t.runtime(&b.command_line("create", &[])), &["config.json", "not a regular file"]);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        one_line(&t.runtime(&b.command_line("create", &[])), &["config.json", "not a regular file"]);
        fs::remove_dir(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        one_line(&t.runtime(&b.command_line("create", &[])), &["config.json", "not a regular file"]);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("config.json", &path).unwrap();
        one_line(&t.runtime(&b.command_line("create", &[])), &["config.json", "ELOOP"]);
    }

    fn a_damaged_state_is_named_kept_and_removed_by_force(t) {
        damage(t, |d| fs::write(d.join("state.json"), "{\"version\":1,").unwrap(), &["state.json", "--force"]);
        damage(t, |d| fs::write(d.join("state.json"), "").unwrap(), &["state.json", "--force"]);
        damage(t, |d| fs::write(d.join("state.json"), "{\"version\":1,\"pid\":\"x\"}").unwrap(), &["state.json"]);
        damage(t, |d| fs::write(d.join("state.json"), "[1,2]").unwrap(), &["state.json"]);
        damage(t, |d| {
            fs::remove_file(d.join("state.json")).unwrap();
            fs::create_dir(d.join("state.json")).unwrap();
        }, &["state.json"]);
        damage(t, |d| {
            fs::remove_file(d.join("state.json")).unwrap();
            mkfifo(&d.join("state.json"));
        }, &["state.json", "not a regular file"]);
        damage(t, |d| {
            fs::remove_file(d.join("state.json")).unwrap();
            std::os::unix::fs::symlink("/dev/zero", d.join("state.json")).unwrap();
        }, &["state.json", "not a regular file"]);
    }

    fn an_empty_state_directory_is_no_hindrance(t) {
        let b = t.bundle();
        let dir = t.dir.join("state").join(&b.id);
        fs::create_dir(&dir).unwrap();
        one_line(&t.runtime(&["state", &b.id]), &["state.json"]);
        t.runtime(&["delete", "--force", &b.id]).ok();
        assert!(!dir.exists());
        fs::create_dir(&dir).unwrap();
        b.create().delete().ok();
        fs::write(&dir, "a file").unwrap();
        one_line(&t.runtime(&["state", &b.id]), &["does not exist"]);
        b.write();
        one_line(&t.runtime(&b.command_line("create", &[])), &[dir.to_str().unwrap()]);
        fs::remove_file(&dir).unwrap();
    }

    fn hostile_ids_are_refused_in_every_command(t) {
        let long = "x".repeat(4000);
        for id in ["../x", "a/b", ".", "..", "a b", "a\nb", "\u{1b}[31m", "é", long.as_str()] {
            for verb in ["create", "run", "start", "state", "delete", "pause", "ps", "exec"] {
                let line = if verb == "exec" { vec![verb, id, "true"] } else { vec![verb, id] };
                let out = t.runtime(&line);
                let code = if verb == "exec" { 255 } else { 1 };
                assert!(out.code == code && out.stderr.len() < 9000, "{out}");
                assert!(out.stderr.contains("invalid container id"), "{out}");
                assert_eq!(out.stderr.trim_end().lines().count(), 1, "{out}");
                assert!(!out.stderr.contains('\u{1b}'), "{out}");
            }
        }
        assert_eq!(fs::read_dir(t.dir.join("state")).unwrap().count(), 0);
    }

    fn hostile_paths_are_one_line(t) {
        let b = t.bundle();
        for path in ["/no/such\nline", "/no/\u{1b}[31m", "", "/dev/null", "/proc/self/mem"] {
            let log = t.dir.join("log");
            let out = t.runtime(&["--log", log.to_str().unwrap(), "create", "--bundle", path, &b.id]);
            assert!(!out.stderr.contains('\u{1b}'), "{out}");
            one_line(&out, &[]);
        }
        let mut b = t.bundle();
        b.mount("/mnt\u{0}x", "tmpfs", "tmpfs", &[]).write();
        one_line(&t.runtime(&b.command_line("create", &[])), &["/mounts/3/destination"]);
    }
}

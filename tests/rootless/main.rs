//! OCI containers of an ordinary user: the commands, and id maps by newuidmap(1) and newgidmap(1).

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use cofferdam_tests::{Bundle, Output, Test, Value, json};

/// An ordinary user with a bundle made from `spec --rootless`.
struct User<'t> {
    t: &'t Test,
    uid: u32,
    home: PathBuf,
    bundle: Bundle<'t>,
}

/// A program where its user reaches it.
fn lend(program: &Path, to: &Path) {
    if fs::hard_link(program, to).is_err() {
        fs::copy(program, to).expect("copy of a program");
    }
}

impl<'t> User<'t> {
    fn new(t: &'t Test, uid: u32) -> Self {
        let mut bundle = t.bundle();
        let home = t.dir.join("home");
        fs::create_dir(&home).expect("home");
        lend(&t.runtime.path, &home.join("cofferdam"));
        let beside = t.runtime.path.with_file_name("cofferdam-nsinit");
        if beside.exists() {
            lend(&beside, &home.join("cofferdam-nsinit"));
        }
        for place in [&home, &bundle.dir, &bundle.rootfs()] {
            chown(place, Some(uid), Some(uid)).expect("owner");
        }
        t.host(&format!("chown -R {uid}:{uid} {}", bundle.dir.display()));
        let this = |bundle| Self { t, uid, home, bundle };
        bundle.config = Value::Null;
        let mut user = this(bundle);
        user.command(&["spec", "--rootless", "--bundle", user.bundle.dir.to_str().unwrap()]).ok();
        let text = fs::read_to_string(user.bundle.dir.join("config.json")).expect("config.json");
        user.bundle.config = text.parse().expect("JSON");
        user.bundle.set("/process/terminal", false);
        user
    }

    /// As the user.
    fn command(&self, args: &[&str]) -> Output {
        let mut command = self.t.command(Path::new("setpriv"));
        let ids = [format!("--reuid={}", self.uid), format!("--regid={}", self.uid)];
        command.args(ids).args(["--clear-groups", "--"]).arg(self.home.join("cofferdam"));
        command.env_remove("XDG_RUNTIME_DIR").env("HOME", &self.home);
        self.t.finish(command.arg("--root").arg(self.home.join("state")).args(args))
    }

    fn verb(&self, verb: &str, rest: &[&str]) -> Output {
        let id = self.bundle.id.as_str();
        self.command(&[&[verb, id], rest].concat())
    }

    fn make(&self, verb: &str) -> Output {
        self.bundle.write();
        self.command(&self.bundle.command_line(verb, &[]))
    }
}

/// Removes what it added to a file of the system.
struct Line {
    path: &'static str,
    text: String,
}

impl Line {
    fn add(path: &'static str, text: &str) -> Self {
        let old = fs::read_to_string(path).unwrap_or_default();
        fs::write(path, format!("{old}{text}\n")).expect("a file of the system");
        Self { path, text: text.to_owned() }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let old = fs::read_to_string(self.path).unwrap_or_default();
        let new: String = old.lines().filter(|l| *l != self.text).map(|l| format!("{l}\n")).collect();
        let _ = fs::write(self.path, new);
    }
}

const NOBODY: u32 = 65534;

cofferdam_tests::own! {
    fn an_ordinary_user_runs_a_container(t) {
        let mut user = User::new(t, NOBODY);
        user.bundle.args(&["sh", "-c", "id -u; cat /proc/self/uid_map; touch /made; exit 4"]).set("/root/readonly", false);
        let out = user.make("run");
        assert_eq!(out.code, 4, "{out}");
        let words: Vec<&str> = out.stdout.split_whitespace().collect();
        assert_eq!(words, ["0", "0", "65534", "1"], "{out}");
        let made = fs::metadata(user.bundle.rootfs().join("made")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), NOBODY);
    }

    fn all_commands_work_for_an_ordinary_user(t) {
        let mut user = User::new(t, NOBODY);
        user.bundle.args(&["sleep", "600"]);
        user.make("create").ok();
        let state: Value = user.verb("state", &[]).ok().parse().unwrap();
        assert_eq!(state["status"], "created");
        user.verb("start", &[]).ok();
        assert_eq!(user.verb("exec", &["id", "-u"]).ok(), "0\n");
        assert!(user.command(&["list"]).ok().contains(&user.bundle.id));
        user.verb("kill", &["KILL"]).ok();
        cofferdam_tests::wait_until("the end", || user.verb("state", &[]).stdout.contains("stopped"));
        user.verb("delete", &[]).ok();
        assert_eq!(fs::read_dir(user.home.join("state")).unwrap().count(), 0);
    }

    fn a_user_who_may_make_no_cgroup_is_told_so_once(t) {
        let mut user = User::new(t, NOBODY);
        user.bundle.args(&["sleep", "600"]);
        let told = |out: &Output| out.stderr.matches("may not make cgroups").count();
        let made = user.make("create");
        made.ok();
        assert_eq!((told(&made), made.stderr.lines().count()), (1, 1), "{made}");
        for words in [&["start"][..], &["state"], &["exec", "true"], &["kill", "0"]] {
            let out = user.verb(words[0], &words[1..]);
            assert!(out.code == 0 && out.stderr.is_empty(), "{words:?}: {out}");
        }
        assert!(user.verb("pause", &[]).refused().contains("delegated cgroup"));
        let limit = user.command(&["update", "--pids-limit", "5", &user.bundle.id]);
        assert!(limit.refused().contains("the container has no cgroup with the controller"), "{limit}");
        assert_eq!(user.verb("delete", &["--force"]).ok(), "");
        user.bundle.args(&["true"]);
        assert_eq!(told(&user.make("run")), 1);
        user.bundle.write();
        let wanted = user.bundle.command_line("run", &[]);
        let out = user.command(&[&["--cgroup-manager", "disabled"], &wanted[..]].concat());
        assert!(out.code == 0 && out.stderr.is_empty(), "{out}");
    }

    fn delete_by_force_ends_all_of_it(t) {
        let mut user = User::new(t, NOBODY);
        user.bundle.args(&["sh", "-c", "sleep 600 & sleep 600"]);
        user.make("create").ok();
        user.verb("start", &[]).ok();
        let state: Value = user.verb("state", &[]).ok().parse().unwrap();
        user.verb("delete", &["--force"]).ok();
        cofferdam_tests::wait_until("the end", || !Path::new(&format!("/proc/{}", state["pid"])).exists());
        assert_eq!(fs::read_dir(user.home.join("state")).unwrap().count(), 0);
    }

    fn what_a_user_may_not_map_is_refused_with_the_field(t) {
        let mut user = User::new(t, NOBODY);
        user.bundle.set("/linux/uidMappings", json!([{"containerID": 0, "hostID": 0, "size": 1}]));
        let out = user.make("run");
        assert!(out.code == 1 && out.stderr.contains("/linux/uidMappings"), "{out}");
    }

    fn a_user_sees_the_plan_that_root_has(t) {
        let mut user = User::new(t, NOBODY);
        user.bundle.config = cofferdam_tests::base_config("plan");
        user.bundle.set("/linux/resources/pids", json!({"limit": 7})).write();
        let dir = user.bundle.dir.to_str().unwrap();
        let seen = user.command(&["plan", dir]);
        assert!(seen.ok().starts_with("planned for root\n"), "{seen}");
        assert!(seen.stdout.contains("pids.max = 7  [/linux/resources/pids/limit]"), "{seen}");
        assert_eq!(seen.stdout, t.runtime(&["plan", dir]).ok());
        assert!(!user.home.join("state").exists());
        let own = user.command(&["--rootless", "true", "plan", dir]);
        assert!(own.refused().contains("/linux/namespaces: the runtime lacks CAP_SYS_ADMIN"), "{own}");
    }

    fn a_bundle_that_maps_the_user_is_planned_for_that_user(t) {
        let mut user = User::new(t, NOBODY);
        user.bundle.set("/process/args", json!(["true"])).write();
        let dir = user.bundle.dir.to_str().unwrap();
        let plan = |rootless: &str| {
            let line = ["--rootless", rootless, "plan", "--json", dir];
            serde_json::from_str::<Value>(user.command(&line).ok()).expect("JSON")
        };
        assert_eq!((&plan("auto")["uid"], &plan("true")["uid"]), (&json!(NOBODY), &json!(NOBODY)));
        assert_eq!(plan("false")["uid"], 0);
        let text = user.command(&["plan", dir]);
        assert!(text.ok().starts_with("planned for user 65534\n"), "{text}");
    }

    fn the_helpers_map_many_ranges(t) {
        let helpers = ["/usr/bin/newuidmap", "/usr/bin/newgidmap"].iter().all(|p| Path::new(p).exists());
        t.need(helpers, "newuidmap (package uidmap) is not installed")?;
        t.alone();
        let uid = 61_000 + std::process::id() % 1000;
        let name = format!("cdt{uid}");
        let _lines = [
            Line::add("/etc/passwd", &format!("{name}:x:{uid}:{uid}::/:/bin/sh")),
            Line::add("/etc/group", &format!("{name}:x:{uid}:")),
            Line::add("/etc/subuid", &format!("{name}:700000:1000")),
            Line::add("/etc/subgid", &format!("{name}:800000:1000")),
        ];
        let mut user = User::new(t, uid);
        let map = |own: u32, first: u32| json!([
            {"containerID": 0, "hostID": own, "size": 1},
            {"containerID": 1, "hostID": first, "size": 500},
            {"containerID": 501, "hostID": first + 500, "size": 500},
        ]);
        user.bundle.set("/linux/uidMappings", map(uid, 700_000)).set("/linux/gidMappings", map(uid, 800_000));
        user.bundle.set("/process/user/uid", 7).set("/process/user/gid", 8).set("/process/user/additionalGids", json!([600]));
        user.bundle.args(&["sh", "-c", "id -u; id -g; id -G; cat /proc/self/uid_map"]);
        let out = user.make("run");
        let words: Vec<&str> = out.ok().split_whitespace().collect();
        let own = uid.to_string();
        assert_eq!(words[..4], ["7", "8", "8", "600"], "{out}");
        assert_eq!(words[4..], ["0", &own, "1", "1", "700000", "500", "501", "700500", "500"], "{out}");
        user.bundle.set("/linux/uidMappings/1/hostID", 900_000);
        let out = user.make("run");
        assert!(out.code == 1 && out.stderr.contains("/etc/subuid"), "{out}");
    }
}

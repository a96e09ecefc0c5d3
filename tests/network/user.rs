//! The networks of an ordinary user, carried by pasta(1) or slirp4netns(1), with a server on the far side.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use cofferdam_tests::{Output, Skip, Test, wait_until};

use crate::far::Far;
use crate::room::Room;

const NOBODY: u32 = 65534;

/// An ordinary user of the test's host, which has a route to the far side.
struct User<'t> {
    t: &'t Test,
    home: PathBuf,
    /// Where its programs are looked for.
    path: String,
}

impl<'t> User<'t> {
    fn new(t: &'t Test) -> Self {
        let home = t.dir.join("home");
        fs::create_dir(&home).expect("home");
        let program = home.join("cofferdam");
        if fs::hard_link(&t.runtime.path, &program).is_err() {
            fs::copy(&t.runtime.path, &program).expect("copy of the command");
        }
        chown(&home, Some(NOBODY), Some(NOBODY)).expect("owner");
        t.host(
            "mount -t tmpfs tmpfs /dev/net; mknod -m 666 /dev/net/tun c 10 200
             ip route add default via 203.0.113.9; ip -6 route add default via 2001:db8::9",
        );
        Self { t, home, path: std::env::var("PATH").expect("PATH") }
    }

    /// Has this program alone of those that carry packets; without it the test is skipped.
    fn with_only(mut self, program: &str) -> Result<Self, Skip> {
        let found = std::env::split_paths(&self.path).map(|dir| dir.join(program)).find(|path| path.exists());
        let found = found.ok_or_else(|| Skip(format!("no {program} is installed")))?;
        let programs = self.home.join("programs");
        fs::create_dir(&programs).expect("directory");
        std::os::unix::fs::symlink(found, programs.join(program)).expect("link");
        self.path = programs.display().to_string();
        Ok(self)
    }

    fn command(&self, flags: &[&str], script: &str) -> std::process::Command {
        let mut command = self.t.command(Path::new("setpriv"));
        command
            .args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")])
            .args(["--clear-groups", "--"]);
        command.arg("/usr/bin/env").arg(format!("PATH={}", self.path));
        command.arg(self.home.join("cofferdam")).arg("--root").arg(self.home.join("state")).arg("sandbox");
        command.args(flags).args(["--", "/bin/sh", "-c", script]);
        command.env_remove("XDG_RUNTIME_DIR");
        command
    }

    fn sandbox(&self, flags: &[&str], script: &str) -> Output {
        self.t.finish(&mut self.command(flags, script))
    }

    /// Neither a state nor a program is left.
    #[track_caller]
    fn has_nothing_left(&self) {
        let state = fs::read_dir(self.home.join("state")).into_iter().flatten().count();
        assert_eq!(state, 0);
        let home = self.home.display().to_string();
        let all = || fs::read_dir("/proc").expect("/proc").flatten();
        let of_user =
            |path: PathBuf| fs::read_to_string(path.join("cmdline")).is_ok_and(|line| line.contains(&home));
        wait_until("its programs to end", || !all().any(|entry| of_user(entry.path())));
    }
}

/// A shell function that says what is at an address, or that nothing is.
fn script(addresses: &[&str]) -> String {
    let fetch = "f() { busybox timeout 4 busybox wget -q -O - http://$1/ 2>/dev/null || echo -n no; echo; }";
    let calls: Vec<_> = addresses.iter().map(|address| format!("f '{address}'")).collect();
    format!("{fetch}; {}", calls.join("; "))
}

cofferdam_tests::own! {
    fn an_ordinary_user_gets_out_over_both_protocols_and_publishes_ports(t) {
        let room = Room::new(t);
        let far = Far::new(&room);
        let user = User::new(t).with_only("pasta")?;
        let out = user.sandbox(&["--net=private"], &script(&["203.0.113.9", "[2001:db8::9]"]));
        assert_eq!(out.ok(), "far\nfar\n");
        let serve = "mkdir /tmp/w; echo -n user >/tmp/w/index.html; busybox httpd -p [::]:8000 -h /tmp/w; sleep 6";
        let mut child = user.command(&["-p=8080:8000"], serve).spawn().expect("a sandbox");
        let at_host = "busybox timeout 3 busybox wget -q -O - http://203.0.113.1:8080/ 2>/dev/null || true";
        wait_until("the port to answer", || t.host(at_host) == "user");
        assert_eq!(far.fetch("203.0.113.1:8080").ok(), "user");
        child.wait().expect("its end");
        user.has_nothing_left();
    }

    fn an_ordinary_users_allow_list_holds(t) {
        let room = Room::new(t);
        let _far = Far::new(&room);
        let user = User::new(t).with_only("pasta")?;
        let flags = ["--allow=api.example.com:80", "--dns=203.0.113.9"];
        let out = user.sandbox(&flags, &script(&["api.example.com", "203.0.113.9", "203.0.113.10", "[2001:db8::9]", "evil.net", "203.0.113.1"]));
        assert_eq!(out.ok(), "far\nfar\nno\nno\nno\nno\n");
        let out = user.sandbox(&["--allow=203.0.113.10:80"], &script(&["203.0.113.10", "203.0.113.9"]));
        assert_eq!(out.ok(), "far\nno\n");
        let out = user.sandbox(&["--allow=none"], &script(&["203.0.113.9"]));
        assert_eq!(out.ok(), "no\n");
        for capability in ["net_admin", "net_raw"] {
            let said = user.sandbox(&["--allow=none", "--cap-add", capability], "true");
            assert!(said.refused().contains("is enough to get past it"), "{said}");
        }
        user.has_nothing_left();
    }

    fn slirp4netns_carries_where_there_is_no_pasta(t) {
        let room = Room::new(t);
        let _far = Far::new(&room);
        let user = User::new(t).with_only("slirp4netns")?;
        let out = user.sandbox(&["--allow=203.0.113.9"], &script(&["203.0.113.9", "203.0.113.10"]));
        assert_eq!(out.ok(), "far\nno\n");
        assert!(user.sandbox(&["-p=80:80"], "true").refused().contains("install pasta"));
        user.has_nothing_left();
    }

    fn what_is_missing_is_said_with_its_packages(t) {
        let room = Room::new(t);
        let _far = Far::new(&room);
        let mut user = User::new(t);
        user.path = user.home.join("nowhere").display().to_string();
        let said = user.sandbox(&["--net=private"], "true");
        assert!(said.refused().contains("passt") && said.stderr.contains("slirp4netns"), "{said}");
        user.has_nothing_left();
    }
}

//! What every test needs: a root filesystem of busybox, a data directory, a configuration. Dropped, it is gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use cofferdam::{Result, Stdio};
use cofferdam_nsinit::namespaces::{self, Io};
use cofferdam_nsinit::{Cgroup, Config, IdMap, NamespaceType, Namespaces};

const APPLETS: [&str; 14] = [
    "sh", "id", "hostname", "cat", "sleep", "env", "ls", "mount", "kill", "echo", "pwd", "tty", "ip", "ping",
];

pub(crate) struct World {
    pub(crate) dir: PathBuf,
    pub(crate) config: Config,
}

/// Whether this is root's test, and why not.
pub(crate) fn root() -> bool {
    let root = cofferdam::template::Caller::current().uid == 0 && Path::new("/bin/busybox").exists();
    if !root {
        eprintln!("skipped: needs root and /bin/busybox");
    }
    root
}

impl World {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("nsinit-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(&name);
        let root = dir.join("root");
        for sub in ["bin", "etc", "tmp", "proc", "dev", "sys"] {
            fs::create_dir_all(root.join(sub)).unwrap();
        }
        fs::create_dir(dir.join("data")).unwrap();
        // Not by this process: a child of another test's would hold the file open for writing (ETXTBSY).
        let copied =
            std::process::Command::new("cp").arg("/bin/busybox").arg(root.join("bin")).status().unwrap();
        assert!(copied.success());
        for applet in APPLETS {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        let passwd = "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/usr/sbin:/bin/sh\n";
        fs::write(root.join("etc/passwd"), passwd).unwrap();
        fs::write(root.join("etc/group"), "root:x:0:\ndaemon:x:1:\naudio:x:29:daemon\n").unwrap();
        let config = Config {
            root_fs: root.display().to_string(),
            hostname: "koye".into(),
            environment: vec!["PATH=/bin".into(), "TERM=xterm".into()],
            namespaces: Namespaces::from_iter([
                NamespaceType::Mount,
                NamespaceType::Uts,
                NamespaceType::Ipc,
                NamespaceType::Pid,
                NamespaceType::Network,
            ]),
            capabilities: ["CHOWN", "KILL", "SETUID", "SETGID"].map(String::from).into(),
            cgroups: Some(Cgroup {
                name: "box".into(),
                // One of its own: whoever made a parent that others use leaves it.
                parent: name.clone(),
                allow_all_devices: true,
                ..Cgroup::default()
            }),
            ..Config::default()
        };
        Self { dir, config }
    }

    /// A user namespace, whose root is 100000.
    pub(crate) fn give_users(&mut self) {
        self.config.namespaces.add(NamespaceType::User, "");
        let all = IdMap { container_id: 0, host_id: 100_000, size: 65_536 };
        (self.config.uid_mappings, self.config.gid_mappings) = (vec![all], vec![all]);
        let chown =
            std::process::Command::new("chown").args(["-hR", "100000:100000"]).arg(self.root()).status();
        assert!(chown.unwrap().success());
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    /// Standard output and error go to a file.
    pub(crate) fn io(&self) -> Io {
        let out = fs::File::create(self.dir.join("out")).unwrap();
        Io {
            stdin: Stdio::null(),
            stdout: out.try_clone().unwrap().into(),
            stderr: out.into(),
            console: None,
        }
    }

    pub(crate) fn output(&self) -> String {
        fs::read_to_string(self.dir.join("out")).unwrap_or_default()
    }

    /// Runs a script to its end, with the default commands.
    pub(crate) fn run(&self, script: &str) -> Result<i32> {
        self.run_with(script, |_| {})
    }

    pub(crate) fn run_with(&self, script: &str, started: impl FnOnce(&mut cofferdam::Child)) -> Result<i32> {
        namespaces::exec(
            &self.config,
            self.io(),
            &self.data(),
            &shell(script),
            &namespaces::default_create_command,
            &namespaces::default_setup_command,
            started,
        )
    }

    /// The configuration in a file, for a process that plays a role.
    pub(crate) fn written(&self) -> PathBuf {
        let path = self.dir.join("container.json");
        fs::write(&path, serde_json::to_vec(&self.config).unwrap()).unwrap();
        path
    }

    /// Nothing is left of the container.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self) {
        let data: Vec<_> = fs::read_dir(self.data()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert!(data.is_empty(), "{data:?}");
        let name = self.config.cgroups.as_ref().map(|c| c.parent.clone()).unwrap_or_default();
        if name.is_empty() {
            return;
        }
        for tree in ["memory", "pids", "freezer", "unified", "devices"] {
            let path = Path::new("/sys/fs/cgroup").join(tree).join(&name);
            assert!(!path.exists(), "{}", path.display());
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The memory cgroup of version 1 or 2, and the name of its limit.
pub(crate) fn memory(paths: &std::collections::BTreeMap<String, PathBuf>) -> (PathBuf, &'static str) {
    match paths.get("memory") {
        Some(dir) => (dir.clone(), "memory.limit_in_bytes"),
        None => (paths[""].clone(), "memory.max"),
    }
}

pub(crate) fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(String::from).into()
}

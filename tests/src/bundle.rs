//! A bundle: a root filesystem and a config.json that a test changes before it runs it.

use std::fs;
use std::fs::File;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::command::Output;
use crate::{Container, Facts, Test, assets, base_config, driver, mountinfo};

/// A bundle of one test. Nothing is written before it runs.
#[derive(Debug)]
pub struct Bundle<'t> {
    /// The test it belongs to.
    pub test: &'t Test,
    /// Where config.json goes.
    pub dir: PathBuf,
    /// Id of the container.
    pub id: String,
    /// The configuration.
    pub config: Value,
}

impl<'t> Bundle<'t> {
    pub(crate) fn new(test: &'t Test, id: String) -> Self {
        let dir = test.dir.join(&id);
        assets::make_rootfs(&dir.join("rootfs"));
        let config = base_config(&id);
        Self { test, dir, id, config }
    }

    /// The root filesystem on the host.
    pub fn rootfs(&self) -> PathBuf {
        self.dir.join("rootfs")
    }

    /// Sets what runs.
    pub fn args(&mut self, args: &[&str]) -> &mut Self {
        self.set("/process/args", json!(args))
    }

    /// Sets one property by its JSON pointer; objects on the way are made.
    pub fn set(&mut self, pointer: &str, value: impl Into<Value>) -> &mut Self {
        *self.at(pointer) = value.into();
        self
    }

    /// Appends to the array at this pointer, which is made if missing.
    pub fn push(&mut self, pointer: &str, value: Value) -> &mut Self {
        let place = self.at(pointer);
        if place.is_null() {
            *place = json!([]);
        }
        place.as_array_mut().unwrap_or_else(|| panic!("{pointer} is no array")).push(value);
        self
    }

    /// Adds a mount.
    pub fn mount(&mut self, destination: &str, kind: &str, source: &str, options: &[&str]) -> &mut Self {
        let m = json!({"destination": destination, "type": kind, "source": source, "options": options});
        self.push("/mounts", m)
    }

    /// Adds a namespace.
    pub fn namespace(&mut self, kind: &str) -> &mut Self {
        self.push("/linux/namespaces", json!({"type": kind}))
    }

    /// Adds a namespace that is joined, in place of a new one.
    pub fn join(&mut self, kind: &str, path: &str) -> &mut Self {
        let list = self.at("/linux/namespaces").as_array_mut().expect("namespaces");
        list.retain(|n| n["type"] != kind);
        list.push(json!({"type": kind, "path": path}));
        self
    }

    /// Adds a user namespace in which ids from 0 are the host's from 100000, and gives it the root filesystem.
    pub fn user_namespace(&mut self) -> &mut Self {
        let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        self.namespace("user");
        self.set("/linux/uidMappings", map.clone()).set("/linux/gidMappings", map);
        self.test.host(&format!("chown -h 100000:100000 {0} {0}/*", self.rootfs().display()));
        self
    }

    fn at(&mut self, pointer: &str) -> &mut Value {
        let mut place = &mut self.config;
        for key in pointer.split('/').skip(1) {
            if place.is_null() {
                *place = json!({});
            }
            place = match (place.is_array(), key.parse::<usize>()) {
                (true, Ok(n)) => place.get_mut(n).unwrap_or_else(|| panic!("{pointer}: no element {n}")),
                _ => &mut place[key],
            };
        }
        place
    }

    /// Writes config.json.
    pub fn write(&self) -> &Self {
        let mut config = self.config.clone();
        if let Some(Value::String(path)) = config.pointer_mut("/linux/cgroupsPath") {
            *path = driver::cgroups_path(path);
        }
        let text = serde_json::to_string_pretty(&config).expect("a document");
        fs::write(self.dir.join("config.json"), text).expect("config.json");
        self
    }

    /// Arguments of `create` or `run`, with flags before the id.
    pub fn command_line<'a>(&'a self, verb: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
        let mut line = vec![verb, "--bundle", self.dir.to_str().expect("a path of ASCII")];
        line.extend_from_slice(flags);
        line.push(&self.id);
        line
    }

    /// `run` in the foreground.
    pub fn run(&self) -> Output {
        self.run_with(&[])
    }

    /// `run` with flags.
    pub fn run_with(&self, flags: &[&str]) -> Output {
        self.write();
        self.test.runtime(&self.command_line("run", flags))
    }

    /// `run` with this text as standard input.
    pub fn run_input(&self, text: &str) -> Output {
        self.write();
        let path = self.dir.join("stdin");
        fs::write(&path, text).expect("input");
        let mut command = self.test.runtime_command(&self.command_line("run", &[]));
        self.test.finish(command.stdin(File::open(&path).expect("input")))
    }

    /// Runs the probe and reads what it says of itself.
    #[track_caller]
    pub fn facts(&mut self) -> Facts {
        Facts::read(self.args(&["probe", "facts"]).run().ok())
    }

    /// Runs the container and reads its mounts.
    #[track_caller]
    pub fn mounts(&mut self) -> Vec<mountinfo::Mount> {
        mountinfo::read(self.args(&["cat", "/proc/self/mountinfo"]).run().ok())
    }

    /// Runs the probe with these arguments; what it answers, without the end of line.
    #[track_caller]
    pub fn probe(&mut self, args: &[&str]) -> String {
        let line: Vec<&str> = ["probe"].iter().chain(args).copied().collect();
        let out = self.args(&line).run();
        assert!(out.stderr.is_empty(), "the probe must run: {out}");
        out.stdout.trim_end().to_owned()
    }

    /// `create`, which must succeed.
    #[track_caller]
    pub fn create(&self) -> Container<'t> {
        self.create_with(&[])
    }

    /// `create` with flags, which must succeed.
    #[track_caller]
    pub fn create_with(&self, flags: &[&str]) -> Container<'t> {
        let (container, out) = self.try_create(flags);
        out.ok();
        container
    }

    /// `create`, whatever comes of it.
    pub fn try_create(&self, flags: &[&str]) -> (Container<'t>, Output) {
        self.write();
        let out_file = self.dir.join("out");
        let err_file = self.dir.join("err");
        let mut command = self.test.runtime_command(&self.command_line("create", flags));
        let out = crate::command::run_into(&mut command, &out_file, &err_file);
        (Container::new(self.test, &self.id, out_file, err_file), out)
    }

    /// `create` and `start`.
    #[track_caller]
    pub fn start(&self) -> Container<'t> {
        let c = self.create();
        c.start();
        c
    }
}

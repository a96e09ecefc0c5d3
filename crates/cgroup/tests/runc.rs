//! The same resources given to runc: files, device rules and measurements have to come out the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // helpers outside of #[test]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use cofferdam_cgroup::{Cgroup, Mode};
use common::{Sandbox, dir, read};
use serde_json::{Value, json};

const RESOURCES: &str = r#"{"memory":{"limit":67108864,"swap":134217728,"reservation":33554432,"swappiness":10,
    "disableOOMKiller":true},"cpu":{"shares":512,"quota":50000,"period":200000,"cpus":"0","mems":"0"},
    "pids":{"limit":32},"blockIO":{"weight":100},"devices":[{"allow":false,"access":"rwm"},
    {"allow":true,"type":"c","major":10,"minor":229,"access":"rw"},
    {"allow":true,"type":"b","major":8,"access":"r"}]}"#;

/// A running container of runc's that goes away with this value.
struct Container {
    bundle: PathBuf,
    id: String,
}

impl Container {
    /// Nothing, with the reason printed, where runc cannot run.
    fn start(sandbox: &Sandbox, id: &str, cgroups_path: Value) -> Option<Self> {
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|p| Path::new(p).exists());
        let runc = Command::new("runc").arg("--version").output();
        let (Some(busybox), Ok(_)) = (busybox, runc) else {
            println!("skipped: runc and a static busybox are needed");
            return None;
        };
        let id = format!("{}-{id}", sandbox.path.trim_start_matches('/'));
        let bundle = std::env::temp_dir().join(&id);
        std::fs::create_dir_all(bundle.join("rootfs/bin")).unwrap();
        std::fs::copy(busybox, bundle.join("rootfs/bin/sleep")).unwrap();
        let container = Self { bundle, id };
        assert!(Command::new("runc").arg("spec").current_dir(&container.bundle).status().unwrap().success());
        let path = container.bundle.join("config.json");
        let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["sleep", "100"]);
        config["linux"]["resources"] = serde_json::from_str(RESOURCES).unwrap();
        config["linux"]["cgroupsPath"] = cgroups_path;
        std::fs::write(&path, config.to_string()).unwrap();
        let null = std::process::Stdio::null;
        let mut run = Command::new("runc");
        run.args(["run", "-d", &container.id]).current_dir(&container.bundle);
        // Its standard files stay open in the container.
        let status = run.stdin(null()).stdout(null()).stderr(null()).status().unwrap();
        assert!(status.success(), "runc run");
        Some(container)
    }

    fn stats(&self) -> Value {
        let out = Command::new("runc").args(["events", "--stats", &self.id]).output().unwrap();
        let event: Value = serde_json::from_slice(&out.stdout).unwrap();
        event["data"].clone()
    }

    fn cgroups(&self) -> BTreeMap<String, String> {
        let out = Command::new("runc").args(["state", &self.id]).output().unwrap();
        let state: Value = serde_json::from_slice(&out.stdout).unwrap();
        let text = read(format!("/proc/{}/cgroup", state["pid"]));
        let entry = |line: &str| {
            let mut parts = line.splitn(3, ':').skip(1);
            Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
        };
        text.lines().filter_map(entry).collect()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("runc").args(["delete", "-f", &self.id]).output();
        let _ = std::fs::remove_dir_all(&self.bundle);
    }
}

fn sandbox(name: &str) -> Option<Sandbox> {
    let sandbox = Sandbox::new(name)?;
    if sandbox.hierarchies.mode == Mode::V2 {
        println!("skipped: compares version 1 files");
        return None;
    }
    Some(sandbox)
}

#[test]
fn every_file_has_what_runc_writes() {
    let Some(sandbox) = sandbox("runcfiles") else { return };
    let theirs = Container::start(&sandbox, "files", json!(format!("{}/theirs", sandbox.path)));
    let Some(_theirs) = theirs else { return };
    let ours = Cgroup::create(&sandbox.plan_below("/ours", RESOURCES)).unwrap();
    ours.apply_limits().unwrap();
    let mut compared = 0;
    for d in ours.dirs() {
        let other = d.path.parent().unwrap().join("theirs");
        assert!(other.is_dir(), "runc has {}", other.display());
        for entry in std::fs::read_dir(&d.path).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let counts = [
                "usage", "stat", "procs", "tasks", "cgroup.", "failcnt", "events", "current", "peak",
                "pressure", "io_", "slabinfo", "control",
            ];
            if counts.iter().any(|c| name.contains(c)) && name != "memory.oom_control" {
                continue;
            }
            let Ok(mine) = std::fs::read_to_string(entry.path()) else { continue };
            let lines = |text: &str| {
                let mut lines: Vec<String> = text.lines().map(String::from).collect();
                lines.sort();
                lines
            };
            assert_eq!(lines(&mine), lines(&read(other.join(&name))), "{name}");
            compared += 1;
        }
    }
    assert!(compared > 40, "only {compared} files compared");
    assert_eq!(read(dir(&ours, "devices").join("devices.list")).lines().count(), 13);
}

#[test]
fn paths_are_where_runc_has_them() {
    let Some(sandbox) = sandbox("runcpaths") else { return };
    let name = sandbox.path.trim_start_matches('/');
    let cases = [
        json!(format!("/{name}/abs")),
        json!(format!("{name}-rel")),
        json!(format!("../../{name}-dots")),
        json!(""),
    ];
    for (index, path) in cases.into_iter().enumerate() {
        let Some(theirs) = Container::start(&sandbox, &format!("paths{index}"), path.clone()) else { return };
        let plan = cofferdam_cgroup::plan(
            &sandbox.hierarchies,
            path.as_str(),
            &theirs.id,
            &Default::default(),
            &Default::default(),
        )
        .unwrap();
        let cgroups = theirs.cgroups();
        for d in &plan.dirs {
            let key = match d.version {
                cofferdam_cgroup::Version::V1 => d.controllers.join(","),
                cofferdam_cgroup::Version::V2 => String::new(),
            };
            let inside = d.path.strip_prefix(&d.mount_point).unwrap();
            assert_eq!(Path::new(&cgroups[&key]), Path::new("/").join(inside), "{key} for {path}");
        }
    }
}

/// The names of all fields, with maps of counters left closed.
fn shape(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) if !at.ends_with("raw") => {
            map.iter().for_each(|(k, v)| shape(v, &format!("{at}.{k}"), out))
        }
        _ => out.push(at.to_owned()),
    }
}

#[test]
fn measurements_have_the_form_of_runcs() {
    let Some(sandbox) = sandbox("runcstats") else { return };
    let path = json!(format!("{}/theirs", sandbox.path));
    let Some(theirs) = Container::start(&sandbox, "stats", path) else { return };
    let plan = sandbox.plan_below("/theirs", "{}");
    let cgroup = Cgroup::load(cofferdam_cgroup::SavedCgroup::intended(&plan));
    let ours = serde_json::to_value(cgroup.stats().unwrap()).unwrap();
    let theirs = theirs.stats();
    let (mut a, mut b) = (Vec::new(), Vec::new());
    shape(&ours, "", &mut a);
    shape(&theirs, "", &mut b);
    // What counts on in between may have just started.
    a.retain(|field| !field.contains("throttling."));
    b.retain(|field| !field.contains("throttling."));
    assert_eq!(a, b);
    for same in
        ["/pids", "/cpuset", "/memory/usage/limit", "/memory/swap/limit", "/memory/kernel/limit", "/hugetlb"]
    {
        assert_eq!(ours.pointer(same), theirs.pointer(same), "{same}");
    }
}

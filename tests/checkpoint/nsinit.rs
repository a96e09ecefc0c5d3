//! The same of nsinit's containers, which have a container.json and somebody who stays with them.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use cofferdam_tests::{Bundle, cgroup, json, own, wait_until};

use crate::criu::{Trip, count, counting, goes_on};

/// A data directory beside the root filesystem of a bundle.
struct Classic<'t> {
    trip: Trip<'t>,
    bundle: Bundle<'t>,
    data: PathBuf,
}

impl Classic<'_> {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.trip.command(&["nsinit"]);
        command.args(words).current_dir(&self.data).stdin(Stdio::null());
        command
    }

    /// One that stays with the container.
    fn stays(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("nsinit starts")
    }

    fn process(&self) -> Option<i32> {
        let state = fs::read_to_string(self.data.join("state.json")).ok()?;
        cofferdam_tests::parse(&state)["init_pid"].as_i64()?.try_into().ok()
    }
}

own! {
    fn nsinit_restores_what_it_has_dumped_and_stays_with_it(t) {
        let (trip, bundle) = (Trip::real(t)?, counting(t));
        let data = t.dir.join("data");
        fs::create_dir(&data).unwrap();
        let config = json!({
            "root_fs": bundle.rootfs(),
            "namespaces": {"NEWNS": true, "NEWPID": true, "NEWUTS": true, "NEWIPC": true},
            "environment": ["PATH=/bin"],
            "cgroups": {"name": bundle.id, "allow_all_devices": true},
        });
        fs::write(data.join("container.json"), config.to_string()).unwrap();
        let images = trip.images().display().to_string();
        let c = Classic { trip, bundle, data };
        let program = c.bundle.config["process"]["args"].as_array().unwrap().clone();
        let program: Vec<_> = program.iter().map(|word| word.as_str().unwrap()).collect();
        let mut exec = c.stays(&[&["exec"], &program[..]].concat());
        goes_on(&c.bundle);
        t.finish(&mut c.command(&["checkpoint", "--image-path", &images])).ok();
        assert_eq!(exec.wait().unwrap().code(), Some(137));
        assert!(!c.data.join("state.json").exists() && cgroup::all_named(&c.bundle.id).is_empty());
        let before = count(&c.bundle);
        let mut restore = c.stays(&["restore", "--image-path", &images]);
        assert!(goes_on(&c.bundle) >= before, "it begins where it was");
        wait_until("the state is written", || c.process().is_some_and(|pid| pid > 0));
        assert_eq!(t.finish(&mut c.command(&["exec", "sh", "-c", "echo inside"])).ok(), "inside\n");
        let pid = rustix::process::Pid::from_raw(c.process().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        assert_eq!(restore.wait().unwrap().code(), Some(137));
        assert!(!c.data.join("state.json").exists() && cgroup::all_named(&c.bundle.id).is_empty());
    }
}

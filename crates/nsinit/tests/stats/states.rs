//! state.json: both generations, and files that are none.

use std::fs;
use std::io::Write;

use cofferdam::ErrorKind;
use cofferdam_nsinit::stats::Measurement;
use cofferdam_nsinit::{AnyState, RunState, State, StateV2};

use crate::world::{World, root};

/// A data directory; dropped, it is gone.
struct Data(std::path::PathBuf);

impl Data {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("nsinit-states-{}-{name}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        Self(dir)
    }

    fn holds(&self, content: &[u8]) {
        fs::write(self.0.join("state.json"), content).unwrap();
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// As libcontainer v2.2 writes it, with what Go writes for maps that were never made.
const V2: &str = r#"{"id":"nsinit","init_process_pid":4711,"init_process_start":"123456",
    "cgroup_paths":{"memory":"/sys/fs/cgroup/memory/nsinit","cpuacct":"/sys/fs/cgroup/cpuacct/nsinit"},
    "namespace_paths":{"NEWIPC":"/proc/1/ns/ipc","NEWNET":"/proc/4711/ns/net"},
    "config":{"rootfs":"/srv/box","hostname":"koye","namespaces":[{"type":"NEWPID","path":""}]},
    "external_descriptors":["/dev/null","pipe:[12]","pipe:[13]"]}"#;
const V1: &str = r#"{"init_pid":4711,"init_start_time":"123456","network_state":{"veth_host":"veth1","veth_child":"eth0"},
    "cgroup_paths":{"memory":"/sys/fs/cgroup/memory/nsinit"}}"#;

#[test]
fn both_generations_are_told_apart_and_read() {
    let AnyState::V2(new) = AnyState::parse(V2.as_bytes()).unwrap() else { panic!() };
    assert_eq!((new.id.as_str(), new.init_process_pid, new.external_descriptors.len()), ("nsinit", 4711, 3));
    assert_eq!(new.namespace_paths["NEWIPC"].to_str(), Some("/proc/1/ns/ipc"));
    assert_eq!(new.config().unwrap().hostname, "koye");
    let back = serde_json::to_vec(&new).unwrap();
    assert_eq!(StateV2::parse(&back).unwrap(), *new);
    let AnyState::V1(old) = AnyState::parse(V1.as_bytes()).unwrap() else { panic!() };
    assert_eq!((old.init_pid, old.network_state.veth_host.as_str()), (4711, "veth1"));
    assert_eq!(State::parse(&serde_json::to_vec(&old).unwrap()).unwrap(), *old);
    let number = V2.replace(r#""123456""#, "123456");
    assert_eq!(StateV2::parse(number.as_bytes()).unwrap(), *new, "as later runc writes it");
    let null = V2.replace(r#"["/dev/null","pipe:[12]","pipe:[13]"]"#, "null");
    assert!(StateV2::parse(null.as_bytes()).unwrap().external_descriptors.is_empty());
}

#[test]
fn a_file_that_was_cut_off_anywhere_is_an_error_that_says_so() {
    let data = Data::new("cut");
    for whole in [V1, V2] {
        for end in 0..whole.len() {
            data.holds(&whole.as_bytes()[..end]);
            let error = AnyState::get(&data.0).unwrap_err();
            assert!(
                error.hint().is_some_and(|hint| hint.contains("stopped in the middle")),
                "{end}: {error}"
            );
            assert!(error.to_string().contains("state.json"), "{error}");
        }
    }
}

#[test]
fn what_is_no_state_is_told() {
    let data = Data::new("wrong");
    let deep = format!("{}{}", r#"{"init_pid":1,"init_start_time":"1","core":"#, "[".repeat(100_000));
    for (content, said) in [
        ("[]", "no JSON object"),
        (r#"[4711,"123456"]"#, "no JSON object"),
        ("null", "no JSON object"),
        ("{}", "neither init_pid nor init_process_pid"),
        (r#"{"init_pid":"4711"}"#, "invalid type"),
        (r#"{"init_pid":0,"init_start_time":"1"}"#, "init_pid is 0"),
        (r#"{"init_pid":-1,"init_start_time":"1"}"#, "init_pid is -1"),
        (r#"{"init_pid":99999999999,"init_start_time":"1"}"#, "invalid value"),
        (r#"{"init_pid":1,"init_start_time":"soon"}"#, "init_start_time is \"soon\""),
        (r#"{"init_pid":1,"init_start_time":"1","cgroup_paths":7}"#, "invalid type"),
        (r#"{"id":"x","init_process_pid":1}"#, "init_process_start"),
        (r#"{"id":"x","init_process_pid":1,"init_process_start":-1}"#, "neither text nor a number"),
        (r#"{"id":"x","init_process_pid":0,"init_process_start":"1"}"#, "init_process_pid is 0"),
        (r#"{"init_pid":1,"init_pid":2,"init_start_time":"1"}"#, "duplicate field"),
        (deep.as_str(), "state.json"),
        ("\u{0}\u{0}\u{0}", "no JSON object"),
    ] {
        data.holds(content.as_bytes());
        let error = AnyState::get(&data.0).unwrap_err();
        assert!(error.to_string().contains(said), "{:.60}: {error}", content);
        assert!(RunState::in_dir(&data.0).is_err());
    }
    data.holds(b"\xff\xfe{}");
    assert!(AnyState::get(&data.0).is_err());
}

#[test]
fn a_state_with_any_bytes_changed_is_read_or_refused_with_a_reason() {
    // A fixed sequence: what fails once fails again.
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % u64::try_from(below).unwrap()).unwrap()
    };
    let (mut read, mut refused) = (0, 0);
    for round in 0..6_000 {
        let mut bytes = if round % 2 == 0 { V1 } else { V2 }.as_bytes().to_vec();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            match next(3) {
                0 => bytes[at] = u8::try_from(next(256)).unwrap(),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"{}[]\",:0-9e\\"[next(12)]),
            }
        }
        match AnyState::parse(&bytes) {
            Ok(state) => {
                read += 1;
                assert!(state.pid() >= 0);
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().len() > "reading the state".len(), "{error}");
            }
        }
    }
    assert!(read > 300 && refused > 300, "{read} read, {refused} refused");
}

#[test]
fn what_is_no_file_is_told_and_nothing_waits_for_it() {
    let data = Data::new("fifo");
    let path = data.0.join("state.json");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let error = AnyState::get(&data.0).unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(State::get(&data.0).unwrap_err().to_string().contains("not a regular file"));
    fs::remove_dir(&path).unwrap();
    let mut huge = fs::File::create(&path).unwrap();
    huge.write_all(b"{").unwrap();
    huge.set_len(64 << 20).unwrap();
    assert!(AnyState::get(&data.0).unwrap_err().to_string().contains("longer than"));
    fs::remove_file(&path).unwrap();
    assert_eq!(AnyState::get(&data.0).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn what_a_container_is_at_is_computed() {
    let data = Data::new("at");
    assert_eq!(RunState::in_dir(&data.0).unwrap(), RunState::Destroyed);
    // The number is ours, the start is not: another process.
    data.holds(V1.replace("4711", &std::process::id().to_string()).as_bytes());
    assert_eq!(RunState::in_dir(&data.0).unwrap(), RunState::Destroyed);
    let error = AnyState::get(&data.0).unwrap().measure().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongState, "{error}");
    fs::write(data.0.join("checkpoint"), "").unwrap();
    assert_eq!(RunState::in_dir(&data.0).unwrap(), RunState::Checkpointed);
}

#[test]
fn a_container_that_is_frozen_is_paused_in_every_form() {
    if !root() {
        return;
    }
    let world = World::new();
    world
        .run_with("sleep 1000", |child| {
            let state = State::get(&world.data()).unwrap();
            let at = || (RunState::of(child.container()).unwrap(), RunState::of_state(&state).unwrap());
            assert_eq!(at(), (RunState::Running, RunState::Running));
            child.pause().unwrap();
            assert_eq!(at(), (RunState::Paused, RunState::Paused));
            assert_eq!(RunState::in_dir(&world.data()).unwrap(), RunState::Paused);
            child.resume().unwrap();
            assert_eq!(at(), (RunState::Running, RunState::Running));
            child.kill().unwrap();
        })
        .unwrap();
    assert_eq!(RunState::in_dir(&world.data()).unwrap(), RunState::Destroyed);
}

#[test]
fn the_state_of_version_2_names_the_namespaces_of_a_container() {
    if !root() {
        return;
    }
    let mut world = World::new();
    // The host's IPC, and everything else its own.
    world.config.namespaces.remove(cofferdam_nsinit::NamespaceType::Ipc);
    world
        .run_with("sleep 1000", |child| {
            let state = StateV2::of(child.container(), Some(&world.config)).unwrap();
            assert_eq!((state.init_process_pid, state.is_alive()), (child.pid(), true));
            let of = |path: &std::path::Path| fs::read_link(path).unwrap();
            let host = |name: &str| of(format!("/proc/self/ns/{name}").as_ref());
            assert_eq!(of(&state.namespace_paths["NEWIPC"]), host("ipc"));
            for (kind, name) in [("NEWNET", "net"), ("NEWPID", "pid"), ("NEWNS", "mnt"), ("NEWUTS", "uts")] {
                assert_ne!(of(&state.namespace_paths[kind]), host(name), "{kind}");
            }
            assert_eq!(of(&state.namespace_paths["NEWUSER"]), host("user"));
            assert_eq!(state.external_descriptors.len(), 3);
            assert!(state.external_descriptors[1].ends_with("/out"), "{:?}", state.external_descriptors);
            assert_eq!(state.config().unwrap().hostname, "koye");
            // It comes back from its own text, and measures the same container.
            let again = StateV2::parse(&serde_json::to_vec(&state).unwrap()).unwrap();
            assert_eq!(again, state);
            let measured = Measurement::of_state_v2(&again).unwrap();
            assert!(measured.usage.memory.usage.used.unwrap() > 0);
            child.kill().unwrap();
        })
        .unwrap();
}

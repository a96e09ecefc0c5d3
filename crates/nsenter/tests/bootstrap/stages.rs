//! What the three processes do when all is well.

use std::fs;
use std::io::Read;

use cofferdam_nsenter::bootstrap::Release;
use cofferdam_nsenter::bootstrap::message::{
    Bootstrap, Clock, IdRange, Kind, NamespacePath, TimeOffset, encode,
};
use cofferdam_sys::wait::Ended;
use serde_json::Value;

use crate::driver::{Start, Target, alone, messages};

fn flags(kinds: &[Kind]) -> u32 {
    kinds.iter().fold(0, |bits, kind| bits | kind.flag())
}

fn ours(kind: &str) -> String {
    fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().display().to_string()
}

/// A line of /proc/PID/status.
fn status<'a>(facts: &'a Value, name: &str) -> &'a str {
    let text = facts["status"].as_str().unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim()
}

#[test]
fn the_last_process_is_inside_and_the_child_of_the_caller() {
    let Some(_alone) = alone() else { return };
    let new = [Kind::Mount, Kind::Uts, Kind::Ipc, Kind::Pid, Kind::Network, Kind::Cgroup];
    let mut started = Start::default().with(&Bootstrap { clone_flags: flags(&new), ..Bootstrap::default() });
    let (_, last) = started.pids();
    let facts = started.facts();
    for kind in Kind::ALL {
        let same = facts["namespaces"][kind.name()] == ours(kind.name());
        assert_eq!(same, !new.contains(&kind), "{kind:?}");
    }
    assert_eq!((&facts["pid"], &facts["parent"]), (&1.into(), &0.into()));
    assert_eq!(facts["comm"], "runc:[2:INIT]\n");
    let outside = fs::read_to_string(format!("/proc/{last}/status")).unwrap();
    assert!(outside.contains(&format!("PPid:\t{}\n", std::process::id())), "{outside}");
    assert_eq!(started.finish(last), Ended::Exited(0));
}

#[test]
fn the_last_process_leads_a_session_and_holds_only_its_own_descriptors() {
    let Some(_alone) = alone() else { return };
    let mut started = Start::default().with(&Bootstrap::default());
    let (_, last) = started.pids();
    let facts = started.facts();
    let stat: Vec<_> = facts["stat"].as_str().unwrap().rsplit(") ").next().unwrap().split(' ').collect();
    assert_eq!(
        (stat[2], stat[3]),
        (last.to_string().as_str(), last.to_string().as_str()),
        "group and session"
    );
    let sockets = facts["descriptors"].as_object().unwrap();
    let sockets = sockets.values().filter(|link| link.as_str().unwrap().starts_with("socket:")).count();
    assert_eq!(sockets, 1, "the init pipe: {}", facts["descriptors"]);
    started.finish(last);
}

#[test]
fn a_user_namespace_gets_its_maps_before_anything_is_done_in_it() {
    let Some(_alone) = alone() else { return };
    let map = vec![IdRange { inside: 0, outside: 100_000, count: 65_536 }];
    let asked = Bootstrap {
        clone_flags: flags(&[Kind::User, Kind::Network, Kind::Pid]),
        uid_map: map.clone(),
        gid_map: map,
        setgroups: true,
        ..Bootstrap::default()
    };
    let mut started = Start::default().with(&asked);
    let (_, last) = started.pids();
    let facts = started.facts();
    let line: Vec<_> = facts["uid_map"].as_str().unwrap().split_whitespace().collect();
    assert_eq!(line, ["0", "100000", "65536"]);
    assert_eq!((status(&facts, "Uid:"), status(&facts, "Gid:")), ("0\t0\t0\t0", "0\t0\t0\t0"));
    assert_eq!((status(&facts, "Groups:"), facts["setgroups"].as_str()), ("", Some("allow\n")));
    let outside = fs::read_to_string(format!("/proc/{last}/status")).unwrap();
    assert!(outside.contains("Uid:\t100000\t100000\t100000\t100000\n"), "{outside}");
    started.finish(last);
}

#[test]
fn an_ordinary_user_maps_himself_and_setgroups_is_denied() {
    let Some(_alone) = alone() else { return };
    let own = |id| vec![IdRange { inside: 0, outside: id, count: 1 }];
    let asked = Bootstrap {
        clone_flags: flags(&[Kind::User, Kind::Uts]),
        uid_map: own(65_534),
        gid_map: own(65_534),
        rootless: true,
        ..Bootstrap::default()
    };
    let mut started = Start { uid: 65_534, ..Start::default() }.with(&asked);
    let (_, last) = started.pids();
    let facts = started.facts();
    assert_eq!((status(&facts, "Uid:"), facts["setgroups"].as_str()), ("0\t0\t0\t0", Some("deny\n")));
    started.finish(last);
}

#[test]
fn oom_score_adj_is_set_although_joining_hides_the_process() {
    let Some(_alone) = alone() else { return };
    let path = format!("/proc/{}/ns/net", std::process::id());
    let asked = Bootstrap {
        namespaces: vec![NamespacePath { kind: Kind::Network, path: path.into() }],
        oom_score_adj: Some(321),
        ..Bootstrap::default()
    };
    let mut started = Start::default().with(&asked);
    let (_, last) = started.pids();
    let facts = started.facts();
    assert_eq!((&facts["oom_score_adj"], &facts["dumpable"]), (&"321\n".into(), &false.into()));
    started.finish(last);
}

#[test]
fn time_offsets_are_there_before_the_first_process() {
    let Some(_alone) = alone() else { return };
    let offset = TimeOffset { clock: Clock::Boottime, seconds: 1_000_000, nanoseconds: 5 };
    let asked =
        Bootstrap { clone_flags: Kind::Time.flag(), time_offsets: vec![offset], ..Bootstrap::default() };
    let mut started = Start::default().with(&asked);
    let (_, last) = started.pids();
    let facts = started.facts();
    let lines = facts["timens_offsets"].as_str().unwrap();
    let boottime: Vec<_> =
        lines.lines().find(|line| line.starts_with("boottime")).unwrap().split_whitespace().collect();
    assert_eq!(boottime, ["boottime", "1000000", "5"]);
    assert_ne!(facts["namespaces"]["time"], ours("time"));
    started.finish(last);
}

#[test]
fn what_is_forbidden_is_joined_after_the_user_namespace_that_it_belongs_to() {
    let Some(_alone) = alone() else { return };
    // Nobody but its own root may join the others of this user namespace: an ordinary user must be that first.
    let target = Target::new(&["-U", "-r", "-n", "-u"], 65_534);
    let link = |kind: &str| format!("/proc/{}/ns/{kind}", target.0.id());
    let listed = [Kind::Uts, Kind::Network, Kind::User];
    let paths = listed.map(|kind| NamespacePath { kind, path: link(kind.name()).into() });
    let asked = Bootstrap { namespaces: paths.to_vec(), ..Bootstrap::default() };
    let mut started = Start { uid: 65_534, ..Start::default() }.with(&asked);
    let (_, last) = started.pids();
    let facts = started.facts();
    for kind in listed {
        assert_eq!(facts["namespaces"][kind.name()], target.link(kind.name()), "{kind:?}");
    }
    drop(target);
    started.finish(last);
}

#[test]
fn runc_1_1_is_greeted_and_its_successors_are_not() {
    let Some(_alone) = alone() else { return };
    let message = encode(&Bootstrap::default(), Release::Current).unwrap();
    let environment =
        vec![("_LIBCONTAINER_STATEDIR", "/run/x".to_owned()), ("_LIBCONTAINER_INITTYPE", "setns".to_owned())];
    let mut started = Start { environment, ..Start::default() }.start();
    let mut byte = [7];
    started.pipe.read_exact(&mut byte).unwrap();
    assert_eq!(byte, [0], "before the message is sent");
    started.send(&message);
    let (_, last) = started.pids();
    let facts = started.facts();
    assert_eq!((&facts["release"], &facts["kind"]), (&"V1_0".into(), &"Setns".into()));
    started.finish(last);

    let mut started = Start::default().with_bytes(&message);
    let (_, last) = started.pids();
    assert_eq!(started.facts()["release"], "Current");
    started.finish(last);
}

#[test]
fn mount_sources_are_opened_outside_and_found_at_their_numbers() {
    let Some(_alone) = alone() else { return };
    let asked = Bootstrap {
        clone_flags: flags(&[Kind::Mount, Kind::User]),
        uid_map: vec![IdRange { inside: 0, outside: 100_000, count: 1 }],
        gid_map: vec![IdRange { inside: 0, outside: 100_000, count: 1 }],
        // Root's, and nobody else's.
        mount_sources: vec!["/etc/shadow".into(), "".into(), "/root".into()],
        ..Bootstrap::default()
    };
    let environment = vec![
        ("_LIBCONTAINER_STATEDIR", "/run/x".to_owned()),
        ("_LIBCONTAINER_MOUNT_FDS", "[30,-1,31]".to_owned()),
    ];
    let mut started = Start { environment, ..Start::default() }.start();
    started.pipe.read_exact(&mut [0]).unwrap();
    started.send(&encode(&asked, Release::V1_0).unwrap());
    let (_, last) = started.pids();
    let facts = started.facts();
    let descriptors = &facts["descriptors"];
    assert_eq!((&descriptors["30"], &descriptors["31"]), (&"/etc/shadow".into(), &"/root".into()));
    started.finish(last);
}

#[test]
fn the_message_may_come_in_pieces() {
    let Some(_alone) = alone() else { return };
    let message = encode(&Bootstrap::default(), Release::Current).unwrap();
    let mut started = Start::default().start();
    for byte in message {
        started.send(&[byte]);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let (_, last) = started.pids();
    started.facts();
    started.finish(last);
}

#[test]
fn a_failure_of_the_program_inside_reaches_the_caller() {
    let Some(_alone) = alone() else { return };
    let mut started = Start { word: "fail", ..Start::default() }.with(&Bootstrap::default());
    let (_, last) = started.pids();
    let mut said = String::new();
    started.pipe.read_to_string(&mut said).unwrap();
    assert_eq!(said, r#"{"type":"procError","flags":0,"arg":{"message":"as it was told to"}}"#);
    assert_eq!(started.finish(last), Ended::Exited(1));
}

#[test]
fn the_log_pipe_tells_each_step_at_the_level_that_is_wanted() {
    let Some(_alone) = alone() else { return };
    for (level, lines) in [("5", true), ("4", false)] {
        let environment = vec![("_LIBCONTAINER_LOGLEVEL", level.to_owned())];
        let mut started = Start { environment, ..Start::default() }.with(&Bootstrap::default());
        let (first, last) = started.pids();
        started.facts();
        started.pipe.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
        let mut log = String::new();
        started.log.read_to_string(&mut log).unwrap();
        assert_eq!(!log.is_empty(), lines, "{log}");
        let said = messages(&log, "debug");
        assert_eq!(said.iter().any(|line| line.starts_with(&format!("nsexec-1[{first}]: "))), lines, "{log}");
        started.finish(last);
    }
}

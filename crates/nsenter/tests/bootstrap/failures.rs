//! What goes wrong is said on the log pipe, in runc's form; nothing hangs and nobody is left.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use cofferdam_nsenter::bootstrap::Release;
use cofferdam_nsenter::bootstrap::message::{Bootstrap, IdRange, Kind, NamespacePath, encode};

use crate::driver::{Start, Started, alone, messages};

/// The one fatal line of each failing stage.
#[track_caller]
fn fatal(started: Started) -> Vec<String> {
    let (status, log) = started.fails();
    assert_eq!(status.code(), Some(1), "{log}");
    messages(&log, "fatal")
}

fn join(kind: Kind, path: &str) -> Bootstrap {
    let namespaces = vec![NamespacePath { kind, path: path.into() }];
    Bootstrap { namespaces, ..Bootstrap::default() }
}

#[test]
fn malformed_messages_are_refused_with_the_reason() {
    let Some(_alone) = alone() else { return };
    let whole = encode(&Bootstrap::default(), Release::Current).unwrap();
    let mut wrong_type = whole.clone();
    wrong_type[4..6].copy_from_slice(&2u16.to_ne_bytes());
    let mut huge = whole.clone();
    huge[..4].copy_from_slice(&0xffff_fff0u32.to_ne_bytes());
    let mut overlapping = whole.clone();
    overlapping[16..18].copy_from_slice(&60_000u16.to_ne_bytes());
    let mut unknown = whole.clone();
    unknown[18..20].copy_from_slice(&27_300u16.to_ne_bytes());
    for (message, words) in [
        (&whole[..0], "the init pipe ends 16 bytes before the message does"),
        (&whole[..20], "the init pipe ends 12 bytes before the message does"),
        (&wrong_type, "netlink's error message, and not type 62000"),
        (&huge, "the header says 4294967280 bytes"),
        (&overlapping, "at byte 16: attribute 27281 says 60000 bytes, from 4 to 16 are possible"),
        (&unknown, "at byte 16: unknown attribute 27300"),
    ] {
        let said = fatal(Start::default().with_bytes(message));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("nsexec[") && said[0].contains(words), "{said:?}");
    }
}

#[test]
fn without_a_log_pipe_the_reason_is_on_standard_error() {
    let Some(_alone) = alone() else { return };
    let (status, said) = Start { log_pipe: false, ..Start::default() }.with_bytes(&[0; 16]).fails();
    assert_eq!(status.code(), Some(1));
    let first = said.lines().next().unwrap();
    assert!(first.starts_with("FATAL: understanding the bootstrap data: "), "{said}");
}

#[test]
fn a_namespace_of_another_kind_is_not_joined() {
    let Some(_alone) = alone() else { return };
    let path = format!("/proc/{}/ns/pid", std::process::id());
    let said = fatal(Start::default().with(&join(Kind::Network, &path)));
    // The stage that failed, and the one that served it.
    assert_eq!(said.len(), 2, "{said:?}");
    let expected =
        format!("joining the namespace: net:{path}: invalid argument (EINVAL) (asked for by NS_PATHS_ATTR)");
    assert!(said[0].starts_with("nsexec-1[") && said[0].ends_with(&expected), "{said:?}");
    assert!(said[1].starts_with("nsexec-0[") && said[1].contains("it ended early"), "{said:?}");
}

#[test]
fn a_namespace_that_is_not_there_is_named() {
    let Some(_alone) = alone() else { return };
    let said = fatal(Start::default().with(&join(Kind::Network, "/proc/-1/ns/net")));
    assert!(said[0].contains("net:/proc/-1/ns/net: no such file or directory (ENOENT)"), "{said:?}");
}

#[test]
fn what_an_ordinary_user_may_not_join_or_make_is_refused() {
    let Some(_alone) = alone() else { return };
    let user = || Start { uid: 65_534, ..Start::default() };
    let target = format!("/proc/{}/ns/uts", std::process::id());
    assert!(!fatal(user().with(&join(Kind::Uts, &target))).is_empty());
    let said = fatal(user().with(&Bootstrap { clone_flags: Kind::Network.flag(), ..Bootstrap::default() }));
    assert!(said[0].contains("making namespaces: 0x40000000: operation not permitted (EPERM)"), "{said:?}");
    assert!(said[0].contains("CLONE_FLAGS_ATTR") && said[0].contains("hint: "), "{said:?}");
}

/// A program in the place of newuidmap, in a directory that everybody may write.
struct Tool(PathBuf);

impl Tool {
    fn new(script: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("bootstrap-tool-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
        let tool = Self(directory);
        fs::write(tool.path("newuidmap"), format!("#!/bin/sh\ncd {}\n{script}\n", tool.0.display())).unwrap();
        fs::set_permissions(tool.path("newuidmap"), fs::Permissions::from_mode(0o755)).unwrap();
        tool
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Started by an ordinary user, with a map that he may not write himself.
    fn start(&self) -> Started {
        let two = [(0, 65_534, 1), (1, 100_000, 65_536)];
        let asked = Bootstrap {
            clone_flags: Kind::User.flag(),
            uid_map: two.map(|(inside, outside, count)| IdRange { inside, outside, count }).to_vec(),
            uid_map_tool: Some(self.path("newuidmap")),
            rootless: true,
            setgroups: true,
            ..Bootstrap::default()
        };
        Start { uid: 65_534, ..Start::default() }.with(&asked)
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_map_that_the_kernel_refuses_is_left_to_the_mapping_tool() {
    let Some(_alone) = alone() else { return };
    let tool = Tool::new("echo \"$# $2 $3 $4 $5 $6 $7\" > said; exit 3");
    let said = fatal(tool.start());
    assert_eq!(fs::read_to_string(tool.path("said")).unwrap(), "7 0 65534 1 1 100000 65536\n");
    let reported = said.iter().find(|line| line.starts_with("nsexec-0[")).unwrap();
    assert!(reported.contains("newuidmap: exit status: 3"), "{said:?}");
}

#[test]
fn a_first_stage_that_is_killed_takes_the_others_with_it() {
    let Some(_alone) = alone() else { return };
    // While stage 1 waits for its maps.
    let tool = Tool::new("echo $$ > said; exec sleep 20");
    let mut started = tool.start();
    let written = || fs::read_to_string(tool.path("said")).unwrap_or_default().trim().parse::<i32>().ok();
    while written().is_none() {
        std::thread::yield_now();
    }
    started.stage0.kill().unwrap();
    let (status, log) = started.fails();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    let said = messages(&log, "fatal");
    assert!(said[0].starts_with("nsexec-1[") && said[0].contains("it ended early"), "{said:?}");
    // Nobody's child any more.
    cofferdam_sys::setns::kill(written().unwrap(), 9).unwrap();
}

#[test]
fn a_process_with_threads_is_refused() {
    let Some(_alone) = alone() else { return };
    let said = fatal(Start { word: "threaded", ..Start::default() }.with(&Bootstrap::default()));
    assert!(said[0].contains("bootstrap::run must come first in main, before any thread"), "{said:?}");
}

#[test]
fn mount_sources_and_their_numbers_must_be_as_many() {
    let Some(_alone) = alone() else { return };
    let asked = Bootstrap { mount_sources: vec!["/etc".into(), "/root".into()], ..Bootstrap::default() };
    let environment =
        vec![("_LIBCONTAINER_STATEDIR", "/run/x".to_owned()), ("_LIBCONTAINER_MOUNT_FDS", "[30]".to_owned())];
    let mut started = Start { environment, ..Start::default() }.start();
    std::io::Read::read_exact(&mut started.pipe, &mut [0]).unwrap();
    started.send(&encode(&asked, Release::V1_0).unwrap());
    let said = fatal(started);
    assert!(said[0].contains("_LIBCONTAINER_MOUNT_FDS"), "{said:?}");
}

#[test]
fn variables_that_are_no_numbers_are_named() {
    let Some(_alone) = alone() else { return };
    for value in ["x", "-1", "3x", "99999999999"] {
        let environment = vec![("_LIBCONTAINER_INITPIPE", value.to_owned())];
        let said = fatal(Start { environment, ..Start::default() }.start());
        assert!(said[0].contains("is no number from 0 (asked for by _LIBCONTAINER_INITPIPE)"), "{said:?}");
    }
    let environment = vec![("_LIBCONTAINER_INITPIPE", "999".to_owned())];
    let said = fatal(Start { environment, ..Start::default() }.start());
    assert!(said[0].contains("taking the descriptor: 999: bad file descriptor (EBADF)"), "{said:?}");
}

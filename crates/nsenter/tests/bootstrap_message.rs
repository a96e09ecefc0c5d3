//! The bootstrap data byte for byte: what runc 1.1.5 wrote (recorded with strace), and what is wrong with it
//! when a byte of it is.

#![allow(clippy::unwrap_used)] // helpers outside of #[test]

use cofferdam_nsenter::bootstrap::Release;
use cofferdam_nsenter::bootstrap::message::{
    Attribute, Bootstrap, Clock, IdRange, Kind, MessageError, NamespacePath, TimeOffset, decode, encode,
};

const RUN: &[u8] = include_bytes!("fixtures/runc-1.1.5-run.bin");
const RUN_USER: &[u8] = include_bytes!("fixtures/runc-1.1.5-run-user.bin");
const EXEC: &[u8] = include_bytes!("fixtures/runc-1.1.5-exec.bin");

fn flags(kinds: &[Kind]) -> u32 {
    kinds.iter().fold(0, |bits, kind| bits | kind.flag())
}

const USUAL: [Kind; 5] = [Kind::Mount, Kind::Uts, Kind::Ipc, Kind::Pid, Kind::Network];

/// A message of these attributes; nothing about them is checked.
fn raw(attributes: &[(u16, u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (length, number, payload) in attributes {
        body.extend(length.to_ne_bytes());
        body.extend(number.to_ne_bytes());
        body.extend(*payload);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    framed(62000, &body)
}

fn framed(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap();
    [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[1, 0], &[1, 0, 0, 0], &[0; 4], body].concat()
}

fn text(number: u16, text: &[u8]) -> Vec<u8> {
    raw(&[(u16::try_from(text.len() + 4).unwrap(), number, text)])
}

#[track_caller]
fn refused(message: &[u8], words: &str) {
    let error = decode(message, Release::Current).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn what_runc_writes_for_a_container_is_understood() {
    let asked = decode(RUN, Release::V1_0).unwrap();
    let expected = Bootstrap { clone_flags: flags(&USUAL), oom_score_adj: Some(100), ..Bootstrap::default() };
    assert_eq!(asked, expected);
}

#[test]
fn what_runc_writes_for_a_user_namespace_is_understood() {
    let asked = decode(RUN_USER, Release::V1_0).unwrap();
    let map = vec![IdRange { inside: 0, outside: 100_000, count: 65_536 }];
    let expected = Bootstrap {
        clone_flags: flags(&USUAL) | Kind::User.flag(),
        uid_map: map.clone(),
        gid_map: map,
        setgroups: true,
        oom_score_adj: Some(100),
        ..Bootstrap::default()
    };
    assert_eq!(asked, expected);
}

#[test]
fn what_runc_writes_for_exec_is_understood() {
    let asked = decode(EXEC, Release::V1_0).unwrap();
    let kinds: Vec<_> = asked.namespaces.iter().map(|namespace| namespace.kind).collect();
    assert_eq!(kinds, [Kind::Ipc, Kind::Uts, Kind::Network, Kind::Pid, Kind::Mount]);
    assert!(asked.namespaces.iter().all(|one| one.path.ends_with(format!("ns/{}", one.kind.name()))));
    assert_eq!((asked.clone_flags, asked.oom_score_adj), (0, Some(100)));
}

#[test]
fn the_same_values_are_written_as_runc_wrote_them() {
    for bytes in [RUN, RUN_USER, EXEC] {
        let asked = decode(bytes, Release::V1_0).unwrap();
        assert_eq!(encode(&asked, Release::V1_0).unwrap(), bytes);
    }
}

#[test]
fn every_field_survives_the_way_there_and_back() {
    let mut all = Bootstrap {
        clone_flags: flags(&Kind::ALL),
        namespaces: vec![NamespacePath { kind: Kind::Time, path: "/proc/1/ns/time:x".into() }],
        uid_map_tool: Some("/usr/bin/newuidmap".into()),
        uid_map: vec![IdRange { inside: 0, outside: u32::MAX, count: 1 }; 2],
        gid_map: vec![IdRange { inside: 7, outside: 8, count: 9 }],
        gid_map_tool: Some("/usr/bin/newgidmap".into()),
        setgroups: true,
        oom_score_adj: Some(-1000),
        rootless: true,
        time_offsets: vec![TimeOffset { clock: Clock::Monotonic, seconds: -5, nanoseconds: 999_999_999 }],
        mount_sources: Vec::new(),
    };
    assert_eq!(decode(&encode(&all, Release::Current).unwrap(), Release::Current).unwrap(), all);
    all.time_offsets.clear();
    all.mount_sources = vec!["/a".into(), "".into(), "/b".into()];
    assert_eq!(decode(&encode(&all, Release::V1_0).unwrap(), Release::V1_0).unwrap(), all);
    assert!(encode(&all, Release::Current).is_err(), "there is no attribute for mount sources any more");
}

#[test]
fn what_does_not_fit_into_sixteen_bits_is_not_written() {
    // "net:", the path and a null byte after a header of 4.
    let namespaces = |length: usize| Bootstrap {
        namespaces: vec![NamespacePath { kind: Kind::Network, path: "/".repeat(length).into() }],
        ..Bootstrap::default()
    };
    let fits = namespaces(65_535 - 9);
    assert_eq!(decode(&encode(&fits, Release::Current).unwrap(), Release::Current).unwrap(), fits);
    let error = encode(&namespaces(65_535 - 8), Release::Current).unwrap_err();
    assert_eq!(error, MessageError::Overflow { attribute: Attribute::NsPaths, length: 65_536 });
    let lines = vec![IdRange { inside: 0, outside: 0, count: 1 }; 20_000];
    let error = encode(&Bootstrap { uid_map: lines, ..Bootstrap::default() }, Release::Current).unwrap_err();
    assert_eq!(error, MessageError::Overflow { attribute: Attribute::UidMap, length: 120_005 });
}

#[test]
fn a_message_cut_anywhere_is_refused() {
    for length in 0..RUN_USER.len() {
        assert!(decode(&RUN_USER[..length], Release::V1_0).is_err(), "cut at {length}");
    }
    // The same with a header that tells the truth: whole attributes may be missing, none may be in pieces.
    let whole = [16, 24, 44, 64, 72, 80, 88];
    for length in 16..=RUN_USER.len() {
        let decoded = decode(&framed(62000, &RUN_USER[16..length]), Release::V1_0);
        assert_eq!(decoded.is_ok(), whole.contains(&length), "cut at {length}: {decoded:?}");
    }
}

#[test]
fn a_header_that_lies_is_refused() {
    refused(&framed(62000, &[])[..15], "15 bytes are no header");
    refused(&framed(2, &[]), "netlink's error message");
    refused(&framed(62001, &[]), "message type 62001");
    refused(&[RUN, &[0; 4]].concat(), "says 40 bytes, and 44 are there");
    let mut huge = RUN.to_vec();
    huge[..4].copy_from_slice(&u32::MAX.to_ne_bytes());
    refused(&huge, "says 4294967295 bytes");
}

#[test]
fn an_attribute_that_lies_about_its_length_is_refused() {
    for said in [0, 1, 3, 9, 200, u16::MAX] {
        refused(&raw(&[(said, 27281, &[0; 4])]), "at byte 16: attribute 27281 says");
    }
    // 8 bytes are there; 7 would make the next begin in the middle of this one's padding, and hold too few.
    refused(&raw(&[(7, 27281, &[0; 3])]), "not four bytes");
    // Without its padding at the end.
    refused(&framed(62000, &[6, 0, 0x96, 0x6a, b'1', 0]), "says 6 bytes");
    refused(&framed(62000, &[8, 0, 0x91]), "3 bytes are no attribute");
}

#[test]
fn what_is_unknown_or_twice_there_is_refused() {
    refused(&raw(&[(8, 27280, &[0; 4])]), "unknown attribute 27280");
    refused(&raw(&[(8, 27291, &[0; 4])]), "unknown attribute 27291");
    // Netlink's own flags in the number's two highest bits have no meaning here.
    refused(&raw(&[(8, 27281 | 0x8000, &[0; 4])]), "unknown attribute");
    refused(&raw(&[(8, 27281, &[0; 4]), (8, 27281, &[0; 4])]), "CLONE_FLAGS_ATTR twice");
}

#[test]
fn values_are_what_they_must_be() {
    refused(&raw(&[(8, 27281, &0x100u32.to_ne_bytes())]), "CLONE_FLAGS_ATTR: not the bits");
    refused(&raw(&[(8, 27285, &2u32.to_ne_bytes())]), "SETGROUP_ATTR: neither 0 nor 1");
    refused(&text(27286, b"100"), "OOM_SCORE_ADJ_ATTR: no null byte at the end");
    refused(&text(27286, b"1\x000\0"), "a null byte inside");
    refused(&text(27286, b"1001\0"), "no number from -1000 to 1000");
    refused(&text(27283, b"0 0\0"), "UIDMAP_ATTR: no three words");
    refused(&text(27284, b"0 0 -1\0"), "GIDMAP_ATTR: no such values");
    refused(&text(27284, b"0 0 4294967296\0"), "GIDMAP_ATTR: no such values");
    refused(&text(27288, b"\0"), "UIDMAPPATH_ATTR: an empty path");
    let unended = decode(&text(27290, b"/a\0/b\0"), Release::V1_0).unwrap_err();
    assert!(unended.to_string().contains("MOUNT_SOURCES_ATTR: a path without a null byte at its end"));
    refused(&text(27290, b"realtime 1 0\n\0"), "TIMENSOFFSET_ATTR: no such values");
    refused(&text(27290, b"boottime 1 1000000000\n\0"), "TIMENSOFFSET_ATTR: no such values");
}

#[test]
fn namespace_paths_are_a_kind_and_a_path_each() {
    refused(&text(27282, b"\0"), "no kind:path");
    refused(&text(27282, b"/proc/1/ns/net\0"), "no kind:path");
    refused(&text(27282, b"mount:/proc/1/ns/mnt\0"), "unknown kind of namespace");
    refused(&text(27282, b"net:\0"), "an empty path");
    refused(&text(27282, b"net:/a,net:/b\0"), "a second namespace of this kind");
    let comma = NamespacePath { kind: Kind::Network, path: "/a,user:/b".into() };
    let error = encode(&Bootstrap { namespaces: vec![comma], ..Bootstrap::default() }, Release::Current);
    assert!(error.unwrap_err().to_string().contains("a comma"));
}

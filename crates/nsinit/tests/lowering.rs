//! What configurations mean: each of `golden/*.container.json` beside the OCI configuration that it becomes,
//! or all that is wrong with it. Needs no rights.
#![allow(clippy::unwrap_used)] // helpers outside of #[test]

use std::fmt::Write;
use std::path::Path;

use cofferdam_nsinit::{Config, ExecUser, spec};

/// The translation as it is kept.
fn translated(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let config = Config::parse(&std::fs::read(dir.join(format!("{name}.container.json"))).unwrap()).unwrap();
    let user = ExecUser { uid: 1, gid: 2, groups: vec![3], home: "/usr/sbin".into(), ..ExecUser::default() };
    match spec(&config, &user, &["sh".into(), "-c".into(), "true".into()]) {
        Ok(spec) => format!("{}\n", serde_json::to_string_pretty(&spec).unwrap()),
        Err(rejects) => rejects.iter().fold(String::new(), |mut all, reject| {
            writeln!(all, "{reject}").unwrap();
            all
        }),
    }
}

/// `UPDATE_GOLDEN=1` writes what is there now, to be read before it is kept.
#[track_caller]
fn as_kept(name: &str, extension: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.{extension}"));
    let now = translated(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1") {
        std::fs::write(&path, &now).unwrap();
    }
    assert_eq!(now, std::fs::read_to_string(&path).unwrap());
}

#[test]
fn the_form_with_a_map_of_namespaces_is_translated() {
    as_kept("shared-network", "config.json");
}

#[test]
fn user_namespaces_paths_and_labels_are_translated() {
    as_kept("users-and-networks", "config.json");
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    as_kept("everything-wrong", "rejects.txt");
}

#[test]
fn a_configuration_survives_the_way_there_and_back() {
    let text = std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/users-and-networks.container.json"),
    );
    let config = Config::parse(&text.unwrap()).unwrap();
    assert_eq!(Config::parse(&serde_json::to_vec(&config).unwrap()).unwrap(), config);
    // What Go leaves out, and what it writes for nothing.
    assert_eq!(serde_json::to_string(&Config::default()).unwrap(), "{}");
    let nothing =
        br#"{"namespaces": null, "environment": null, "user": null, "cgroups": null, "mount_config": null}"#;
    assert_eq!(Config::parse(nothing).unwrap(), Config::default());
}

#[test]
fn a_member_of_the_wrong_type_is_named() {
    let error = Config::parse(br#"{"rlimits": [{"type": "nofile"}]}"#).unwrap_err();
    assert_eq!(error.pointer(), Some("/rlimits/0/type"), "{error}");
}

#[test]
fn users_are_found_as_libcontainer_finds_them() {
    let passwd =
        "root:x:0:0:root:/root:/bin/sh\n\nalice:x:1000:1001:Alice:/home/alice:/bin/sh\n77:x:78:79::/n:/\n";
    let group = "root:x:0:root\nwheel:x:10:alice,root\nvideo:x:44:alice\nalice:x:1001:\n";
    let find = |text: &str| ExecUser::find(text, 0, passwd, group).map(|u| (u.uid, u.gid, u.groups, u.home));
    let own =
        |uid, gid, groups: &[u32], home: &str| Ok::<_, ()>((uid, gid, groups.to_vec(), home.to_owned()));
    let found = |text: &str| find(text).map_err(drop);
    assert_eq!(found(""), own(0, 0, &[0, 10], "/root"));
    assert_eq!(found("alice"), own(1000, 1001, &[10, 44], "/home/alice"));
    assert_eq!(found("1000"), own(1000, 1001, &[10, 44], "/home/alice"));
    // A group that is named takes the place of those that the user is a member of.
    assert_eq!(found("alice:video"), own(1000, 44, &[], "/home/alice"));
    assert_eq!(found("5:6"), own(5, 6, &[], "/"));
    // A name that is a number is a name first.
    assert_eq!(found("77").unwrap().0, 78);
    for wrong in ["bob", "alice:nobody", "-1", "4294967295", "0:2147483648"] {
        assert_eq!(find(wrong).unwrap_err().pointer(), Some("/user"), "{wrong}");
    }
}

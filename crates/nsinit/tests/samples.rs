//! The configurations of libcontainer's samples, one of each kind and generation: each of
//! `samples/*.container.json` beside the OCI configuration and the plan that it becomes. Needs no rights.
#![allow(clippy::unwrap_used)] // helpers outside of #[test]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use cofferdam_nsinit::{Config, ExecUser, Generation, Reading, convert};
use cofferdam_plan::{HostFacts, InitPlan, Options, plan_init};

const SAMPLES: [(&str, Generation); 14] = [
    ("apparmor", Generation::V1_4),
    ("attach_to_bridge", Generation::V1_4),
    ("container-2014", Generation::February2014),
    ("container-v1.0", Generation::V1_0),
    ("everything-v2", Generation::V2),
    ("host-pid", Generation::V2),
    ("minimal", Generation::V1_4),
    ("minimal-v2", Generation::V2),
    ("privileged-2014", Generation::February2014),
    ("route_source_address_selection", Generation::V1_4),
    ("selinux", Generation::V1_4),
    ("spring-2014", Generation::Spring2014),
    ("ubuntu-2014", Generation::February2014),
    ("userns", Generation::V2),
];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples")
}

fn read(name: &str) -> Reading {
    let bytes = std::fs::read(directory().join(format!("{name}.container.json"))).unwrap();
    Config::read(&bytes).unwrap()
}

/// A host with all that the samples ask for.
fn host() -> HostFacts {
    HostFacts { apparmor: true, selinux: true, ..HostFacts::typical() }
}

/// The OCI configuration, and the plan's parts that a container.json can say.
fn translated(name: &str) -> (String, String) {
    let Reading { mut config, warnings, .. } = read(name);
    if config.root_fs.is_empty() {
        config.root_fs = "/srv/box".to_owned();
    }
    let user = ExecUser { uid: 1, gid: 2, groups: vec![3], home: "/usr/sbin".into(), ..ExecUser::default() };
    let args = if config.args.is_empty() { vec!["sh".to_owned()] } else { config.args.clone() };
    let converted = convert(&config, &user, &args).unwrap();
    let no_pivot = config.mount_config.as_ref().is_some_and(|own| own.no_pivot_root);
    let options = Options { bundle: "/srv".into(), id: "box".into(), no_pivot, ..Options::default() };
    let plan = plan_init(&converted.spec, &host(), &options).unwrap();
    let mut text = String::new();
    for warning in &warnings {
        writeln!(text, "warning: {warning}").unwrap();
    }
    for lost in &converted.lost {
        writeln!(text, "lost: {lost}").unwrap();
    }
    write_plan(&mut text, &plan);
    (format!("{}\n", serde_json::to_string_pretty(&converted.spec).unwrap()), text)
}

fn write_plan(text: &mut String, plan: &InitPlan) {
    let root = &plan.root;
    writeln!(text, "namespaces {:#x}, joined {:?}", plan.new_namespaces, plan.join.len()).unwrap();
    writeln!(
        text,
        "root {:?} readonly {} {:?}, propagation {:#x}",
        root.path.as_path(),
        root.readonly,
        root.pivot,
        root.propagation
    )
    .unwrap();
    if let Some(maps) = &plan.id_maps {
        writeln!(text, "ids {maps:?}").unwrap();
    }
    for m in &plan.mounts {
        writeln!(text, "mount {} {:?} {:?} {:?}", m.target.as_str(), m.kind, m.attr, m.propagation).unwrap();
    }
    for d in &plan.devices {
        writeln!(text, "device {d:?}").unwrap();
    }
    for (_, path) in &plan.masked_paths {
        writeln!(text, "hidden {}", path.as_str()).unwrap();
    }
    for (_, path) in &plan.readonly_paths {
        writeln!(text, "readonly {}", path.as_str()).unwrap();
    }
    for sysctl in &plan.sysctls {
        writeln!(text, "sysctl {sysctl:?}").unwrap();
    }
    let p = &plan.process;
    writeln!(text, "hostname {:?}, mount label {:?}", plan.hostname, plan.mount_label).unwrap();
    writeln!(text, "process {:?} in {}, user {} {} {:?}", p.args, p.cwd.as_str(), p.uid, p.gid, p.groups)
        .unwrap();
    writeln!(text, "environment {:?}", p.env).unwrap();
    writeln!(text, "terminal {}, umask {:#o}, {:?}", p.terminal.is_some(), p.umask, p.caps).unwrap();
    writeln!(text, "labels {:?} {:?}, no new privileges {}", p.apparmor, p.selinux, p.no_new_privs).unwrap();
    for limit in &p.rlimits {
        writeln!(text, "limit {limit:?}").unwrap();
    }
    writeln!(text, "filter {}", p.seccomp.is_some()).unwrap();
}

#[test]
fn samples_of_every_generation_become_what_is_kept() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1");
    let mut wrong = Vec::new();
    for (name, _) in SAMPLES {
        if name == "everything-v2" && !cfg!(target_arch = "x86_64") {
            eprintln!("skipped: the numbers of {name}'s system calls are those of x86-64");
            continue;
        }
        let (config, plan) = translated(name);
        for (extension, now) in [("config.json", config), ("plan.txt", plan)] {
            let path = directory().join(format!("{name}.{extension}"));
            if update {
                std::fs::write(&path, &now).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            if kept != now {
                let line = kept.lines().zip(now.lines()).find(|(kept, now)| kept != now);
                wrong.push(format!("{}: {line:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "UPDATE_GOLDEN=1 rewrites them:\n{}", wrong.join("\n"));
}

#[test]
fn every_sample_is_known_for_its_generation() {
    let mut there: Vec<_> =
        std::fs::read_dir(directory()).unwrap().flatten().map(|e| e.file_name()).collect();
    there.retain(|name| name.to_string_lossy().ends_with(".container.json"));
    assert_eq!(there.len(), SAMPLES.len());
    for (name, generation) in SAMPLES {
        assert_eq!(read(name).config.generation, generation, "{name}");
    }
}

#[test]
fn a_sample_says_the_same_in_the_form_of_v2() {
    let user = ExecUser::default();
    for (name, _) in SAMPLES {
        let mut config = read(name).config;
        config.root_fs = "/srv/box".to_owned();
        let text = serde_json::to_string(&config.to_v2()).unwrap();
        let again = Config::parse(text.as_bytes()).unwrap();
        assert_eq!(again.generation, Generation::V2, "{name}");
        // What v2 has no member for comes from elsewhere.
        let again = Config {
            user: config.user.clone(),
            environment: config.environment.clone(),
            working_dir: config.working_dir.clone(),
            tty: config.tty,
            ..again
        };
        let spec = |config: &Config| {
            serde_json::to_value(cofferdam_nsinit::spec(config, &user, &["sh".to_owned()]).unwrap()).unwrap()
        };
        assert_eq!(spec(&again), spec(&config), "{name}");
    }
}

#[test]
fn a_sample_survives_being_written() {
    for (name, _) in SAMPLES {
        let config = read(name).config;
        let again = Config::parse(&serde_json::to_vec(&config).unwrap()).unwrap();
        assert_eq!(Config { generation: config.generation, ..again }, config, "{name}");
    }
}

/// Whatever a document says, there is a configuration or a reason; what is read can be written and read again.
fn read_or_refused(bytes: &[u8]) {
    let config = match Config::read(bytes) {
        Ok(read) => read.config,
        Err(rejects) => return assert!(!rejects.is_empty()),
    };
    let again = Config::parse(&serde_json::to_vec(&config).unwrap()).unwrap();
    if again.generation == Generation::V1_4 {
        assert_eq!(Config { generation: config.generation, ..again }, config);
    }
    let second = Config::parse(&serde_json::to_vec(&config.to_v2()).unwrap()).unwrap();
    assert_eq!(second.generation, Generation::V2);
    if let Err(rejects) = convert(&config, &ExecUser::default(), &["sh".to_owned()]) {
        assert!(!rejects.is_empty());
    }
}

#[test]
fn a_sample_with_any_bytes_changed_is_read_or_refused() {
    const STEP: usize = 97;
    for (name, _) in SAMPLES {
        let bytes = std::fs::read(directory().join(format!("{name}.container.json"))).unwrap();
        for (position, byte) in (0..bytes.len()).step_by(STEP).zip(b"\"{}[]0-,:. nA\\".iter().cycle()) {
            let mut changed = bytes.clone();
            changed[position] = *byte;
            read_or_refused(&changed);
            let (from, to) = (position, (position + STEP).min(bytes.len()));
            read_or_refused(&[&bytes[..from], &bytes[to..]].concat());
        }
    }
}

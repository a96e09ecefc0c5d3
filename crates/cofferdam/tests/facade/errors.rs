//! Errors: whose fault it is, and everything else as fields.

use cofferdam::oci::Spec;
use cofferdam::sandbox::Sandbox;
use cofferdam::{Command, Error, ErrorKind, ExitStatus};

use crate::world::World;

fn spec() -> Spec {
    Sandbox::new("true").bundle("/", cofferdam::template::Caller::current()).spec
}

fn of(world: &World, spec: Spec) -> Error {
    let e = Command::from_spec(spec).store(world.store.clone()).spawn().unwrap_err();
    world.is_empty();
    e
}

#[test]
fn the_callers_mistakes_are_all_told_with_their_fields() {
    let Some(world) = World::new() else { return };
    let mut spec = spec();
    spec.process.as_mut().unwrap().cwd = "relative".into();
    spec.process.as_mut().unwrap().args.clear();
    let e = of(&world, spec);
    assert_eq!(e.kind(), ErrorKind::Configuration);
    let pointers: Vec<_> = e.rejects().iter().map(|r| r.pointer.as_str()).collect();
    assert!(pointers.contains(&"/process/cwd") && pointers.len() >= 2, "{pointers:?}");
    assert_eq!(e.pointer(), Some(pointers[0]));
}

#[test]
fn what_cannot_be_found_is_named_with_its_field_and_number() {
    let Some(world) = World::new() else { return };
    let mut sandbox = Sandbox::new("true");
    sandbox.bind("/no/such/place", "/mnt", false);
    let e = Command::from(sandbox).store(world.store.clone()).spawn().unwrap_err();
    assert_eq!(e.errno(), Some(2), "{e}");
    assert!(e.object().is_some_and(|o| o.contains("/no/such/place") || o.contains("/mnt")), "{e:?}");
    assert!(e.pointer().is_some_and(|p| p.starts_with("/mounts/")), "{e:?}");
    assert!(!e.step().is_empty());
}

#[test]
fn the_programs_own_failures_are_the_programs() {
    let Some(world) = World::new() else { return };
    let missing = Command::new("no-such-program").store(world.store.clone()).spawn().unwrap_err();
    assert_eq!((missing.kind(), missing.pointer()), (ErrorKind::Payload, Some("/process/args/0")));
    let created = Command::new("/etc/passwd").store(world.store.clone()).create().map(|mut c| c.start());
    let e = match created {
        Ok(started) => started.unwrap_err(),
        Err(e) => e,
    };
    assert_eq!((e.kind(), e.errno()), (ErrorKind::Payload, Some(13)), "{e}");
    let output = world.sh("echo what went wrong >&2; exit 9").output().unwrap();
    let e = output.ok().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Payload);
    assert_eq!(e.to_string(), "running the program: exit status 9: what went wrong");
    assert_eq!(e.detail(), Some("exit status 9: what went wrong"));
    assert_eq!(ExitStatus::Code(0).ok().map_err(|e| e.kind()), Ok(()));
}

#[test]
fn what_the_host_lacks_is_the_hosts() {
    let Some(world) = World::new() else { return };
    let mut spec = spec();
    spec.linux.as_mut().unwrap().intel_rdt = Some(cofferdam::oci::IntelRdt::default());
    if std::path::Path::new("/sys/fs/resctrl/schemata").exists() {
        eprintln!("SKIPPED: this host has resctrl");
        return;
    }
    let e = of(&world, spec);
    assert_eq!((e.kind(), e.pointer()), (ErrorKind::Host, Some("/linux/intelRdt")), "{e}");
}

#[test]
fn an_error_is_one_of_io_too() {
    let Some(world) = World::new() else { return };
    let e = Command::new("no-such-program").store(world.store.clone()).spawn().unwrap_err();
    let text = e.to_string();
    let io = std::io::Error::from(e);
    assert_eq!(io.to_string(), text);
    let inner = io.get_ref().unwrap().downcast_ref::<Error>().unwrap();
    assert_eq!(inner.kind(), ErrorKind::Payload);
}

#[test]
fn a_container_that_waits_for_a_program_has_no_parent_death_signal() {
    let Some(world) = World::new() else { return };
    let e = Command::new("true").store(world.store.clone()).parent_death_signal(9).prepare().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Configuration, "{e}");
}

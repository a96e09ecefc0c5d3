//! What changes the calling process, in processes of their own.

use cofferdam_nsinit::Config;
use cofferdam_nsinit::namespaces::{
    finalize_namespace, finalize_setns, init, load_container_environment, setup_user,
};

use crate::roles::{role, said, text};
use crate::world::{World, root};

fn line<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines().find_map(|l| l.strip_prefix(name)).map(str::trim).unwrap()
}

#[test]
fn the_environment_is_replaced_whole() {
    let mut world = World::new();
    world.config.environment = vec!["A=1".into(), "EMPTY=".into(), "B=x=y".into()];
    let mut lines: Vec<_> = said("environment", &world.written(), &[]).lines().map(String::from).collect();
    lines.sort();
    assert_eq!(lines, ["A=1", "B=x=y", "EMPTY="]);
    world.config.environment.push("LONELY".into());
    let output = role("environment", &world.written(), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(70));
    assert!(text(&output).contains("\"LONELY\" is not NAME=value [/environment/3]"), "{output:?}");
}

#[test]
fn the_process_becomes_the_user_with_its_groups() {
    if !root() {
        return;
    }
    let mut world = World::new();
    world.config.user = "daemon".into();
    world.config.additional_groups = vec!["4242".to_owned()];
    let status = role("user", &world.written(), &[]).env_remove("HOME").output().unwrap();
    let status = text(&status);
    assert_eq!(line(&status, "Uid:"), "1\t1\t1\t1");
    assert_eq!(line(&status, "Gid:"), "1\t1\t1\t1");
    assert!(line(&status, "Groups:").split(' ').any(|g| g == "4242"), "{status}");
    assert_eq!(line(&status, "Home:"), "/usr/sbin");
    world.config.user = "nobody-of-that-name".into();
    let output = role("user", &world.written(), &[]).output().unwrap();
    assert!(text(&output).contains("there is none of that name [/user]"), "{output:?}");
}

#[test]
fn the_parent_death_signal_is_lost_with_the_user_and_comes_back() {
    if !root() {
        return;
    }
    assert_eq!(said("death", &World::new().written(), &[]), "15 0 15\n");
}

#[test]
fn what_is_not_kept_of_the_capabilities_is_gone_for_good() {
    if !root() {
        return;
    }
    let mut world = World::new();
    world.config.user = "1000:1000".into();
    world.config.capabilities = vec!["KILL".into(), "CHOWN".into()];
    world.config.working_dir = "/etc".into();
    let status = said("finalize", &world.written(), &[]);
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:"] {
        assert_eq!(line(&status, set), "0000000000000021", "{set}");
    }
    assert_eq!((line(&status, "Uid:"), line(&status, "Directory:")), ("1000\t1000\t1000\t1000", "/etc"));
    world.config.working_dir = "/no/where".into();
    let output = role("finalize", &world.written(), &[]).output().unwrap();
    assert!(
        text(&output).contains("/no/where: no such file or directory (ENOENT) [/working_dir]"),
        "{output:?}"
    );
}

#[test]
fn a_process_that_has_joined_becomes_the_program() {
    if !root() {
        return;
    }
    let mut world = World::new();
    world.config.user = "daemon".into();
    world.config.rlimits = vec![cofferdam_nsinit::Rlimit { kind: 7, hard: 99, soft: 88 }];
    let config = world.written();
    world
        .run_with("sleep 1000", |child| {
            let script = "hostname; id -u; ulimit -n; ls /proc/self/fd; env";
            let rest = [child.pid().to_string(), "sh".into(), "-c".into(), script.into()];
            let told = said("setns", &config, &rest);
            assert!(told.starts_with("koye\n1\n88\n0\n1\n2\n"), "{told}");
            assert!(!told.contains("COFFERDAM"), "{told}");
            let missing = [child.pid().to_string(), "no-such-program".into()];
            let output = role("setns", &config, &missing).output().unwrap();
            assert!(text(&output).contains("executing no-such-program: no such file"), "{output:?}");
            child.kill().unwrap();
        })
        .unwrap();
}

#[test]
fn a_process_with_threads_is_refused_and_not_changed() {
    // Test harnesses run tests in threads.
    let (end, wait) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || wait.recv());
    let config = Config::default();
    let before: Vec<_> = std::env::vars_os().collect();
    let (pipe, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    _other.shutdown(std::net::Shutdown::Write).unwrap();
    let told = [
        load_container_environment(&config).unwrap_err(),
        setup_user(&config).unwrap_err(),
        finalize_namespace(&config).unwrap_err(),
        finalize_setns(&config, &["true".into()]).unwrap_err(),
        init(&config, "/".as_ref(), None, pipe, &["true".into()]).unwrap_err(),
    ];
    assert_eq!(told.each_ref().map(cofferdam::Error::errno), [Some(16); 5], "{told:?}");
    assert_eq!(std::env::vars_os().collect::<Vec<_>>(), before);
    drop(end);
    let _ = other.join();
}

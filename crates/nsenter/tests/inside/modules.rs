//! Modules: what they return, and every way in which they do not.

use std::time::Duration;

use cofferdam_nsenter::{Crash, Error, Inside, Module, ModuleError, Target};

use crate::world::{ALL, ROOTFUL, World, caller, namespaces, possible};

/// The modules of this program.
pub(crate) fn all() -> Vec<Module> {
    vec![
        Module::bytes("echo", |input| Ok(input.to_vec())),
        Module::bytes("fill", |input| Ok(vec![7; std::str::from_utf8(input).unwrap().parse().unwrap()])),
        Module::bytes("panic", |input| panic!("about {}", String::from_utf8_lossy(input))),
        Module::bytes("sleep", |_| {
            std::thread::sleep(Duration::from_secs(1000));
            Ok(vec![])
        }),
        Module::typed("exit", |code: i32| -> Result<(), ModuleError> { cofferdam_sys::setns::exit(code) }),
        Module::typed("signal", |signal: i32| -> Result<(), ModuleError> {
            let me = i32::try_from(std::process::id()).unwrap();
            cofferdam_sys::setns::kill(me, signal).unwrap();
            std::thread::sleep(Duration::from_secs(1000));
            Ok(())
        }),
        Module::typed("mkdir", |path: String| Ok(std::fs::create_dir(path)?)),
        Module::typed("namespaces", |(): ()| {
            Ok(namespaces("self")
                .into_iter()
                .map(|(n, l)| (n, l.to_string_lossy().into_owned()))
                .collect::<Vec<_>>())
        }),
        Module::typed("cwd", |(): ()| Ok(std::env::current_dir()?.to_string_lossy().into_owned())),
        Module::typed("pid", |(): ()| Ok(std::process::id())),
        Module::typed("read", |path: String| Ok(std::fs::read_to_string(path)?)),
        Module::typed("descriptors", |(): ()| {
            let links = std::fs::read_dir("/proc/self/fd")?.flatten().map(|e| {
                let link = std::fs::read_link(e.path()).unwrap_or_default();
                (e.file_name().to_string_lossy().parse::<i32>().unwrap(), link.to_string_lossy().into_owned())
            });
            Ok(links.collect::<Vec<_>>())
        }),
        Module::typed("look", |pid: u32| {
            /// What engines leave to the root of a container.
            const USUAL: u64 = 0xa804_25fb;
            cofferdam_sys::capset::capset(USUAL, USUAL, 0).unwrap();
            let of = std::path::PathBuf::from(format!("/proc/{pid}"));
            let mut seen = vec![if of.exists() { "there".to_owned() } else { "not there".to_owned() }];
            for file in ["exe", "root", "cwd", "fd/0", "ns/mnt"] {
                seen.extend(std::fs::read_link(of.join(file)).map(|l| format!("{file} {l:?}")));
            }
            for file in ["environ", "maps", "mem", "auxv"] {
                seen.extend(std::fs::File::open(of.join(file)).map(|_| file.to_owned()));
            }
            Ok(seen)
        }),
        Module::typed("threads", |(): ()| {
            let threads: Vec<_> = (0..8).map(|n| std::thread::spawn(move || n)).collect();
            Ok(threads.into_iter().map(|t| t.join().unwrap()).sum::<i32>())
        }),
    ]
}

fn world() -> Option<World> {
    possible().then(|| World::new(ROOTFUL))
}

#[test]
fn results_come_back_as_bytes_and_as_values() {
    let Some(world) = world() else { return };
    let enter = world.target().enter();
    assert_eq!(enter.run("echo", b"\0\xff").unwrap(), b"\0\xff");
    assert_eq!(enter.run("echo", b"").unwrap(), b"");
    assert_eq!(enter.call::<_, i32>("threads", &()).unwrap(), 28);
    let pid: u32 = enter.call("pid", &()).unwrap();
    assert!(pid > 1 && pid < 100, "{pid} in a PID namespace of its own");
}

#[test]
fn errors_come_back_with_their_code() {
    let Some(world) = world() else { return };
    let enter = world.target().enter();
    enter.call::<_, ()>("mkdir", &"/tmp/once").unwrap();
    let e = enter.call::<_, ()>("mkdir", &"/tmp/once").unwrap_err();
    assert_eq!(e.errno(), Some(17), "{e}");
    assert!(matches!(&e, Error::Module(m) if m.message.contains("exists")), "{e:?}");
    let e = enter.run("mkdir", b"no JSON").unwrap_err();
    assert!(matches!(&e, Error::Module(m) if m.message.contains("reading the input")), "{e:?}");
    let e = enter.call::<_, String>("pid", &()).unwrap_err();
    assert!(matches!(&e, Error::Encoding(_)), "{e:?}");
    assert!(matches!(enter.run("nobody", b"").unwrap_err(), Error::UnknownModule(n) if n == "nobody"));
    assert!(matches!(enter.run(&"n".repeat(300), b"").unwrap_err(), Error::Helper(_)));
}

#[test]
fn a_module_that_does_not_return_is_told_apart() {
    let Some(world) = world() else { return };
    let enter = world.target().enter();
    let Error::Crashed(Crash::Panicked(said)) = enter.run("panic", b"cake").unwrap_err() else {
        panic!("no panic")
    };
    assert!(said.contains("about cake") && said.contains("modules.rs"), "{said}");
    let e = enter.call::<_, ()>("exit", &7).unwrap_err();
    assert!(matches!(e, Error::Crashed(Crash::Exited(7))), "{e:?}");
    for signal in [6, 9, 11, 15] {
        let e = enter.call::<_, ()>("signal", &signal).unwrap_err();
        assert!(matches!(e, Error::Crashed(Crash::Signaled(s)) if s == signal), "{e:?}");
    }
}

#[test]
fn a_module_that_takes_too_long_is_ended() {
    let Some(world) = world() else { return };
    let enter = world.target().enter().timeout(Some(Duration::from_millis(300)));
    let begin = std::time::Instant::now();
    let e = enter.run("sleep", b"").unwrap_err();
    assert!(matches!(e, Error::TimedOut(_)), "{e:?}");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn large_inputs_and_answers_arrive_whole() {
    let Some(world) = world() else { return };
    let enter = world.target().enter();
    for length in [64 << 10, (64 << 10) + 1, 5 << 20] {
        let input: Vec<u8> = (0..length).map(|i: u32| u8::try_from(i % 251).unwrap()).collect();
        assert!(enter.run("echo", &input).unwrap() == input, "{length}");
    }
    let small = enter.answer_limit(1000);
    assert_eq!(small.run("fill", b"1000").unwrap().len(), 1000);
    let e = small.run("fill", b"1001").unwrap_err();
    assert!(matches!(e, Error::TooLarge { size: 1001, limit: 1000 }), "{e:?}");
    let e = small.run("fill", b"2000000").unwrap_err();
    assert!(matches!(e, Error::TooLarge { size: 2_000_000, .. }), "{e:?}");
}

#[test]
fn nothing_of_the_caller_is_open_in_a_helper_and_its_input_is_nowhere_to_be_read() {
    let Some(world) = world() else { return };
    let open: Vec<(i32, String)> = world.target().enter().call("descriptors", &()).unwrap();
    let beyond: Vec<_> = open.iter().filter(|(n, link)| *n > 2 && !link.ends_with("/fd")).collect();
    assert!(beyond.len() == 1 && beyond[0].1.starts_with("socket:"), "{open:?}");
    let enter = world.target().enter();
    for file in ["/proc/self/cmdline", "/proc/self/environ"] {
        let text: String = enter.call("read", &file).unwrap();
        assert!(!text.contains(file) && !text.contains("CARGO") && !text.starts_with("PATH="), "{text:?}");
    }
}

#[test]
fn every_namespace_of_a_rootless_container_is_entered_by_modules() {
    if !possible() {
        return;
    }
    let world = World::new(ALL);
    let before = caller();
    let map: String = world.target().enter().call("read", &"/proc/self/uid_map").unwrap();
    assert_eq!(map.split_whitespace().collect::<Vec<_>>(), ["0", "0", "1"]);
    assert_eq!(caller(), before);
}

#[test]
fn sixty_four_threads_call_at_once() {
    let Some(world) = world() else { return };
    let (enter, before) = (world.target().enter(), caller());
    std::thread::scope(|scope| {
        for thread in 0..64 {
            let enter = &enter;
            scope.spawn(move || {
                let words = format!("thread {thread}");
                assert_eq!(enter.run("echo", words.as_bytes()).unwrap(), words.as_bytes());
                enter.mkdir(format!("/tmp/{thread}"), 0o755).unwrap();
            });
        }
    });
    assert_eq!(std::fs::read_dir(world.root.join("tmp")).unwrap().count(), 64);
    assert_eq!(caller(), before);
}

#[test]
fn a_helper_cannot_be_imitated() {
    use std::os::unix::process::CommandExt;
    // Nobody's socket, no socket, no number: the program ends, and its main does not run.
    for control in ["0", "999", "x", ""] {
        let mut command = std::process::Command::new("/proc/self/exe");
        let output = command.arg0("cofferdam:[nsenter]").arg(control).output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{control:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn a_module_in_the_own_namespaces_is_a_process_of_its_own() {
    let me = i32::try_from(std::process::id()).unwrap();
    let pid: u32 = Target::open(me).unwrap().enter().call("pid", &()).unwrap();
    assert_ne!(pid, std::process::id());
}

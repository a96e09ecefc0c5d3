//! The library in a program with a hundred threads: containers run from many of them at once, and nothing of the
//! program has changed afterwards.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cofferdam::{Bundle, Container, ContainerId, CreateOptions, ExecOptions, Status, Store, Streams, oci};
use cofferdam_tests::own_process::{OwnProcess, children, memory_files};
use cofferdam_tests::{Test, check};

const THREADS: usize = 100;
const MAKERS: usize = 8;
const LIVES: usize = 6;

/// One thread's containers: run to their end, run and killed, created and deleted, with a process inside.
fn live(store: &Store, bundle: &Bundle, name: &str) {
    let quiet = || CreateOptions { stdio: Streams::Null, ..CreateOptions::default() };
    for n in 0..LIVES {
        let id = ContainerId::new(&format!("{name}-{n}")).expect("an id");
        match n % 3 {
            0 => {
                let (container, process) = Container::run(store, &id, bundle, quiet()).expect("it runs");
                container.delete(true).expect("it is deleted");
                assert_eq!(process.wait().expect("its status is still there").shell_code(), 137);
            }
            1 => {
                let container = Container::create(store, &id, bundle, quiet()).expect("it is created");
                container.start().expect("it starts");
                assert_eq!(container.status().expect("a status"), Status::Running);
                let options = ExecOptions {
                    process: of_bundle(bundle),
                    stdio: Streams::Null,
                    ..ExecOptions::default()
                };
                let process = container.exec(options).expect("it takes another process");
                assert!(process.wait().expect("status").success());
                container.delete(true).expect("it is deleted");
            }
            _ => {
                let container = Container::create(store, &id, bundle, quiet()).expect("it is created");
                store.load(&id).expect("it is found").delete(false).expect("it is deleted");
                assert!(container.start().is_err());
            }
        }
    }
}

/// The bundle's process with another program.
fn of_bundle(bundle: &Bundle) -> oci::Process {
    oci::Process { args: vec!["true".into()], ..bundle.spec.process.clone().expect("a process") }
}

fn embed(t: &Test) {
    let b = t.bundle();
    b.write();
    let mut bundle = Bundle::open(&b.dir).expect("a bundle");
    bundle.spec.linux.as_mut().expect("linux").cgroups_path = None;
    let store = Store::new(t.dir.join("state"));
    // Once before: what is made on first use stays.
    live(&store, &bundle, &format!("{}-first", b.id));
    let (end, ready, kept) = (AtomicBool::new(false), AtomicUsize::new(0), memory_files());
    std::thread::scope(|s| {
        for _ in 0..THREADS - MAKERS {
            s.spawn(|| {
                ready.fetch_add(1, Ordering::Relaxed);
                while !end.load(Ordering::Relaxed) {
                    std::hint::black_box(vec![0u8; 4096]);
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
            });
        }
        while ready.load(Ordering::Relaxed) < THREADS - MAKERS {
            std::thread::yield_now();
        }
        let before = OwnProcess::now();
        std::thread::scope(|s| {
            for n in 0..MAKERS {
                let (store, bundle, name) = (&store, &bundle, format!("{}-{n}", b.id));
                s.spawn(move || live(store, bundle, &name));
            }
        });
        let after = OwnProcess::now();
        end.store(true, Ordering::Relaxed);
        assert_eq!(before, after);
        assert_eq!(memory_files(), kept);
    });
    assert!(children().is_empty(), "children are left: {:?}", children());
}

#[test]
fn a_program_of_a_hundred_threads_is_not_changed_by_its_containers() {
    check("a_program_of_a_hundred_threads_is_not_changed_by_its_containers", |t| {
        t.need(t.runtime.name == "cofferdam", "it is about cofferdam only")?;
        embed(t);
        Ok(())
    });
}

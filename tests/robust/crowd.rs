//! The library in a large program: 64 threads and a tokio runtime run two thousand containers at once, beside a
//! gigabyte of heap, and nothing of the program has changed afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cofferdam::sandbox::Sandbox;
use cofferdam::{Bundle, Command, Exec, ExitStatus, Parent, Stdio, Store};
use cofferdam_tests::own_process::{OwnProcess, children, memory_files};
use cofferdam_tests::{Test, check};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

const THREADS: usize = 64;
/// Containers that the runtime has in flight.
const TASKS: usize = 32;
const HEAP: usize = 1 << 30;

/// How many containers; `CROWD` in the environment says so, for a look at fewer or more.
fn containers() -> usize {
    std::env::var("CROWD").ok().and_then(|n| n.parse().ok()).unwrap_or(2000)
}

/// What containers are made of.
struct World {
    store: Store,
    bundle: Bundle,
}

impl World {
    /// A shell script in a container: of a bundle, or of a sandbox.
    fn sh(&self, n: usize, script: &str) -> Command {
        let mut command = if n.is_multiple_of(4) {
            let mut sandbox = Sandbox::new("/bin/sh");
            sandbox.rootfs(self.bundle.rootfs()).args(["-c", script]);
            Command::from(sandbox)
        } else {
            let mut bundle = self.bundle.clone();
            bundle.spec.process.as_mut().expect("a process").args =
                ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
            Command::from(bundle)
        };
        command.store(self.store.clone());
        command
    }

    /// One container's life on a thread of the caller's.
    fn live(&self, n: usize) {
        let code = i32::try_from(n % 200).expect("small");
        match n % 7 {
            0 => {
                let output = self.sh(n, &format!("echo {n}; echo e{n} >&2")).output().expect("output");
                assert_eq!(
                    (output.stdout, output.stderr),
                    (format!("{n}\n").into(), format!("e{n}\n").into())
                );
            }
            1 => {
                let status = self.sh(n, &format!("exit {code}")).status().expect("status");
                assert_eq!(status, ExitStatus::Code(code));
            }
            2 => {
                let mut child = self.sh(n, "exec sleep 600").spawn().expect("it runs");
                child.kill().expect("it is killed");
                assert_eq!(child.wait().expect("status"), ExitStatus::Signal(9));
            }
            3 => {
                let mut child = self.sh(n, "exec sleep 600").create().expect("it is created");
                child.start().expect("it starts");
                let inside = Exec::new("/bin/sh").args(["-c", "exit 5"]).status_in(child.container());
                assert_eq!(inside.expect("another process"), ExitStatus::Code(5));
                child.kill().expect("it is killed");
                child.wait().expect("status");
            }
            4 => {
                let status = self.sh(n, &format!("exit {code}")).parent(Parent::Nobody).status();
                assert_eq!(status.expect("status"), ExitStatus::Code(code));
            }
            5 => {
                let input = vec![b'x'; 200_000];
                let mut command = self.sh(n, "cat");
                let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
                assert_eq!(child.communicate(&input).expect("output").stdout, input);
            }
            _ => drop(self.sh(n, "exec sleep 600").kill_on_drop(true).spawn().expect("it runs")),
        }
    }

    /// One container's life in a task.
    async fn live_async(&self, n: usize) {
        let code = i32::try_from(n % 200).expect("small");
        match n % 5 {
            0 => {
                let output = self.sh(n, &format!("echo {n}")).output_async().await.expect("output");
                assert_eq!(output.stdout, format!("{n}\n").into_bytes());
            }
            1 => {
                let status = self.sh(n, &format!("exit {code}")).status_async().await.expect("status");
                assert_eq!(status, ExitStatus::Code(code));
            }
            2 => {
                let mut child = self.sh(n, "exec sleep 600").spawn_async().await.expect("it runs");
                child.kill().expect("it is killed");
                assert_eq!(child.wait_async().await.expect("status"), ExitStatus::Signal(9));
            }
            3 => {
                let mut child = self.sh(n, "exec sleep 600").create_async().await.expect("it is created");
                child.start_async().await.expect("it starts");
                let output = Exec::new("/bin/echo").arg("in").output_in_async(child.container()).await;
                assert_eq!(output.expect("output").stdout, b"in\n");
                child.kill().expect("it is killed");
                child.wait_async().await.expect("status");
            }
            _ => {
                let input = vec![b'y'; 200_000];
                let mut command = self.sh(n, "cat");
                command.stdin(Stdio::piped()).stdout(Stdio::piped());
                let child = command.spawn_async().await.expect("it runs");
                assert_eq!(child.communicate_async(&input).await.expect("output").stdout, input);
            }
        }
    }
}

/// The first half on threads, the second in tasks, at the same time.
fn crowd(world: &Arc<World>, runtime: &Runtime, all: usize) {
    let next = AtomicUsize::new(0);
    let tasks = runtime.spawn({
        let world = Arc::clone(world);
        async move {
            let places = Arc::new(Semaphore::new(TASKS));
            let mut running = Vec::new();
            for n in all / 2..all {
                let place = Arc::clone(&places).acquire_owned().await.expect("a place");
                let world = Arc::clone(&world);
                running.push(tokio::spawn(async move {
                    world.live_async(n).await;
                    drop(place);
                }));
            }
            for task in running {
                task.await.expect("every container does what it should");
            }
        }
    });
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= all / 2 {
                        break;
                    }
                    world.live(n);
                }
            });
        }
    });
    runtime.block_on(tasks).expect("every container does what it should");
}

/// How many cgroups containers of this process have left.
fn cgroups() -> usize {
    let own = format!("c{}-", std::process::id());
    let trees = std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|e| e.path());
    let entries = trees.chain(["/sys/fs/cgroup".into()]).filter_map(|tree| std::fs::read_dir(tree).ok());
    entries.flatten().flatten().filter(|e| e.file_name().to_string_lossy().starts_with(&own)).count()
}

fn large_program(t: &Test) {
    let b = t.bundle();
    b.write();
    let mut bundle = Bundle::open(&b.dir).expect("a bundle");
    bundle.spec.linux.as_mut().expect("linux").cgroups_path = None;
    let world = Arc::new(World { store: Store::new(t.dir.join("state")), bundle });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    // Once before: what is made on first use stays.
    crowd(&world, &runtime, 14);
    let heap = vec![1u8; HEAP];
    let (before, files) = (OwnProcess::now(), memory_files());
    let began = std::time::Instant::now();
    crowd(&world, &runtime, containers());
    eprintln!("{} containers in {:?}", containers(), began.elapsed());
    let after = OwnProcess::now();
    assert_eq!(heap.iter().step_by(4096).map(|b| usize::from(*b)).sum::<usize>(), HEAP / 4096);
    assert_eq!(before, after);
    assert_eq!((cgroups(), memory_files()), (0, files));
    assert!(children().is_empty(), "children are left: {:?}", children());
    assert_eq!(world.store.ids().expect("ids"), [], "containers are left");
}

#[test]
fn two_thousand_containers_at_once_leave_a_large_program_as_it_was() {
    check("two_thousand_containers_at_once_leave_a_large_program_as_it_was", |t| {
        t.need(t.runtime.name == "cofferdam", "it is about cofferdam only")?;
        large_program(t);
        Ok(())
    });
}

//! An agent that is killed at each step of answering: its container goes on, gets no more than it should, and nobody
//! who acted for it stays.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Stdio};

use cofferdam_tests::{Test, facts, wait_until};

use super::served::{Agent, calls};

/// How many of the steps are tried; `AGENT_KILL_STEP=1` tries all.
const STEPS: usize = 12;
const RULE: &str = "[[rule]]\nsyscalls = [\"mkdir\", \"mkdirat\"]\naction = \"mkdir\"\nsuffix = \"-made\"\n";

/// strace on all threads of an agent.
fn strace(t: &Test, agent: &Agent, flags: &[String]) -> Child {
    let mut command = t.command(Path::new("/usr/bin/strace"));
    command.args(["-f", "-qqq", "-p", &agent.pid().to_string()]).args(flags);
    let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("strace is attached", || {
        let threads = std::fs::read_dir(format!("/proc/{}/task", agent.pid())).unwrap();
        threads.flatten().all(|thread| {
            let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            !status.contains("TracerPid:\t0\n")
        })
    });
    child
}

/// One container that makes two directories; what it said, and what is there then.
fn two_directories(t: &Test, agent: &Agent) -> (String, Vec<String>) {
    let mut bundle = t.script("mkdir /tmp/a; mkdir /tmp/b; echo went on");
    calls(&mut bundle, agent, &["mkdir", "mkdirat"]);
    let out = bundle.run();
    let there = std::fs::read_dir(bundle.rootfs().join("tmp")).unwrap();
    let mut names: Vec<_> = there.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    (out.stdout, names)
}

/// The calls of the thread that answered, in their order: the name, and the how manieth of that name it is.
fn steps(t: &Test) -> Vec<(String, usize)> {
    let agent = Agent::start(t, RULE, &["--workers", "1"]);
    let log = t.dir.join("strace.log");
    let tracer = strace(t, &agent, &["-o".into(), log.display().to_string()]);
    assert_eq!(two_directories(t, &agent).1, ["a-made", "b-made"]);
    agent.kill();
    tracer.wait_with_output().unwrap();
    let text = std::fs::read_to_string(&log).unwrap();
    let answering = text.lines().find(|line| line.contains("SECCOMP_IOCTL_NOTIF_SEND"));
    let thread =
        answering.and_then(|line| line.split_whitespace().next()).unwrap_or_else(|| panic!("{text}"));
    let mut counts = BTreeMap::new();
    let mut steps = Vec::new();
    for line in text.lines() {
        let Some((of, rest)) = line.split_once(char::is_whitespace) else { continue };
        let Some((name, _)) = rest.trim_start().split_once('(').filter(|_| of == thread) else { continue };
        if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let count = counts.entry(name.to_owned()).or_insert(0);
            *count += 1;
            steps.push((name.to_owned(), *count));
        }
    }
    steps
}

/// Processes of the agent's group.
fn group(leader: i32) -> Vec<String> {
    let of = |entry: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        (fields.get(2)?.parse() == Ok(leader) && fields.first() != Some(&"Z")).then_some(stat)
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(of).collect()
}

facts! {
    fn an_agent_is_killed_at_each_step_and_its_container_goes_on(t) {
        t.need(Path::new("/usr/bin/strace").exists(), "strace is not installed")?;
        let steps = steps(t);
        assert!(steps.len() > STEPS, "{steps:?}");
        let every = std::env::var("AGENT_KILL_STEP").ok().and_then(|n| n.parse().ok());
        let every = every.unwrap_or_else(|| steps.len().div_ceil(STEPS));
        let mut killed = 0;
        for (name, nth) in steps.into_iter().step_by(every) {
            let agent = Agent::start(t, RULE, &["--workers", "1"]);
            let flags = ["-o", "/dev/null", "-e", &format!("trace={name}"), "-e", &format!("inject={name}:signal=KILL:when={nth}")];
            let tracer = strace(t, &agent, &flags.map(str::to_owned));
            let (said, there) = two_directories(t, &agent);
            let at = format!("killed at {name} {nth}: {said:?} {there:?}");
            assert_eq!(said, "went on\n", "{at}");
            assert!(there.iter().all(|name| ["a-made", "b-made"].contains(&name.as_str())), "{at}");
            killed += usize::from(agent.has_ended());
            agent.kill();
            tracer.wait_with_output().unwrap();
            wait_until("nobody who acted for it stays", || group(agent.pid()).is_empty());
        }
        // Which thread makes which call is chance now and then.
        assert!(killed > STEPS / 2, "killed {killed} times only");
    }
}

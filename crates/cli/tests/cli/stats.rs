//! `stats`: what containers use, once and again and again, as lines and on a terminal.

use crate::world::{BINARY, World, eventually, stderr, stdout};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

/// A container that keeps a processor busy.
fn busy(world: &World) {
    world.configure(&["sh", "-c", "while :; do :; done"], |_| {});
    world.detached(&["run", "--detach"]);
}

#[test]
fn a_container_is_measured_in_every_form() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let table = world.success(&["stats", &world.id]);
    let mut lines = table.lines();
    assert!(lines.next().unwrap().starts_with("ID "), "{table}");
    let row: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!((row[0], row.len(), lines.next()), (world.id.as_str(), 9, None), "{table}");
    assert!(row[1].ends_with('s') && row[2].ends_with('B'), "{table}");
    // The container has a network of its own without any interface.
    assert_eq!((row[6], row[7], row[8]), ("-", "-", "1"), "{table}");
    let json = |args: &[&str]| serde_json::from_str::<Value>(&world.success(args)).unwrap();
    let v2 = json(&["stats", "--format=json", &world.id]);
    assert!(v2["CgroupStats"]["memory_stats"]["usage"]["usage"].as_u64().unwrap() > 0, "{v2}");
    assert_eq!(v2["Interfaces"], serde_json::json!([]));
    let v1 = json(&["stats", "--format=json-v1", &world.id]);
    assert!(v1["cgroup_stats"]["cpu_stats"]["cpu_usage"]["total_usage"].as_u64().unwrap() > 0, "{v1}");
    assert!(v1.get("network_stats").is_none(), "{v1}");
    let listed = json(&["stats", "--format", "json"]);
    assert!(listed[&world.id]["CgroupStats"].is_object(), "{listed}");
    let metrics = world.success(&["stats", "-f", "openmetrics"]);
    let line = format!("container_threads{{container=\"{}\"}} 1\n", world.id);
    assert!(metrics.contains(&line) && metrics.ends_with("\n# EOF\n"), "{metrics}");
}

#[test]
fn one_that_does_not_run_is_an_error_when_it_was_named_and_left_out_otherwise() {
    let Some(world) = World::new() else { return };
    assert!(stderr(&world.output(["stats", "nobody"])).contains("does not exist"));
    world.configure(&["true"], |_| {});
    world.detached(&["run", "--keep", "--detach"]);
    world.wait_for_status("stopped");
    let named = world.output(["stats", &world.id]);
    assert!(!named.status.success() && stderr(&named).contains("is not running"), "{named:?}");
    assert_eq!(world.success(&["stats"]).lines().count(), 1);
    assert_eq!(world.success(&["stats", "--watch"]), "", "nothing to wait for");
    let wrong = world.output(["stats", "--watch", "--format=openmetrics"]);
    assert!(stderr(&wrong).contains("cannot be watched"), "{wrong:?}");
}

/// A watch whose standard output is a pipe.
fn watch(world: &World, args: &[&str]) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut command = world.command([&["stats", "--watch"], args].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    (child, lines)
}

#[test]
fn without_a_terminal_rates_come_as_lines_until_the_container_ends() {
    let Some(world) = World::new() else { return };
    busy(&world);
    let (mut child, mut lines) = watch(&world, &["--interval=700ms", &world.id]);
    assert!(lines.next().unwrap().contains("CPU %"));
    let cells = |line: String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(cells(lines.next().unwrap())[1], "-", "one measurement is no rate");
    // A loop is busy all the time that it is let; on a machine that others use, at least a tenth of it.
    let percent: f64 = cells(lines.next().unwrap())[1].parse().unwrap();
    assert!((10.0..=110.0).contains(&percent), "{percent}");
    world.success(&["kill", &world.id, "KILL"]);
    assert_eq!(lines.filter(|line| line.contains('\x1b')).count(), 0, "no escape sequences");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_end_is_seen_at_once_however_long_the_interval_is() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let (mut child, mut lines) = watch(&world, &["--interval=1h", "--format=json", &world.id]);
    let line: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!(line["id"], world.id.as_str());
    assert!(line["stats"]["CgroupStats"].is_object(), "{line}");
    world.success(&["kill", &world.id, "KILL"]);
    assert_eq!(lines.next(), None);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn several_containers_are_watched_until_the_last_has_ended() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let other = format!("{}-b", world.id);
    let run = |id: &str| world.command(["run", "--detach", id]).stdout(Stdio::null()).status().unwrap();
    assert!(run(&other).success());
    let (mut child, mut lines) = watch(&world, &["--interval=100ms", "--format=json-v1"]);
    let id = |line: String| serde_json::from_str::<Value>(&line).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!([lines.next(), lines.next()].map(|line| id(line.unwrap())), [world.id.clone(), other.clone()]);
    world.success(&["delete", "--force", &other]);
    let mut alone = 0;
    while alone < 3 {
        alone = if id(lines.next().unwrap()) == world.id { alone + 1 } else { 0 };
    }
    world.success(&["kill", &world.id, "KILL"]);
    assert!(lines.all(|line| id(line) == world.id));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_signal_ends_it_and_so_does_a_reader_that_has_enough() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (mut child, mut lines) = watch(&world, &["--interval=1h", &world.id]);
        lines.nth(1).unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
    let (mut child, mut lines) = watch(&world, &["--interval=50ms", &world.id]);
    lines.next().unwrap();
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// A watch on a terminal of 10 lines and 60 columns.
struct OnTerminal {
    child: Child,
    keys: File,
    used: File,
    shown: Arc<Mutex<String>>,
    before: LocalModes,
}

impl OnTerminal {
    fn new(world: &World, args: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let used = File::options().read(true).write(true).open(name).unwrap();
        tcsetwinsize(&used, Winsize { ws_row: 10, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let before = tcgetattr(&used).unwrap().local_modes;
        let stream = || Stdio::from(used.try_clone().unwrap());
        let child = world
            .command([&["stats", "--watch"], args].concat())
            .stdin(stream())
            .stdout(stream())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let keys = File::from(master);
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut reader, sink) = (keys.try_clone().unwrap(), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n) = reader.read(&mut bytes) {
                sink.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
        Self { child, keys, used, shown, before }
    }

    fn shown(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    fn modes(&self) -> LocalModes {
        tcgetattr(&self.used).unwrap().local_modes
    }

    /// Two pictures were drawn.
    fn draws(&self) {
        eventually("two pictures", || self.shown().matches("\x1b[H").count() >= 2);
        assert!(self.shown().starts_with("\x1b[?1049h\x1b[?25l"), "{:?}", self.shown());
        assert!(!self.modes().intersects(LocalModes::ECHO | LocalModes::ICANON));
    }

    #[track_caller]
    fn ends_with(mut self, code: i32) {
        assert_eq!(self.child.wait().unwrap().code(), Some(code));
        eventually("the terminal back", || self.shown().ends_with("\x1b[?25h\x1b[?1049l"));
        assert_eq!(self.modes(), self.before);
    }
}

#[test]
fn on_a_terminal_q_a_signal_and_the_containers_end_give_it_back() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let args = ["--interval=100ms", world.id.as_str()];
    let mut watch = OnTerminal::new(&world, &args);
    watch.draws();
    assert!(watch.shown().contains(&world.id));
    let shown = watch.shown().replace("\x1b[H", "\r\n");
    let width = |line: &str| line.split('\x1b').next().unwrap().len();
    assert!(shown.split("\r\n").all(|line| width(line) <= 60), "no line is wider than the terminal");
    assert!(shown.split("\r\n").any(|line| width(line) == 60), "{shown:?}");
    watch.keys.write_all(b"xq").unwrap();
    watch.ends_with(0);

    let watch = OnTerminal::new(&world, &args);
    watch.draws();
    kill_process(Pid::from_child(&watch.child), Signal::TERM).unwrap();
    watch.ends_with(143);

    let watch = OnTerminal::new(&world, &args);
    watch.draws();
    kill_process(Pid::from_child(&watch.child), Signal::TSTP).unwrap();
    eventually("a stop", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", watch.child.id())).unwrap();
        stat.rsplit(')').next().unwrap().trim_start().starts_with('T')
    });
    assert_eq!(watch.modes(), watch.before, "whoever has the terminal now can use it");
    kill_process(Pid::from_child(&watch.child), Signal::CONT).unwrap();
    eventually("the screen again", || watch.shown().matches("\x1b[?1049h").count() == 2);
    world.success(&["kill", &world.id, "KILL"]);
    watch.ends_with(0);
}

#[test]
fn changes_of_the_terminals_size_put_nothing_off() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let mut watch = OnTerminal::new(&world, &["--interval=400ms", &world.id]);
    watch.draws();
    let pictures = || watch.shown().matches("\x1b[H").count();
    for columns in 40..70 {
        let (size, before) =
            (Winsize { ws_row: 10, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }, pictures());
        tcsetwinsize(&watch.used, size).unwrap();
        kill_process(Pid::from_child(&watch.child), Signal::WINCH).unwrap();
        eventually("a picture of this size", || pictures() > before);
    }
    // Thirty intervals are twelve seconds.
    let (start, before) = (std::time::Instant::now(), pictures());
    eventually("three pictures", || pictures() >= before + 3);
    assert!(start.elapsed() < std::time::Duration::from_secs(6), "{:?}", start.elapsed());
    watch.keys.write_all(b"q").unwrap();
    watch.ends_with(0);
}

#[test]
fn a_watch_of_nobody_in_particular_finds_those_that_start_later() {
    let Some(world) = World::new() else { return };
    world.sleeper();
    let (mut child, mut lines) = watch(&world, &["--interval=100ms", "--format=json"]);
    lines.next().unwrap();
    let later = format!("{}-later", world.id);
    assert!(world.command(["run", "-d", &later]).stdout(Stdio::null()).status().unwrap().success());
    assert!(lines.by_ref().take(1000).any(|line| line.contains(&later)), "{BINARY}");
    world.success(&["delete", "-f", &later]);
    world.success(&["kill", &world.id, "KILL"]);
    assert!(lines.count() < 1000);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn openmetrics_of_nobody_is_a_document() {
    let world = World::empty();
    let output = world.output(["stats", "--format=openmetrics"]);
    assert_eq!(stdout(&output), "# EOF\n", "{output:?}");
}

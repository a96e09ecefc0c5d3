//! The real service, spoken to over HTTP: answers, every limit, clients that go away, and its end.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed helper is a failed test

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use example_testing::{Place, Running, Signal, nothing_left, possible, traces, until};
use serde_json::{Value, json};

/// A service of the test's own.
struct Service {
    place: Place,
    running: Running,
    address: String,
}

impl Service {
    fn start(arguments: &[&str]) -> Self {
        let place = Place::new("web-sandbox-test");
        let mut command = Command::new(env!("CARGO_BIN_EXE_web-sandbox"));
        command.args(["--listen", "127.0.0.1:0", "--state"]).arg(place.0.join("state")).args(arguments);
        let running = Running::start(&mut command, &place);
        until("the service to listen", || running.stdout().ends_with('\n') || !running.stderr().is_empty());
        let line = running.stdout();
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("{line}{}", running.stderr())).to_owned();
        Self { place, running, address }
    }

    fn send(&self, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST /run HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )
        .unwrap();
        stream
    }

    fn ask(&self, wish: &Value) -> (u16, Value) {
        receive(self.send(&wish.to_string()))
    }

    fn run(&self, script: &str) -> Value {
        let (status, answer) = self.ask(&json!({ "command": ["sh", "-c", script] }));
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// How many containers there are: state directories.
    fn containers(&self) -> usize {
        std::fs::read_dir(self.place.0.join("state")).map_or(0, Iterator::count)
    }

    /// Ends it as a service manager does.
    fn end(self) {
        self.running.signal(Signal::TERM);
        self.ended();
    }

    /// Waits for its end; nothing may be left.
    fn ended(self) {
        let ended = self.running.wait();
        assert_eq!(ended.code, 0, "{ended:?}");
        nothing_left(ended.pid, &self.place.0.join("state"));
        assert!(!self.place.0.join("state").exists());
    }
}

fn receive(mut stream: TcpStream) -> (u16, Value) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {text:?}")).parse().unwrap();
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or_else(|_| body.into()))
}

#[test]
fn a_request_gets_what_its_program_wrote_and_how_it_ended() {
    if !possible() {
        return;
    }
    let service = Service::start(&[]);
    let (status, answer) = service.ask(&json!({ "command": ["tr", "a-z", "A-Z"], "stdin": "hello" }));
    assert_eq!((status, &answer["stdout"], &answer["code"]), (200, &"HELLO".into(), &0.into()), "{answer}");
    let answer = service.run("echo out; echo err >&2; exit 3");
    assert_eq!((&answer["stdout"], &answer["stderr"]), (&"out\n".into(), &"err\n".into()));
    assert_eq!((&answer["code"], &answer["signal"]), (&3.into(), &Value::Null));
    assert_eq!(service.run("kill -15 $$; exec sleep 0")["code"], 0, "nothing kills the first process");
    service.end();
}

#[test]
fn no_request_sees_another_ones_files_or_the_hosts_secrets() {
    if !possible() {
        return;
    }
    let service = Service::start(&["--pool", "2"]);
    assert_eq!(service.run("id -u; echo x > /tmp/trace; ls /tmp")["stdout"], "65534\ntrace\n");
    let answer =
        service.run("ls -A /tmp /root /home; cat /etc/shadow; touch /usr/x; grep -c : /proc/net/dev");
    assert_eq!(answer["stdout"], "/home:\n\n/root:\n\n/tmp:\n1\n");
    assert!(answer["stderr"].as_str().unwrap().contains("Permission denied"), "{answer}");
    service.end();
}

#[test]
fn twenty_clients_at_once_each_get_their_own_answer() {
    if !possible() {
        return;
    }
    let service = Service::start(&["--running", "4"]);
    let send = |n: usize| service.send(&json!({ "command": ["echo", n.to_string()] }).to_string());
    let streams: Vec<_> = (0..20).map(send).collect();
    for (n, stream) in streams.into_iter().enumerate() {
        let (status, answer) = receive(stream);
        assert_eq!((status, &answer["stdout"]), (200, &format!("{n}\n").into()), "{answer}");
    }
    until("only the pool to be there", || service.containers() <= 4);
    service.end();
}

#[test]
fn a_program_that_takes_too_long_is_ended_and_what_it_wrote_is_kept() {
    if !possible() {
        return;
    }
    let service = Service::start(&["--seconds", "5"]);
    let wish = json!({ "command": ["sh", "-c", "echo began; sleep 1000 & sleep 1000"], "seconds": 0.3 });
    let (status, answer) = service.ask(&wish);
    assert_eq!((status, &answer["timed_out"], &answer["signal"]), (200, &true.into(), &9.into()), "{answer}");
    assert_eq!(answer["stdout"], "began\n");
    service.end();
}

#[test]
fn memory_processes_and_output_have_limits() {
    if !possible() {
        return;
    }
    let service =
        Service::start(&["--memory", "16", "--processes", "8", "--output", "1000", "--seconds", "5"]);
    let answer = service.run("head -c 100M /dev/zero | tail -c 90M | wc -c; echo end");
    assert_eq!((&answer["out_of_memory"], &answer["code"]), (&true.into(), &0.into()), "{answer}");
    let bomb = json!({ "command": ["sh", "-c", "f() { f | f & }; f; sleep 100"], "seconds": 1 });
    let answer = service.ask(&bomb).1;
    assert!(answer["stderr"].as_str().unwrap().contains("Cannot fork"), "{answer}");
    let answer = service.run("head -c 50M /dev/zero | tr '\\0' x; echo end >&2");
    assert_eq!((&answer["truncated"], &answer["stderr"]), (&true.into(), &"end\n".into()));
    assert_eq!(answer["stdout"].as_str().unwrap().len(), 1000);
    service.end();
}

#[test]
fn what_cannot_be_run_or_is_too_large_is_refused_with_a_reason() {
    if !possible() {
        return;
    }
    let service = Service::start(&["--body", "10000"]);
    let refused = |body: &str, status: u16, why: &str| {
        let (got, answer) = receive(service.send(body));
        assert_eq!(got, status, "{answer}");
        assert!(answer["error"].as_str().unwrap_or_default().contains(why), "{answer}");
    };
    refused(r#"{"command": ["/no/such/program"]}"#, 422, "ENOENT");
    refused(r#"{"command": []}"#, 422, "there must be a program");
    refused(r#"{"command": ["true"], "user": 0}"#, 422, "unknown field");
    refused("nonsense", 400, "expected");
    refused(&json!({ "command": ["cat"], "stdin": "x".repeat(20_000) }).to_string(), 413, "length limit");
    service.end();
}

#[test]
fn a_client_that_goes_away_takes_its_program_with_it() {
    if !possible() {
        return;
    }
    let service = Service::start(&["--pool", "1"]);
    let stream = service.send(&json!({ "command": ["sleep", "1000"] }).to_string());
    until("the program to run", || sleeping(service.running.pid()) == 1);
    drop(stream);
    until("the program to end", || sleeping(service.running.pid()) == 0);
    service.end();
}

/// How many programs called sleep run in containers of this service.
fn sleeping(service: u32) -> usize {
    let is_sleep = |trace: &&String| {
        let process = trace.strip_prefix("process ").map(|dir| format!("{dir}/comm"));
        process.is_some_and(|comm| std::fs::read_to_string(comm).is_ok_and(|name| name == "sleep\n"))
    };
    traces(service, std::path::Path::new("/nowhere")).iter().filter(is_sleep).count()
}

#[test]
fn more_than_may_run_and_wait_are_told_to_come_again() {
    if !possible() {
        return;
    }
    let service = Service::start(&["--running", "1", "--waiting", "1"]);
    let slow = json!({ "command": ["sleep", "0.5"] }).to_string();
    let streams: Vec<_> = (0..6).map(|_| service.send(&slow)).collect();
    let answers: Vec<u16> = streams.into_iter().map(|stream| receive(stream).0).collect();
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 2, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 503).count(), 4, "{answers:?}");
    service.end();
}

#[test]
fn what_runs_when_the_service_ends_may_end_within_its_grace() {
    if !possible() {
        return;
    }
    let service = Service::start(&["--grace", "20"]);
    let stream = service.send(&json!({ "command": ["sh", "-c", "sleep 1; echo done"] }).to_string());
    until("the program to run", || sleeping(service.running.pid()) == 1);
    service.running.signal(Signal::TERM);
    assert_eq!(receive(stream).1["stdout"], "done\n");
    service.ended();

    let service = Service::start(&["--grace", "0.2", "--seconds", "100"]);
    let _stream = service.send(&json!({ "command": ["sleep", "100"] }).to_string());
    until("the program to run", || sleeping(service.running.pid()) == 1);
    let began = Instant::now();
    service.end();
    assert!(began.elapsed() < Duration::from_secs(20));
}

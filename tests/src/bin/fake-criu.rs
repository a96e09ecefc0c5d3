//! A CRIU that does nothing: it speaks the protocol of `criu swrk`, keeps what it is asked, and plays the part that
//! `FAKE_CRIU` names. Started by the runtime, in the tests of checkpoint and restore.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cofferdam_criu::{Features, Kind, Options, Request, Response};
use cofferdam_sys::socket;

/// What it plays.
struct Part {
    name: String,
    socket: i32,
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    assert_eq!(words[1], "swrk");
    let part =
        Part { name: std::env::var("FAKE_CRIU").unwrap_or_default(), socket: words[2].parse().unwrap() };
    while let Some(request) = part.hear() {
        part.answer(&request);
    }
}

impl Part {
    /// The next request; none when nobody speaks any more.
    fn hear(&self) -> Option<Request> {
        let mut buffer = vec![0; 1 << 20];
        let (n, _) = socket::recv(self.socket, &mut buffer).ok()?;
        let request = Request::from_bytes(&buffer[..n]).filter(|_| n > 0)?;
        if let Ok(path) = std::env::var("FAKE_CRIU_HEARD") {
            let mut file = File::options().create(true).append(true).open(path).unwrap();
            writeln!(file, "{request:?}").unwrap();
        }
        Some(request)
    }

    fn say(&self, said: &Response) {
        self.bytes(&said.to_bytes());
    }

    fn bytes(&self, bytes: &[u8]) {
        if socket::send(self.socket, bytes, &[]).is_err() {
            std::process::exit(0);
        }
    }

    /// Tells of something, and whether that was taken well.
    fn notify(&self, script: &str, pid: Option<i32>) -> bool {
        self.say(&Response::notification(script, pid));
        self.hear().and_then(|request| request.notify_success) == Some(true)
    }

    fn answer(&self, request: &Request) {
        match request.kind {
            kind if kind == Kind::Version.number() => match self.name.as_str() {
                "old" => self.say(&Response::version(3, 14)),
                "garbage" => self.bytes(b"\xff\xff\xff\xff"),
                "ends" => std::process::exit(3),
                _ => self.say(&Response::version(4, 1)),
            },
            kind if kind == Kind::FeatureCheck.number() => {
                let has = Some(self.name != "poor");
                self.say(&Response::features(Features { mem_track: has, lazy_pages: has }));
            }
            kind if kind == Kind::Restore.number() => self.restore(request.opts.as_ref().unwrap()),
            kind if kind == Kind::PreDump.number() => {
                self.dump(Kind::PreDump, request.opts.as_ref().unwrap())
            }
            _ => self.dump(Kind::Dump, request.opts.as_ref().unwrap()),
        }
    }

    fn dump(&self, kind: Kind, options: &Options) {
        match self.name.as_str() {
            "refuses" => self.refuse(kind, options),
            "dies" => std::process::abort(),
            "hangs" => std::thread::sleep(Duration::from_secs(60)),
            "another" => self.say(&Response::restored(1)),
            _ => {
                self.notify("network-lock", None);
                if options.lazy_pages == Some(true) {
                    self.notify("status-ready", None);
                }
                self.notify("post-dump", None);
                self.say(&Response::of(kind, true));
            }
        }
    }

    fn refuse(&self, kind: Kind, options: &Options) {
        let directory = options.work_dir_fd.unwrap_or(options.images_dir_fd);
        let directory = format!("/proc/{}/fd/{directory}", std::os::unix::process::parent_id());
        let log = format!("{directory}/{}", options.log_file.as_ref().unwrap());
        let lines = "(00.001) Error (criu/util.c:1): rlimit: Can't setup RLIMIT_NOFILE for self\n\
                     (00.002) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established\n";
        fs::write(log, lines).unwrap();
        self.say(&Response::failed(kind, 5, ""));
    }

    fn restore(&self, options: &Options) {
        match self.name.as_str() {
            "refuses" => return self.refuse(Kind::Restore, options),
            "dies" => std::process::abort(),
            "liar" => return self.say(&Response::restored(1)),
            "foreign" => {
                let taken = self.notify("setup-namespaces", Some(1));
                return self.say(&Response::of(Kind::Restore, taken));
            }
            _ => {}
        }
        let mut child = sleeper();
        let pid = i32::try_from(child.id()).ok();
        let taken = self.notify("setup-namespaces", pid);
        match self.name.as_str() {
            "halfway" => self.say(&Response::of(Kind::Restore, false)),
            "stuck" => std::thread::sleep(Duration::from_secs(60)),
            _ if taken && self.notify("post-restore", pid) => self.say(&Response::restored(pid.unwrap())),
            _ => {
                let _ = child.kill();
                self.say(&Response::of(Kind::Restore, false));
            }
        }
        if self.hear().is_none() {
            // Nobody waits for it here: it is not ours any more, and ends or stays without us.
            std::process::exit(0);
        }
        let _ = child.wait();
    }
}

/// What was "restored": it stays when this process has gone.
fn sleeper() -> Child {
    let mut command = Command::new("sleep");
    command.arg("1000").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

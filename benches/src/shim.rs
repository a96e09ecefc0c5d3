//! `cofferdam-bench shim`: what containerd's shims cost, spoken to as containerd does: how long it is until a container's
//! program runs, and how much memory the shim keeps while nothing happens.
//!
//! Called by `main`, inside the private world, to which it adds a /run. runc's shim is measured with runc and with
//! this project's command.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use containerd_shim_protos::api::{
    ConnectRequest, ConnectResponse, CreateTaskRequest, CreateTaskResponse, DeleteRequest, DeleteResponse,
    Empty, ForwardRequest, KillRequest, ShutdownRequest, StartRequest, StartResponse, WaitRequest,
    WaitResponse,
};
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::protobuf::{Message, MessageField};
use containerd_shim_protos::shim::oci;
use containerd_shim_protos::ttrpc::{self, Server, TtrpcContext};
use containerd_shim_protos::{Client, Events, create_events};
use nix::mount::{MsFlags, mount};

use crate::bundle::{self, Bundles};
use crate::measure::median;
use crate::options::Options;
use crate::world;

/// Both shims know the requests under this name; containerd 2's is another.
const SERVICE: &str = "containerd.task.v2.Task";

/// How long a shim is left alone before its memory is looked at.
const IDLE: Duration = Duration::from_millis(300);

struct Contestant {
    name: &'static str,
    shim: PathBuf,
    /// What runc's shim is to execute.
    runtime: Option<PathBuf>,
    /// Milliseconds: from nothing until the program runs; and the same with the shim there already.
    all: Vec<f64>,
    container: Vec<f64>,
    /// Kilobytes: resident, and the shim's own share.
    resident: Vec<f64>,
    share: Vec<f64>,
}

/// Takes the events, which would otherwise be sent again and again.
struct Ear;

impl Events for Ear {
    fn forward(&self, _: &TtrpcContext, _: ForwardRequest) -> ttrpc::Result<Empty> {
        Ok(Empty::default())
    }
}

/// Measures and prints.
pub(crate) fn run(options: &Options, dir: &Path) -> Result<(), String> {
    let none: Option<&str> = None;
    mount(Some("run"), "/run", Some("tmpfs"), MsFlags::empty(), none).map_err(|e| format!("/run: {e}"))?;
    let bundles = Bundles::make(dir)?;
    let events = format!("unix://{}", dir.join("events").display());
    let bound = Server::new().bind(&events).map_err(|e| e.to_string())?;
    let mut server = bound.register_service(create_events(Arc::new(Ear)));
    server.start().map_err(|e| e.to_string())?;
    let ours = options.cofferdam.with_file_name("containerd-shim-cofferdam-v1");
    let theirs = PathBuf::from("/usr/bin/containerd-shim-runc-v2");
    let mut contestants = vec![Contestant::new("containerd-shim-cofferdam-v1", ours, None)];
    if theirs.exists() {
        contestants.push(Contestant::new(
            "containerd-shim-runc-v2, runc",
            theirs.clone(),
            Some("runc".into()),
        ));
        let command = Some(options.cofferdam.clone());
        contestants.push(Contestant::new("containerd-shim-runc-v2, cofferdam", theirs, command));
    } else {
        println!("SKIPPED: containerd-shim-runc-v2 is not installed (Debian's package is containerd)");
    }
    let rounds = options.blocks * options.runs / 2;
    for round in 0..=rounds {
        for (number, contestant) in contestants.iter_mut().enumerate() {
            let id = format!("{}-s{number}-{round}", world::prefix(dir));
            let bundle = bundle(dir, &id, &bundles)?;
            // The first of each finds its files cold.
            contestant.round(dir, &bundle, &id, round > 0)?;
            fs::remove_dir_all(&bundle).map_err(|e| format!("{}: {e}", bundle.display()))?;
        }
    }
    print(&contestants);
    Ok(())
}

fn print(contestants: &[Contestant]) {
    println!(
        "| shim | until the program runs, ms | of these create + start | idle: own share (PSS), kB | resident, kB |"
    );
    println!("|---|---|---|---|---|");
    for c in contestants {
        let of = |figures: &[f64]| median(figures).unwrap_or(f64::NAN);
        let [all, container] = [&c.all, &c.container].map(|times| of(times));
        let [share, resident] = [&c.share, &c.resident].map(|sizes| of(sizes));
        println!("| {} | {all:.2} | {container:.2} | {share:.0} | {resident:.0} |", c.name);
    }
    let Some((ours, others)) = contestants.split_first() else { return };
    for c in others {
        let of = |mine: &[f64], theirs: &[f64]| {
            median(mine).zip(median(theirs)).map_or(f64::NAN, |(mine, theirs)| mine / theirs)
        };
        println!(
            "of {}: latency {:.2} (aim <= 0.5), memory {:.2} (aim <= 0.33)",
            c.name,
            of(&ours.all, &c.all),
            of(&ours.share, &c.share)
        );
    }
}

/// A bundle as containerd makes one: with a fifo for the shim's log.
fn bundle(dir: &Path, id: &str, bundles: &Bundles) -> Result<PathBuf, String> {
    let bundle = dir.join(id);
    fs::create_dir(&bundle).map_err(|e| format!("{}: {e}", bundle.display()))?;
    let mut config = bundle::config(&bundles.rootfs, &["sleep", "600"]);
    config["linux"]["cgroupsPath"] = format!("/{id}").into();
    let path = bundle.join("config.json");
    fs::write(&path, config.to_string()).map_err(|e| format!("{}: {e}", path.display()))?;
    nix::unistd::mkfifo(&bundle.join("log"), nix::sys::stat::Mode::S_IRWXU)
        .map_err(|e| format!("log: {e}"))?;
    Ok(bundle)
}

impl Contestant {
    fn new(name: &'static str, shim: PathBuf, runtime: Option<PathBuf>) -> Self {
        let none = Vec::new;
        Self { name, shim, runtime, all: none(), container: none(), resident: none(), share: none() }
    }

    fn round(&mut self, dir: &Path, bundle: &Path, id: &str, counts: bool) -> Result<(), String> {
        let mut log = fs::File::options();
        log.read(true).write(true).custom_flags(nix::libc::O_NONBLOCK);
        let _log = log.open(bundle.join("log")).map_err(|e| format!("log: {e}"))?;
        let began = Instant::now();
        let address = self.start_shim(dir, bundle, id)?;
        let client = Client::connect(&address).map_err(|e| format!("{}: {e}", self.name))?;
        let there = Instant::now();
        let mut wanted =
            CreateTaskRequest { id: id.into(), bundle: bundle.display().to_string(), ..Default::default() };
        if let Some(runtime) = &self.runtime {
            wanted.options = binary_name(runtime)?;
        }
        let created: CreateTaskResponse = call(&client, "Create", &wanted)?;
        let _: StartResponse = call(&client, "Start", &StartRequest { id: id.into(), ..Default::default() })?;
        let (all, container) = (began.elapsed(), there.elapsed());
        if counts {
            self.all.push(all.as_secs_f64() * 1e3);
            self.container.push(container.as_secs_f64() * 1e3);
            self.look(&client)?;
        }
        let kill = KillRequest { id: id.into(), signal: 9, ..Default::default() };
        let _: Empty = call(&client, "Kill", &kill)?;
        let _: WaitResponse = call(&client, "Wait", &WaitRequest { id: id.into(), ..Default::default() })?;
        let deleted: DeleteResponse =
            call(&client, "Delete", &DeleteRequest { id: id.into(), ..Default::default() })?;
        if (deleted.pid, deleted.exit_status) != (created.pid, 137) {
            return Err(format!("{}: deleted {} with {}", self.name, deleted.pid, deleted.exit_status));
        }
        // It may be gone before it has answered.
        let _ =
            call::<_, Empty>(&client, "Shutdown", &ShutdownRequest { id: id.into(), ..Default::default() });
        Ok(())
    }

    fn start_shim(&self, dir: &Path, bundle: &Path, id: &str) -> Result<String, String> {
        let started = Command::new(&self.shim)
            .args(["-namespace", "bench", "-id", id, "-address", "/run/containerd/containerd.sock"])
            .args(["-publish-binary", "/bin/true", "start"])
            .current_dir(bundle)
            .env("TTRPC_ADDRESS", dir.join("events"))
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("{}: {e}", self.shim.display()))?;
        if !started.status.success() {
            return Err(format!("{}: {}", self.name, String::from_utf8_lossy(&started.stderr)));
        }
        Ok(String::from_utf8_lossy(&started.stdout).trim().to_owned())
    }

    /// Leaves it alone, and looks at its memory.
    fn look(&mut self, client: &Client) -> Result<(), String> {
        let me: ConnectResponse = call(client, "Connect", &ConnectRequest::default())?;
        std::thread::sleep(IDLE);
        let path = format!("/proc/{}/smaps_rollup", me.shim_pid);
        let text = fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
        let of = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok())
        };
        let (resident, share) = of("Rss:").zip(of("Pss:")).ok_or_else(|| format!("{path}: no figures"))?;
        self.resident.push(resident);
        self.share.push(share);
        Ok(())
    }
}

/// runc's options, which name its program.
fn binary_name(runtime: &Path) -> Result<MessageField<Any>, String> {
    let options = oci::Options { binary_name: runtime.display().to_string(), ..Default::default() };
    let value = options.write_to_bytes().map_err(|e| e.to_string())?;
    let type_url = "containerd.runc.v1.Options".to_owned();
    Ok(MessageField::some(Any { type_url, value, ..Default::default() }))
}

fn call<Q: Message, A: Message>(client: &Client, method: &str, question: &Q) -> Result<A, String> {
    let request = ttrpc::Request {
        service: SERVICE.into(),
        method: method.into(),
        payload: question.write_to_bytes().map_err(|e| e.to_string())?,
        ..Default::default()
    };
    let answer = client.request(request).map_err(|e| format!("{method}: {e}"))?;
    A::parse_from_bytes(&answer.payload).map_err(|e| format!("{method}: {e}"))
}

//! containerd, as far as a shim sees it: who starts it, asks it, and takes its events.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cofferdam_tests::{Bundle, Output, Skip, Test, criu, wait_until};
use containerd_shim_protos::api::{
    CreateTaskRequest, DeleteRequest, DeleteResponse, Empty, ExecProcessRequest, ForwardRequest, KillRequest,
    ShutdownRequest, StartRequest, StateRequest, StateResponse, WaitRequest,
};
use containerd_shim_protos::protobuf::MessageField;
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::ttrpc::context::{Context, with_duration};
use containerd_shim_protos::ttrpc::{self, Server, TtrpcContext};
use containerd_shim_protos::{Client, Events, TaskClient, create_events};

/// containerd's namespace in these tests.
const NAMESPACE: &str = "tests";

/// Longest that any answer may take.
pub(crate) fn soon() -> Context {
    with_duration(Duration::from_secs(20))
}

/// The shim: `COFFERDAM_SHIM_BIN`, else where `scripts/build` puts it.
pub(crate) fn program() -> PathBuf {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/containerd-shim-cofferdam-v1");
    let path = std::env::var_os("COFFERDAM_SHIM_BIN").map_or_else(|| PathBuf::from(built), PathBuf::from);
    assert!(path.exists(), "no shim at {}: run scripts/build, or set COFFERDAM_SHIM_BIN", path.display());
    path
}

type Heard = Arc<Mutex<Vec<(String, Any)>>>;

struct Ear(Heard);

impl Events for Ear {
    fn forward(&self, _: &TtrpcContext, request: ForwardRequest) -> ttrpc::Result<Empty> {
        let envelope = request.envelope;
        assert_eq!(envelope.namespace, NAMESPACE);
        self.0.lock().unwrap().push((envelope.topic.clone(), envelope.event.clone().unwrap_or_default()));
        Ok(Empty::default())
    }
}

/// containerd's stand-in of one test.
pub(crate) struct StandIn<'t> {
    pub(crate) t: &'t Test,
    heard: Heard,
    _server: Server,
    shims: Mutex<Vec<u32>>,
}

impl<'t> StandIn<'t> {
    pub(crate) fn new(t: &'t Test) -> Result<Self, Skip> {
        t.view();
        t.host("mount -t tmpfs x /run && mkdir /run/containerd");
        let heard = Heard::default();
        let events = create_events(Arc::new(Ear(Arc::clone(&heard))));
        let address = format!("unix://{}", t.dir.join("events").display());
        let mut server = Server::new().bind(&address).expect("a socket").register_service(events);
        server.start().expect("a server");
        Ok(Self { t, heard, _server: server, shims: Mutex::default() })
    }

    /// The program, in a bundle, as containerd starts it.
    pub(crate) fn program(&self, b: &Bundle<'_>, verb: &str) -> Output {
        self.program_with(&b.id, &b.dir, verb, &[])
    }

    /// The same for any id and directory, with the options of the runtime.
    pub(crate) fn program_with(&self, id: &str, dir: &Path, verb: &str, options: &[u8]) -> Output {
        let file = self.t.dir.join("options");
        std::fs::write(&file, options).expect("options");
        let mut command = self.t.command(Path::new("/bin/sh"));
        command.env("TTRPC_ADDRESS", self.t.dir.join("events"));
        if let Ok(criu) = criu::real() {
            let beside = criu.parent().expect("a directory").display();
            command.env("PATH", format!("{beside}:{}", std::env::var("PATH").unwrap_or_default()));
        }
        command.args(["-c", "cd \"$1\" && shift && exec \"$@\" <\"$0\""]).arg(file).arg(dir).arg(program());
        command.args(["-namespace", NAMESPACE, "-id", id, "-address", "/run/containerd/containerd.sock"]);
        command.args(["-publish-binary", "/bin/true", verb]);
        self.t.finish(&mut command)
    }

    /// Starts the shim of a bundle, or finds it.
    #[track_caller]
    pub(crate) fn shim(&self, b: &Bundle<'_>) -> Shim {
        self.shim_with(b, &[])
    }

    /// The same with options.
    #[track_caller]
    pub(crate) fn shim_with(&self, b: &Bundle<'_>, options: &[u8]) -> Shim {
        b.write();
        let address = self.program_with(&b.id, &b.dir, "start", options).ok().to_owned();
        let socket = address.strip_prefix("unix://").expect("an address").to_owned();
        // Its /run is in the view.
        let seen = PathBuf::from(format!("/proc/{}/root{socket}", self.t.view().pid()));
        let client = Client::connect(&format!("unix://{}", seen.display())).expect("a connection");
        let shim = Shim { client: TaskClient::new(client), address, seen, id: b.id.clone() };
        self.shims.lock().unwrap().push(shim.pid());
        shim
    }

    /// Topics of a container's events so far, with what they end in.
    pub(crate) fn topics(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.iter().map(|(topic, _)| topic.trim_start_matches("/tasks/").to_owned()).collect()
    }

    /// Waits until an event was told, and gives it.
    #[track_caller]
    pub(crate) fn event<M: containerd_shim_protos::protobuf::Message>(&self, topic: &str) -> M {
        let topic = format!("/tasks/{topic}");
        let find = || self.heard.lock().unwrap().iter().find(|(t, _)| *t == topic).cloned();
        wait_until(&topic, || find().is_some());
        let (_, event) = find().expect("an event");
        assert!(event.type_url.starts_with("containerd.events.Task"), "{}", event.type_url);
        M::parse_from_bytes(&event.value).expect("an event of that kind")
    }

    /// No shim, no socket, no state and no mount is left.
    #[track_caller]
    pub(crate) fn is_clean(&self) {
        wait_until("the shims to end", || self.shims.lock().unwrap().iter().all(|pid| !is_shim(*pid)));
        assert_eq!(self.t.host("ls -A /run/containerd/s; find /run/containerd -mindepth 3"), "");
        assert_eq!(
            self.t.host(&format!("grep -c ' {}/' /proc/self/mountinfo || true", self.t.dir.display())),
            "0\n"
        );
    }
}

fn is_shim(pid: u32) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).contains("containerd-shim-cofferdam-v1")
}

/// Ends a shim that a failed test left, and what it held.
impl Drop for StandIn<'_> {
    fn drop(&mut self) {
        for pid in self.shims.lock().unwrap_or_else(std::sync::PoisonError::into_inner).drain(..) {
            if is_shim(pid) {
                kill(pid);
            }
        }
    }
}

/// SIGKILL.
pub(crate) fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

/// A shim, and the container that it was started for.
pub(crate) struct Shim {
    pub(crate) client: TaskClient,
    pub(crate) address: String,
    pub(crate) seen: PathBuf,
    pub(crate) id: String,
}

impl Shim {
    /// What it says of itself.
    pub(crate) fn pid(&self) -> u32 {
        self.client.connect(soon(), &Default::default()).expect("connect").shim_pid
    }

    /// A request to make the bundle's container.
    pub(crate) fn wanted(&self, b: &Bundle<'_>) -> CreateTaskRequest {
        CreateTaskRequest { id: b.id.clone(), bundle: b.dir.display().to_string(), ..Default::default() }
    }

    #[track_caller]
    pub(crate) fn create(&self, request: &CreateTaskRequest) -> u32 {
        self.client.create(soon(), request).expect("create").pid
    }

    pub(crate) fn try_start(&self, exec_id: &str) -> ttrpc::Result<u32> {
        let request = StartRequest { id: self.id.clone(), exec_id: exec_id.into(), ..Default::default() };
        self.client.start(soon(), &request).map(|answer| answer.pid)
    }

    #[track_caller]
    pub(crate) fn start(&self, exec_id: &str) -> u32 {
        self.try_start(exec_id).expect("start")
    }

    /// The status with which it ended.
    #[track_caller]
    pub(crate) fn wait(&self, exec_id: &str) -> u32 {
        let request = WaitRequest { id: self.id.clone(), exec_id: exec_id.into(), ..Default::default() };
        self.client.wait(soon(), &request).expect("wait").exit_status
    }

    pub(crate) fn try_delete(&self, exec_id: &str) -> ttrpc::Result<DeleteResponse> {
        let request = DeleteRequest { id: self.id.clone(), exec_id: exec_id.into(), ..Default::default() };
        self.client.delete(soon(), &request)
    }

    #[track_caller]
    pub(crate) fn delete(&self, exec_id: &str) -> DeleteResponse {
        self.try_delete(exec_id).expect("delete")
    }

    pub(crate) fn kill(&self, exec_id: &str, signal: u32, all: bool) -> ttrpc::Result<Empty> {
        let (id, exec_id) = (self.id.clone(), exec_id.to_owned());
        self.client.kill(soon(), &KillRequest { id, exec_id, signal, all, ..Default::default() })
    }

    #[track_caller]
    pub(crate) fn state(&self, exec_id: &str) -> StateResponse {
        let request = StateRequest { id: self.id.clone(), exec_id: exec_id.into(), ..Default::default() };
        self.client.state(soon(), &request).expect("state")
    }

    /// Adds a process.
    #[track_caller]
    pub(crate) fn exec(&self, exec_id: &str, args: &[&str], more: impl FnOnce(&mut ExecProcessRequest)) {
        let spec =
            cofferdam_tests::json!({"args": args, "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0}});
        let mut request = ExecProcessRequest {
            id: self.id.clone(),
            exec_id: exec_id.into(),
            spec: any("Process", spec.to_string().into_bytes()),
            ..Default::default()
        };
        more(&mut request);
        self.client.exec(soon(), &request).expect("exec");
    }

    /// Asks it to end, which it does without containers; it may be gone before it has answered.
    pub(crate) fn shutdown(&self) {
        let _ = self.client.shutdown(soon(), &ShutdownRequest { id: self.id.clone(), ..Default::default() });
    }
}

/// A document as containerd packs it.
pub(crate) fn any(name: &str, value: Vec<u8>) -> MessageField<Any> {
    let type_url = format!("types.containerd.io/opencontainers/runtime-spec/1/{name}");
    MessageField::some(Any { type_url, value, ..Default::default() })
}

/// gRPC's number of a refusal.
#[track_caller]
pub(crate) fn code<T>(answer: ttrpc::Result<T>) -> i32 {
    match answer {
        Err(ttrpc::Error::RpcStatus(status)) => status.code.value(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was allowed"),
    }
}

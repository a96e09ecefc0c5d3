//! Who is outside: a Kubernetes API that knows pods, and a plugin of Falco's that is told of calls. Stubs, on the
//! loopback interface and on a socket of the test's.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use cofferdam_tests::{Bundle, Test, facts, json, wait_until};

use super::served::{Agent, calls};

/// An API with the pod prod/web-0, which answers once it is told to.
struct Api {
    kubeconfig: PathBuf,
    address: std::net::SocketAddr,
    ready: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Api {
    fn start(t: &Test, ready: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let kubeconfig = t.dir.join("kubeconfig");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "k", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        });
        std::fs::write(&kubeconfig, config.to_string()).unwrap();
        let (ready, ended) = (Arc::new(AtomicBool::new(ready)), Arc::new(AtomicBool::new(false)));
        let (is_ready, has_ended) = (Arc::clone(&ready), Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                if has_ended.load(Ordering::Relaxed) {
                    return;
                }
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let (status, body) = answer(&head, is_ready.load(Ordering::Relaxed));
                let size = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n{body}"
                );
            }
        });
        Self { kubeconfig, address, ready, ended, thread: Some(thread) }
    }

    fn agent(&self, t: &Test, policy: &str, flags: &[&str]) -> Agent {
        let mut all = vec!["--resolver", "kubernetes", "--node", "here", "--kubeconfig"];
        all.push(self.kubeconfig.to_str().unwrap());
        all.extend_from_slice(flags);
        Agent::start(t, policy, &all)
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = std::net::TcpStream::connect(self.address);
        let _ = self.thread.take().unwrap().join();
    }
}

fn answer(head: &str, ready: bool) -> (&'static str, String) {
    let pod = json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": {"namespace": "prod", "name": "web-0", "uid": "u1", "labels": {"tier": "front"},
            "annotations": {"example.org/team": "blue", "cofferdam-agent/EXEC_PATTERN": "/bin/true",
                "cofferdam-agent/EXEC_DURATION": "300ms"}},
    });
    let line = head.lines().next().unwrap_or_default();
    match (ready, line.starts_with("GET /api/v1/namespaces/prod/pods/web-0 ")) {
        (false, _) => ("503 Service Unavailable", json!({"code": 503, "message": "starting"}).to_string()),
        (true, true) if head.to_lowercase().contains("authorization: bearer secret\r\n") => {
            ("200 OK", pod.to_string())
        }
        (true, true) => ("401 Unauthorized", json!({"code": 401, "reason": "Unauthorized"}).to_string()),
        (true, false) => ("404 Not Found", json!({"code": 404, "reason": "NotFound"}).to_string()),
    }
}

/// A container of this pod, as containerd says so.
fn of_pod(bundle: &mut Bundle<'_>, name: &str, uid: &str) {
    bundle.set(
        "/annotations",
        json!({
            "io.kubernetes.cri.sandbox-namespace": "prod", "io.kubernetes.cri.sandbox-name": name,
            "io.kubernetes.cri.sandbox-uid": uid, "io.kubernetes.cri.container-name": "nginx",
        }),
    );
}

const LABELLED: &str = r#"
[[rule]]
syscalls = ["mkdir", "mkdirat"]
container = { labels = { tier = "front" }, pod_annotations = { "example.org/team" = "b*" } }
action = "mkdir"
suffix = "-{{.Pod}}-{{.Container}}"
"#;

facts! {
    fn a_pods_labels_decide_and_one_that_has_gone_is_refused_everything(t) {
        let api = Api::start(t, true);
        let agent = api.agent(t, LABELLED, &[]);
        let made = |pod: &str, uid: &str| {
            let mut bundle = t.script("mkdir /tmp/a; ls /tmp");
            calls(&mut bundle, &agent, &["mkdir", "mkdirat"]);
            of_pod(&mut bundle, pod, uid);
            bundle.run().stdout
        };
        assert_eq!(made("web-0", "u1"), "a-web-0-nginx\n", "{}", agent.log());
        assert_eq!(made("web-1", "u1"), "", "{}", agent.log());
        agent.wait_log("pod prod/web-1: the API knows no such pod");
        assert_eq!(made("web-0", "u0"), "", "{}", agent.log());
        agent.wait_log("the API knows another pod by that name");
    }

    fn while_the_api_is_away_calls_wait_then_are_refused_until_it_answers(t) {
        let api = Api::start(t, false);
        let agent = api.agent(t, LABELLED, &["--lookup-timeout", "500ms"]);
        let mut bundle = t.script("mkdir /tmp/a 2>/dev/null || echo refused; \
            while ! mkdir /tmp/b 2>/dev/null; do sleep 0.05; done; ls /tmp");
        calls(&mut bundle, &agent, &["mkdir", "mkdirat"]);
        of_pod(&mut bundle, "web-0", "u1");
        let begun = std::time::Instant::now();
        let container = bundle.start();
        container.wait_output("refused\n");
        assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
        agent.wait_log("rule=unresolved");
        assert!(agent.log().contains("given up after 500ms"), "{}", agent.log());
        // Another that asks nothing of the API is served meanwhile.
        let mut other = t.script("mkdir /tmp/c || echo by the policy");
        calls(&mut other, &agent, &["mkdir", "mkdirat"]);
        assert_eq!(other.run().stdout, "by the policy\n");
        api.ready.store(true, Ordering::Relaxed);
        container.wait_stopped();
        assert_eq!(container.stdout(), "refused\nb-web-0-nginx\n", "{}", agent.log());
    }

    fn annotations_of_pods_are_rules_where_they_are_trusted(t) {
        let api = Api::start(t, true);
        for (trusted, flags) in [(false, &[][..]), (true, &["--trust-pods"][..])] {
            let agent = api.agent(t, LABELLED, flags);
            let mut bundle = t.script("/bin/true; true");
            calls(&mut bundle, &agent, &["execve"]);
            bundle.set("/linux/seccomp/syscalls/0/args", json!([]));
            of_pod(&mut bundle, "web-0", "u1");
            bundle.run();
            let waits = agent.log().contains("waits 300ms");
            assert_eq!(waits, trusted, "{}", agent.log());
        }
    }

    fn falco_is_told_of_the_calls_of_who_asks_for_it(t) {
        let path = t.dir.join("falco.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        // Only listens: nobody is to wait for an answer.
        let plugin = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut some = [0; 4096];
            while let Ok(n @ 1..) = stream.read(&mut some) {
                log.lock().unwrap().extend_from_slice(&some[..n]);
            }
        });
        let agent = Agent::start(t, LABELLED, &["--resolver", "metadata", "--falco", path.to_str().unwrap()]);
        for (metadata, name) in [("MIDDLEWARE=prometheus\n", "quiet"), ("MIDDLEWARE=prometheus,falco\n", "told")] {
            let mut bundle = t.script("mkdir /tmp/a || echo refused");
            calls(&mut bundle, &agent, &["mkdir", "mkdirat"]);
            bundle.set("/linux/seccomp/listenerMetadata", metadata);
            of_pod(&mut bundle, name, "u1");
            assert_eq!(bundle.run().stdout, "refused\n");
        }
        let event = b"\x1a\x05mkdir\x22";
        let workload = b"\x0a\x04prod\x12\x04told\x1a\x05nginx\x20";
        let has = |bytes: &[u8]| heard.lock().unwrap().windows(bytes.len()).any(|at| at == bytes);
        wait_until("Falco is told", || has(event) && has(workload));
        assert!(heard.lock().unwrap().starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        assert!(!has(b"quiet"));
        agent.kill();
        plugin.join().unwrap();
    }
}

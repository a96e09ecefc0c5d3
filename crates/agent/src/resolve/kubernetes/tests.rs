//! Pods of an API that answers, answers late, wrongly, or not at all: a stub on the loopback interface.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant as Clock;

use super::*;
use crate::outward::Outward;

/// Nobody takes so long for an answer, on a busy host either.
const LONG: Duration = Duration::from_secs(30);

/// Answers a path with a status and a body.
type Answers = Box<dyn Fn(&str) -> (u16, String) + Send>;

/// An API, its kubeconfig, and what it was asked. Ended when dropped.
struct Stub {
    server: Arc<tiny_http::Server>,
    thread: Option<JoinHandle<()>>,
    kubeconfig: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    fn start(answers: Answers) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let server = Arc::new(tiny_http::Server::http("127.0.0.1:0").unwrap());
        let name =
            format!("cofferdam-agent-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let kubeconfig = std::env::temp_dir().join(name);
        let address = server.server_addr().to_ip().unwrap();
        std::fs::write(&kubeconfig, config(&format!("http://{address}"))).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (of, log) = (Arc::clone(&server), Arc::clone(&asked));
        let thread = std::thread::spawn(move || {
            while let Ok(request) = of.recv() {
                let header = |name| {
                    request.headers().iter().find(|h| h.field.equiv(name)).map(|h| h.value.to_string())
                };
                assert_eq!(header("Authorization").as_deref(), Some("Bearer secret"));
                assert!(header("Accept").unwrap().contains("PartialObjectMetadata"));
                log.lock().unwrap().push(request.url().to_owned());
                let (status, body) = answers(request.url());
                let _ = request.respond(tiny_http::Response::from_string(body).with_status_code(status));
            }
        });
        Self { server, thread: Some(thread), kubeconfig, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Asks for a pod, with more time than it can take where somebody answers.
    fn find(&self, wanted: &Wanted) -> Result<Arc<Pod>, String> {
        self.find_within(LONG, wanted)
    }

    fn find_within(&self, patience: Duration, wanted: &Wanted) -> Result<Arc<Pod>, String> {
        let outward = Outward::start().unwrap();
        self.with(&outward, patience, |api| outward.wait(api.find_in_time(wanted)))
    }

    fn with<T>(&self, outward: &Outward, patience: Duration, work: impl FnOnce(&Kubernetes) -> T) -> T {
        let (kubeconfig, node) = (Some(self.kubeconfig.clone()), Some("here".to_owned()));
        let access = Access { kubeconfig, node, patience, trusted: false };
        let api = outward.wait(Kubernetes::new(access)).unwrap();
        work(&api)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.server.unblock();
        let ended = self.thread.take().unwrap().join();
        let _ = std::fs::remove_file(&self.kubeconfig);
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

fn config(server: &str) -> String {
    serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    })
    .to_string()
}

fn document(name: &str, uid: &str) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": {"namespace": "prod", "name": name, "uid": uid, "labels": {"tier": "front"},
            "annotations": {"cofferdam-agent/MOUNT_PROC": "true"}},
    })
}

fn list(pods: &[serde_json::Value]) -> String {
    serde_json::json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": pods,
    })
    .to_string()
}

fn failure(code: u16, reason: &str) -> (u16, String) {
    let status = serde_json::json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason,
        "message": "no", "metadata": {},
    });
    (code, status.to_string())
}

fn named(uid: &str) -> Wanted {
    Wanted { namespace: "prod".into(), name: "web-0".into(), uid: uid.into() }
}

fn by_uid(uid: &str) -> Wanted {
    Wanted { uid: uid.into(), ..Wanted::default() }
}

#[test]
fn a_named_pod_is_asked_for_once_in_a_while() {
    let stub = Stub::start(Box::new(|_| (200, document("web-0", "u1").to_string())));
    let outward = Outward::start().unwrap();
    stub.with(&outward, LONG, |api| {
        for _ in 0..3 {
            let pod = outward.wait(api.find_in_time(&named("u1"))).unwrap();
            assert_eq!((pod.name.as_str(), pod.uid.as_str()), ("web-0", "u1"));
            assert_eq!(pod.labels.get("tier").map(String::as_str), Some("front"));
        }
        let aged = api.known().iter_mut().map(|known| known.0 -= FRESH).count();
        assert_eq!(aged, 1);
        outward.wait(api.find_in_time(&named("u1"))).unwrap();
    });
    assert_eq!(stub.asked(), ["/api/v1/namespaces/prod/pods/web-0"; 2]);
}

#[test]
fn a_pod_of_which_the_uid_is_known_is_found_among_those_of_the_node() {
    let pods = list(&[document("db-0", "u0"), document("web-0", "u1")]);
    let stub = Stub::start(Box::new(move |_| (200, pods.clone())));
    let outward = Outward::start().unwrap();
    stub.with(&outward, LONG, |api| {
        assert_eq!(outward.wait(api.find_in_time(&by_uid("u1"))).unwrap().name, "web-0");
        // The others came along.
        assert_eq!(outward.wait(api.find_in_time(&by_uid("u0"))).unwrap().name, "db-0");
        let gone = outward.wait(api.find_in_time(&by_uid("u2"))).unwrap_err();
        assert_eq!(gone, "pod u2: no pod of node here has that uid");
    });
    assert_eq!(stub.asked(), ["/api/v1/pods?&fieldSelector=spec.nodeName%3Dhere"; 2]);
}

#[test]
fn who_has_gone_or_been_replaced_is_not_waited_for() {
    let gone = Stub::start(Box::new(|_| failure(404, "NotFound")));
    assert_eq!(gone.find(&named("u1")).unwrap_err(), "pod prod/web-0: the API knows no such pod");
    let other = Stub::start(Box::new(|_| (200, document("web-0", "u2").to_string())));
    assert!(other.find(&named("u1")).unwrap_err().contains("another pod by that name"));
    let forbidden = Stub::start(Box::new(|_| failure(403, "Forbidden")));
    assert!(forbidden.find(&named("u1")).unwrap_err().contains("the API answers 403 Forbidden: no"));
    assert_eq!((gone.asked().len(), other.asked().len(), forbidden.asked().len()), (1, 1, 1));
}

#[test]
fn an_api_that_is_busy_is_asked_again_and_then_given_up() {
    let number = AtomicUsize::new(0);
    let busy = Stub::start(Box::new(move |_| match number.fetch_add(1, Ordering::Relaxed) {
        0 => failure(429, "TooManyRequests"),
        1 => (503, "<html>overloaded</html>".to_owned()),
        _ => (200, document("web-0", "u1").to_string()),
    }));
    assert_eq!(busy.find(&named("u1")).unwrap().uid, "u1");
    assert_eq!(busy.asked().len(), 3);
    let broken = Stub::start(Box::new(|_| failure(500, "InternalError")));
    let begun = Clock::now();
    let why = broken.find_within(Duration::from_secs(1), &named("u1")).unwrap_err();
    assert!(why.contains("given up after 1s"), "{why}");
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    // 100 ms, 200 ms, 400 ms between them.
    assert!(broken.asked().len() <= 4, "{:?}", broken.asked());
}

#[test]
fn an_api_that_says_nothing_is_given_up_in_time() {
    let slow = Stub::start(Box::new(|_| {
        std::thread::sleep(Duration::from_secs(4));
        (200, document("web-0", "u1").to_string())
    }));
    let begun = Clock::now();
    let why = slow.find_within(Duration::from_secs(1), &named("u1")).unwrap_err();
    assert!(why.contains("given up after 1s"), "{why}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    // Nobody is there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    std::fs::write(&slow.kubeconfig, config(&format!("http://{free}"))).unwrap();
    let why = slow.find_within(Duration::from_secs(1), &named("u1")).unwrap_err();
    assert!(why.contains("cannot be reached") && why.contains("refused"), "{why}");
}

#[test]
fn what_is_no_pod_is_none() {
    for (body, why) in [
        ("{\"kind\": \"Pod\"".to_owned(), "is no pod: EOF"),
        ("[]".to_owned(), "is no pod"),
        ("{}".to_owned(), "no name, namespace or uid"),
        (serde_json::json!({"metadata": {"name": 7}}).to_string(), "is no pod: invalid type"),
        (document("web-1", "u1").to_string(), "another pod"),
    ] {
        let stub = Stub::start(Box::new(move |_| (200, body.clone())));
        let said = stub.find(&named("u1")).unwrap_err();
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!(stub.asked().len(), 1, "{why}");
    }
}

#[test]
fn few_questions_are_asked_at_once_and_a_list_once_for_all() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let peak = Arc::clone(&most);
    let pods: Vec<_> = (0..40).map(|n| document(&format!("p{n}"), &format!("u{n}"))).collect();
    let pods = list(&pods);
    let stub = Stub::start(Box::new(move |_| {
        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(50));
        now.fetch_sub(1, Ordering::SeqCst);
        (200, pods.clone())
    }));
    let outward = Outward::start().unwrap();
    stub.with(&outward, LONG, |api| {
        std::thread::scope(|scope| {
            for n in 0..40 {
                let outward = &outward;
                scope.spawn(move || {
                    let found = outward.wait(api.find_in_time(&by_uid(&format!("u{n}")))).unwrap();
                    assert_eq!(found.name, format!("p{n}"));
                });
            }
        });
    });
    assert_eq!((stub.asked().len(), most.load(Ordering::SeqCst)), (1, 1));
}

#[test]
fn a_configuration_that_is_none_is_said_at_once() {
    let outward = Outward::start().unwrap();
    let access = Access { kubeconfig: Some("/nowhere/config".into()), ..Access::default() };
    let failure = outward.wait(Kubernetes::new(access)).unwrap_err();
    assert!(
        failure.text.contains("the Kubernetes API") && failure.text.contains("/nowhere/config"),
        "{failure:?}"
    );
}

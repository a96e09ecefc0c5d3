//! What comes out at a socket where a plugin would listen, to the byte, and what happens when none does.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::serve::audit::Format;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

const LONG: Duration = Duration::from_secs(10);

/// A call as it came: method, path, content type, body.
type Came = (String, String, String, Vec<u8>);

/// What `PublishEvent` takes for [`event`]: by the encoding of protobuf, field by field.
const BODY: &[u8] = b"\x00\x00\x00\x00\x2c\
    \x08\xd2\x85\xd8\xcc\x04\
    \x10\xb9\x60\
    \x1a\x05mkdir\
    \x22\x1a\x0a\x04prod\x12\x05web-0\x1a\x05nginx\x20\xac\x02\x28\xad\x02";

fn event() -> Event {
    let container = Container {
        namespace: "prod".into(),
        pod: "web-0".into(),
        name: "nginx".into(),
        pid1: 300,
        pid: 301,
        ..Container::default()
    };
    Event::of(&container, 1_234_567_890, 12_345, "mkdir")
}

/// Waits for a line of the metrics: a busy host takes its time.
fn wait_for(metrics: &Metrics, line: &str) {
    let end = std::time::Instant::now() + LONG;
    while !metrics.text(0).contains(line) {
        assert!(std::time::Instant::now() < end, "{line} in\n{}", metrics.text(0));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn socket(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("cofferdam-falco-{name}-{}", std::process::id()))
}

/// A plugin that accepts everything, or only listens.
fn plugin(path: &Path, outward: &Outward, answers: bool) -> Receiver<Came> {
    let (to, from) = channel();
    let listener = outward.wait(async { tokio::net::UnixListener::bind(path) }).unwrap();
    outward.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let to = to.clone();
            // What the connection needs is done while it is awaited.
            tokio::spawn(async move {
                let (head, mut stream) = request.into_parts();
                let mut body = Vec::new();
                while let Some(Ok(bytes)) = stream.data().await {
                    let _ = stream.flow_control().release_capacity(bytes.len());
                    body.extend_from_slice(&bytes);
                }
                let kind = head.headers.get("content-type").unwrap().to_str().unwrap().to_owned();
                to.send((head.method.to_string(), head.uri.path().to_owned(), kind, body)).unwrap();
                if !answers {
                    return std::future::pending().await;
                }
                let head =
                    Response::builder().status(StatusCode::OK).header("content-type", "application/grpc");
                let mut stream = respond.send_response(head.body(()).unwrap(), false).unwrap();
                stream.send_data(vec![0; 5].into(), false).unwrap();
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static("0"));
                stream.send_trailers(trailers).unwrap();
            });
        }
    });
    from
}

#[test]
fn an_event_is_what_the_plugin_reads_to_the_byte() {
    let (outward, metrics, path) = (Outward::start().unwrap(), Metrics::default(), socket("bytes"));
    let came = plugin(&path, &outward, true);
    let falco = Falco::start(&path, &outward, Audit(Format::Json), &metrics).unwrap();
    falco.publish(event());
    falco.publish(Event { k8s: None, ..Event::of(&Container::default(), 0, 0, "x") });
    falco.flush();
    let (method, target, kind, body) = came.recv_timeout(LONG).unwrap();
    assert_eq!((method.as_str(), kind.as_str()), ("POST", "application/grpc"));
    assert_eq!(target, "/seccompagentfalco.SeccompAgentFalco/PublishEvent");
    assert_eq!(body, BODY);
    assert_eq!(came.recv_timeout(LONG).unwrap().3, b"\0\0\0\0\x03\x1a\x01x");
    wait_for(&metrics, "cofferdam_agent_falco_events_total{outcome=\"sent\"} 2");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn without_a_plugin_nobody_waits_and_one_that_comes_later_is_found() {
    let (outward, metrics, path) = (Outward::start().unwrap(), Metrics::default(), socket("later"));
    let falco = Falco::start(&path, &outward, Audit(Format::Json), &metrics).unwrap();
    falco.publish(event());
    falco.flush();
    wait_for(&metrics, "falco_events_total{outcome=\"failed\"} 1");
    let came = plugin(&path, &outward, true);
    falco.publish(event());
    falco.flush();
    assert_eq!(came.recv_timeout(LONG).unwrap().3, BODY);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_plugin_that_says_nothing_costs_events_and_no_time() {
    let (outward, metrics, path) = (Outward::start().unwrap(), Metrics::default(), socket("silent"));
    let came = plugin(&path, &outward, false);
    let falco = Falco::start(&path, &outward, Audit(Format::Json), &metrics).unwrap();
    falco.publish(event());
    came.recv_timeout(LONG).unwrap();
    let begun = std::time::Instant::now();
    for _ in 0..WAITING + 10 {
        falco.publish(event());
    }
    assert!(begun.elapsed() < PATIENCE * 5, "{:?}", begun.elapsed());
    wait_for(&metrics, "falco_events_total{outcome=\"dropped\"}");
    std::fs::remove_file(&path).unwrap();
}

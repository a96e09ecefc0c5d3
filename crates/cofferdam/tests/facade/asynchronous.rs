//! The same without blocking, under tokio.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use cofferdam::{Event, Events, Exec, ExitStatus, Parent, Status, Stdio, TerminalSize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::World;

#[tokio::test]
async fn output_and_status_are_awaited() {
    let Some(world) = World::new() else { return };
    let output = world.sh("echo out; echo err >&2; exit 3").output_async().await.unwrap();
    assert_eq!(output.status, ExitStatus::Code(3));
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(world.sh("exit 4").status_async().await.unwrap(), ExitStatus::Code(4));
    let nobody = world.sh("exit 5").parent(Parent::Nobody).status_async().await.unwrap();
    assert_eq!(nobody, ExitStatus::Code(5));
    world.is_empty();
}

#[tokio::test]
async fn megabytes_go_both_ways_at_once() {
    let Some(world) = World::new() else { return };
    let input: Vec<u8> = (0..2u32 << 20).map(|n| n.to_le_bytes()[0]).collect();
    let mut command = world.sh("tee /dev/stderr");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.spawn_async().await.unwrap().communicate_async(&input).await.unwrap();
    assert!(output.status.success() && output.stdout == input && output.stderr == input);
    let child = world.sh("exit 2").stdin(Stdio::piped()).spawn_async().await.unwrap();
    assert_eq!(child.communicate_async(&input).await.unwrap().status, ExitStatus::Code(2));
}

#[tokio::test]
async fn one_thread_awaits_many_containers() {
    let Some(world) = World::new() else { return };
    let mut all = Vec::new();
    for n in 0..8 {
        let command = world.sh(&format!("sleep 0.1; exit {n}"));
        all.push((n, tokio::spawn(async move { command.status_async().await })));
    }
    for (n, status) in all {
        assert_eq!(status.await.unwrap().unwrap(), ExitStatus::Code(n));
    }
    world.is_empty();
}

#[tokio::test]
async fn streams_are_tokios() {
    let Some(world) = World::new() else { return };
    let mut command = world.sh("cat; echo end >&2");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn_async().await.unwrap();
    let mut stdin = child.stdin.take().unwrap().into_async().unwrap();
    let mut stdout = child.stdout.take().unwrap().into_async().unwrap();
    let mut stderr = child.stderr.take().unwrap().into_async().unwrap();
    stdin.write_all(b"ping").await.unwrap();
    let mut four = [0; 4];
    stdout.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"ping");
    drop(stdin);
    let mut text = String::new();
    stderr.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "end\n");
    assert!(child.wait_async().await.unwrap().success());
    world.is_empty();
}

#[tokio::test]
async fn a_terminal_is_tokios() {
    let Some(world) = World::new() else { return };
    let mut command = world.sh("read x; echo $x $(stty size)");
    let mut child = command.terminal(TerminalSize { height: 3, width: 4 }).spawn_async().await.unwrap();
    let mut terminal = child.terminal.take().unwrap().into_async().unwrap();
    terminal.resize(TerminalSize { height: 7, width: 8 }).unwrap();
    terminal.write_all(b"typed\n").await.unwrap();
    let mut text = String::new();
    terminal.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "typed\r\ntyped 7 8\r\n");
    assert!(child.wait_async().await.unwrap().success());
    let output = world.sh("tty").terminal(TerminalSize { height: 3, width: 4 }).output_async().await.unwrap();
    assert_eq!(output.stdout, b"/dev/pts/0\r\n");
}

#[tokio::test]
async fn waiting_may_be_given_up_and_taken_up() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("exec sleep 600").spawn_async().await.unwrap();
    let late = tokio::time::timeout(Duration::from_millis(50), child.wait_async()).await;
    assert!(late.is_err());
    assert_eq!(child.status().unwrap(), Status::Running);
    child.kill().unwrap();
    assert_eq!(child.wait_async().await.unwrap(), ExitStatus::Signal(9));
    world.is_empty();
}

#[test]
fn what_nobody_awaits_any_more_is_ended() {
    let Some(world) = World::new() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let command = world.sh("exec sleep 600");
    runtime.block_on(async {
        for ms in [0, 5, 20, 60] {
            assert!(tokio::time::timeout(Duration::from_millis(ms), command.output_async()).await.is_err());
            let spawned = tokio::time::timeout(Duration::from_millis(ms.min(3)), command.spawn_async()).await;
            if let Ok(child) = spawned {
                let mut child = child.unwrap();
                child.kill().unwrap();
                child.wait_async().await.unwrap();
            }
        }
    });
    // Waits for what is being made on other threads: it is made, and then removed.
    drop(runtime);
    world.is_empty();
}

#[tokio::test]
async fn processes_are_started_and_containers_created_and_started() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("exec sleep 600").create_async().await.unwrap();
    assert_eq!(child.status().unwrap(), Status::Created);
    child.start_async().await.unwrap();
    let output = Exec::new("echo").arg("inside").output_in_async(child.container()).await.unwrap();
    assert_eq!(output.stdout, b"inside\n");
    let mut process = Exec::new("sleep").arg("600").spawn_in_async(child.container()).await.unwrap();
    process.kill().unwrap();
    assert_eq!(process.wait_async().await.unwrap(), ExitStatus::Signal(9));
    child.kill().unwrap();
    child.wait_async().await.unwrap();
    world.is_empty();
}

/// The next event, without another crate's combinators.
async fn next(events: &mut Events) -> Option<Event> {
    let mut events = pin!(events);
    std::future::poll_fn(|cx| match futures_core::Stream::poll_next(events.as_mut(), cx) {
        Poll::Ready(event) => Poll::Ready(event.map(Result::unwrap)),
        Poll::Pending => Poll::Pending,
    })
    .await
}

#[tokio::test]
async fn events_are_a_stream() {
    let Some(world) = World::new() else { return };
    let mut child = world.sh("read x").stdin(Stdio::piped()).spawn_async().await.unwrap();
    let mut events = child.events(Some(Duration::from_millis(20))).unwrap();
    for _ in 0..3 {
        assert!(matches!(next(&mut events).await, Some(Event::Stats(_))));
    }
    let mut only_end = child.events(None).unwrap();
    let end = tokio::spawn(async move { (next(&mut only_end).await, next(&mut only_end).await) });
    drop(child.stdin.take());
    assert!(matches!(end.await.unwrap(), (Some(Event::Exit), None)));
    while let Some(event) = next(&mut events).await {
        assert!(matches!(event, Event::Stats(_) | Event::Exit));
    }
    child.wait_async().await.unwrap();
    world.is_empty();
}

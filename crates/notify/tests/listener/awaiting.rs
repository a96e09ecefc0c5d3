//! Requests that are awaited by several tasks.

use cofferdam_notify::Answer;
use rustix::fs::Mode;

use crate::world::notified;

#[test]
fn tasks_share_the_requests_and_all_are_answered() {
    const CALLS: usize = 2000;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_io().build().unwrap();
    let (listener, caller) = notified(&["mkdirat"], || {
        let made = |n: usize| (0..n).filter(|_| rustix::fs::mkdir("/nowhere/x", Mode::RWXU).is_ok()).count();
        let other = std::thread::spawn(move || made(CALLS));
        made(CALLS) + other.join().unwrap()
    });
    runtime.block_on(async {
        let listener = std::sync::Arc::new(listener.awaited().unwrap());
        let tasks = (0..3).map(|_| {
            let listener = std::sync::Arc::clone(&listener);
            tokio::spawn(async move {
                while let Some(request) = listener.next().await.unwrap() {
                    request.answer(Answer::Value(0)).unwrap();
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
    assert_eq!(caller.join().unwrap(), 2 * CALLS);
}

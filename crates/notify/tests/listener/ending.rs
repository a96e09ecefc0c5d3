//! Callers that go, listeners that are stopped, threads that wait together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cofferdam_notify::{Answer, Errno, Received};
use rustix::fs::Mode;

use crate::world::notified;

#[test]
fn a_listener_ends_when_nobody_has_the_filter_any_more() {
    let (listener, caller) = notified(&["mkdirat"], || ());
    caller.join().unwrap();
    assert!(listener.next().unwrap().is_none());
    assert!(listener.next().unwrap().is_none(), "and stays ended");
}

#[test]
fn waiting_ends_when_it_is_stopped_in_all_threads() {
    let (listener, caller) = notified(&["mkdirat"], || rustix::fs::mkdir("/x", Mode::RWXU).unwrap_err());
    let request = listener.next().unwrap().unwrap();
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| listener.next().unwrap().is_none())).collect();
        std::thread::sleep(Duration::from_millis(20));
        listener.stop();
        assert!(waiting.into_iter().all(|thread| thread.join().unwrap()));
    });
    // What was received is answered as ever.
    request.answer(Answer::Errno(Errno::EPERM)).unwrap();
    assert_eq!(caller.join().unwrap().raw_os_error(), 1);
}

#[test]
fn waiting_for_a_while_ends_after_it_also_while_another_waits() {
    let (listener, caller) = notified(&["mkdirat"], || {
        std::thread::sleep(Duration::from_millis(300));
        rustix::fs::mkdir("/x", Mode::RWXU)
    });
    assert!(matches!(listener.next_within(Duration::ZERO).unwrap(), Received::Nothing));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| listener.next().unwrap().unwrap().answer(Answer::Value(0)).unwrap());
        std::thread::sleep(Duration::from_millis(20));
        let before = Instant::now();
        assert!(matches!(listener.next_within(Duration::from_millis(50)).unwrap(), Received::Nothing));
        let waited = before.elapsed();
        assert!((50..250).contains(&waited.as_millis()), "{waited:?}");
        other.join().unwrap();
    });
    caller.join().unwrap().unwrap();
}

#[test]
fn many_threads_share_the_requests_and_each_is_answered_once() {
    const CALLS: usize = 2000;
    let (listener, caller) = notified(&["mkdirat"], || {
        (0..CALLS).filter(|_| rustix::fs::mkdir("/nowhere/x", Mode::RWXU).is_ok()).count()
    });
    let served = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(request) = listener.next().unwrap() {
                    request.answer(Answer::Value(0)).unwrap();
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!((caller.join().unwrap(), served.into_inner()), (CALLS, CALLS));
}

#[test]
fn waiting_costs_no_time() {
    let (listener, caller) = notified(&["mkdirat"], || {
        std::thread::sleep(Duration::from_millis(400));
        rustix::fs::mkdir("/x", Mode::RWXU)
    });
    let used = || {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        stat.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let before = used();
    let request = listener.next().unwrap().unwrap();
    let spent = Duration::from_nanos(used() - before);
    request.answer(Answer::Value(0)).unwrap();
    caller.join().unwrap().unwrap();
    assert!(spent < Duration::from_millis(20), "{spent:?} of processor time while nothing happened");
}

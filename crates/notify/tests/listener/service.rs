//! Handlers, what is wrapped around them, and the threads that ask them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cofferdam_notify::{Answer, Errno, Error, Limits, Registry, Service};
use rustix::fs::Mode;

use crate::world::notified;

fn errors(paths: &[&'static str]) -> impl FnOnce() -> Vec<i32> + Send + use<> {
    let paths = paths.to_owned();
    move || {
        let made = |path| rustix::fs::mkdir(path, Mode::RWXU).map_or_else(|e| e.raw_os_error(), |()| 0);
        paths.into_iter().map(made).collect()
    }
}

#[test]
fn a_handler_answers_its_calls_and_another_all_others() {
    let (listener, caller) = notified(&["mkdirat", "sched_yield"], || {
        rustix::thread::sched_yield();
        errors(&["/x"])()
    });
    let others = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&others);
    let registry =
        Registry::new().on(&["mkdirat"], |_| Ok(Answer::Errno(Errno::EROFS))).otherwise(move |request| {
            counted.fetch_add(1, Ordering::Relaxed);
            assert_eq!(request.name(), Some("sched_yield"));
            Ok(Answer::Value(0))
        });
    let service = Service::start(listener, Arc::new(registry), Limits::default()).unwrap();
    assert_eq!(caller.join().unwrap(), [30]);
    service.wait().unwrap();
    assert!(service.has_ended());
    assert_eq!(others.load(Ordering::Relaxed), 1);
}

#[test]
fn a_handler_that_panics_or_fails_is_answered_for() {
    let (listener, caller) =
        notified(&["mkdirat"], errors(&["/panic", "/fail", "/refuse", "/fault", "/fine"]));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let registry = Registry::new()
        .on(&["mkdirat"], |request| {
            let [_, path, ..] = request.args();
            match request.read(|memory| memory.path(path))?.as_bytes() {
                b"/panic" => panic!("no {}", "idea"),
                b"/fail" => Err(Error::System { doing: "nothing", errno: Errno::ENOSPC }),
                b"/refuse" => Err(Errno::EDQUOT)?,
                b"/fault" => request.read(|memory| memory.path(8)).map(|_| Answer::Value(0)),
                _ => Ok(Answer::Value(0)),
            }
        })
        .wrap(move |request, next| {
            let answer = next.handle(request);
            log.lock().unwrap().push(format!("{answer:?}"));
            answer
        })
        .failing_with(Errno::EUSERS);
    let service = Service::start(listener, Arc::new(registry), Limits::default()).unwrap();
    assert_eq!(
        caller.join().unwrap(),
        [87, 87, 122, 14, 0],
        "the failure of ours is not the caller's affair"
    );
    service.wait().unwrap();
    assert!(seen.lock().unwrap()[0].contains("no idea"), "{seen:?}");
}

#[test]
fn a_middleware_that_panics_is_answered_for_and_the_first_is_the_outermost() {
    let (listener, caller) = notified(&["mkdirat"], errors(&["/x", "/panic"]));
    let registry = Registry::new()
        .wrap(|request, next| match next.handle(request) {
            Err(Error::Panicked(_)) => Ok(Answer::Errno(Errno::EBUSY)),
            other => other,
        })
        .wrap(|request, next| {
            let [_, path, ..] = request.args();
            assert_ne!(request.read(|memory| memory.path(path))?.as_c_str(), c"/panic");
            next.handle(request)
        });
    let service = Service::start(listener, Arc::new(registry), Limits::default()).unwrap();
    assert_eq!(caller.join().unwrap(), [38, 16]);
    service.wait().unwrap();
}

#[test]
fn late_answers_hold_up_nobody_else() {
    let (listener, caller) = notified(&["mkdirat"], || {
        // Threads have their maker's filter.
        let late: Vec<_> = (0..8).map(|_| std::thread::spawn(errors(&["/late"]))).collect();
        std::thread::sleep(Duration::from_millis(100));
        let before = Instant::now();
        assert_eq!(errors(&["/now"])(), [0]);
        assert!(before.elapsed() < Duration::from_millis(200), "{:?}", before.elapsed());
        late.into_iter().all(|thread| thread.join().unwrap() == [11])
    });
    let registry = Registry::new().on(&["mkdirat"], |request| {
        let [_, path, ..] = request.args();
        match request.read(|memory| memory.path(path))?.as_bytes() {
            b"/late" => Ok(Answer::Errno(Errno::EAGAIN).after(Duration::from_millis(500))),
            _ => Ok(Answer::Value(0)),
        }
    });
    let limits = Limits { workers: 2, ..Limits::default() };
    let service = Service::start(listener, Arc::new(registry), limits).unwrap();
    assert!(caller.join().unwrap());
    service.wait().unwrap();
}

#[test]
fn a_slow_handler_holds_up_one_worker_and_there_are_no_more_than_allowed() {
    let (listener, caller) = notified(&["mkdirat"], || {
        let slow: Vec<_> = (0..6).map(|_| std::thread::spawn(errors(&["/slow"]))).collect();
        slow.into_iter().all(|thread| thread.join().unwrap() == [0])
    });
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, peak) = (Arc::clone(&now), Arc::clone(&most));
    let registry = Registry::new().otherwise(move |_| {
        peak.fetch_max(counted.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(50));
        counted.fetch_sub(1, Ordering::SeqCst);
        Ok(Answer::Value(0))
    });
    let limits = Limits { workers: 3, ..Limits::default() };
    let service = Service::start(listener, Arc::new(registry), limits).unwrap();
    assert!(caller.join().unwrap());
    service.wait().unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[test]
fn another_registry_takes_over_without_losing_a_request() {
    let (listener, caller) = notified(&["mkdirat"], || {
        (0..2000).map(|_| errors(&["/x"])()[0]).collect::<std::collections::BTreeSet<i32>>()
    });
    let answering = |errno| Arc::new(Registry::new().otherwise(move |_| Ok(Answer::Errno(errno))));
    let service = Service::start(listener, answering(Errno::EPERM), Limits::default()).unwrap();
    while !caller.is_finished() {
        service.replace(answering(Errno::EACCES));
        service.replace(answering(Errno::EPERM));
    }
    assert!(caller.join().unwrap().iter().all(|errno| [1, 13].contains(errno)));
    service.wait().unwrap();
}

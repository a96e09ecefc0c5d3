//! Every kind of answer, as the caller sees it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use cofferdam_notify::{Answer, Descriptor, Errno, Error};
use rustix::fs::{Mode, OFlags};

use crate::world::notified;

#[test]
fn an_errno_is_the_callers_errno_and_a_value_its_result() {
    let (listener, caller) = notified(&["mkdirat"], || {
        [1, 2, 3].map(|_| rustix::fs::mkdir("/nowhere/at/all", Mode::RWXU).map_err(|e| e.raw_os_error()))
    });
    for answer in [Answer::Errno(Errno::EDQUOT), Answer::Value(0), Answer::Errno(Errno(0))] {
        let request = listener.next().unwrap().unwrap();
        assert_eq!(request.name(), Some("mkdirat"));
        request.answer(answer).unwrap();
    }
    assert_eq!(caller.join().unwrap(), [Err(122), Ok(()), Err(5)], "0 is no error: EIO");
}

#[test]
fn a_call_that_continues_is_made() {
    let (listener, caller) = notified(&["mkdirat"], || {
        rustix::fs::mkdir("/proc/nowhere", Mode::RWXU).map_err(|e| e.raw_os_error())
    });
    let request = listener.next().unwrap().unwrap();
    request.answer(Answer::proceed("nobody can make directories there")).unwrap();
    assert_eq!(caller.join().unwrap(), Err(2));
}

#[test]
fn a_request_that_is_dropped_is_answered_with_what_the_listener_says() {
    let (listener, caller) = notified(&["mkdirat"], || {
        [1, 2].map(|_| rustix::fs::mkdir("/nowhere", Mode::RWXU).map_err(|e| e.raw_os_error()))
    });
    drop(listener.next().unwrap().unwrap());
    let listener = listener.unanswered(Errno::EPERM);
    drop(listener.next().unwrap().unwrap());
    assert_eq!(caller.join().unwrap(), [Err(38), Err(1)]);
}

#[test]
fn a_descriptor_is_put_into_the_caller_before_it_is_answered() {
    let (listener, caller) = notified(&["mkdirat"], || rustix::fs::mkdir("/x", Mode::RWXU));
    let (read, mut write) = std::io::pipe().unwrap();
    let request = listener.next().unwrap().unwrap();
    // A thread of the test has the test's own table.
    let number = request.add_fd(&Descriptor::new(read.into())).unwrap();
    let mut there = File::open(format!("/proc/self/fd/{number}")).unwrap();
    write.write_all(b"x").unwrap();
    there.read_exact(&mut [0]).unwrap();
    request.answer(Answer::Value(0)).unwrap();
    caller.join().unwrap().unwrap();
}

#[test]
fn an_opened_file_can_be_another_than_the_one_that_was_named() {
    let (listener, caller) = notified(&["open", "openat"], || {
        let fd = rustix::fs::open("/etc/shadow", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let mut file = File::from(fd);
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        text
    });
    let path = std::env::temp_dir().join(format!("cofferdam-notify-{}", std::process::id()));
    std::fs::write(&path, "another").unwrap();
    let other = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let request = listener.next().unwrap().unwrap();
    request.answer(Answer::descriptor(other.into(), true)).unwrap();
    assert_eq!(caller.join().unwrap(), "another");
}

#[test]
fn a_late_answer_comes_late() {
    let (listener, caller) = notified(&["mkdirat"], || rustix::fs::mkdir("/x", Mode::RWXU));
    let request = listener.next().unwrap().unwrap();
    let before = Instant::now();
    request.answer(Answer::Value(0).after(Duration::from_millis(50))).unwrap();
    caller.join().unwrap().unwrap();
    assert!(before.elapsed() >= Duration::from_millis(50));
}

#[test]
fn what_the_caller_has_can_be_seen_and_taken() {
    let mine = File::open("/dev/zero").unwrap();
    let number = mine.as_raw_fd();
    let (listener, caller) = notified(&["mkdirat"], || {
        let _ = rustix::fs::mkdir("/x", Mode::RWXU);
        rustix::thread::gettid().as_raw_nonzero().get()
    });
    let request = listener.next().unwrap().unwrap();
    let who = request.caller().unwrap();
    assert_eq!(who.pid().unsigned_abs(), std::process::id());
    assert!(who.tid() != who.pid() && who.is_alive() && who.credentials().no_new_privs);
    assert_eq!(who.namespace("mnt").unwrap(), cofferdam_notify::Caller::own_namespace("mnt").unwrap());
    let mut taken = File::from(who.descriptor(number).unwrap());
    taken.read_exact(&mut [1; 4]).unwrap();
    assert!(matches!(who.descriptor(4095), Err(Error::Refused(Errno::EBADF))));
    assert!(matches!(who.place(4095), Err(Error::Refused(Errno::EBADF))));
    who.place(-100).unwrap();
    request.answer(Answer::Value(0)).unwrap();
    assert_eq!(caller.join().unwrap(), who.tid());
}

#[test]
fn memory_is_written_only_while_the_caller_waits() {
    let (listener, caller) = notified(&["uname"], || {
        let name = rustix::system::uname();
        name.sysname().to_owned()
    });
    let request = listener.next().unwrap().unwrap();
    let [to, ..] = request.args();
    let mut answer = [0; 390];
    answer[..6].copy_from_slice(b"Coffer");
    request.write(to, &answer).unwrap();
    assert!(matches!(request.write(8, b"x"), Err(Error::Memory { .. })));
    request.answer(Answer::Value(0)).unwrap();
    assert_eq!(caller.join().unwrap().as_c_str(), c"Coffer");
}

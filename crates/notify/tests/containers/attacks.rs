//! Callers that try to be told more than they should be: by changing what was looked at, by a full table, by
//! pointers into nothing, by asking all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cofferdam_notify::{Actors, Answer, Call, Descriptor, Errno, Error, Limits, Registry, Service};

use crate::world::{Runtime, World, possible};

/// Makes directories by a path that another thread changes all the time.
const FLIPPER: &str = r#"
    #include <pthread.h>
    #include <string.h>
    #include <sys/stat.h>
    #include <unistd.h>
    static char path[16] = "/tmp/good";
    static void *flip(void *_) {
        for (volatile char *p = path;;) { p[5] = 'e'; p[6] = 'v'; p[7] = 'i'; p[8] = 'l';
            p[5] = 'g'; p[6] = 'o'; p[7] = 'o'; p[8] = 'd'; }
        return _;
    }
    int main(void) {
        pthread_t t;
        pthread_create(&t, 0, flip, 0);
        for (int n = 0; n < 5000; n++) mkdir(path, 0777);
        return 0;
    }
"#;

/// What is there after a handler allowed `/tmp/good` only, and did or let the caller do it.
fn made_by_flipping(act: bool) -> Vec<String> {
    let world = World::new(&["mkdir"], "flipper").program("flipper", FLIPPER);
    let actors = Actors::new(1);
    let registry = Registry::new().on(&["mkdir"], move |request| {
        let call = request.call()?;
        match &call {
            Call::Mkdir { path, .. } if path.as_c_str() != c"/tmp/good" => Ok(Answer::Errno(Errno::EPERM)),
            call if act => actors.for_caller(request)?.perform(call),
            // What nobody should do: the path is looked at again by the kernel.
            _ => Ok(Answer::proceed("this test shows that it is not safe")),
        }
    });
    world.run(Runtime::Ours, registry);
    let made = std::fs::read_dir(world.path("/tmp")).unwrap();
    let mut names: Vec<_> =
        made.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn what_was_read_is_what_is_done_whatever_the_caller_makes_of_it_meanwhile() {
    if !possible() {
        return;
    }
    assert_eq!(made_by_flipping(true), ["good"]);
    // The attack is one: a call that continues is fooled.
    assert!(made_by_flipping(false).iter().any(|name| name != "good"));
}

#[test]
fn a_full_table_is_told_to_the_caller() {
    if !possible() {
        return;
    }
    let source = r#"
        #include <errno.h>
        #include <fcntl.h>
        #include <stdio.h>
        #include <string.h>
        #include <sys/resource.h>
        #include <sys/stat.h>
        #include <unistd.h>
        int main(void) {
            struct rlimit few = {8, 8};
            setrlimit(RLIMIT_NOFILE, &few);
            while (dup(0) >= 0) {}
            for (int n = 0; n < 3; n++) {
                int r = mkdir("/x", 0);
                printf("%d %s\n", r, r < 0 ? strerror(errno) : "");
                if (n == 1) close(7);
            }
            return 0;
        }
    "#;
    let world = World::new(&["mkdir"], "full").program("full", source);
    let number = AtomicUsize::new(0);
    let registry = Registry::new().on(&["mkdir"], move |request| {
        let null = || Descriptor::new(std::fs::File::open("/dev/null").unwrap().into());
        match number.fetch_add(1, Ordering::Relaxed) {
            // In two steps, and in one.
            0 => request.add_fd(&null()).map(|_| Answer::Value(0)),
            _ => Ok(Answer::Descriptor(null())),
        }
    });
    let said = world.run(Runtime::Ours, registry);
    assert_eq!(said.text, "-1 Too many open files\n-1 Too many open files\n7 \n", "{said:?}");
}

/// Calls whose pointers lead nowhere, and whose lengths are of everything.
const WRONG: &str = r#"
        #define _GNU_SOURCE
        #include <errno.h>
        #include <stdio.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        static char path[5001];
        #define T(...) (errno = 0, syscall(__VA_ARGS__), printf("%s\n", strerrorname_np(errno)))
        int main(void) {
            char *end = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            munmap(end + 4096, 4096);
            memset(end, '/', 4096);
            memset(path, '/', 5000);
            T(SYS_mkdir, 0, 0);
            T(SYS_mkdir, -1L, 0);
            T(SYS_mkdir, 1UL << 63, 0);
            T(SYS_mkdir, end + 4095, 0);
            end[4095] = 0;
            T(SYS_mkdir, end + 4095, 0);
            T(SYS_mkdir, path, 0);
            T(SYS_openat2, -100, "x", 8, 24);
            T(SYS_openat2, -100, "x", path, 1UL << 40);
            T(SYS_openat2, -100, "x", path, 5000);
            T(SYS_openat2, -100, "x", path, 32);
            T(SYS_openat2, -100, "x", path, 8);
            T(SYS_connect, 0, path, -1);
            T(SYS_connect, 0, path, 1 << 30);
            T(SYS_sendmmsg, 0, 8, -1, 0);
            T(SYS_bpf, 5, path, 1 << 30);
            T(SYS_setxattr, "x", "user.a", path, 1UL << 40, 0);
            T(SYS_setxattr, "x", path, path, 1, 0);
            return 0;
        }
    "#;

#[test]
fn pointers_into_nothing_and_lengths_of_everything_are_the_callers_mistake() {
    if !possible() {
        return;
    }
    let calls = ["mkdir", "openat2", "connect", "sendmmsg", "bpf", "setxattr"];
    let world = World::new(&calls, "wrong").program("wrong", WRONG);
    let registry =
        Registry::new().on(&calls, |request| request.call().map(|_| Answer::Errno(Errno::EUCLEAN)));
    let said = world.run(Runtime::Ours, registry);
    let expected = [
        "EFAULT",
        "EFAULT",
        "EFAULT",
        "EFAULT",
        "EUCLEAN",
        "ENAMETOOLONG",
        "EFAULT",
        "E2BIG",
        "E2BIG",
        "E2BIG",
        "EINVAL",
        "EINVAL",
        "EINVAL",
        "EFAULT",
        "E2BIG",
        "E2BIG",
        "ERANGE",
    ];
    assert_eq!(said.text.lines().collect::<Vec<_>>(), expected, "{said:?}");
}

#[test]
fn calls_of_the_other_abi_have_their_own_numbers_and_layouts() {
    if !possible() {
        return;
    }
    // int 0x80 is the way of i386 also in a 64-bit program, whose addresses must then lie low.
    let source = r#"
        #define _GNU_SOURCE
        #include <netinet/in.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <unistd.h>
        static long old(long nr, long a, long b, long c) {
            long r;
            __asm__ volatile("int $0x80" : "=a"(r) : "0"(nr), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9",
                "r10", "r11");
            return r;
        }
        int main(void) {
            char *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
            strcpy(low, "/old");
            old(39, (long)low, 0700, 0);
            struct sockaddr_in *in = (void *)(low + 64);
            in->sin_family = AF_INET;
            in->sin_port = htons(53);
            unsigned *args = (void *)(low + 128);
            args[0] = 5; args[1] = (unsigned)(long)in; args[2] = sizeof *in;
            old(102, 3, (long)args, 0);
            old(182, (long)low, 0xffff, 7);
            return 0;
        }
    "#;
    if !cfg!(target_arch = "x86_64") {
        eprintln!("SKIPPED: only x86-64 has i386 beside it");
        return;
    }
    let calls = ["mkdir", "socketcall", "chown"];
    let mut world = World::new(&calls, "old").program("old", source);
    world.config["linux"]["seccomp"]["architectures"] = serde_json::json!(["SCMP_ARCH_X86"]);
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let registry = Registry::new().on(&["mkdir", "connect", "chown"], move |request| {
        let known = match request.call()? {
            Call::Mkdir { path, mode, .. } => format!("mkdir {path:?} {mode:o}"),
            Call::Connect { socket, address } => format!("connect {socket} {:?}", address.inet()),
            Call::Chown { uid, gid, .. } => format!("chown {uid} {gid}"),
            other => format!("{other:?}"),
        };
        log.lock().unwrap().push(format!("{:?} {known}", request.arch().unwrap()));
        Ok(Answer::Value(0))
    });
    world.run(Runtime::Ours, registry);
    let expected = ["X86 mkdir \"/old\" 700", "X86 connect 5 Some(0.0.0.0:53)", "X86 chown 4294967295 7"];
    let seen = seen.lock().unwrap();
    if seen.is_empty() {
        eprintln!("SKIPPED: this kernel has no i386 calls");
        return;
    }
    assert_eq!(*seen, expected);
}

/// Asks for a second with eight threads, and counts.
const FLOODER: &str = r#"
    #include <pthread.h>
    #include <stdio.h>
    #include <sys/stat.h>
    #include <time.h>
    static long now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000 + t.tv_nsec / 1000000; }
    static long total;
    static void *flood(void *end) {
        long n = 0;
        while (now() < *(long *)end) { mkdir("/x", 0); n++; }
        __sync_fetch_and_add(&total, n);
        return 0;
    }
    int main(void) {
        pthread_t t[8];
        long end = now() + 1000;
        for (int i = 0; i < 8; i++) pthread_create(&t[i], 0, flood, &end);
        for (int i = 0; i < 8; i++) pthread_join(t[i], 0);
        printf("%ld\n", total);
        return 0;
    }
"#;

#[test]
fn a_flood_is_answered_no_faster_than_allowed() {
    if !possible() {
        return;
    }
    let world = World::new(&["mkdir"], "flood").program("flood", FLOODER);
    let said = world.run_with(Runtime::Ours, |container| {
        let registry = Registry::new().otherwise(|_| Ok(Answer::Errno(Errno::EPERM)));
        let limits = Limits { rate: Some(1000), ..Limits::default() };
        Service::start(container.listener, Arc::new(registry), limits).unwrap()
    });
    let answered: u32 = said.text.trim().parse().unwrap();
    // A second's worth, a burst, and who waits at the end.
    assert!((500..1300).contains(&answered), "{said:?}");
}

#[test]
fn a_descriptor_of_another_kind_is_no_listener() {
    let e = cofferdam_notify::Listener::new(std::fs::File::open("/dev/null").unwrap().into()).unwrap_err();
    assert!(matches!(e, Error::System { errno: Errno::ENOTTY, .. }), "{e}");
}

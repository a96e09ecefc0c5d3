//! Acting in a container's namespaces for the process that asked.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::sync::Arc;

use cofferdam_notify::{AT_FDCWD, Actors, Answer, Call, Errno, Registry, Request, Result, Set};
use serde_json::json;

use crate::world::{Runtime, World, possible};

const CAP_MKNOD: u32 = 27;
const CAP_SYS_ADMIN: u32 = 21;

/// Everything that is asked for is done, with what the caller may.
fn obliging(calls: &[&str]) -> Registry {
    let actors = Actors::new(4);
    Registry::new().on(calls, move |request| {
        let call = request.call()?;
        actors.for_caller(request)?.perform(&call)
    })
}

#[test]
fn a_directory_is_made_with_the_callers_user_umask_and_working_directory() {
    if !possible() {
        return;
    }
    let calls = ["mkdir", "mkdirat"];
    let script = "mkdir here; mkdir /mnt/there; mkdir /etc/no; cd /mnt; mkdir below; (umask 0; mkdir open); \
        mkdir below";
    for world in [World::new(&calls, script), World::new(&calls, script).user_namespace()] {
        let said = world.run(Runtime::Ours, obliging(&calls));
        let owner = if world.config["linux"]["uidMappings"].is_null() { 1000 } else { 101_000 };
        for (path, mode) in
            [("/tmp/here", 0o750), ("/mnt/there", 0o750), ("/mnt/below", 0o750), ("/mnt/open", 0o777)]
        {
            let made = fs::metadata(world.path(path)).unwrap_or_else(|e| panic!("{path}: {e}: {said:?}"));
            assert_eq!((made.uid(), made.gid(), made.mode() & 0o777), (owner, owner, mode), "{path}");
        }
        assert!(!world.path("/etc/no").exists());
        assert!(said.text.contains("'/etc/no': Permission denied"), "{said:?}");
        assert!(said.text.contains("'below': File exists"), "{said:?}");
    }
}

/// One process that is another at each call.
const CHANGES: &str = r#"
    #define _GNU_SOURCE
    #include <sched.h>
    #include <stdio.h>
    #include <sys/mount.h>
    #include <sys/stat.h>
    #include <unistd.h>
    #define T(x) do { if (x) perror(#x); } while (0)
    int main(void) {
        T(mkdir("/tmp/one", 0777));
        umask(077);
        T(chdir("/mnt"));
        T(mkdir("two", 0777));
        T(chroot("/mnt"));
        T(mkdir("/three", 0777));
        T(seteuid(1000));
        T(mkdir("/four", 0777));
        T(seteuid(0));
        T(unshare(CLONE_NEWNS));
        T(mount("none", "/three", "tmpfs", 0, 0));
        T(mkdir("/three/five", 0777));
        T(access("/three/five", F_OK));
        return 0;
    }
"#;

#[test]
fn what_a_caller_has_become_since_its_last_call_counts() {
    if !possible() {
        return;
    }
    let mut world = World::new(&["mkdir"], "changes").program("changes", CHANGES);
    let all = ["CAP_SETUID", "CAP_SYS_ADMIN", "CAP_SYS_CHROOT"];
    world.config["process"]["capabilities"] = json!({"bounding": all, "effective": all, "permitted": all});
    world.config["process"]["user"] = json!({"uid": 0, "gid": 0, "umask": 0o27});
    let said = world.run(Runtime::Ours, obliging(&["mkdir"]));
    assert_eq!((said.text.as_str(), said.code), ("", 0));
    for (path, owner, mode) in
        [("/tmp/one", 0, 0o750), ("/mnt/two", 0, 0o700), ("/mnt/three", 0, 0o700), ("/mnt/four", 1000, 0o700)]
    {
        let made = fs::metadata(world.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert_eq!((made.uid(), made.mode() & 0o777), (owner, mode), "{path}");
    }
    assert!(!world.path("/mnt/three/five").exists(), "it was made in the namespace of before");
}

#[test]
fn one_helper_acts_for_all_processes_of_a_container() {
    if !possible() {
        return;
    }
    let world = World::new(&["mkdir", "mkdirat"], "i=0; while [ $i -lt 50 ]; do mkdir d$i; i=$((i+1)); done");
    let actors = Arc::new(Actors::new(4));
    let shared = Arc::clone(&actors);
    let registry =
        Registry::new().otherwise(move |request| shared.for_caller(request)?.perform(&request.call()?));
    let said = world.run(Runtime::Ours, registry);
    assert_eq!(fs::read_dir(world.path("/tmp")).unwrap().count(), 50, "{said:?}");
    assert_eq!(actors.len(), 1);
    actors.end();
    assert!(actors.is_empty());
}

#[test]
fn what_is_granted_is_granted_for_that_operation_only() {
    if !possible() {
        return;
    }
    let script = "mount -t tmpfs -o size=64k,mode=700 none /mnt; stat -f -c %T /mnt; mount -t proc none /tmp; \
        cat /tmp/1/comm; umount /mnt; stat -f -c %T /mnt; mount -t tmpfs none /mnt -o bogus; \
        mount -o remount,bind,ro /tmp; cat /proc/self/mounts; mount -t ext4 none /mnt";
    let calls = ["mount", "umount2", "umount"];
    let actors = Actors::new(4);
    let granting = move |request: &Request| -> Result<Answer> {
        let call = request.call()?;
        match &call {
            Call::Mount(mount) if mount.fstype.as_deref() == Some(c"ext4") => Err(Errno::EACCES)?,
            _ => actors.for_caller(request)?.granting(CAP_SYS_ADMIN).perform(&call),
        }
    };
    let world = World::new(&calls, script);
    let said = world.run(Runtime::Ours, Registry::new().on(&calls, granting));
    let lines: Vec<_> = said.text.lines().collect();
    assert_eq!(lines[..2], ["tmpfs", "sh"], "{said:?}");
    assert_ne!(lines[2], "tmpfs", "it was taken off: {said:?}");
    assert!(said.text.contains("none /tmp proc ro,"), "{said:?}");
    assert!(said.text.contains("Permission denied"), "{said:?}");
    let refused = World::new(&calls, "mount -t tmpfs none /mnt");
    let said = refused.run(Runtime::Ours, obliging(&calls));
    assert!(said.text.contains("Operation not permitted") || said.text.contains("denied"), "{said:?}");
}

#[test]
fn a_container_of_a_user_namespace_mounts_and_gets_a_device_from_outside_it() {
    if !possible() {
        return;
    }
    let script =
        "mount -t tmpfs none /mnt && stat -f -c %T /mnt; mknod /tmp/null c 1 3; mknod /tmp/mem c 1 1";
    let calls = ["mount", "mknod", "mknodat"];
    let actors = Actors::new(4);
    let registry = Registry::new().on(&calls, move |request| {
        let call = request.call()?;
        let actor = actors.for_caller(request)?;
        match &call {
            Call::Mknod { device: (1, 3), .. } => {
                actor.outside_user_namespace().granting(CAP_MKNOD).perform(&call)
            }
            Call::Mount(_) => actor.granting(CAP_SYS_ADMIN).perform(&call),
            _ => Err(Errno::EPERM)?,
        }
    });
    let world = World::new(&calls, script).user_namespace();
    let said = world.run(Runtime::Ours, registry);
    assert!(said.text.contains("tmpfs"), "{said:?}");
    let null = fs::metadata(world.path("/tmp/null")).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    assert!(null.file_type().is_char_device());
    assert_eq!((null.uid(), null.rdev()), (101_000, rustix::fs::makedev(1, 3)));
    assert!(!world.path("/tmp/mem").exists());
}

#[test]
fn a_file_is_opened_for_the_caller_and_what_is_below_proc_is_not() {
    if !possible() {
        return;
    }
    let script = "cat /etc/secret; cat /etc/open; echo new > /tmp/new; cat /proc/self/comm /proc/1/comm";
    let world = World::new(&["open", "openat"], script);
    fs::write(world.path("/etc/open"), "to be read\n").unwrap();
    fs::write(world.path("/etc/secret"), "secret\n").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(world.path("/etc/secret"), private).unwrap();
    let said = world.run(Runtime::Ours, obliging(&["open", "openat"]));
    assert!(said.text.contains("secret': Permission denied"), "{said:?}");
    assert!(said.text.contains("to be read") && !said.text.contains("\nsecret"), "{said:?}");
    let new = fs::metadata(world.path("/tmp/new")).unwrap();
    assert_eq!((new.uid(), new.mode() & 0o777, new.len()), (1000, 0o640, 4));
    assert!(!said.text.contains("cofferdam") && !said.text.contains("sh\n"), "{said:?}");
}

#[test]
fn the_new_mount_calls_work_one_by_one() {
    if !possible() {
        return;
    }
    let source = r#"
        #define _GNU_SOURCE
        #include <errno.h>
        #include <fcntl.h>
        #include <stdio.h>
        #include <string.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        static int step(const char *what, long r) {
            if (r < 0) printf("%s: %s\n", what, strerror(errno));
            return r;
        }
        int main(void) {
            int fs = step("fsopen", syscall(430, "tmpfs", 1));
            step("size", syscall(431, fs, 1, "size", "64k", 0));
            step("bogus", syscall(431, fs, 1, "bogus", "x", 0));
            step("create", syscall(431, fs, 6, 0, 0, 0));
            int mount = step("fsmount", syscall(432, fs, 1, 8));
            step("move", syscall(429, mount, "", AT_FDCWD, "/mnt", 4));
            if (step("denied", syscall(430, "ext4", 1)) < 0 && errno == EPERM) printf("as said\n");
            fflush(stdout);
            execl("/bin/cat", "cat", "/proc/self/mounts", (char *)0);
            return 1;
        }
    "#;
    let calls = ["fsopen", "fsconfig", "fsmount", "move_mount"];
    let world = World::new(&calls, "mounter").program("mounter", source);
    let actors = Actors::new(2);
    let registry = Registry::new().on(&calls, move |request| match request.call()? {
        Call::FsOpen { fstype, .. } if fstype.as_c_str() != c"tmpfs" => Err(Errno::EPERM)?,
        call => actors.for_caller(request)?.granting(CAP_SYS_ADMIN).perform(&call),
    });
    let said = world.run(Runtime::Ours, registry);
    assert!(said.text.contains("none /mnt tmpfs rw,noexec,relatime,size=64k"), "{said:?}");
    assert!(said.text.contains("bogus: Invalid argument") && said.text.contains("as said"), "{said:?}");
    assert_eq!(said.text.matches(": ").count(), 2, "{said:?}");
}

#[test]
fn sockets_are_connected_and_bound_as_the_caller() {
    if !possible() {
        return;
    }
    let source = r#"
        #include <arpa/inet.h>
        #include <errno.h>
        #include <stdio.h>
        #include <string.h>
        #include <sys/socket.h>
        #include <sys/un.h>
        #include <unistd.h>
        int main(void) {
            struct sockaddr_un un = {AF_UNIX, "sock"};
            int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
            printf("bind %d\n", bind(s, (void *)&un, sizeof un));
            listen(s, 1);
            strcpy(un.sun_path, "/tmp/../tmp/sock");
            printf("connect %d\n", connect(c, (void *)&un, sizeof un));
            struct { int pid; unsigned uid, gid; } who; socklen_t n = sizeof who;
            int a = accept(s, 0, 0);
            getsockopt(a, SOL_SOCKET, 17, &who, &n);
            printf("peer %u:%u\n", who.uid, who.gid);
            struct sockaddr_in in = {AF_INET, htons(80), {htonl(0x7f000001)}};
            int t = socket(AF_INET, SOCK_STREAM, 0);
            printf("low %d", bind(t, (void *)&in, sizeof in));
            printf(" %s\n", strerror(errno));
            in.sin_port = htons(8080);
            printf("high %d\n", bind(t, (void *)&in, sizeof in));
            listen(t, 1);
            int u = socket(AF_INET, SOCK_STREAM, 0);
            printf("inet %d\n", connect(u, (void *)&in, sizeof in));
            in.sin_port = htons(25);
            int v = socket(AF_INET, SOCK_STREAM, 0);
            printf("smtp %d", connect(v, (void *)&in, sizeof in));
            printf(" %s\n", strerror(errno));
            return 0;
        }
    "#;
    let calls = ["connect", "bind"];
    let mut world = World::new(&calls, "client").program("client", source);
    // Its own network, with the loopback up, and the usual bound below which ports are root's.
    world.config["linux"]["sysctl"] = serde_json::json!({"net.ipv4.ip_unprivileged_port_start": "1024"});
    let actors = Actors::new(2);
    let registry = Registry::new().on(&calls, move |request| match request.call()? {
        Call::Connect { address, .. } if address.destination().is_some_and(|(_, port)| port == 25) => {
            Err(Errno::EHOSTUNREACH)?
        }
        call => actors.for_caller(request)?.perform(&call),
    });
    let said = world.run(Runtime::Ours, registry);
    let expected = "bind 0\nconnect 0\npeer 1000:1000\nlow -1 Permission denied\nhigh 0\ninet 0\n\
        smtp -1 No route to host\n";
    assert_eq!(said.text, expected, "{said:?}");
}

#[test]
fn owners_and_attributes_are_changed_with_the_callers_rights() {
    if !possible() {
        return;
    }
    let calls = ["chown", "lchown", "fchownat"];
    let world = World::new(&calls, "echo > f; chown 1000:1000 f && echo own; chown 0:0 f");
    let said = world.run(Runtime::Ours, obliging(&calls));
    assert!(said.text.contains("own\n") && said.text.contains("Operation not permitted"), "{said:?}");
    let actors = Actors::new(2);
    let world = World::new(&calls, "echo > f; chown 7:7 f");
    let registry = Registry::new().on(&calls, move |request| {
        // CAP_CHOWN, CAP_FOWNER
        actors.for_caller(request)?.granting(0).granting(3).perform(&request.call()?)
    });
    let said = world.run(Runtime::Ours, registry);
    assert_eq!(fs::metadata(world.path("/tmp/f")).unwrap().uid(), 7, "{said:?}");
}

#[test]
fn an_operation_of_the_handlers_own_is_done_where_the_caller_is() {
    if !possible() {
        return;
    }
    let world = World::new(&["mkdir", "mkdirat"], "cd /mnt; mkdir x; cat note");
    let actors = Actors::new(2);
    let registry = Registry::new().otherwise(move |request| {
        use cofferdam_nsenter::Inside;
        let actor = actors.for_caller(request)?;
        actor.act(Set::MNT, AT_FDCWD, |inside| inside.write("note", b"instead\n", 0o666))?;
        Ok(Answer::Value(0))
    });
    let said = world.run(Runtime::Ours, registry);
    assert_eq!(said.text, "instead\n");
}

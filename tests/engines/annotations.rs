//! crun's annotations, which podman, buildah and people write.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use cofferdam_tests::{facts, json, own};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// What came along with a message.
fn descriptor(listener: &UnixListener) -> OwnedFd {
    let (socket, _) = listener.accept().expect("a connection");
    let mut bytes = [0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(&socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::empty())
        .expect("a message");
    let fds = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    fds.flatten().next().expect("a descriptor")
}

facts! {
    fn annotated_hooks_write_to_the_files_that_are_named(t) {
        t.need(t.runtime.name != "runc", "the annotations are crun\'s")?;
        let mut b = t.bundle();
        let (out, err) = (t.dir.join("hooks.out"), t.dir.join("hooks.err"));
        b.set("/annotations", json!({
            "run.oci.hooks.stdout": out.display().to_string(),
            "run.oci.hooks.stderr": err.display().to_string(),
        }));
        for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
            let script = format!("echo {kind}; echo not {kind} >&2");
            b.set(&format!("/hooks/{kind}"), json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]));
        }
        b.args(&["true"]).run().ok();
        let mut said: Vec<String> =
            std::fs::read_to_string(&out).expect("what hooks said").lines().map(str::to_owned).collect();
        let complained = std::fs::read_to_string(&err).expect("what hooks complained about");
        assert_eq!(complained.lines().count(), 6, "{complained}");
        said.sort();
        assert_eq!(said, ["createContainer", "createRuntime", "poststart", "poststop", "prestart", "startContainer"]);
    }

    fn an_annotated_pidfd_receiver_gets_the_process(t) {
        t.need(t.runtime.name != "runc", "the annotations are crun\'s")?;
        let path = t.dir.join("pidfd");
        let listener = UnixListener::bind(&path).expect("a socket");
        let mut b = t.bundle();
        b.set("/annotations", json!({"run.oci.pidfd_receiver": path.display().to_string()}));
        let c = b.create();
        let fd = descriptor(&listener);
        let info = format!("/proc/self/fdinfo/{}", std::os::fd::AsRawFd::as_raw_fd(&fd));
        let info = std::fs::read_to_string(info).expect("fdinfo");
        assert!(info.contains(&format!("Pid:\t{}\n", c.pid())), "{info}");
    }

    fn an_annotated_profile_with_an_unknown_call_is_refused(t) {
        t.need(t.runtime.name != "runc", "the annotations are crun\'s")?;
        let mut b = t.bundle();
        b.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["no_such_call"], "action": "SCMP_ACT_ERRNO"}]}));
        b.args(&["true"]).run().ok();
        b.set("/annotations", json!({"run.oci.seccomp_fail_unknown_syscall": "1"}));
        let out = b.run();
        assert!(out.refused().contains("no_such_call"), "{out}");
    }

    fn an_annotated_seccomp_receiver_gets_the_listener(t) {
        t.need(t.runtime.name != "runc", "the annotations are crun\'s")?;
        let path = t.dir.join("listener");
        let listener = UnixListener::bind(&path).expect("a socket");
        let mut b = t.bundle();
        b.set("/annotations", json!({"run.oci.seccomp.receiver": path.display().to_string()}));
        b.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}));
        let received = std::thread::spawn(move || {
            let fd = descriptor(&listener);
            std::fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd)))
        });
        b.args(&["true"]).run().ok();
        let name = received.join().expect("a thread").expect("a name");
        assert_eq!(name.to_str(), Some("anon_inode:seccomp notify"));
    }

    fn the_original_groups_are_kept_when_an_annotation_asks(t) {
        t.need(t.runtime.name != "runc", "the annotations are crun\'s")?;
        let groups = |value: &str| {
            let mut b = t.bundle();
            b.set("/annotations", json!({"run.oci.keep_original_groups": value})).args(&["id", "-G"]).write();
            let mut command = t.command(std::path::Path::new("setpriv"));
            command.args(["--groups", "4242", "--"]).arg(&t.runtime.path).arg("--root").arg(t.dir.join("state"));
            t.finish(command.args(b.command_line("run", &[]))).ok().to_owned()
        };
        assert_eq!(groups("1"), "0 4242\n");
        assert_eq!(groups("0"), "0\n");
    }
}

own! {
    fn an_annotated_handler_is_refused_not_ignored(t) {
        let mut b = t.bundle();
        for (name, words) in [
            ("run.oci.handler", "there is no handler"),
            ("run.oci.seccomp_bpf_data", "from linux.seccomp alone"),
            ("run.oci.seccomp.plugins", "plugins are not loaded"),
            ("run.oci.systemd.force_cgroup_v1", "cgroups are those of the host"),
        ] {
            b.set("/annotations", json!({name: "wasm"}));
            let out = b.run();
            assert!(out.refused().contains(words) && out.stderr.contains(&format!("/annotations/{name}")), "{out}");
        }
        // What only keeps a pod's namespaces is this kernel's program whoever runs the pod, as for crun.
        b.set("/annotations", json!({"run.oci.handler": "wasm", "io.kubernetes.cri.container-type": "sandbox"}));
        b.args(&["true"]).run().ok();
    }

    fn a_subgroup_that_is_not_made_is_told_by_plan(t) {
        let mut b = t.bundle();
        b.set("/annotations", json!({"run.oci.delegate-cgroup": "init"})).write();
        let plan = t.runtime(&["plan", b.dir.to_str().expect("ASCII")]);
        assert!(plan.ok().contains("warning: /annotations/run.oci.delegate-cgroup: has no effect"), "{plan}");
    }

    fn annotations_that_reach_beyond_the_container_are_told_to_engines(t) {
        let features: cofferdam_tests::Value = t.runtime(&["features"]).ok().parse().expect("JSON");
        let unsafe_ones = &features["potentiallyUnsafeConfigAnnotations"];
        assert_eq!(unsafe_ones, &json!(["run.oci.", "org.cofferdam.", "org.systemd.property."]));
    }
}

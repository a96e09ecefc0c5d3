//! One container: made, started, asked, ended, deleted; and what is refused.

use cofferdam_tests::{cgroup, json, own, wait_until};
use containerd_shim_protos::api::{
    PauseRequest, PidsRequest, ResumeRequest, StatsRequest, Status, UpdateTaskRequest,
};
use containerd_shim_protos::events::task::{TaskExit, TaskOOM, TaskStart};
use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::{cgroups, cgroups_v2};

use crate::stand_in::{StandIn, any, code, kill, soon};

own! {
    fn a_container_lives_through_its_shim_which_tells_each_step(t) {
        let s = StandIn::new(t)?;
        let b = t.script("exit 3");
        let shim = s.shim(&b);
        let pid = shim.create(&shim.wanted(&b));
        assert_eq!(shim.state("").status.enum_value(), Ok(Status::CREATED));
        assert_eq!(shim.start(""), pid);
        assert_eq!(shim.wait(""), 3);
        let state = shim.state("");
        assert_eq!((state.status.enum_value(), state.exit_status, state.pid), (Ok(Status::STOPPED), 3, pid));
        let deleted = shim.delete("");
        assert_eq!((deleted.exit_status, deleted.pid), (3, pid));
        assert!(deleted.exited_at.seconds > 1_600_000_000);
        shim.shutdown();
        s.is_clean();
        assert_eq!(s.topics(), ["create", "start", "exit", "delete"]);
        let exit: TaskExit = s.event("exit");
        assert_eq!((exit.container_id, exit.id, exit.pid, exit.exit_status), (b.id.clone(), b.id.clone(), pid, 3));
        assert_eq!(s.event::<TaskStart>("start").pid, pid);
    }

    fn what_is_not_there_or_not_possible_is_refused_by_the_codes_that_containerd_knows(t) {
        const NOT_FOUND: i32 = 5;
        const ALREADY_EXISTS: i32 = 6;
        const WRONG_STATE: i32 = 9;
        let s = StandIn::new(t)?;
        let b = t.bundle();
        let shim = s.shim(&b);
        assert_eq!(code(shim.try_start("")), NOT_FOUND);
        shim.create(&shim.wanted(&b));
        assert_eq!(code(shim.client.create(soon(), &shim.wanted(&b))), ALREADY_EXISTS);
        shim.start("");
        assert_eq!(code(shim.try_start("")), WRONG_STATE);
        assert_eq!(code(shim.try_delete("")), WRONG_STATE);
        assert_eq!(code(shim.try_delete("nobody")), NOT_FOUND);
        shim.kill("", 9, false).unwrap();
        assert_eq!(shim.wait(""), 137);
        assert_eq!(code(shim.kill("", 9, false)), NOT_FOUND);
        shim.delete("");
        assert_eq!(code(shim.try_delete("")), NOT_FOUND);
        shim.shutdown();
        s.is_clean();
    }

    fn a_program_that_is_not_there_is_said_and_leaves_nothing(t) {
        let s = StandIn::new(t)?;
        let mut b = t.bundle();
        b.args(&["/no/such"]);
        let shim = s.shim(&b);
        let said = shim.client.create(soon(), &shim.wanted(&b)).map(|_| shim.try_start("").unwrap_err());
        let said = said.map_or_else(|e| e.to_string(), |e| e.to_string());
        assert!(said.to_lowercase().contains("no such file"), "{said}");
        let _ = shim.try_delete("");
        shim.shutdown();
        s.is_clean();
    }

    fn another_process_is_started_signalled_and_waited_for(t) {
        let s = StandIn::new(t)?;
        let b = t.bundle();
        let shim = s.shim(&b);
        shim.create(&shim.wanted(&b));
        shim.start("");
        shim.exec("one", &["sh", "-c", "exit 7"], |_| {});
        shim.exec("two", &["sleep", "600"], |_| {});
        shim.start("one");
        let two = shim.start("two");
        assert_eq!(shim.wait("one"), 7);
        let listed = shim.client.pids(soon(), &PidsRequest { id: b.id.clone(), ..Default::default() }).unwrap();
        let named = listed.processes.iter().find(|p| p.pid == two).expect("two").info.as_ref().expect("its id");
        assert_eq!(named.type_url, "containerd.runc.v1.ProcessDetails");
        assert_eq!(listed.processes.len(), 2);
        shim.kill("two", 15, false).unwrap();
        assert_eq!(shim.wait("two"), 143);
        assert_eq!((shim.delete("one").exit_status, shim.delete("two").exit_status), (7, 143));
        shim.exec("three", &["/no/such"], |_| {});
        let said = shim.try_start("three").unwrap_err().to_string();
        assert!(said.contains("no such file"), "{said}");
        shim.delete("three");
        shim.kill("", 9, true).unwrap();
        assert_eq!(shim.wait(""), 137);
        shim.delete("");
        shim.shutdown();
        s.is_clean();
        let topics = s.topics();
        assert!(topics.contains(&"exec-added".to_owned()) && topics.contains(&"exec-started".to_owned()));
    }

    fn it_is_paused_measured_and_limited(t) {
        let s = StandIn::new(t)?;
        let b = t.bundle();
        let shim = s.shim(&b);
        shim.create(&shim.wanted(&b));
        shim.start("");
        let id = b.id.clone();
        shim.client.pause(soon(), &PauseRequest { id: id.clone(), ..Default::default() }).unwrap();
        assert_eq!(shim.state("").status.enum_value(), Ok(Status::PAUSED));
        shim.client.resume(soon(), &ResumeRequest { id: id.clone(), ..Default::default() }).unwrap();
        assert_eq!(shim.state("").status.enum_value(), Ok(Status::RUNNING));
        let resources = any("LinuxResources", json!({"pids": {"limit": 33}}).to_string().into_bytes());
        let update = UpdateTaskRequest { id: id.clone(), resources, ..Default::default() };
        shim.client.update(soon(), &update).unwrap();
        assert_eq!(cgroup::read(&format!("/{id}"), "pids", "pids.max", "pids.max").trim(), "33");
        let stats = shim.client.stats(soon(), &StatsRequest { id, ..Default::default() }).unwrap().stats;
        let limit = match stats.type_url.as_str() {
            "io.containerd.cgroups.v1.Metrics" => {
                cgroups::metrics::Metrics::parse_from_bytes(&stats.value).unwrap().pids.limit
            }
            "io.containerd.cgroups.v2.Metrics" => {
                cgroups_v2::metrics::Metrics::parse_from_bytes(&stats.value).unwrap().pids.limit
            }
            other => panic!("{other}"),
        };
        assert_eq!(limit, 33);
        shim.kill("", 9, false).unwrap();
        shim.wait("");
        shim.delete("");
        shim.shutdown();
        s.is_clean();
        assert!(s.topics().windows(2).any(|two| two == ["paused", "resumed"]));
    }

    fn running_out_of_memory_is_told(t) {
        let s = StandIn::new(t)?;
        // The file's pages are the container's.
        let mut b = t.script("mkdir -p /dev/shm && mount -t tmpfs x /dev/shm && head -c 64m /dev/zero > /dev/shm/x");
        for set in ["bounding", "effective", "permitted"] {
            b.push(&format!("/process/capabilities/{set}"), "CAP_SYS_ADMIN".into());
        }
        b.set("/linux/resources", json!({"memory": {"limit": 16 << 20}}));
        let shim = s.shim(&b);
        shim.create(&shim.wanted(&b));
        shim.start("");
        assert_ne!(shim.wait(""), 0);
        assert_eq!(s.event::<TaskOOM>("oom").container_id, b.id);
        shim.delete("");
        shim.shutdown();
        s.is_clean();
    }

    fn when_a_shim_is_killed_delete_removes_its_container_with_cgroup_and_mounts(t) {
        let s = StandIn::new(t)?;
        let b = t.bundle();
        let shim = s.shim(&b);
        let mut wanted = shim.wanted(&b);
        // The root filesystem comes from elsewhere.
        let layer = t.dir.join("layer");
        std::fs::rename(b.rootfs(), &layer).unwrap();
        wanted.rootfs.push(Default::default());
        wanted.rootfs[0].type_ = "bind".into();
        wanted.rootfs[0].source = layer.display().to_string();
        wanted.rootfs[0].options = vec!["rbind".into(), "rw".into()];
        let pid = shim.create(&wanted);
        shim.start("");
        kill(shim.pid());
        wait_until("the shim to be gone", || shim.client.connect(soon(), &Default::default()).is_err());
        assert!(std::path::Path::new(&format!("/proc/{pid}")).exists(), "the container outlives its shim");
        let answer = s.program(&b, "delete");
        assert!(!answer.ok().is_empty(), "it says how it ended");
        wait_until("the container to be gone", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
        assert!(cgroup::all_named(&b.id).is_empty());
        // Whoever connects next finds a socket that nobody answers on.
        let again = s.shim(&b);
        assert_eq!(again.address, shim.address);
        again.shutdown();
        s.is_clean();
    }
}

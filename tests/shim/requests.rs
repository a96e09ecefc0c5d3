//! What a shim is asked besides the life of a container: checkpoints, a cgroup of its own, nonsense.

use std::fs;

use cofferdam_tests::{cgroup, criu, own, wait_until};
use containerd_shim_protos::api::{CheckpointTaskRequest, StatsRequest, Status, UpdateTaskRequest};
use containerd_shim_protos::events::task::TaskCheckpointed;
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::protobuf::{Message, MessageField};
use containerd_shim_protos::shim::oci;

use crate::stand_in::{StandIn, any, code, soon};

const INVALID: i32 = 3;
const NOT_FOUND: i32 = 5;

/// Options of runc's.
fn packed<M: Message>(name: &str, options: &M) -> Any {
    let value = options.write_to_bytes().unwrap();
    Any { type_url: format!("containerd.runc.v1.{name}"), value, ..Default::default() }
}

own! {
    fn a_container_is_checkpointed_and_another_one_is_made_of_it(t) {
        criu::real()?;
        let s = StandIn::new(t)?;
        let b = t.script("i=0; while :; do i=$((i+1)); echo $i > /n.new; mv /n.new /n; sleep 0.1; done");
        let count = || -> u64 {
            fs::read_to_string(b.rootfs().join("n")).ok().and_then(|n| n.trim().parse().ok()).unwrap_or(0)
        };
        let images = t.dir.join("images").display().to_string();
        let shim = s.shim(&b);
        shim.create(&shim.wanted(&b));
        shim.start("");
        wait_until("it to count", || count() > 3);
        let asked = |exit: bool| {
            let options = oci::CheckpointOptions { exit, ..Default::default() };
            let (id, path) = (b.id.clone(), images.clone());
            let options = MessageField::some(packed("CheckpointOptions", &options));
            shim.client.checkpoint(soon(), &CheckpointTaskRequest { id, path, options, ..Default::default() })
        };
        asked(false).unwrap();
        let before = count();
        wait_until("it to go on", || count() > before);
        asked(true).unwrap();
        assert_eq!(shim.wait(""), 137);
        assert_eq!(s.event::<TaskCheckpointed>("checkpointed").checkpoint, images);
        shim.delete("");
        let before = count();
        let mut wanted = shim.wanted(&b);
        wanted.checkpoint = images.clone();
        shim.create(&wanted);
        assert_eq!(count(), before, "it is restored when it is started");
        let pid = shim.start("");
        assert_eq!(shim.state("").status.enum_value(), Ok(Status::RUNNING));
        assert_eq!(shim.state("").pid, pid);
        wait_until("it to go on from there", || count() > before);
        assert!(count() < before + 50, "not from the beginning, and not another");
        shim.kill("", 9, false).unwrap();
        assert_eq!(shim.wait(""), 137);
        shim.delete("");
        shim.shutdown();
        s.is_clean();
    }

    fn a_shim_has_the_cgroup_of_its_options_and_takes_it_away(t) {
        let s = StandIn::new(t)?;
        let b = t.bundle();
        let own = format!("{}-shim", b.id);
        let options = oci::Options { shim_cgroup: format!("/{own}/deep"), ..Default::default() };
        let shim = s.shim_with(&b, &packed("Options", &options).write_to_bytes().unwrap());
        let cgroups = fs::read_to_string(format!("/proc/{}/cgroup", shim.pid())).unwrap();
        assert!(cgroups.lines().count() > 0 && cgroups.lines().all(|line| line.ends_with(&format!("/{own}/deep"))), "{cgroups}");
        shim.create(&shim.wanted(&b));
        let pid = shim.start("");
        let container = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        assert!(!container.contains("/deep"), "{container}");
        shim.kill("", 9, false).unwrap();
        shim.wait("");
        shim.delete("");
        shim.shutdown();
        s.is_clean();
        assert!(cgroup::all_named(&own).is_empty());
        // One that leads out is refused before there is a shim.
        let out = oci::Options { shim_cgroup: "/../x".into(), ..Default::default() };
        let said = s.program_with(&b.id, &b.dir, "start", &packed("Options", &out).write_to_bytes().unwrap());
        assert!(said.refused().contains("ShimCgroup"), "{said}");
        assert_eq!(t.host("ls -A /run/containerd/s"), "");
    }

    fn nonsense_is_refused_and_leaves_nothing(t) {
        let s = StandIn::new(t)?;
        let b = t.bundle();
        b.write();
        // No shim at all: no configuration, none that is JSON, ids that are paths, options that are none.
        let empty = t.dir.join("empty");
        fs::create_dir(&empty).unwrap();
        assert!(s.program_with(&b.id, &empty, "start", &[]).refused().contains("config.json"));
        fs::write(empty.join("config.json"), "[").unwrap();
        assert!(s.program_with(&b.id, &empty, "start", &[]).refused().contains("annotations"));
        for id in ["a/b", "..", ""] {
            assert!(s.program_with(id, &b.dir, "start", &[]).refused().contains("-id needs a name"));
        }
        assert!(s.program_with(&b.id, &b.dir, "start", &[0xff; 9]).refused().contains("options"));
        assert_eq!(t.host("ls -A /run/containerd/s 2>/dev/null || true"), "");
        // What a shim that is there is asked.
        let shim = s.shim(&b);
        for id in ["../x", "a/b", ""] {
            let mut wanted = shim.wanted(&b);
            wanted.id = id.into();
            assert_eq!(code(shim.client.create(soon(), &wanted)), INVALID, "{id:?}");
        }
        let mut wanted = shim.wanted(&b);
        wanted.bundle = t.dir.join("nowhere").display().to_string();
        assert!(shim.client.create(soon(), &wanted).is_err());
        let mut wanted = shim.wanted(&b);
        wanted.stdout = t.dir.join("no-such-fifo").display().to_string();
        assert!(shim.client.create(soon(), &wanted).is_err());
        wanted.stdout = "ftp://x".into();
        assert_eq!(code(shim.client.create(soon(), &wanted)), INVALID);
        let id = b.id.clone();
        assert_eq!(code(shim.client.stats(soon(), &StatsRequest { id: id.clone(), ..Default::default() })), NOT_FOUND);
        shim.create(&shim.wanted(&b));
        let checkpoint = CheckpointTaskRequest { id: id.clone(), ..Default::default() };
        assert_eq!(code(shim.client.checkpoint(soon(), &checkpoint)), INVALID, "it says no directory");
        let resources = any("LinuxResources", b"{".to_vec());
        let update = UpdateTaskRequest { id, resources, ..Default::default() };
        assert_eq!(code(shim.client.update(soon(), &update)), INVALID);
        shim.delete("");
        shim.shutdown();
        s.is_clean();
    }

    fn who_waits_for_what_never_ran_is_told_when_it_is_deleted(t) {
        let s = StandIn::new(t)?;
        let b = t.bundle();
        let shim = s.shim(&b);
        shim.create(&shim.wanted(&b));
        shim.start("");
        shim.exec("never", &["true"], |_| {});
        let waiting = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| shim.wait("never"));
            std::thread::sleep(std::time::Duration::from_millis(200));
            shim.delete("never");
            waiting.join().unwrap()
        });
        assert_eq!(waiting, 255);
        shim.kill("", 9, false).unwrap();
        shim.wait("");
        shim.delete("");
        shim.shutdown();
        s.is_clean();
    }
}

//! Plans: what is rejected, and what is really made of the others.

use std::fs::File;
use std::path::PathBuf;

use cofferdam_oci::Pointer;
use cofferdam_sys::Errno;

use crate::tests::{in_new_network, new_network};
use crate::traffic::{call, serve};
use crate::*;

/// A site in this thread's namespace, whose directory goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("cofferdam-site-{name}-{}", std::process::id())))
    }

    fn site(&self) -> Site {
        Site::new(Network::here().unwrap(), &self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn judge(text: &str) -> Result<NetworkPlan, Vec<String>> {
    let spec: NetworkSpec = serde_json::from_str(text).unwrap();
    let tell = |rejects: Vec<cofferdam_oci::Reject>| rejects.iter().map(|r| r.pointer.to_string()).collect();
    NetworkPlan::new(&spec, &Pointer::root()).map_err(tell)
}

fn plan(text: &str) -> NetworkPlan {
    judge(text).unwrap()
}

fn made(site: &mut Site, plan: &NetworkPlan) -> Result<(File, Made), Error> {
    let (mut plan, namespace) = (plan.clone(), new_network());
    let mut made = site.intend(&plan, &format!("{:?}", std::thread::current().id()))?;
    site.lease(&mut plan, &made, |_| true)?;
    if let Err(error) = site.make(&plan, &mut made, &mut Network::at(&namespace)?, &namespace) {
        site.remove(&made)?;
        return Err(error);
    }
    Ok((namespace, made))
}

fn names() -> Vec<String> {
    Network::here()
        .unwrap()
        .links()
        .unwrap()
        .into_iter()
        .map(|link| link.name)
        .filter(|n| n != "lo")
        .collect()
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let rejects = judge(
        r#"{"networks": [
            {"type": "veth", "address": "10.0.0.2/33", "mac_address": "01:00:5e:00:00:01", "mtu": 70000, "txqueuelen": -1},
            {"type": "tap"},
            {"type": "veth", "bridge": "br0", "name": "lo", "address": "10.0.0.2/24", "gateway": "10.1.0.1"},
            {"type": "macvlan", "mode": "l2", "device": "a/b", "address": "127.0.0.1/8"},
            {"type": "veth", "bridge": "br0", "veth_prefix": "toolongprefix", "address": "fd00::1/64", "mtu": 1000},
            {"type": "netns", "ns_path": "here"}],
          "routes": [{}, {"destination": "10.0.0.0/8", "gateway": "fd00::1"},
            {"destination": "x", "interface_name": "eth9"}]}"#,
    )
    .unwrap_err();
    let want = [
        "/networks/0/bridge",
        "/networks/0/mac_address",
        "/networks/0/mtu",
        "/networks/0/txqueuelen",
        "/networks/0/address",
        "/networks/1/type",
        "/networks/2/gateway",
        "/networks/3/mode",
        "/networks/3/device",
        "/networks/3/address",
        "/networks/4/veth_prefix",
        "/networks/4/mtu",
        "/networks/5/ns_path",
        "/networks/2/name",
        "/networks",
        "/routes/0",
        "/routes/1/gateway",
        "/routes/2/destination",
    ];
    assert_eq!(rejects, want);
}

#[test]
fn two_default_routes_and_two_of_a_name_are_told() {
    let one = r#"{"type": "veth", "bridge": "b", "name": "e", "host_interface_name": "h", "address": "10.0.0.2/24", "gateway": "10.0.0.1"}"#;
    let route = r#"{"destination": "192.0.2.0/24", "interface_name": "eth9"}"#;
    let rejects = judge(&format!(r#"{{"networks": [{one}, {one}], "routes": [{route}]}}"#)).unwrap_err();
    let want = ["name", "host_interface_name", "gateway"].map(|key| format!("/networks/1/{key}"));
    assert_eq!(rejects[..3], want);
    assert_eq!(rejects[3..], ["/routes/0/interface_name"]);
}

#[test]
fn names_inside_are_those_that_are_free() {
    let made = plan(
        r#"{"networks": [{"type": "veth", "bridge": "b"}, {"type": "veth", "bridge": "b", "name": "eth0"},
            {"type": "move", "device": "wan"}, {"type": "loopback", "address": "127.0.0.1/0", "gateway": "localhost"}]}"#,
    );
    assert_eq!(made.interfaces.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["eth1", "eth0", "wan"]);
    assert!(made.loopback);
}

#[test]
fn a_plan_survives_being_written_down() {
    let plan = plan(
        r#"{"networks": [{"type": "veth", "bridge": "b", "mac_address": "02:00:00:00:00:01", "address": "10.0.0.2/24"}]}"#,
    );
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<NetworkPlan>(&text).unwrap(), plan, "{text}");
}

#[test]
fn containers_on_a_made_bridge_talk_and_the_bridge_goes_with_the_last() {
    in_new_network(|| {
        let scratch = Scratch::new("talk");
        let mut site = scratch.site();
        let veth = |n: u8| {
            plan(&format!(
                r#"{{"networks": [{{"type": "loopback"}}, {{"type": "veth", "bridge": "br0", "bridge_addresses": ["10.9.0.1/24", "fd00:9::1/64"],
                "address": "10.9.0.{n}/24", "ipv6_address": "fd00:9::{n}/64", "gateway": "10.9.0.1", "mtu": 1400, "hairpin_mode": true}}],
                "routes": [{{"destination": "192.0.2.0/24", "source": "10.9.0.{n}", "gateway": "10.9.0.1", "interface_name": "eth0"}}]}}"#
            ))
        };
        let ((a, of_a), (b, of_b)) = (made(&mut site, &veth(2)).unwrap(), made(&mut site, &veth(3)).unwrap());
        for (bound, from) in [("10.9.0.3:0", "10.9.0.2"), ("[fd00:9::3]:0", "fd00:9::2")] {
            assert_eq!(call(&a, serve(&b, bound)), Ok(from.parse().unwrap()));
        }
        let outer = site_link(&of_a.veths[0]);
        assert_eq!((outer.mtu, outer.port.unwrap().hairpin), (1400, true));
        let mut inside = Network::at(&a).unwrap();
        assert_eq!(inside.link("eth0").unwrap().unwrap().mtu, 1400);
        assert!(inside.link("lo").unwrap().unwrap().up);
        let routes = inside.routes().unwrap();
        let chosen = |r: &&RouteEntry| r.source == Some("10.9.0.2".parse().unwrap()) && r.gateway.is_some();
        assert_eq!(routes.iter().filter(chosen).count(), 1, "{routes:?}");
        let mac = site_link("br0").mac;
        let of_bridge = Network::here().unwrap().addresses(site_link("br0").index).unwrap();
        for net in crate::traffic::nets(&["10.9.0.1/24", "fd00:9::1/64", "fe80::1/64"]) {
            assert!(of_bridge.contains(&net), "{of_bridge:?}");
        }
        site.remove(&of_a).unwrap();
        assert_eq!(names().len(), 2, "the bridge and the other's: {:?}", names());
        assert_eq!(site_link("br0").mac, mac, "the bridge's own does not follow its ports'");
        site.remove(&of_b).unwrap();
        site.remove(&of_b).unwrap();
        assert!(names().is_empty(), "{:?}", names());
        assert!(!scratch.0.exists(), "no record is left");
    });
}

fn site_link(name: &str) -> LinkState {
    Network::here().unwrap().link(name).unwrap().unwrap()
}

#[test]
fn what_fails_half_way_leaves_nothing_and_says_who_asked() {
    in_new_network(|| {
        let scratch = Scratch::new("half");
        let mut site = scratch.site();
        let half = plan(
            r#"{"networks": [{"type": "veth", "bridge": "br0", "address": "10.9.0.2/24"},
                {"type": "move", "device": "not-there"}]}"#,
        );
        let namespace = new_network();
        let mut inside = Network::at(&namespace).unwrap();
        let mut made = site.intend(&half, "half").unwrap();
        assert_eq!((made.veths.len(), made.bridges.len()), (1, 1));
        let error = site.make(&half, &mut made, &mut inside, &namespace).unwrap_err();
        assert_eq!((error.errno, error.pointer.unwrap().as_str()), (Errno::ENODEV.0, "/networks/1"));
        assert!(names().is_empty(), "{:?}", names());
        assert_eq!(inside.links().unwrap().len(), 1);
        assert!(made.veths.is_empty() && made.bridges.is_empty(), "{made:?}");
    });
}

#[test]
fn what_was_noted_before_a_crash_is_enough_to_remove_it_all() {
    in_new_network(|| {
        let scratch = Scratch::new("crash");
        let two =
            plan(r#"{"networks": [{"type": "veth", "bridge": "br0"}, {"type": "veth", "bridge": "br1"}]}"#);
        let namespace = new_network();
        let mut made = scratch.site().intend(&two, "two").unwrap();
        let noted = serde_json::to_vec(&made).unwrap();
        let mut inside = Network::at(&namespace).unwrap();
        scratch.site().make(&two, &mut made, &mut inside, &namespace).unwrap();
        assert_eq!(names().len(), 4);
        scratch.site().remove(&serde_json::from_slice(&noted).unwrap()).unwrap();
        assert!(names().is_empty(), "{:?}", names());
    });
}

#[test]
fn a_device_that_moved_is_back_when_a_later_part_fails() {
    in_new_network(|| {
        let scratch = Scratch::new("back");
        let peer = Peer { name: "far".into(), settings: LinkSettings::default() };
        let mut host = Network::here().unwrap();
        host.make_link("wan0", &LinkKind::Veth(peer), &LinkSettings::default(), None).unwrap();
        let bad = plan(
            r#"{"networks": [{"type": "move", "device": "wan0", "name": "eth0", "address": "10.9.0.2/24"}],
                "routes": [{"destination": "198.51.100.0/24", "gateway": "203.0.113.1"}]}"#,
        );
        let error = made(&mut scratch.site(), &bad).unwrap_err();
        assert_eq!(error.pointer.unwrap().as_str(), "/routes/0");
        assert!(host.link("wan0").unwrap().is_some(), "{:?}", names());
        let good = plan(
            r#"{"networks": [{"type": "move", "device": "wan0", "mtu": 1300, "address": "10.9.0.2/24"}]}"#,
        );
        let (namespace, made) = made(&mut scratch.site(), &good).unwrap();
        assert!(made.veths.is_empty() && made.bridges.is_empty(), "{made:?}");
        let mut inside = Network::at(&namespace).unwrap();
        let link = inside.link("wan0").unwrap().unwrap();
        assert_eq!(
            (link.mtu, inside.addresses(link.index).unwrap()),
            (1300, crate::traffic::nets(&["10.9.0.2/24"]))
        );
    });
}

#[test]
fn a_bridge_and_a_link_of_somebody_elses_are_left_alone() {
    in_new_network(|| {
        let scratch = Scratch::new("others");
        let mut host = Network::here().unwrap();
        host.ensure_bridge("br0", &LinkSettings::default()).unwrap();
        let mut site = scratch.site();
        let named =
            plan(r#"{"networks": [{"type": "veth", "bridge": "br0", "host_interface_name": "mine"}]}"#);
        let (_namespace, made_one) = made(&mut site, &named).unwrap();
        let error = made(&mut site, &named).unwrap_err();
        assert_eq!((error.errno, error.object.as_str()), (Errno::EEXIST.0, "mine"));
        assert!(host.link("mine").unwrap().is_some(), "the other's is still there");
        site.remove(&made_one).unwrap();
        assert_eq!(names(), ["br0"]);
    });
}

#[test]
fn a_hundred_come_and_go_at_once_and_leave_nothing() {
    in_new_network(|| {
        let scratch = Scratch::new("hundred");
        let here = File::open("/proc/thread-self/ns/net").unwrap();
        let taken = std::sync::Mutex::new(std::collections::HashSet::new());
        let one = |n: u32| {
            let mut site = Site::new(Network::at(&here).unwrap(), &scratch.0);
            let mut plan = plan(
                r#"{"networks": [{"type": "veth", "bridge": "br0", "pool": "10.9.0.0/24", "ipv6_pool": "fd00:9::/64"}]}"#,
            );
            let mut made = site.intend(&plan, &n.to_string()).unwrap();
            site.lease(&mut plan, &made, |_| true).unwrap();
            let had = plan.interfaces[0].addresses.clone();
            assert!(had.iter().all(|net| taken.lock().unwrap().insert(*net)), "{had:?}");
            let namespace = new_network();
            site.make(&plan, &mut made, &mut Network::at(&namespace).unwrap(), &namespace).unwrap();
            drop(namespace);
            assert!(had.iter().all(|net| taken.lock().unwrap().remove(net)));
            site.remove(&made).unwrap();
        };
        let one = &one;
        std::thread::scope(|scope| {
            for worker in 0..10 {
                scope.spawn(move || (0..10).for_each(|n| one(worker * 10 + n)));
            }
        });
        assert!(names().is_empty(), "{:?}", names());
        assert!(!scratch.0.exists(), "no lease and no mark is left");
    });
}

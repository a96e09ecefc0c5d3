//! A hundred containers at once.

use std::collections::HashSet;
use std::sync::Mutex;

use cofferdam_tests::{Container, json};

use crate::room::{Room, address};

const MANY: usize = 100;
/// Commands at the same time.
const AT_ONCE: usize = 10;

/// Runs this for each number, several at once.
fn crowd(one: impl Fn(usize) + Sync) {
    std::thread::scope(|scope| {
        for worker in 0..AT_ONCE {
            let one = &one;
            scope.spawn(move || (worker..MANY).step_by(AT_ONCE).for_each(one));
        }
    });
}

cofferdam_tests::own! {
    fn a_hundred_at_once_have_a_hundred_addresses_and_leave_nothing(t) {
        let room = Room::new(t);
        let network = json!({"networks": [
            {"type": "veth", "bridge": "br0", "pool": "10.88.0.0/24", "ipv6_pool": "fd00:88::/64", "isolated": true}]});
        let containers: Mutex<Vec<Container<'_>>> = Mutex::default();
        crowd(|_| {
            let c = room.bundle(&network).start();
            containers.lock().expect("no panic").push(c);
        });
        let containers = containers.into_inner().expect("no panic");
        for of in [".", ":"] {
            let all: HashSet<String> = containers.iter().map(|c| address(c, of)).collect();
            assert_eq!(all.len(), MANY, "{all:?}");
            assert!(!all.contains("10.88.0.1") && !all.contains("fd00:88::1"), "{all:?}");
        }
        assert_eq!(room.links().len(), MANY + 1);
        let containers: Vec<Mutex<Option<Container<'_>>>> =
            containers.into_iter().map(|c| Mutex::new(Some(c))).collect();
        crowd(|n| {
            let c = containers[n].lock().expect("no panic").take().expect("once");
            c.verb("delete", &["--force"]).ok();
        });
        room.is_as_before();
    }

    fn containers_that_come_and_go_at_once_never_share_an_address(t) {
        let room = Room::new(t);
        // Fewer addresses than containers in the end, and more than at any moment.
        let network = json!({"networks": [{"type": "veth", "bridge": "br0", "pool": "10.88.0.0/27"}]});
        let taken: Mutex<HashSet<String>> = Mutex::default();
        crowd(|_| {
            let c = room.bundle(&network).start();
            let own = address(&c, ".");
            assert!(taken.lock().expect("no panic").insert(own.clone()), "{own} is somebody's already");
            c.exec(&[], &["busybox", "ping", "-c", "1", "-W", "5", "10.88.0.1"]).ok();
            assert!(taken.lock().expect("no panic").remove(&own));
            c.verb("delete", &["--force"]).ok();
        });
        room.is_as_before();
    }
}

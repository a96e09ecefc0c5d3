//! `process.capabilities`: the five sets, each on its own.

use cofferdam_tests::{facts, json};

const CHOWN: u64 = 1;
const KILL: u64 = 1 << 5;
const NET_RAW: u64 = 1 << 13;
const BIND: u64 = 1 << 10;

facts! {
    fn the_bounding_set_is_exact(t) {
        let f = t.bundle().set("/process/capabilities", json!({"bounding": ["CAP_CHOWN", "CAP_KILL"]})).facts();
        assert_eq!(f.set("CapBnd"), CHOWN | KILL);
    }

    fn the_permitted_and_effective_sets_are_exact(t) {
        let mut b = t.bundle();
        b.set("/process/user", json!({"uid": 1000, "gid": 1000}));
        b.set("/process/capabilities", json!({
            "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
            "permitted": ["CAP_CHOWN", "CAP_KILL"],
            "effective": ["CAP_KILL"],
            "inheritable": ["CAP_CHOWN", "CAP_KILL"],
            "ambient": ["CAP_KILL"],
        }));
        let f = b.facts();
        // What a user other than root keeps over execve(2) is the ambient set.
        assert_eq!(["CapPrm", "CapEff", "CapAmb"].map(|s| f.set(s)), [KILL, KILL, KILL]);
        assert_eq!(f.set("CapInh"), CHOWN | KILL);
        assert_eq!(f.set("CapBnd"), CHOWN | KILL | NET_RAW);
    }

    fn the_permitted_set_limits_what_the_process_may_raise(t) {
        let mut b = t.bundle();
        b.set("/process/capabilities", json!({
            "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
            "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
            "effective": ["CAP_CHOWN"],
        }));
        let f = b.facts();
        // root gets all of its bounding set by execve(2).
        assert_eq!(f.set("CapPrm"), CHOWN | KILL | NET_RAW);
    }

    fn the_inheritable_set_is_exact(t) {
        let mut b = t.bundle();
        let two = json!(["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]);
        b.set("/process/capabilities", json!({
            "bounding": two, "permitted": two, "effective": two, "inheritable": ["CAP_NET_BIND_SERVICE"],
        }));
        assert_eq!(b.facts().set("CapInh"), BIND);
    }

    fn the_ambient_set_is_exact(t) {
        let mut b = t.bundle();
        let two = json!(["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]);
        b.set("/process/user", json!({"uid": 1000, "gid": 1000}));
        b.set("/process/capabilities", json!({
            "bounding": two, "permitted": two, "effective": two, "inheritable": two,
            "ambient": ["CAP_NET_BIND_SERVICE"],
        }));
        let f = b.facts();
        assert_eq!((f.set("CapAmb"), f.set("CapEff")), (BIND, BIND));
    }

    fn without_capabilities_a_user_has_none(t) {
        let mut b = t.bundle();
        b.set("/process/user", json!({"uid": 1000, "gid": 1000})).set("/process/capabilities", json!({}));
        let f = b.facts();
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(f.set(set), 0, "{set}");
        }
    }

    fn empty_sets_leave_root_without_rights(t) {
        let f = t.bundle().set("/process/capabilities", json!({})).facts();
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(f.set(set), 0, "{set}");
        }
    }

    fn a_user_other_than_root_gets_no_rights_from_the_other_sets(t) {
        let f = t.bundle().set("/process/user", json!({"uid": 1000, "gid": 1000})).facts();
        assert_eq!(f.set("CapEff"), 0);
    }

    fn a_capability_the_host_cannot_give_does_not_stop_the_start(t) {
        let mut b = t.bundle();
        let all = json!(["CAP_CHOWN", "CAP_SYS_RESOURCE"]);
        b.set("/process/capabilities", json!({"bounding": all, "permitted": all, "effective": all}));
        assert_eq!(b.facts().set("CapEff") & CHOWN, CHOWN);
    }

    fn securebits_are_clear(t) {
        assert_eq!(t.bundle().facts().number("securebits"), 0);
    }
}

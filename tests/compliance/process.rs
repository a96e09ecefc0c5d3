//! `process`: who runs, what, where, and with which terminal.

use cofferdam_tests::{facts, json};

facts! {
    fn args_are_given_as_they_are(t) {
        let out = t.bundle().args(&["printf", "%s|", "a b", "", "*", "$HOME"]).run();
        assert_eq!(out.ok(), "a b||*|$HOME|");
    }
    fn hostname_is_set(t) {
        assert_eq!(t.bundle().set("/hostname", json!("inside")).facts().get("hostname"), "inside");
    }
}

//! Device rules as version 1 gets them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // helpers outside of #[test]

use cofferdam_cgroup::{CgroupPlan, Hierarchies, PlanOptions, plan};
use cofferdam_oci::Resources;

fn devices(rules: &str, options: &PlanOptions) -> Result<Vec<String>, Vec<String>> {
    let h = Hierarchies::parse(b"9 1 0:9 / /c/devices rw - cgroup c rw,devices\n", b"");
    let resources: Resources = serde_json::from_str(&format!(r#"{{"devices":{rules}}}"#)).unwrap();
    let plan: Result<CgroupPlan, _> = plan(&h, Some("/x"), "id", &resources, options);
    plan.map(|p| {
        p.writes.iter().map(|w| format!("{} {}", w.file.trim_start_matches("devices."), w.value)).collect()
    })
    .map_err(|rejects| {
        rejects.iter().map(|r| r.pointer.as_str().trim_start_matches("/linux/resources").to_owned()).collect()
    })
}

const DEFAULTS: [&str; 12] = [
    "deny a",
    "allow b *:* m",
    "allow c *:* m",
    "allow c 1:3 rwm",
    "allow c 1:5 rwm",
    "allow c 1:7 rwm",
    "allow c 1:8 rwm",
    "allow c 1:9 rwm",
    "allow c 5:0 rwm",
    "allow c 5:2 rwm",
    "allow c 10:200 rwm",
    "allow c 136:* rwm",
];

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}

#[test]
fn without_rules_the_default_devices_and_nothing_else_are_allowed() {
    let expected = sorted(DEFAULTS.map(String::from).to_vec());
    let options = PlanOptions::default();
    assert_eq!(sorted(devices("[]", &options).unwrap()), expected);
    assert_eq!(sorted(devices(r#"[{"allow":false,"access":"rwm"}]"#, &options).unwrap()), expected);
}

#[test]
fn the_default_comes_before_its_exceptions() {
    assert_eq!(devices("[]", &PlanOptions::default()).unwrap()[0], "deny a");
}

#[test]
fn rules_for_one_device_are_merged() {
    let rules = r#"[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":10,"minor":229,"access":"r"},
        {"allow":true,"type":"c","major":10,"minor":229,"access":"w"},
        {"allow":true,"type":"b","major":8,"access":"rw"},{"allow":false,"type":"b","major":8,"access":"w"}]"#;
    let list = devices(rules, &PlanOptions::default()).unwrap();
    assert!(list.contains(&"allow c 10:229 rw".into()), "{list:?}");
    assert!(list.contains(&"allow b 8:* r".into()), "{list:?}");
    assert_eq!(list.len(), DEFAULTS.len() + 2);
}

#[test]
fn all_allowed_but_one() {
    let rules = r#"[{"allow":true,"type":"a","access":"rwm"},{"allow":false,"type":"b","major":8,"minor":0,"access":"w"}]"#;
    assert_eq!(devices(rules, &PlanOptions::default()).unwrap(), ["allow a", "deny b 8:0 w"]);
}

#[test]
fn a_denial_that_the_kernel_would_ignore_is_refused() {
    let rules = r#"[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":10,"access":"rw"},
        {"allow":false,"type":"c","major":10,"minor":5,"access":"w"}]"#;
    assert_eq!(devices(rules, &PlanOptions::default()).unwrap_err(), ["/devices/2"]);
    // Another access is not touched by the wider rule.
    let rules = rules.replace(r#""access":"w"}]"#, r#""access":"m"}]"#);
    assert!(devices(&rules, &PlanOptions::default()).is_ok());
}

#[test]
fn a_device_of_the_document_replaces_the_default_one_of_its_path() {
    let options = PlanOptions { device_paths: vec!["/dev/null".into()], ..Default::default() };
    let list = devices("[]", &options).unwrap();
    assert!(!list.contains(&"allow c 1:3 rwm".into()) && list.contains(&"allow c 1:5 rwm".into()));
}

#[test]
fn unknown_letters_of_an_access_never_give_more() {
    let rule = |allow: bool, access: &str| {
        format!(
            r#"[{{"allow":{},"type":"c","major":10,"access":"rwm"}},{{"allow":{allow},"type":"c","major":10,"minor":5,"access":"{access}"}}]"#,
            !allow
        )
    };
    let plain = |allow, access| devices(&rule(allow, access), &PlanOptions::default());
    assert_eq!(plain(true, "rx"), plain(true, "r"));
    assert_eq!(plain(false, "rx"), plain(false, "rwm"));
    assert_eq!(plain(true, "x"), Err(vec!["/devices/1/access".to_owned()]));
}

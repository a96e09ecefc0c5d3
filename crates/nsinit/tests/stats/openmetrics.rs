//! The text against the specification (OpenMetrics 1.0, text format), by a parser that is stricter than scrapers.

use std::collections::{BTreeMap, BTreeSet};

use cofferdam_cgroup::NetworkInterface;
use cofferdam_nsinit::stats::{Measurement, openmetrics};

use crate::recorded::{Recorded, V1, V2};

type Labels = BTreeMap<String, String>;

#[derive(Default)]
struct Family {
    kind: String,
    help: String,
    unit: Option<String>,
    samples: BTreeMap<Labels, f64>,
}

/// A document that the specification allows; panics where it does not.
fn parse(text: &str) -> BTreeMap<String, Family> {
    let body = text.strip_suffix("# EOF\n").expect("it ends with EOF and a newline");
    assert!(!body.contains("# EOF") && (body.is_empty() || body.ends_with('\n')));
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in body.lines() {
        let Some(described) = line.strip_prefix("# ") else {
            let family = families.get_mut(&current).expect("a sample comes after its family");
            sample(line, &current, family);
            continue;
        };
        let mut words = described.splitn(3, ' ');
        let (what, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
        if name != current {
            assert!(!families.contains_key(name), "{name} is in two places");
            name.clone_into(&mut current);
        }
        let family = families.entry(current.clone()).or_default();
        assert!(family.samples.is_empty(), "{name}: described after its samples");
        match what {
            "TYPE" => family.kind = rest.into(),
            "HELP" => family.help = rest.into(),
            "UNIT" => {
                assert!(name.ends_with(&format!("_{rest}")), "{name} is not in {rest}");
                family.unit = Some(rest.into());
            }
            other => panic!("{other}"),
        }
    }
    for (name, family) in &families {
        assert!(matches!(family.kind.as_str(), "counter" | "gauge"), "{name}: {}", family.kind);
        assert!(!family.help.is_empty() && !family.samples.is_empty(), "{name}");
        assert!(family.kind != "counter" || !name.ends_with("_total"), "{name}: the family has no suffix");
    }
    families
}

fn sample(line: &str, name: &str, family: &mut Family) {
    let suffix = if family.kind == "counter" { "_total" } else { "" };
    let rest = line.strip_prefix(&format!("{name}{suffix}")).unwrap_or_else(|| panic!("{line} in {name}"));
    let (labels, value) = labels(rest.strip_prefix('{').unwrap());
    let value: f64 = value.strip_prefix(' ').unwrap().parse().unwrap();
    assert!(value.is_finite() && value >= 0.0, "{line}");
    assert!(family.samples.insert(labels, value).is_none(), "{line}: twice");
}

/// The labels up to the brace, and what follows it.
fn labels(mut text: &str) -> (Labels, &str) {
    let mut found = Labels::new();
    loop {
        let (name, rest) = text.split_once("=\"").unwrap();
        assert!(name.chars().all(|c| c.is_ascii_alphabetic() || c == '_'), "{name}");
        let mut value = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            let (at, c) = chars.next().expect("a quote ends the value");
            match c {
                '"' => break at + 1,
                '\\' => match chars.next().unwrap().1 {
                    'n' => value.push('\n'),
                    c @ ('\\' | '"') => value.push(c),
                    other => panic!("\\{other}"),
                },
                '\n' => panic!("a line within a value"),
                c => value.push(c),
            }
        };
        assert!(found.insert(name.into(), value).is_none(), "{name} twice");
        match &rest[end..] {
            more if more.starts_with(',') => text = &more[1..],
            last => return (found, last.strip_prefix('}').unwrap()),
        }
    }
}

fn both() -> BTreeMap<String, Family> {
    let network = |m: Measurement| {
        let eth0 = NetworkInterface { name: "eth0".into(), rx_bytes: 5, tx_bytes: 7, ..Default::default() };
        Measurement { interfaces: Some(vec![eth0]), ..m }
    };
    let one = network(Recorded::new(V1).measure());
    let two = Recorded::new(V2).measure();
    parse(&openmetrics(vec![("one".into(), one), ("two".into(), two)]))
}

fn of(family: &Family, container: &str, more: &[(&str, &str)]) -> Option<f64> {
    let mut labels = Labels::from([("container".into(), container.into())]);
    labels.extend(more.iter().map(|(k, v)| ((*k).into(), (*v).into())));
    family.samples.get(&labels).copied()
}

#[test]
fn two_containers_of_two_kinds_of_hosts_make_one_valid_document() {
    let families = both();
    let cpu = &families["container_cpu_usage_seconds"];
    assert_eq!((cpu.kind.as_str(), cpu.unit.as_deref()), ("counter", Some("seconds")));
    assert_eq!((of(cpu, "one", &[]), of(cpu, "two", &[])), (Some(0.426_352_865), Some(3.237_76)));
    let memory = &families["container_memory_usage_bytes"];
    assert_eq!((memory.kind.as_str(), memory.unit.as_deref()), ("gauge", Some("bytes")));
    assert_eq!(of(memory, "two", &[]), Some(32_092_160.0));
    let read = &families["container_fs_reads_bytes"];
    assert_eq!(of(read, "one", &[("device", "254:0")]), Some(41_082_880.0));
    assert_eq!(of(read, "two", &[("device", "259:0")]), Some(229_376.0));
    let set = &families["container_memory_working_set_bytes"];
    assert_eq!(of(set, "one", &[]), Some(f64::from(17_055_744 - 16_490_496)));
    assert_eq!(of(set, "two", &[]), Some(f64::from(32_092_160 - 25_128_960)));
    let received = &families["container_network_receive_bytes"];
    assert_eq!(of(received, "one", &[("interface", "eth0")]), Some(5.0));
}

#[test]
fn what_a_host_does_not_count_has_no_line() {
    let families = both();
    assert_eq!(of(&families["container_network_receive_bytes"], "two", &[("interface", "eth0")]), None);
    let waited = &families["container_pressure_cpu_waiting_seconds"];
    assert_eq!((of(waited, "one", &[]), of(waited, "two", &[])), (None, Some(11.049_417)));
    assert!(!families.contains_key("container_hugetlb_max_usage_bytes"), "nobody has it");
    assert!(families.keys().all(|name| name.starts_with("container_")));
}

#[test]
fn nothing_to_tell_is_still_a_document() {
    assert_eq!(openmetrics(vec![]), "# EOF\n");
    assert_eq!(openmetrics(vec![("idle".into(), Measurement::default())]), "# EOF\n");
}

#[test]
fn a_hostile_interface_name_stays_within_its_label() {
    // All that the kernel forbids are spaces, slashes and colons.
    let name = "a\"}\\\",b=\"";
    let eth = NetworkInterface { name: name.into(), rx_bytes: 1, ..Default::default() };
    let measured = Measurement { interfaces: Some(vec![eth]), ..Measurement::default() };
    let families = parse(&openmetrics(vec![("box".into(), measured)]));
    assert_eq!(of(&families["container_network_receive_bytes"], "box", &[("interface", name)]), Some(1.0));
}

#[test]
fn every_family_is_named_in_the_documentation() {
    let page = include_str!("../../../../docs/statistics.md");
    let families = both();
    let missing: BTreeSet<_> = families
        .iter()
        .map(|(name, family)| format!("{name}{}", if family.kind == "counter" { "_total" } else { "" }))
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

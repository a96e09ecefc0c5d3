//! libcontainer's two forms, of recordings: the documented names, and nothing that the host did not say.

use serde_json::{Value, json};

use cofferdam_cgroup::NetworkInterface;
use cofferdam_nsinit::stats::{Measurement, v1, v2};

use crate::recorded::{Recorded, V1, V2};

fn with_network(recording: &str) -> Measurement {
    let interface = |name: &str, n: u64| NetworkInterface {
        name: name.into(),
        rx_bytes: n,
        rx_packets: n + 1,
        rx_errors: n + 2,
        rx_dropped: n + 3,
        tx_bytes: n + 4,
        tx_packets: n + 5,
        tx_errors: n + 6,
        tx_dropped: n + 7,
    };
    let interfaces = Some(vec![interface("eth0", 100), interface("eth1", 1000)]);
    Measurement { interfaces, ..Recorded::new(recording).measure() }
}

/// All places of a document, without what is in memory.stat.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) if !at.ends_with("/stats") => {
            map.iter().for_each(|(key, value)| places(value, &format!("{at}/{key}"), out));
        }
        _ => out.push(at.to_owned()),
    }
}

fn places_of(value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    places(value, "", &mut out);
    out.sort();
    out
}

#[test]
fn version_1_4_of_a_version_1_host() {
    let json = serde_json::to_value(with_network(V1).v1()).unwrap();
    assert_eq!(
        json["network_stats"],
        json!({"rx_bytes": 1100, "rx_packets": 1102, "rx_errors": 1104, "rx_dropped": 1106,
               "tx_bytes": 1108, "tx_packets": 1110, "tx_errors": 1112, "tx_dropped": 1114})
    );
    assert_eq!(
        json["cgroup_stats"]["cpu_stats"],
        json!({"cpu_usage": {"total_usage": 426_352_865, "percpu_usage": [25_377_266, 400_975_599],
                             "usage_in_kernelmode": 80_000_000, "usage_in_usermode": 340_000_000},
               "throttling_data": {"periods": 23, "throttled_periods": 20, "throttled_time": 1_573_176_125}})
    );
    let memory = &json["cgroup_stats"]["memory_stats"];
    assert_eq!((&memory["usage"], &memory["max_usage"]), (&json!(17_055_744), &json!(33_554_432)));
    assert_eq!((&memory["failcnt"], &memory["stats"]["total_rss"]), (&json!(4358), &json!(110_592)));
    let blkio = &json["cgroup_stats"]["blkio_stats"];
    assert_eq!(
        blkio["io_service_bytes_recursive"][0],
        json!({"major": 254, "minor": 0, "op": "Read", "value": 41_082_880})
    );
    // This kernel has no CFQ and its BFQ counts nothing of this device.
    let lists: Vec<_> = blkio.as_object().unwrap().keys().collect();
    assert_eq!(lists, ["io_service_bytes_recursive", "io_serviced_recursive"]);
}

#[test]
fn version_1_4_of_a_version_2_host_lacks_what_that_does_not_count() {
    let json = serde_json::to_value(with_network(V2).v1()).unwrap();
    let (mut v1, v2) = (places_of(&serde_json::to_value(with_network(V1).v1()).unwrap()), places_of(&json));
    v1.retain(|place| !v2.contains(place));
    assert_eq!(v1, ["/cgroup_stats/cpu_stats/cpu_usage/percpu_usage"]);
    assert_eq!(json["cgroup_stats"]["cpu_stats"]["cpu_usage"]["usage_in_kernelmode"], 2_816_765_000u64);
}

#[test]
fn version_2_of_both_hosts() {
    let json = serde_json::to_value(with_network(V1).v2()).unwrap();
    assert_eq!(json["Interfaces"][1]["Name"], "eth1");
    assert_eq!(
        (&json["Interfaces"][0]["RxBytes"], &json["Interfaces"][0]["TxBytes"]),
        (&json!(100), &json!(104))
    );
    let memory = &json["CgroupStats"]["memory_stats"];
    assert_eq!(memory["usage"], json!({"usage": 17_055_744, "max_usage": 33_554_432, "failcnt": 4358}));
    assert_eq!(memory["kernel_usage"], json!({"usage": 139_264, "max_usage": 1_069_056, "failcnt": 0}));
    assert_eq!(memory["cache"], 16_674_816);
    assert!(json["CgroupStats"]["hugetlb_stats"].is_null());
    let json = serde_json::to_value(with_network(V2).v2()).unwrap();
    let memory = &json["CgroupStats"]["memory_stats"];
    assert_eq!(memory["usage"], json!({"usage": 32_092_160, "max_usage": 33_554_432, "failcnt": 158}));
    assert_eq!(memory["swap_usage"], json!({"usage": 32_092_160}));
    assert_eq!(memory["kernel_usage"], json!({"usage": 1_273_856}));
    assert_eq!(
        json["CgroupStats"]["hugetlb_stats"],
        json!({"1GB": {"usage": 0, "failcnt": 0}, "2MB": {"usage": 0, "failcnt": 0}})
    );
}

#[test]
fn a_container_without_cgroups_and_network_says_nothing() {
    let nothing = Measurement::default();
    assert_eq!(serde_json::to_string(&nothing.v1()).unwrap(), "{}");
    assert_eq!(serde_json::to_string(&nothing.v2()).unwrap(), "{}");
    // A network of its own without any interface is known to be empty.
    let alone = Measurement { interfaces: Some(vec![]), ..nothing };
    assert_eq!(serde_json::to_string(&alone.v2()).unwrap(), r#"{"Interfaces":[]}"#);
    assert_eq!(serde_json::to_string(&alone.v1()).unwrap(), "{}");
}

#[test]
fn both_forms_come_back_as_they_were() {
    for recording in [V1, V2] {
        let measured = with_network(recording);
        let text = serde_json::to_string(&measured.v1()).unwrap();
        assert_eq!(serde_json::from_str::<v1::ContainerStats>(&text).unwrap(), measured.v1());
        let text = serde_json::to_string(&measured.v2()).unwrap();
        assert_eq!(serde_json::from_str::<v2::Stats>(&text).unwrap(), measured.v2());
    }
}

#[test]
fn what_the_original_wrote_is_read() {
    // Go leaves out zeros; v1.0 misspelt two names.
    let v1_0 = r#"{"cgroup_stats":{"cpu_stats":{"cpu_usage":{"usage_in_kernelmode":10000000,"usage_in_usermode":0},
        "throlling_data":{"periods":3}},"memory_stats":{"failcnt":0},
        "blkio_stats":{"io_serviced_recusrive":[{"major":8,"op":"Read","value":4}]}}}"#;
    let stats = serde_json::from_str::<v1::ContainerStats>(v1_0).unwrap().cgroup_stats.unwrap();
    assert_eq!(stats.cpu_stats.as_ref().unwrap().throttling_data.unwrap().periods, 3);
    let entry = &stats.blkio_stats.unwrap().io_serviced_recursive.unwrap()[0];
    assert_eq!((entry.major, entry.minor, entry.value), (8, 0, 4));
    assert_eq!(stats.cpu_stats.unwrap().cpu_usage.unwrap().total_usage, None);
    let v2 = r#"{"Interfaces":[{"Name":"veth1","RxBytes":5}],"CgroupStats":{"memory_stats":{"usage":{"failcnt":0}},
        "hugetlb_stats":{"2MB":{"failcnt":0}}}}"#;
    let stats: v2::Stats = serde_json::from_str(v2).unwrap();
    assert_eq!(stats.interfaces.unwrap()[0].rx_bytes, 5);
}

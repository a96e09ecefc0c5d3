//! `state` and `stats`: what is known of a container, in libcontainer's forms.

use cofferdam_tests::{Value, json, parse};

use crate::Classic;

/// A line of each shape that a document has at these places.
fn has(value: &Value, places: &[&str]) {
    for place in places {
        assert!(value.pointer(place).is_some_and(|found| !found.is_null()), "{place}: {value}");
    }
}

cofferdam_tests::own! {
    fn stats_are_in_the_form_of_either_generation(t) {
        let mut c = Classic::new(t);
        let all = json!({"NEWNS": true, "NEWPID": true, "NEWNET": true, "NEWUTS": true});
        c.set("namespaces", all).set("networks", json!([{"type": "loopback"}])).write();
        let running = c.start(&[]);
        let v2 = parse(c.run(&["stats"]).ok());
        has(&v2, &["/Interfaces", "/CgroupStats/cpu_stats/cpu_usage/total_usage",
                   "/CgroupStats/memory_stats/usage/usage", "/CgroupStats/memory_stats/stats"]);
        assert_eq!(v2["Interfaces"], json!([]), "loopback is not the world");
        let v1 = parse(c.run(&["stats", "--format", "json-v1"]).ok());
        has(&v1, &["/cgroup_stats/cpu_stats/cpu_usage/usage_in_usermode", "/cgroup_stats/memory_stats/usage"]);
        let metrics = c.run(&["stats", "--format=openmetrics"]);
        assert!(metrics.ok().contains("container_memory_usage_bytes{container=\""), "{metrics}");
        assert!(metrics.stdout.ends_with("# EOF\n"), "{metrics}");
        let table = c.run(&["stats", "--format=table"]);
        assert_eq!(table.ok().lines().count(), 2, "{table}");
        assert_eq!(running.end(), 9);
        let out = c.run(&["stats"]);
        assert!(out.refused().contains("does not exist"), "{out}");
    }

    fn several_names_are_measured_at_once_and_watched(t) {
        let c = Classic::new(t);
        c.write();
        let root = t.dir.join("names");
        let names = ["one", "two"].map(|name| format!("{}-{name}", c.bundle.id));
        let root = format!("--root={}", root.display());
        let containers = names.each_ref().map(|name| {
            let mut command = c.command(&[root.as_str(), "exec", "--config", "container.json", "--id", name]);
            // Its own cgroup: two containers in one would be measured as one.
            command.args(["sh", "-c", crate::STAYS]);
            let file = t.dir.join("names").join(name).join("state.json");
            let mut config = c.config.clone();
            config["cgroups"]["name"] = json!(name);
            std::fs::write(c.data.join("container.json"), config.to_string()).unwrap();
            crate::Running::of(command.spawn().expect("nsinit starts"), &file)
        });
        let [one, two] = names.each_ref().map(String::as_str);
        let both = parse(c.run(&[&root, "stats", one, two]).ok());
        for name in [one, two] {
            has(&both[name], &["/CgroupStats/memory_stats/usage/usage"]);
        }
        let mut watch = c.command(&[&root, "stats", "--watch", "--format=json", "--interval=50ms", one, two]);
        let file = t.dir.join("watched");
        let mut watch = watch.stdout(std::fs::File::create(&file).unwrap()).spawn().unwrap();
        let told = || std::fs::read_to_string(&file).unwrap();
        cofferdam_tests::wait_until("both names", || told().contains(one) && told().contains(two));
        containers.into_iter().for_each(|container| assert_eq!(container.end(), 9));
        assert!(watch.wait().unwrap().success(), "{}", told());
        let out = c.run(&[&root, "stats", "--id", one, two]);
        assert!(out.code != 0 && out.stderr.contains("cannot be used with"), "{out}");
    }

    fn the_state_has_the_form_of_either_generation(t) {
        let c = Classic::new(t);
        c.write();
        let running = c.start(&[]);
        let v1 = parse(c.run(&["state"]).ok());
        let pid = v1["init_pid"].as_i64().unwrap();
        assert_eq!(v1, c.state());
        let v2 = parse(c.run(&["state", "--format", "json"]).ok());
        assert_eq!((&v2["init_process_pid"], &v2["init_process_start"]), (&v1["init_pid"], &v1["init_start_time"]));
        assert_eq!(v2["cgroup_paths"], v1["cgroup_paths"]);
        assert_eq!(v2["namespace_paths"]["NEWPID"], json!(format!("/proc/{pid}/ns/pid")));
        assert_eq!(v2["namespace_paths"].as_object().unwrap().len(), 6);
        assert_eq!(v2["config"]["hostname"], json!("koye"));
        assert_eq!(v2["external_descriptors"].as_array().unwrap().len(), 3);
        assert_eq!(running.end(), 9);
    }
}

//! The files in `dist/`: each is what its reader takes, and the installer installs and removes them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cofferdam_tests::{Output, Test, own, parse};

fn dist(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../dist")).join(name)
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path.as_ref()).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()))
}

/// A node: a directory with an engine's configuration. The installer's own directory has everything in it.
fn node(t: &Test, engines: &[(&str, &str)]) -> PathBuf {
    let (node, source) = (t.dir.join("node"), t.dir.join("source"));
    fs::create_dir_all(&source).unwrap();
    for file in [
        "kubernetes/install-node",
        "containerd/cofferdam.toml",
        "containerd/cofferdam-v3.toml",
        "crio/10-cofferdam.conf",
    ] {
        let from = dist(file);
        fs::copy(&from, source.join(from.file_name().unwrap())).unwrap();
    }
    for binary in ["cofferdam", "containerd-shim-cofferdam-v1"] {
        fs::write(source.join(binary), binary).unwrap();
    }
    for (file, text) in engines {
        let path = node.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    node
}

fn install(t: &Test, verb: &str) -> Output {
    let mut command = Command::new(t.dir.join("source/install-node"));
    t.finish(command.arg(verb).env("HOST", t.dir.join("node")).env("RESTART", "no"))
}

/// What containerd makes of a configuration.
fn dump(t: &Test, file: &Path) -> Output {
    let mut command = t.command(Path::new("/usr/bin/containerd"));
    t.finish(command.arg("--config").arg(file).args(["config", "dump"]))
}

own! {
    fn the_installer_adds_a_runtime_once_and_takes_it_back(t) {
        let before = "version = 2\n\n[debug]\n  level = \"info\"\n";
        let node = node(t, &[("etc/containerd/config.toml", before), ("etc/crio/crio.conf", "")]);
        install(t, "install").ok();
        let config = node.join("etc/containerd/config.toml");
        assert_eq!(install(t, "install").ok(), "", "the second time there is nothing to do");
        assert_eq!(read(&config).matches("io.containerd.cofferdam.v1").count(), 1);
        assert_eq!(read(node.join("usr/local/bin/containerd-shim-cofferdam-v1")), "containerd-shim-cofferdam-v1");
        assert!(read(node.join("etc/crio/crio.conf.d/10-cofferdam.conf")).contains("/usr/local/bin/cofferdam\""));
        install(t, "remove").ok();
        assert_eq!(read(&config), before);
        assert_eq!(t.host(&format!("cd {} && find usr etc/crio -type f", node.display())), "etc/crio/crio.conf\n");
    }

    fn the_installer_looks_at_the_version_of_containerds_configuration(t) {
        let node = node(t, &[("etc/containerd/config.toml", "version = 3\n")]);
        install(t, "install").ok();
        let config = read(node.join("etc/containerd/config.toml"));
        assert!(config.contains("io.containerd.cri.v1.runtime") && !config.contains("io.containerd.grpc.v1.cri"));
        fs::write(node.join("etc/containerd/config.toml"), "version = 1\n").unwrap();
        assert_ne!(install(t, "install").code, 0);
        assert_eq!(read(node.join("etc/containerd/config.toml")), "version = 1\n");
    }

    fn containerd_takes_what_the_installer_writes(t) {
        t.need(Path::new("/usr/bin/containerd").exists(), "containerd is not installed")?;
        let node = node(t, &[("etc/containerd/config.toml", "version = 2\n")]);
        install(t, "install").ok();
        let dumped = dump(t, &node.join("etc/containerd/config.toml"));
        let runtime = "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.cofferdam]";
        let (_, rest) = dumped.ok().split_once(runtime).expect("the runtime");
        let mine = rest.split("\n\n").next().unwrap_or_default();
        assert!(mine.contains("runtime_type = \"io.containerd.cofferdam.v1\""), "{mine}");
        assert!(mine.contains("pod_annotations = []"), "a pod reaches the node: {mine}");
        dump(t, &dist("containerd/cofferdam.toml")).ok();
    }

    fn dockers_files_are_json_that_names_the_command_and_the_shim(t) {
        let of = |name: &str| parse(&read(dist(name)))["runtimes"]["cofferdam"].clone();
        assert_eq!(of("docker/daemon.json")["path"], "/usr/local/bin/cofferdam");
        assert_eq!(of("docker/daemon-shim.json")["runtimeType"], "io.containerd.cofferdam.v1");
        let _ = t;
    }

    fn kubernetes_files_are_yaml_of_the_kinds_that_they_say(t) {
        let script = "import sys, yaml\nfor f in sys.argv[1:]:\n for d in yaml.safe_load_all(open(f)):\n  print(d['apiVersion'], d['kind'], d['metadata']['name'])";
        let python = |args: &[&str]| t.finish(Command::new("python3").arg("-c").args(args));
        t.need(Path::new("/usr/bin/python3").exists(), "python3 is not installed")?;
        t.need(python(&["import yaml"]).code == 0, "python3-yaml is not installed")?;
        let files = ["runtimeclass", "installer"].map(|name| dist(&format!("kubernetes/{name}.yaml")));
        let said = python(&[script, files[0].to_str().unwrap(), files[1].to_str().unwrap()]);
        assert_eq!(
            said.ok(),
            "node.k8s.io/v1 RuntimeClass cofferdam\nv1 ServiceAccount cofferdam-installer\napps/v1 DaemonSet cofferdam-installer\n"
        );
    }
}

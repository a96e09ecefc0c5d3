//! The generations of the spring and summer of 2014, which differ in how three members are written: all stands
//! at the top, and labels, bridges and prefixes in maps called `context`.

use std::collections::BTreeMap;

use cofferdam_oci::{Pointer, Reject};
use serde::Deserialize;

use super::json::Json;
use super::{
    Cgroup, Config, Device, Generation, Mount, MountConfig, NamespaceType, Namespaces, Network, Route,
};
use super::{SystemMounts, empty};

/// The file.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    hostname: String,
    readonly_fs: bool,
    no_pivot_root: bool,
    user: String,
    working_dir: String,
    environment: Vec<String>,
    tty: bool,
    namespaces: Option<Json>,
    capabilities: Option<Json>,
    capabilities_mask: Option<Json>,
    networks: Vec<OldNetwork>,
    routes: Vec<Route>,
    cgroups: Option<Cgroup>,
    context: BTreeMap<String, String>,
    mounts: Vec<OldMount>,
    device_nodes: Vec<Device>,
    // February's.
    id: String,
    namespace_pid: i64,
    command: Option<Command>,
    rootfs: String,
    network: Option<OldNetwork>,
    network_namespace_fd: u64,
    log_file: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Command {
    args: Vec<String>,
    environment: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OldNetwork {
    #[serde(rename = "type")]
    kind: String,
    context: BTreeMap<String, String>,
    address: String,
    gateway: String,
    mtu: u32,
    // February's.
    ip: String,
    bridge: String,
    temp_veth: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OldMount {
    #[serde(rename = "type")]
    kind: Option<String>,
    source: String,
    destination: String,
    writable: bool,
    private: bool,
}

/// What `context` may say.
const CONTEXT: [&str; 4] = ["apparmor_profile", "mount_label", "process_label", "restrictions"];
/// What that of a network may say.
const NETWORK_CONTEXT: [&str; 3] = ["bridge", "prefix", "nspath"];
/// What February's file says of a container that ran, or of the descriptors of who read it.
const OF_A_RUN: &str = "said something about one run, and is passed over";

impl Document {
    /// The same in [`Config`]'s form.
    pub(super) fn translate(
        mut self,
        generation: Generation,
        warnings: &mut Vec<Reject>,
    ) -> Result<Config, Vec<Reject>> {
        self.warn(generation, warnings);
        let mut wrong = Vec::new();
        let namespaces =
            self.namespaces.as_ref().map(|value| namespaces(value, &mut wrong)).unwrap_or_default();
        let capabilities = self.capabilities(&mut wrong);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let context = |name: &str| self.context.get(name).cloned().unwrap_or_default();
        let february = generation == Generation::February2014;
        let command = self.command.take().unwrap_or_default();
        let either = |one: Vec<String>, other: &[String]| if one.is_empty() { other.to_vec() } else { one };
        let networks = self.network.take().into_iter().chain(std::mem::take(&mut self.networks));
        Ok(Config {
            mount_config: Some(MountConfig {
                no_pivot_root: self.no_pivot_root,
                readonly_fs: self.readonly_fs,
                private_fs: february.then_some(false),
                system_mounts: if february { SystemMounts::First } else { SystemMounts::Standard },
                mounts: self.mounts.iter().map(OldMount::translate).collect(),
                device_nodes: std::mem::take(&mut self.device_nodes),
                mount_label: context("mount_label"),
                ..MountConfig::default()
            }),
            root_fs: self.rootfs.clone(),
            hostname: if self.hostname.is_empty() { self.id.clone() } else { self.hostname.clone() },
            user: self.user.clone(),
            working_dir: self.working_dir.clone(),
            environment: either(command.environment, &self.environment),
            args: command.args,
            // February's ran on a terminal always.
            tty: self.tty || february,
            namespaces,
            capabilities,
            networks: networks.map(OldNetwork::translate).collect(),
            routes: std::mem::take(&mut self.routes),
            cgroups: self.cgroups.take(),
            apparmor_profile: context("apparmor_profile"),
            process_label: context("process_label"),
            restrict_sys: !context("restrictions").is_empty(),
            ..Config::default()
        })
    }

    fn warn(&self, generation: Generation, warnings: &mut Vec<Reject>) {
        let root = Pointer::root();
        let mut tell = |pointer, what: &str| warnings.push(Reject::new(pointer, what));
        for (name, there) in [
            ("namespace_pid", !empty(&self.namespace_pid)),
            ("network_namespace_fd", !empty(&self.network_namespace_fd)),
            ("log_file", !empty(&self.log_file)),
        ] {
            if there {
                tell(root.key(name), OF_A_RUN);
            }
        }
        let unknown = |context: &BTreeMap<String, String>, known: &[&str]| -> Vec<String> {
            context.keys().filter(|key| !known.contains(&key.as_str())).cloned().collect()
        };
        for name in unknown(&self.context, &CONTEXT) {
            tell(root.key("context").key(&name), "means nothing here, and is passed over");
        }
        let networks = self.networks.iter().enumerate().map(|(n, one)| (root.key("networks").index(n), one));
        for (at, one) in self.network.iter().map(|one| (root.key("network"), one)).chain(networks) {
            for name in unknown(&one.context, &NETWORK_CONTEXT) {
                tell(at.key("context").key(&name), "means nothing here, and is passed over");
            }
            if !one.temp_veth.is_empty() {
                tell(at.key("temp_veth"), OF_A_RUN);
            }
        }
        if generation == Generation::February2014 && !self.user.is_empty() {
            tell(root.key("user"), "was not looked at in this generation; it is here");
        }
    }

    /// What is kept. A list drops where namespaces are a list too, and a mask drops what is false in it.
    fn capabilities(&self, wrong: &mut Vec<Reject>) -> Vec<String> {
        let of_old = !matches!(self.namespaces, Some(Json::Object(_)));
        match (&self.capabilities_mask, &self.capabilities) {
            (Some(mask), _) => all_but(dropped(mask, &Pointer::new("/capabilities_mask"), wrong)),
            (None, Some(list)) if of_old => all_but(dropped(list, &Pointer::new("/capabilities"), wrong)),
            (None, Some(list)) => names(list, &Pointer::new("/capabilities"), wrong),
            (None, None) if of_old => all_but(Vec::new()),
            (None, None) => Vec::new(),
        }
    }
}

fn all_but(dropped: Vec<String>) -> Vec<String> {
    let all = cofferdam_plan::known_capabilities().iter().filter_map(|name| name.strip_prefix("CAP_"));
    all.filter(|name| !dropped.iter().any(|other| other == name)).map(str::to_owned).collect()
}

fn names(list: &Json, at: &Pointer, wrong: &mut Vec<Reject>) -> Vec<String> {
    let Json::List(elements) = list else {
        wrong.push(Reject::new(at.clone(), "not a list"));
        return Vec::new();
    };
    let mut names = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        match element {
            Json::Text(name) => names.push(name.clone()),
            _ => wrong.push(Reject::new(at.index(index), "not a name")),
        }
    }
    names
}

/// A list of names, a list of `{key, enabled}`, or a map of names to booleans.
fn dropped(value: &Json, at: &Pointer, wrong: &mut Vec<Reject>) -> Vec<String> {
    let mut dropped = Vec::new();
    for (name, enabled, pointer) in toggles(value, at, false, wrong) {
        if cofferdam_plan::capability_bit(&format!("CAP_{name}")).is_none() {
            wrong.push(Reject::new(pointer, format!("there is no capability {name}")));
        } else if !enabled {
            dropped.push(name);
        }
    }
    dropped
}

fn namespaces(value: &Json, wrong: &mut Vec<Reject>) -> Namespaces {
    let mut kinds = Vec::new();
    for (name, enabled, pointer) in toggles(value, &Pointer::new("/namespaces"), true, wrong) {
        match NamespaceType::from_name(&name) {
            Some(kind) if enabled => kinds.push(kind),
            Some(_) => {}
            None => wrong.push(Reject::new(pointer, format!("there is no namespace {name:?}"))),
        }
    }
    kinds.into_iter().collect()
}

/// Names with whether they are on; one in a list of names is `plain`.
fn toggles(value: &Json, at: &Pointer, plain: bool, wrong: &mut Vec<Reject>) -> Vec<(String, bool, Pointer)> {
    let mut all = Vec::new();
    match value {
        Json::List(elements) => {
            for (index, element) in elements.iter().enumerate() {
                let at = at.index(index);
                match (element, element.get("key"), element.get("enabled")) {
                    (Json::Text(name), ..) => all.push((name.clone(), plain, at)),
                    (_, Some(Json::Text(name)), Some(Json::Bool(on))) => all.push((name.clone(), *on, at)),
                    (_, Some(Json::Text(name)), None) => all.push((name.clone(), false, at)),
                    _ => wrong.push(Reject::new(at, "neither a name nor {key, enabled}")),
                }
            }
        }
        Json::Object(members) => {
            for (name, value) in members {
                match value {
                    Json::Bool(on) => all.push((name.clone(), *on, at.key(name))),
                    _ => wrong.push(Reject::new(at.key(name), "neither true nor false")),
                }
            }
        }
        _ => wrong.push(Reject::new(at.clone(), "neither a list nor a map of names to booleans")),
    }
    all
}

impl OldNetwork {
    fn translate(self) -> Network {
        let context = |name: &str| self.context.get(name).cloned().unwrap_or_default();
        let either = |one: String, other: &str| if one.is_empty() { other.to_owned() } else { one };
        Network {
            kind: either(self.kind.clone(), "veth"),
            bridge: either(context("bridge"), &self.bridge),
            veth_prefix: context("prefix"),
            ns_path: context("nspath"),
            address: either(self.address.clone(), &self.ip),
            gateway: self.gateway.clone(),
            mtu: self.mtu.into(),
            ..Network::default()
        }
    }
}

impl OldMount {
    fn translate(&self) -> Mount {
        Mount {
            kind: self.kind.clone().unwrap_or_else(|| "bind".to_owned()),
            source: self.source.clone(),
            destination: self.destination.clone(),
            writable: self.writable,
            private: self.private,
            ..Mount::default()
        }
    }
}

//! What the probe said, by name.

use std::collections::BTreeMap;

/// Lines `name=value`.
#[derive(Clone, Debug)]
pub struct Facts(BTreeMap<String, String>);

impl Facts {
    /// Reads the probe's output; other lines are passed over.
    pub fn read(text: &str) -> Self {
        let lines = text.lines().filter_map(|l| l.trim_end_matches('\r').split_once('='));
        Self(lines.map(|(k, v)| (k.to_owned(), v.trim().to_owned())).collect())
    }

    /// One fact; empty when the probe could not find it out.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// One fact that is a number.
    #[track_caller]
    pub fn number(&self, name: &str) -> i64 {
        self.get(name).parse().unwrap_or_else(|_| panic!("{name} is {:?}", self.get(name)))
    }

    /// Capability set of /proc/self/status (`CapEff` and others) as a mask.
    #[track_caller]
    pub fn set(&self, name: &str) -> u64 {
        let text = self.get(&format!("status.{name}"));
        u64::from_str_radix(text, 16).unwrap_or_else(|_| panic!("{name} is {text:?}"))
    }

    /// The open descriptors: number and target.
    pub fn descriptors(&self) -> Vec<(String, String)> {
        let found = self.0.iter().filter_map(|(k, v)| Some((k.strip_prefix("fd.")?.to_owned(), v.clone())));
        found.collect()
    }
}

//! Attacks that broke other runtimes, each built with the real binary: what the host has must stay as it is.
//!
//! docs/cves.md lists them with the defence and how its absence was seen. The threat model: the root filesystem
//! and the container's processes are hostile, the configuration is not.

mod attack;
mod cgroups;
mod descriptors;
mod identity;
mod links;
mod observers;
mod races;
mod terminals;

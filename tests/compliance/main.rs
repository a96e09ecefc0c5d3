//! Every property of config.json, proved by what the kernel says afterwards.

mod devices;
mod hooks;
mod mounts;
mod namespaces;
mod process;
mod rights;
mod resources;
mod root;
mod scheduling;
mod seccomp;

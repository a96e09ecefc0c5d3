//! Every property of config.json, proved by what the kernel says afterwards.

mod devices;
mod hooks;
mod mount_options;
mod mounts;
mod namespaces;
mod paths;
mod process;
mod resources;
mod rights;
mod root;
mod scheduling;
mod seccomp;

//! Every property of config.json, proved by what the kernel says afterwards.

mod process;

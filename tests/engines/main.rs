//! Engines find a drop-in: podman itself, and the documents that podman, Docker, containerd and runc write.
//!
//! The documents are in tests/golden/bundles, as the engines wrote them but for ids and paths of the machine;
//! docs/engines.md says how, and what is known of each engine.

mod bundles;
mod document;
mod plans;
mod podman;
mod status;

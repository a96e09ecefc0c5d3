//! Engines find a drop-in: podman, containerd and Docker themselves, and the documents that they and runc write.
//!
//! The documents are in tests/golden/bundles, as the engines wrote them but for ids and paths of the machine;
//! docs/engines.md says how, and what is known of each engine.

mod annotations;
mod buildah;
mod bundles;
mod containerd;
mod docker;
mod document;
mod logs;
mod plans;
mod podman;
mod room;
mod rootless;
mod status;

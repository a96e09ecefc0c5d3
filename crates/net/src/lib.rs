//! The wires: moves network devices of the host into a container.
//!
//! Called by the library once the container has a network namespace and before its program runs. It
//! speaks rtnetlink(7) and nothing else: no file is written, no program is run, and no thread but its
//! own short-lived ones ever changes namespace. It decides nothing: which device, and its name inside,
//! come from the plan.
//!
//! What a move keeps is what the runtime specification asks for (`config-linux.md`, Network Devices):
//! the attributes of the device and its permanent addresses of global scope. Routes are not kept.

mod error;
mod interfaces;
mod message;
mod move_device;
mod route;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use interfaces::{Interface, interfaces};
pub use move_device::move_device;

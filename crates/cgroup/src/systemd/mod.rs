//! systemd as the maker of cgroups: units and their properties, asked for over D-Bus.
//!
//! Called by [`crate::plan()`] and [`crate::Cgroup`] where `--systemd-cgroup` asks for it; without it nothing
//! of this runs. The pure half (`name`, `value`, `text`, `properties`, `unit`) decides; the other (`address`,
//! `wire`, `bus`, `manager`) speaks. It may not write to a cgroup: limits without a property are written by
//! the crate's other half, as they are without systemd.
//!
//! Facts: systemd.resource-control(5), systemd.scope(5), org.freedesktop.systemd1(5).

// Pure.
mod devices;
mod name;
mod number;
mod properties;
mod text;
mod unified;
mod unit;
mod value;
// Speaking.
mod address;
mod bus;
mod manager;
mod wire;

pub(crate) use manager::{Asked, Asking, attach, set, stop};
pub(crate) use name::Name;
pub(crate) use properties::update;
pub use unit::{Manager, Property, SavedUnit, SystemdOptions, UnitPlan};
pub(crate) use unit::{above, plan};
pub use value::Value;

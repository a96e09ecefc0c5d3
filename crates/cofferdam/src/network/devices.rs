//! Network devices that move into a container.

use std::fs::File;

use cofferdam_net::Network;
use cofferdam_plan::NetDevicePlan;

use crate::{Error, Result};

/// At birth: all of them.
pub(crate) fn move_devices(devices: &[NetDevicePlan], pid: i32) -> Result<()> {
    if devices.is_empty() {
        return Ok(());
    }
    let namespace = namespace(pid)?;
    devices.iter().try_for_each(|device| move_one(device, &namespace))
}

/// At a restore: those that the namespace does not have. One with a path outlives the container's time in images, and
/// keeps what was moved into it.
pub(crate) fn move_missing_devices(devices: &[NetDevicePlan], pid: i32) -> Result<()> {
    if devices.is_empty() {
        return Ok(());
    }
    let namespace = namespace(pid)?;
    let mut there = Network::at(&namespace)?;
    for device in devices {
        if there.link(&device.name)?.is_none() {
            move_one(device, &namespace)?;
        }
    }
    Ok(())
}

fn namespace(pid: i32) -> Result<File> {
    let path = format!("/proc/{pid}/ns/net");
    File::open(&path).map_err(|e| Error::io("opening namespace", &path, &e))
}

fn move_one(device: &NetDevicePlan, namespace: &File) -> Result<()> {
    cofferdam_net::move_device(&device.host_name, &device.name, namespace)
        .map_err(|e| Error::from(e).with_pointer(&device.pointer))
}

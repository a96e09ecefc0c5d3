//! Network devices that move into a container.

use cofferdam_plan::NetDevicePlan;

use crate::{Error, Result};

pub(crate) fn move_devices(devices: &[NetDevicePlan], pid: i32) -> Result<()> {
    if devices.is_empty() {
        return Ok(());
    }
    let path = format!("/proc/{pid}/ns/net");
    let namespace = std::fs::File::open(&path).map_err(|e| Error::io("opening namespace", &path, &e))?;
    for device in devices {
        cofferdam_net::move_device(&device.host_name, &device.name, &namespace)
            .map_err(|e| Error::from(e).with_pointer(&device.pointer))?;
    }
    Ok(())
}

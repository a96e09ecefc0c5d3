//! The block device limits of `cgroups`: lines as they were written to the files of version 1, read.

use cofferdam_oci::{BlockIo, Pointer, ThrottleDevice, WeightDevice};

use super::Findings;
use super::limits::set;
use crate::Cgroup;

pub(super) fn block_io(c: &Cgroup, findings: &mut Findings) -> Option<BlockIo> {
    let mut rates = |field: &str, text: &str| -> Vec<ThrottleDevice> {
        let rate = |(major, minor, rate)| ThrottleDevice { major, minor, rate };
        lines(field, text, findings).into_iter().map(rate).collect()
    };
    let throttle_read_bps_device = rates("blkio_throttle_read_bps_device", &c.blkio_throttle_read_bps_device);
    let throttle_write_bps_device =
        rates("blkio_throttle_write_bps_device", &c.blkio_throttle_write_bps_device);
    let throttle_read_iops_device =
        rates("blkio_throttle_read_iops_device", &c.blkio_throttle_read_iops_device);
    let throttle_write_iops_device =
        rates("blkio_throttle_write_iops_device", &c.blkio_throttle_write_iops_device);
    set(BlockIo {
        weight: set(c.blkio_weight),
        weight_device: weights(&c.blkio_weight_device, findings),
        throttle_read_bps_device,
        throttle_write_bps_device,
        throttle_read_iops_device,
        throttle_write_iops_device,
        ..BlockIo::default()
    })
}

fn weights(text: &str, findings: &mut Findings) -> Vec<WeightDevice> {
    const FIELD: &str = "blkio_weight_device";
    let mut weights = Vec::new();
    for (major, minor, weight) in lines(FIELD, text, findings) {
        let weight = u16::try_from(weight).ok();
        if weight.is_none() {
            findings.wrong(Pointer::new("/cgroups").key(FIELD), "a weight is at most 1000");
        }
        weights.push(WeightDevice { major, minor, weight, leaf_weight: None });
    }
    weights
}

/// `MAJOR:MINOR NUMBER` each.
fn lines(field: &str, text: &str, findings: &mut Findings) -> Vec<(i64, i64, u64)> {
    let mut all = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line_of(line) {
            Some(line) => all.push(line),
            None => {
                let at = Pointer::new("/cgroups").key(field);
                findings.wrong(at, format!("{line:?} is not MAJOR:MINOR NUMBER"));
            }
        }
    }
    all
}

fn line_of(line: &str) -> Option<(i64, i64, u64)> {
    let (device, number) = line.split_once(char::is_whitespace)?;
    let (major, minor) = device.split_once(':')?;
    let device = |text: &str| text.parse::<u32>().ok().map(i64::from);
    Some((device(major)?, device(minor)?, number.trim().parse().ok()?))
}

//! `resources.blockIO`: blkio of version 1, io of version 2.
//!
//! Called by [`super::Limits`].

use cofferdam_oci::{BlockIo, Pointer, ThrottleDevice, WeightDevice};

use super::{Limits, Target};
use crate::convert::blkio_to_io_weight;

pub(super) fn limits(out: &mut Limits<'_>, io: &BlockIo) {
    let at = out.base.key("blockIO");
    let throttles = [
        ("throttleReadBpsDevice", &io.throttle_read_bps_device, "read_bps", "rbps"),
        ("throttleWriteBpsDevice", &io.throttle_write_bps_device, "write_bps", "wbps"),
        ("throttleReadIOPSDevice", &io.throttle_read_iops_device, "read_iops", "riops"),
        ("throttleWriteIOPSDevice", &io.throttle_write_iops_device, "write_iops", "wiops"),
    ];
    let mut asked = vec![
        ("weight", io.weight.is_some_and(|w| w != 0)),
        ("leafWeight", io.leaf_weight.is_some_and(|w| w != 0)),
        ("weightDevice", !io.weight_device.is_empty()),
    ];
    asked.extend(throttles.iter().map(|(name, list, ..)| (*name, !list.is_empty())));
    let Some((name, _)) = asked.iter().find(|(_, set)| *set) else { return };
    let Some(target) = out.target("blkio", Some("io"), &at.key(name)) else { return };
    if let Some(weight) = weight(out, io.weight, &at.key("weight")) {
        put_weight(out, target, "", weight, &at.key("weight"));
    }
    if let Some(leaf) = weight(out, io.leaf_weight, &at.key("leafWeight")) {
        put_leaf(out, target, "leaf_weight", leaf.to_string(), &at.key("leafWeight"));
    }
    for (index, device) in io.weight_device.iter().enumerate() {
        weight_device(out, target, device, &at.key("weightDevice").index(index));
    }
    for (name, list, v1, v2) in throttles {
        for (index, device) in list.iter().enumerate() {
            throttle(out, target, device, (v1, v2), &at.key(name).index(index));
        }
    }
}

/// Zero is "not set", as in runc.
fn weight(out: &mut Limits<'_>, weight: Option<u16>, pointer: &Pointer) -> Option<u16> {
    let weight = weight.filter(|w| *w != 0)?;
    if !(10..=1000).contains(&weight) {
        out.reject(pointer, format!("{weight} is not between 10 and 1000"));
    }
    Some(weight)
}

/// BFQ's file where that scheduler is built in, else the one that CFQ (until Linux 5.0) or the cost
/// model (version 2) has. `device` is empty or `8:0 `.
fn put_weight(out: &mut Limits<'_>, target: Target, device: &str, weight: u16, pointer: &Pointer) {
    let suffix = if device.is_empty() || target.v2 { "" } else { "_device" };
    let value = format!("{device}{weight}");
    let (file, alias) = if target.v2 {
        ("io.bfq.weight".into(), ("io.weight".into(), format!("{device}{}", blkio_to_io_weight(weight))))
    } else {
        (format!("blkio.bfq.weight{suffix}"), (format!("blkio.weight{suffix}"), value.clone()))
    };
    out.put(target.dir, &file, value, pointer).alias = Some(alias);
}

fn put_leaf(out: &mut Limits<'_>, target: Target, file: &str, value: String, pointer: &Pointer) {
    if target.v2 {
        out.v1_only(pointer);
    } else {
        out.put(target.dir, &format!("blkio.{file}"), value, pointer);
    }
}

fn weight_device(out: &mut Limits<'_>, target: Target, device: &WeightDevice, at: &Pointer) {
    let Some(name) = number(out, device.major, device.minor, at) else { return };
    let own = weight(out, device.weight, &at.key("weight"));
    let leaf = weight(out, device.leaf_weight, &at.key("leafWeight"));
    if own.is_none() && leaf.is_none() {
        out.reject(at, "it has neither a weight nor a leafWeight");
    }
    if let Some(own) = own {
        put_weight(out, target, &format!("{name} "), own, &at.key("weight"));
    }
    if let Some(leaf) = leaf {
        put_leaf(out, target, "leaf_weight_device", format!("{name} {leaf}"), &at.key("leafWeight"));
    }
}

/// A rate of zero takes the limit away; version 2 says `max` for that.
fn throttle(
    out: &mut Limits<'_>,
    target: Target,
    device: &ThrottleDevice,
    names: (&str, &str),
    at: &Pointer,
) {
    let Some(name) = number(out, device.major, device.minor, at) else { return };
    let (v1, v2) = names;
    if target.v2 {
        let rate = if device.rate == 0 { "max".into() } else { device.rate.to_string() };
        out.put(target.dir, "io.max", format!("{name} {v2}={rate}"), at);
    } else {
        let file = format!("blkio.throttle.{v1}_device");
        out.put(target.dir, &file, format!("{name} {}", device.rate), at);
    }
}

fn number(out: &mut Limits<'_>, major: i64, minor: i64, at: &Pointer) -> Option<String> {
    let mut half = |value: i64, name: &str| {
        let number = u32::try_from(value).ok();
        if number.is_none() {
            out.reject(&at.key(name), format!("{value} is not a device number"));
        }
        number
    };
    let (major, minor) = (half(major, "major"), half(minor, "minor"));
    Some(format!("{}:{}", major?, minor?))
}

//! `linux.memoryPolicy`.
//!
//! Called for create and exec alike. See set_mempolicy(2).

use cofferdam_oci::{MemoryPolicy, Pointer};

use crate::MempolicyPlan;
use crate::findings::Findings;
use crate::id_list;

/// How many nodes a mode takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nodes {
    None,
    Some,
    Any,
}

/// In the order of their numbers.
const MODES: [(&str, Nodes); 7] = [
    ("MPOL_DEFAULT", Nodes::None),
    ("MPOL_PREFERRED", Nodes::Any),
    ("MPOL_BIND", Nodes::Some),
    ("MPOL_INTERLEAVE", Nodes::Some),
    ("MPOL_LOCAL", Nodes::None),
    ("MPOL_PREFERRED_MANY", Nodes::Some),
    ("MPOL_WEIGHTED_INTERLEAVE", Nodes::Some),
];

const STATIC_NODES: u32 = 1 << 15;
const RELATIVE_NODES: u32 = 1 << 14;
const NUMA_BALANCING: u32 = 1 << 13;

const FLAGS: [(&str, u32); 3] = [
    ("MPOL_F_NUMA_BALANCING", NUMA_BALANCING),
    ("MPOL_F_RELATIVE_NODES", RELATIVE_NODES),
    ("MPOL_F_STATIC_NODES", STATIC_NODES),
];

/// Modes of memory policies, for `features`.
///
/// ```
/// assert!(cofferdam_plan::known_memory_policy_modes().contains(&"MPOL_BIND"));
/// ```
#[must_use]
pub fn known_memory_policy_modes() -> Vec<&'static str> {
    MODES.iter().map(|(name, _)| *name).collect()
}

/// Flags of memory policies, for `features`.
///
/// ```
/// assert!(cofferdam_plan::known_memory_policy_flags().contains(&"MPOL_F_STATIC_NODES"));
/// ```
#[must_use]
pub fn known_memory_policy_flags() -> Vec<&'static str> {
    FLAGS.iter().map(|(name, _)| *name).collect()
}

/// Judges the policy.
pub(crate) fn decide(asked: &MemoryPolicy, findings: &mut Findings) -> Option<MempolicyPlan> {
    let at = Pointer::new("/linux/memoryPolicy");
    let mut flags = 0;
    for (i, flag) in asked.flags.iter().enumerate() {
        match FLAGS.iter().find(|(name, _)| name == flag) {
            Some((_, bit)) => flags |= bit,
            None => findings.reject(at.key("flags").index(i), format!("invalid memory policy flag {flag:?}")),
        }
    }
    if flags & (STATIC_NODES | RELATIVE_NODES) == STATIC_NODES | RELATIVE_NODES {
        findings.reject(at.key("flags"), "nodes cannot be both static and relative");
    }
    let nodes = id_list::parse(asked.nodes.as_deref().unwrap_or_default())
        .map_err(|why| findings.reject(at.key("nodes"), format!("invalid memory policy nodes: {why}")));
    let Some(mode) = MODES.iter().position(|(name, _)| *name == asked.mode) else {
        findings.reject(at.key("mode"), format!("invalid memory policy mode {:?}", asked.mode));
        return None;
    };
    let nodes = nodes.ok()?;
    match MODES.get(mode).map(|(_, takes)| *takes) {
        Some(Nodes::None) if !nodes.is_empty() => {
            let count: u32 = nodes.iter().map(|word| word.count_ones()).sum();
            findings.reject(at.key("nodes"), format!("{} mode requires 0 nodes but got {count}", asked.mode));
        }
        Some(Nodes::Some) if nodes.is_empty() => {
            findings.reject(at.key("nodes"), format!("{} needs nodes", asked.mode));
        }
        _ => {}
    }
    Some(MempolicyPlan { mode: u32::try_from(mode).unwrap_or_default() | flags, nodes })
}

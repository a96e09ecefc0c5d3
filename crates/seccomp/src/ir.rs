//! The profile after the check: names resolved, words turned into numbers, nothing left to go wrong.
//!
//! Made by `check`, read by `lower`. Plain data.

use crate::arch::Arch;
use crate::mux::Multiplexed;
use crate::table::Row;

/// A comparison (`SCMP_CMP_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    MaskedEqual,
}

/// A condition on one argument; `mask` is all ones but for [`Operator::MaskedEqual`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// 0 to 5.
    pub(crate) arg: u8,
    pub(crate) operator: Operator,
    pub(crate) mask: u64,
    pub(crate) value: u64,
}

/// One entry of the document's `syscalls`: any of the alternatives, each a set of conditions that all hold.
#[derive(Debug)]
pub(crate) struct Block {
    /// `SECCOMP_RET_*` with its data.
    pub(crate) action: u32,
    /// Sorted by argument, at most one condition an argument. No condition at all is one empty alternative.
    pub(crate) alternatives: Vec<Vec<Condition>>,
}

/// One name of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) call: &'static Row,
    pub(crate) multiplexed: Option<Multiplexed>,
    pub(crate) source: Source,
}

/// Where a rule stands in the document: indexes into `syscalls` and its `names`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Source {
    pub(crate) block: usize,
    pub(crate) name: usize,
}

/// A profile, ready to be lowered.
#[derive(Debug)]
pub(crate) struct Ir {
    /// `SECCOMP_RET_*` with its data.
    pub(crate) default: u32,
    /// The native one first, none twice, all of its byte order.
    pub(crate) archs: Vec<Arch>,
    /// By index in the document.
    pub(crate) blocks: Vec<Block>,
    pub(crate) rules: Vec<Rule>,
    /// Rules that were left out because they say what the default says.
    pub(crate) silent: Vec<Rule>,
}

//! The commands: one file each, a struct of flags and what it does with them. Called by `cli`.

pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod learn;
pub(crate) mod serve;

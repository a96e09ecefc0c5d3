//! The search for a call number: a balanced binary tree of comparisons.
//!
//! Called by `lower` for each ABI. The cost of a call is the logarithm of the number of ranges, whichever call it
//! is; the kernel runs the filter for most calls only once and remembers (Linux 5.11), but not for those whose
//! arguments are looked at.

use crate::assemble::{Assembler, Target};
use crate::filter::{JUMP_EQUAL, JUMP_GREATER_EQUAL};

/// Numbers from `start` to the next segment's start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) start: u32,
    pub(crate) target: Target,
}

/// Writes the tree over these segments, which start at 0 and do not end; the number is in the accumulator.
pub(crate) fn emit(asm: &mut Assembler, segments: &[Segment]) -> Target {
    match segments {
        [] => Target::Return(crate::words::KILL_THREAD),
        [one] => one.target,
        // One number in the midst of others.
        [before, one, after] if before.target == after.target && after.start == one.start + 1 => {
            asm.compare(JUMP_EQUAL, one.start, one.target, before.target)
        }
        _ => {
            let (low, high) = segments.split_at(segments.len() / 2);
            let start = high[0].start;
            let high = emit(asm, high);
            let low = emit(asm, low);
            asm.compare(JUMP_GREATER_EQUAL, start, high, low)
        }
    }
}

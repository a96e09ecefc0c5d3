//! The rules of one call that look at its arguments: their order, and the comparisons.
//!
//! Called by `lower`. A register is compared as two 32-bit halves, as classic BPF has no wider words; on ABIs
//! with 32-bit registers only the low half counts.

use std::cmp::{Ordering, Reverse};

use crate::arch::Arch;
use crate::assemble::{Assembler, Target};
use crate::filter::{AND, JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_EQUAL};
use crate::ir::{Condition, Operator, Source};

/// One rule of a call: an action if all conditions hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    /// At least one, by ascending argument.
    pub(crate) conditions: Vec<Condition>,
    pub(crate) action: u32,
    pub(crate) source: Source,
}

/// Which of two conditions is looked at first: libseccomp's order (the higher argument; equality, then less, then
/// greater; the larger value, for less the smaller), made total by putting the narrower condition first.
fn order(a: &Condition, b: &Condition) -> Ordering {
    let class = |c: &Condition| match c.operator {
        Operator::Equal | Operator::NotEqual | Operator::MaskedEqual => 0,
        Operator::Less | Operator::LessEqual => 1,
        Operator::Greater | Operator::GreaterEqual => 2,
    };
    let value = |c: &Condition| if class(c) == 1 { c.value } else { !c.value };
    let breadth = |c: &Condition| match c.operator {
        Operator::Equal | Operator::Less | Operator::Greater => 0,
        Operator::MaskedEqual => 1,
        Operator::NotEqual | Operator::LessEqual | Operator::GreaterEqual => 2,
    };
    let key = |c: &Condition| (Reverse(c.arg), class(c), value(c), breadth(c), !c.mask);
    key(a).cmp(&key(b))
}

/// Puts the links in the order in which they are looked at. A link whose conditions are the beginning of
/// another's decides before it, unless the longer one stands first in the document. Pairs of links with the same
/// conditions and different actions are added to `conflicts`.
pub(crate) fn sort(links: Vec<Link>, conflicts: &mut Vec<(Source, Source)>) -> Vec<Link> {
    let mut sorted = Vec::with_capacity(links.len());
    sort_from(0, links, &mut sorted, conflicts);
    sorted
}

fn sort_from(
    depth: usize,
    mut links: Vec<Link>,
    sorted: &mut Vec<Link>,
    conflicts: &mut Vec<(Source, Source)>,
) {
    // Here all links agree on the conditions before `depth`, and all have one at it.
    links.sort_by(|a, b| order(&a.conditions[depth], &b.conditions[depth]));
    let mut rest = links.into_iter().peekable();
    while let Some(first) = rest.next() {
        let head = first.conditions[depth];
        let mut group = vec![first];
        while let Some(link) = rest.next_if(|link| link.conditions[depth] == head) {
            group.push(link);
        }
        let Some(end) = group.iter().position(|link| link.conditions.len() == depth + 1) else {
            sort_from(depth + 1, group, sorted, conflicts);
            continue;
        };
        let mut after = group.split_off(end).into_iter();
        sort_from(depth + 1, group, sorted, conflicts);
        // What follows the shorter link could never match.
        let Some(decides) = after.next() else { continue };
        let same = after.filter(|link| link.conditions.len() == depth + 1 && link.action != decides.action);
        conflicts.extend(same.map(|link| (decides.source, link.source)));
        sorted.push(decides);
    }
}

/// Where the words of an argument are.
#[derive(Clone, Copy)]
struct Layout {
    wide: bool,
    low: u32,
    high: u32,
}

impl Layout {
    fn new(arch: Arch) -> Self {
        let (low, high) = if arch.big_endian() { (4, 0) } else { (0, 4) };
        Self { wide: arch.wide(), low, high }
    }

    /// Offset in `struct seccomp_data`.
    fn low(self, arg: u8) -> u32 {
        16 + 8 * u32::from(arg) + self.low
    }

    fn high(self, arg: u8) -> u32 {
        16 + 8 * u32::from(arg) + self.high
    }
}

fn low(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or_default()
}

fn high(value: u64) -> u32 {
    u32::try_from(value >> 32).unwrap_or_default()
}

/// Writes the links; a call that none of them matches goes to `none`.
pub(crate) fn emit(asm: &mut Assembler, links: &[Link], arch: Arch, none: Target) -> Target {
    let layout = Layout::new(arch);
    let mut next = none;
    let mut end = links.len();
    while let Some(last) = end.checked_sub(1) {
        let mut start = last;
        while start > 0 && same_words(&links[start - 1], &links[last], layout) {
            start -= 1;
        }
        next = match &links[start..end] {
            [link] => all(asm, &link.conditions, layout, Target::Return(link.action), next),
            group => one_of(asm, group, layout, next),
        };
        end = start;
    }
    next
}

/// Whether both start by comparing the same argument for equality, and with the same high half: then the words
/// are loaded, and the high half compared, once for both.
fn same_words(a: &Link, b: &Link, layout: Layout) -> bool {
    let (a, b) = (&a.conditions[0], &b.conditions[0]);
    a.operator == Operator::Equal
        && b.operator == Operator::Equal
        && a.arg == b.arg
        && (!layout.wide || high(a.value) == high(b.value))
}

/// Writes a group for which [`same_words`] holds.
fn one_of(asm: &mut Assembler, group: &[Link], layout: Layout, none: Target) -> Target {
    let head = group[0].conditions[0];
    // Goes on with the next link; the accumulator still holds the low half.
    let mut next = none;
    let mut first = true;
    for link in group.iter().rev() {
        let rest = &link.conditions[1..];
        let action = Target::Return(link.action);
        let matched = if rest.is_empty() {
            action
        } else {
            // These conditions load other words.
            let again = if first { none } else { asm.load(layout.low(head.arg), next) };
            all(asm, rest, layout, action, again)
        };
        next = asm.compare(JUMP_EQUAL, low(link.conditions[0].value), matched, next);
        first = false;
    }
    let loaded = asm.load(layout.low(head.arg), next);
    if !layout.wide {
        return loaded;
    }
    let compared = asm.compare(JUMP_EQUAL, high(head.value), loaded, none);
    asm.load(layout.high(head.arg), compared)
}

/// Writes conditions that must all hold.
fn all(asm: &mut Assembler, conditions: &[Condition], layout: Layout, yes: Target, no: Target) -> Target {
    conditions.iter().rev().fold(yes, |yes, condition| one(asm, condition, layout, yes, no))
}

fn one(asm: &mut Assembler, condition: &Condition, layout: Layout, yes: Target, no: Target) -> Target {
    match condition.operator {
        Operator::Equal | Operator::MaskedEqual => equal(asm, condition, layout, yes, no),
        Operator::NotEqual => equal(asm, condition, layout, no, yes),
        Operator::Greater => greater(asm, JUMP_GREATER, condition, layout, yes, no),
        Operator::GreaterEqual => greater(asm, JUMP_GREATER_EQUAL, condition, layout, yes, no),
        Operator::LessEqual => greater(asm, JUMP_GREATER, condition, layout, no, yes),
        Operator::Less => greater(asm, JUMP_GREATER_EQUAL, condition, layout, no, yes),
    }
}

fn equal(asm: &mut Assembler, c: &Condition, layout: Layout, yes: Target, no: Target) -> Target {
    let after_high = masked(asm, layout.low(c.arg), low(c.mask), low(c.value), yes, no);
    if layout.wide {
        masked(asm, layout.high(c.arg), high(c.mask), high(c.value), after_high, no)
    } else {
        after_high
    }
}

/// `word & mask == value`, where a mask of 0 always holds.
fn masked(asm: &mut Assembler, offset: u32, mask: u32, value: u32, yes: Target, no: Target) -> Target {
    if mask == 0 {
        return yes;
    }
    let compared = asm.compare(JUMP_EQUAL, value, yes, no);
    let compared = if mask == u32::MAX { compared } else { Target::At(asm.before(AND, mask, compared)) };
    asm.load(offset, compared)
}

fn greater(asm: &mut Assembler, code: u16, c: &Condition, layout: Layout, yes: Target, no: Target) -> Target {
    let compared = asm.compare(code, low(c.value), yes, no);
    let low_half = asm.load(layout.low(c.arg), compared);
    if !layout.wide {
        return low_half;
    }
    let tie = asm.compare(JUMP_EQUAL, high(c.value), low_half, no);
    let compared = asm.compare(JUMP_GREATER, high(c.value), yes, tie);
    asm.load(layout.high(c.arg), compared)
}

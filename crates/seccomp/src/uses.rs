//! The numbers under which a filter sees the rules on one ABI.
//!
//! Called by `lower`. Most rules have no conditions and become one number; so what is sorted here is small, and a
//! `chain::Link` is made only for calls whose arguments are looked at.

use crate::arch::Arch;
use crate::chain::Link;
use crate::ir::{Condition, Ir, Operator, Rule};
use crate::mux::Multiplexed;

/// One alternative of one rule under one number. Sorted by number, then as in the document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    pub(crate) number: u32,
    rule: usize,
    alternative: usize,
    /// Seen as the multiplexing call.
    behind: bool,
}

/// All of them, sorted.
pub(crate) fn of(ir: &Ir, arch: Arch) -> Vec<Use> {
    let mut uses = Vec::with_capacity(ir.rules.len());
    for (rule, of) in ir.rules.iter().enumerate() {
        let (direct, behind) = (of.call.number(arch), through(of, arch));
        for alternative in 0..ir.blocks[of.source.block].alternatives.len() {
            uses.extend(behind.map(|number| Use { number, rule, alternative, behind: true }));
            uses.extend(direct.map(|number| Use { number, rule, alternative, behind: false }));
        }
    }
    // Number and place in one word: integers sort several times as fast as structures.
    let key =
        |(place, of): (usize, &Use)| (u64::from(of.number) << 32) | u64::try_from(place).unwrap_or(u64::MAX);
    let mut keys: Vec<u64> = uses.iter().enumerate().map(key).collect();
    keys.sort_unstable();
    keys.iter().filter_map(|key| uses.get(usize::try_from(key & 0xffff_ffff).ok()?).copied()).collect()
}

/// The numbers under which a filter sees the rule's call.
pub(crate) fn numbers(rule: &Rule, arch: Arch) -> impl Iterator<Item = u32> {
    rule.call.number(arch).into_iter().chain(through(rule, arch))
}

/// The number of the multiplexing call that the rule is also about, where the ABI has one.
fn through(rule: &Rule, arch: Arch) -> Option<u32> {
    arch.call_number(rule.multiplexed.filter(|_| arch.multiplexes())?.through())
}

impl Use {
    pub(crate) fn action(self, ir: &Ir) -> u32 {
        ir.blocks[ir.rules[self.rule].source.block].action
    }

    /// Whether no condition is left on this ABI.
    pub(crate) fn always(self, ir: &Ir, arch: Arch) -> bool {
        !self.behind && self.conditions(ir).iter().all(|condition| condition.mask & word(arch) == 0)
    }

    pub(crate) fn link(self, ir: &Ir, arch: Arch) -> Link {
        let rule = &ir.rules[self.rule];
        let conditions = match rule.multiplexed.filter(|_| self.behind) {
            Some(mux) => fit(&behind(mux, self.conditions(ir)), arch),
            None => fit(self.conditions(ir), arch),
        };
        Link { conditions, action: self.action(ir), source: rule.source }
    }

    fn conditions(self, ir: &Ir) -> &[Condition] {
        &ir.blocks[ir.rules[self.rule].source.block].alternatives[self.alternative]
    }
}

/// The conditions of a rule when its call comes through a multiplexing one.
fn behind(mux: Multiplexed, conditions: &[Condition]) -> Vec<Condition> {
    let value = u64::from(mux.number());
    let which = Condition { arg: 0, operator: Operator::Equal, mask: u64::MAX, value };
    let others = conditions.iter().filter(|condition| condition.arg != 0).copied();
    std::iter::once(which).chain(others).collect()
}

/// What a register of the ABI holds.
fn word(arch: Arch) -> u64 {
    if arch.wide() { u64::MAX } else { u64::from(u32::MAX) }
}

/// The conditions as registers of the ABI can meet them; those that are always true are left out.
fn fit(conditions: &[Condition], arch: Arch) -> Vec<Condition> {
    let word = word(arch);
    conditions
        .iter()
        .map(|c| Condition { mask: c.mask & word, value: c.value & word, ..*c })
        .filter(|c| c.mask != 0)
        .collect()
}

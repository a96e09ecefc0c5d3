//! From the IR to the program: for each ABI the ranges of call numbers, then the instructions.
//!
//! Called by `check` once a profile is sound. How conflicting rules are settled, as in libseccomp:
//!
//! * a rule without conditions wins over all that have some, in whatever order; of several the first;
//! * among rules with conditions, `chain` sorts: not the document's order counts, but which argument, operator
//!   and value come first. Where libseccomp's order depends on how it happens to merge its nodes (equal values
//!   under different operators or masks), ours is fixed: the narrower condition first;
//! * the same conditions with different actions are refused.
//!
//! Calls of an ABI that the profile does not list get `SECCOMP_RET_KILL_THREAD`, libseccomp's default for them
//! that neither runc nor crun changes. x32 shares the token of x86_64: when it is not listed, numbers with bit 30
//! are treated as another ABI, except -1, which a tracer writes to skip a call.
//!
//! Unlike libseccomp, one search covers x86_64 and x32 together, and neighbouring numbers with one outcome are
//! one range.

use cofferdam_oci::{Pointer, Reject};

use crate::arch::{Arch, X32_BIT};
use crate::assemble::{Assembler, Target};
use crate::chain::{self, Link};
use crate::filter::{Instruction, JUMP_EQUAL};
use crate::ir::{Ir, Source};
use crate::search::{self, Segment};
use crate::words::{ENOSYS, ERRNO, KILL_THREAD};
use crate::{newer, uses};

/// `BPF_MAXINSNS` of linux/bpf_common.h.
const MOST: usize = 4096;
/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const TOKEN: u32 = 4;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Return(u32),
    /// Index into [`Section::chains`].
    Chain(usize),
}

/// Everything about one audit token.
struct Section<'a> {
    ir: &'a Ir,
    token: u32,
    archs: Vec<Arch>,
    /// First number, last number, outcome; without overlaps. What lies between gets the default.
    spans: Vec<(u32, u32, Outcome)>,
    chains: Vec<(Vec<Link>, Arch)>,
}

/// The whole program. `newer` asks for ENOSYS on newer calls.
pub(crate) fn program(ir: &Ir, newer: bool, at: &Pointer) -> Result<Vec<Instruction>, Vec<Reject>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for arch in &ir.archs {
        match sections.iter_mut().find(|section| section.token == arch.token()) {
            Some(section) => section.archs.push(*arch),
            None => sections.push(Section {
                ir,
                token: arch.token(),
                archs: vec![*arch],
                spans: Vec::new(),
                chains: Vec::new(),
            }),
        }
    }
    let mut rejects = Vec::new();
    for section in &mut sections {
        section.fill(newer, at, &mut rejects);
    }
    if !rejects.is_empty() {
        return Err(rejects);
    }
    let mut asm = Assembler::default();
    let mut next = Target::Return(KILL_THREAD);
    let entries: Vec<(u32, Target)> =
        sections.iter().rev().map(|section| (section.token, section.emit(&mut asm))).collect();
    for (token, entry) in entries {
        next = asm.compare(JUMP_EQUAL, token, entry, next);
    }
    let entry = asm.load(TOKEN, next);
    let code = asm.finish(entry);
    if code.len() > MOST {
        let message = format!("needs {} instructions; the kernel takes at most {MOST}", code.len());
        let hint = "name fewer architectures, or compare fewer argument values";
        return Err(vec![Reject::new(at.clone(), message).hint(hint)]);
    }
    Ok(code)
}

impl Section<'_> {
    fn fill(&mut self, newer: bool, at: &Pointer, rejects: &mut Vec<Reject>) {
        let newer = newer && newer::applies(self.ir.default);
        for arch in self.archs.clone() {
            let before = self.spans.len();
            self.calls(arch, at, rejects);
            if newer {
                let silent = self.ir.silent.iter().flat_map(|rule| uses::numbers(rule, arch));
                let named = self.spans[before..].iter().map(|(number, ..)| *number).chain(silent);
                let ranges = newer::ranges(arch, named);
                let outcome = Outcome::Return(ERRNO | ENOSYS);
                self.spans.extend(ranges.into_iter().map(|(first, last)| (first, last, outcome)));
            }
        }
        let foreign = Outcome::Return(KILL_THREAD);
        match self.archs[..] {
            [Arch::X86_64] => self.spans.push((X32_BIT, u32::MAX - 1, foreign)),
            [Arch::X32] => self.spans.push((0, X32_BIT - 1, foreign)),
            _ => {}
        }
        // Stable, which is fast on what consists of a few sorted runs.
        self.spans.sort_by_key(|(first, ..)| *first);
    }

    /// Adds every call of `arch` that a rule names.
    fn calls(&mut self, arch: Arch, at: &Pointer, rejects: &mut Vec<Reject>) {
        let ir = self.ir;
        let uses = uses::of(ir, arch);
        for call in uses.chunk_by(|a, b| a.number == b.number) {
            let outcome = match call.iter().find(|of| of.always(ir, arch)) {
                Some(of) => Outcome::Return(of.action(ir)),
                None => {
                    let links = call.iter().map(|of| of.link(ir, arch)).collect();
                    Outcome::Chain(self.chain(links, arch, at, rejects))
                }
            };
            let number = call[0].number;
            self.spans.push((number, number, outcome));
        }
    }

    /// The index of the chain of these links; equal ones are shared.
    fn chain(&mut self, links: Vec<Link>, arch: Arch, at: &Pointer, rejects: &mut Vec<Reject>) -> usize {
        let mut conflicts = Vec::new();
        let links = chain::sort(links, &mut conflicts);
        for (earlier, later) in conflicts {
            let reject = self.conflict(arch, at, earlier, later);
            if !rejects.contains(&reject) {
                rejects.push(reject);
            }
        }
        let same = |(other, of): &(Vec<Link>, Arch)| {
            of.wide() == arch.wide()
                && other.len() == links.len()
                && other.iter().zip(&links).all(|(a, b)| a.action == b.action && a.conditions == b.conditions)
        };
        self.chains.iter().position(same).unwrap_or_else(|| {
            self.chains.push((links, arch));
            self.chains.len() - 1
        })
    }

    fn conflict(&self, arch: Arch, at: &Pointer, earlier: Source, later: Source) -> Reject {
        let place = |Source { block, name }| at.key("syscalls").index(block).key("names").index(name);
        let conditions = |source: Source| &self.ir.blocks[source.block].alternatives;
        let other = place(earlier);
        let message = if conditions(earlier).iter().any(|set| conditions(later).contains(set)) {
            format!("has the same conditions as {other} and another action")
        } else {
            format!("cannot be told from {other} on {}, and has another action", arch.name())
        };
        Reject::new(place(later), message).hint("remove one of the two rules")
    }

    /// Writes the section; what it returns expects nothing in the accumulator.
    fn emit(&self, asm: &mut Assembler) -> Target {
        let default = Target::Return(self.ir.default);
        let chains: Vec<Target> =
            self.chains.iter().map(|(links, arch)| chain::emit(asm, links, *arch, default)).collect();
        let mut segments: Vec<Segment> = Vec::with_capacity(self.spans.len() * 2 + 1);
        let mut add = |start, target| match segments.last() {
            Some(last) if last.target == target => {}
            _ => segments.push(Segment { start, target }),
        };
        let mut next = Some(0);
        for (first, last, outcome) in &self.spans {
            if let Some(gap) = next.filter(|gap| gap < first) {
                add(gap, default);
            }
            add(
                *first,
                match outcome {
                    Outcome::Return(action) => Target::Return(*action),
                    Outcome::Chain(index) => chains[*index],
                },
            );
            next = last.checked_add(1);
        }
        if let Some(gap) = next {
            add(gap, default);
        }
        let root = search::emit(asm, &segments);
        asm.load(NUMBER, root)
    }
}

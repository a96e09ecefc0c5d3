//! The assembler: a program written from its end to its beginning.
//!
//! Used by `search` and `chain`. Classic BPF jumps forwards only, so whoever writes backwards knows every
//! target already and needs no second pass. A conditional jump reaches 255 instructions; what is farther gets a
//! `ja`, or a copy of the `ret`, placed right before.

use crate::filter::{Instruction, JUMP, LOAD, RETURN};

/// An instruction already written, counted from the end of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label(usize);

/// Where a path goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Ends with this `SECCOMP_RET_*` value.
    Return(u32),
    At(Label),
}

/// How far a target may be before it gets a stepping stone: 255, less the two stones that the two targets of one
/// comparison may need.
const REACH: usize = 253;

#[derive(Debug, Default)]
pub(crate) struct Assembler {
    /// Last instruction first.
    reversed: Vec<Instruction>,
    /// The nearest `ret` of each value.
    returns: Vec<(u32, Label)>,
}

impl Assembler {
    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Label {
        self.reversed.push(Instruction { code, jt, jf, k });
        Label(self.reversed.len() - 1)
    }

    /// Instructions between the next one to be written and `label`.
    fn distance(&self, label: Label) -> usize {
        self.reversed.len() - 1 - label.0
    }

    /// A label for `target` that a comparison written next can reach.
    fn near(&mut self, target: Target) -> Label {
        match target {
            Target::At(label) if self.distance(label) <= REACH => label,
            Target::At(label) => {
                let far = u32::try_from(self.distance(label)).unwrap_or(u32::MAX);
                self.push(JUMP, 0, 0, far)
            }
            Target::Return(value) => self.near_return(value),
        }
    }

    fn near_return(&mut self, value: u32) -> Label {
        let known = self.returns.iter().position(|(known, _)| *known == value);
        if let Some(index) = known {
            let (_, label) = self.returns[index];
            if self.distance(label) <= REACH {
                return label;
            }
            let label = self.push(RETURN, 0, 0, value);
            self.returns[index].1 = label;
            return label;
        }
        let label = self.push(RETURN, 0, 0, value);
        self.returns.push((value, label));
        label
    }

    /// Compares the accumulator with `k` and goes to `yes` or `no`.
    pub(crate) fn compare(&mut self, code: u16, k: u32, yes: Target, no: Target) -> Target {
        if yes == no {
            return yes;
        }
        let yes = self.near(yes);
        let no = self.near(no);
        let (jt, jf) = (self.distance(yes), self.distance(no));
        let label =
            self.push(code, u8::try_from(jt).unwrap_or(u8::MAX), u8::try_from(jf).unwrap_or(u8::MAX), k);
        Target::At(label)
    }

    /// One instruction that does not jump, in front of `next`.
    pub(crate) fn before(&mut self, code: u16, k: u32, next: Target) -> Label {
        self.adjacent(next);
        self.push(code, 0, 0, k)
    }

    /// Loads the word at `offset` of `struct seccomp_data`, in front of `next`.
    pub(crate) fn load(&mut self, offset: u32, next: Target) -> Target {
        Target::At(self.before(LOAD, offset, next))
    }

    /// Makes `target` the instruction written last.
    fn adjacent(&mut self, target: Target) {
        let here = self.reversed.len().checked_sub(1).map(|index| Target::At(Label(index)));
        match target {
            _ if here == Some(target) => {}
            Target::Return(value) => {
                self.push(RETURN, 0, 0, value);
            }
            Target::At(label) => {
                let far = u32::try_from(self.distance(label)).unwrap_or(u32::MAX);
                self.push(JUMP, 0, 0, far);
            }
        }
    }

    /// The program that starts at `target`.
    pub(crate) fn finish(mut self, target: Target) -> Vec<Instruction> {
        self.adjacent(target);
        self.reversed.reverse();
        self.reversed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::JUMP_EQUAL;

    /// Runs a program of loads of the call number, comparisons, jumps and returns.
    fn run(code: &[Instruction], nr: u32) -> u32 {
        let data = crate::SeccompData::new(crate::Arch::X86_64, nr, [0; 6]);
        crate::interpret::run_program(code, false, &data).unwrap()
    }

    #[test]
    fn a_target_beyond_255_instructions_is_reached_over_a_stepping_stone() {
        let mut asm = Assembler::default();
        let end = asm.load(0, Target::Return(7));
        let mut next = Target::Return(0);
        for n in (0..2000u32).rev() {
            next = asm.compare(JUMP_EQUAL, n, if n % 3 == 0 { end } else { Target::Return(n) }, next);
        }
        let entry = asm.load(0, next);
        let code = asm.finish(entry);
        for n in 0..2000 {
            assert_eq!(run(&code, n), if n % 3 == 0 { 7 } else { n }, "{n}");
        }
        assert_eq!(run(&code, 2000), 0);
    }

    #[test]
    fn a_program_of_one_return_is_one_instruction() {
        assert_eq!(Assembler::default().finish(Target::Return(5)).len(), 1);
    }
}

//! Device rules as an eBPF program for version 2.
//!
//! Called by [`crate::devices`]. Pure: numbers out. The program gets a `struct bpf_cgroup_dev_ctx`
//! (linux/bpf.h) and returns 1 to allow, 0 to refuse.

use crate::devices::{DeviceSet, MKNOD, Node, READ, WRITE};

// Registers of the program.
const RETURN: u64 = 0;
const CONTEXT: u64 = 1;
const KIND: u64 = 2;
const ACCESS: u64 = 3;
const MAJOR: u64 = 4;
const MINOR: u64 = 5;
/// The context is read once, so its register is free afterwards.
const SCRATCH: u64 = CONTEXT;

// Operations (bpf_common.h, bpf.h); the 32-bit ones compare what the context holds: u32.
const LOAD_WORD: u64 = 0x61;
const AND: u64 = 0x54;
const SHIFT_RIGHT: u64 = 0x74;
const COPY: u64 = 0xbc;
const SET: u64 = 0xb7;
const JUMP_NOT_EQUAL: u64 = 0x56;
const JUMP_NOT_SAME: u64 = 0x5e;
const JUMP_EQUAL: u64 = 0x16;
const EXIT: u64 = 0x95;

/// `BPF_DEVCG_DEV_BLOCK`, `BPF_DEVCG_DEV_CHAR`.
const BLOCK: u32 = 1;
const CHAR: u32 = 2;

fn insn(code: u64, dst: u64, src: u64, offset: u16, imm: u32) -> u64 {
    code | dst << 8 | src << 12 | u64::from(offset) << 16 | u64::from(imm) << 32
}

pub(crate) fn compile(set: &DeviceSet) -> Vec<u64> {
    let mut out = vec![
        insn(LOAD_WORD, KIND, CONTEXT, 0, 0),
        insn(AND, KIND, 0, 0, 0xffff),
        insn(LOAD_WORD, ACCESS, CONTEXT, 0, 0),
        insn(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        insn(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        insn(LOAD_WORD, MINOR, CONTEXT, 8, 0),
    ];
    for (node, access) in &set.exceptions {
        out.extend(exception(*node, *access, set.default_allow));
    }
    out.extend(answer(set.default_allow));
    out
}

fn answer(allow: bool) -> [u64; 2] {
    [insn(SET, RETURN, 0, 0, u32::from(allow)), insn(EXIT, 0, 0, 0, 0)]
}

/// One exception: a chain of tests, each of which jumps over the answer at the end.
fn exception(node: Node, access: u8, default_allow: bool) -> Vec<u64> {
    let kind = if node.char { CHAR } else { BLOCK };
    let mut tests = vec![(JUMP_NOT_EQUAL, KIND, 0, kind)];
    let mut before = Vec::new();
    if access != READ | WRITE | MKNOD {
        before = vec![insn(COPY, SCRATCH, ACCESS, 0, 0), insn(AND, SCRATCH, 0, 0, u32::from(access))];
        // As version 1 has it: to be allowed, all that is wanted must be in one exception; to be
        // refused, any of it is enough.
        let test =
            if default_allow { (JUMP_EQUAL, SCRATCH, 0, 0) } else { (JUMP_NOT_SAME, SCRATCH, ACCESS, 0) };
        tests.push(test);
    }
    tests.extend(node.major.map(|number| (JUMP_NOT_EQUAL, MAJOR, 0, number)));
    tests.extend(node.minor.map(|number| (JUMP_NOT_EQUAL, MINOR, 0, number)));

    let answer = answer(!default_allow);
    let length = tests.len() + before.len() + answer.len();
    let mut out = Vec::with_capacity(length);
    for (index, (code, dst, src, imm)) in tests.into_iter().enumerate() {
        if index == 1 {
            out.append(&mut before);
        }
        // At most eight instructions: it fits.
        let over = u16::try_from(length - out.len() - 1).unwrap_or(0);
        out.push(insn(code, dst, src, over, imm));
    }
    out.extend(answer);
    out
}

#[cfg(test)]
mod tests;

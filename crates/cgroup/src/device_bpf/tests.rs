//! The compiled programs, run by an interpreter of the few instructions they are made of, and compared
//! with the definition of version 1.

use super::*;

/// Runs a program as the kernel would; any instruction that is not expected is a failure.
fn run(program: &[u64], kind: u32, access: u32, major: u32, minor: u32) -> u64 {
    let context = [kind | access << 16, major, minor];
    let mut r = [0u64; 11];
    let mut pc = 0usize;
    for _ in 0..10_000 {
        let i = program[pc];
        let (code, dst, src) = (i & 0xff, (i >> 8 & 0xf) as usize, (i >> 12 & 0xf) as usize);
        let (offset, imm) = ((i >> 16 & 0xffff) as usize, i >> 32);
        let low = |v: u64| v & 0xffff_ffff;
        pc += 1;
        match code {
            LOAD_WORD => {
                assert_eq!(src as u64, CONTEXT);
                r[dst] = u64::from(context[offset / 4]);
            }
            AND => r[dst] = low(r[dst]) & imm,
            SHIFT_RIGHT => r[dst] = low(r[dst]) >> imm,
            COPY => r[dst] = low(r[src]),
            SET => r[dst] = imm,
            JUMP_NOT_EQUAL => pc += if low(r[dst]) == imm { 0 } else { offset },
            JUMP_EQUAL => pc += if low(r[dst]) == imm { offset } else { 0 },
            JUMP_NOT_SAME => pc += if low(r[dst]) == low(r[src]) { 0 } else { offset },
            EXIT => return r[0],
            other => panic!("instruction {other:#x}"),
        }
    }
    panic!("the program does not end");
}

fn node(char: bool, major: Option<u32>, minor: Option<u32>) -> Node {
    Node { char, major, minor }
}

fn matches(n: &Node, char: bool, major: u32, minor: u32) -> bool {
    n.char == char && n.major.is_none_or(|m| m == major) && n.minor.is_none_or(|m| m == minor)
}

/// Version 1's definition (security/device_cgroup.c).
fn expected(set: &DeviceSet, char: bool, access: u8, major: u32, minor: u32) -> bool {
    let mut relevant = set.exceptions.iter().filter(|(n, _)| matches(n, char, major, minor));
    if set.default_allow {
        !relevant.any(|(_, bits)| bits & access != 0)
    } else {
        relevant.any(|(_, bits)| bits & access == access)
    }
}

fn check(set: &DeviceSet) {
    let program = compile(set);
    for char in [false, true] {
        for access in 1..=7u8 {
            for major in [0, 1, 5, 10, 136, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
                for minor in [0, 2, 3, 200, 0x8000_0000, u32::MAX] {
                    let kind = if char { CHAR } else { BLOCK };
                    let got = run(&program, kind, u32::from(access), major, minor) == 1;
                    let want = expected(set, char, access, major, minor);
                    assert_eq!(got, want, "{set:?}: char {char} access {access} {major}:{minor}");
                }
            }
        }
    }
}

#[test]
fn a_program_decides_as_version_1_would() {
    let exceptions = [
        (node(true, None, None), MKNOD),
        (node(false, None, None), MKNOD | READ),
        (node(true, Some(1), Some(3)), READ | WRITE | MKNOD),
        (node(true, Some(10), Some(200)), READ),
        (node(true, Some(136), None), READ | WRITE),
        (node(false, Some(0x8000_0000), Some(u32::MAX)), WRITE),
        (node(false, None, Some(3)), WRITE),
    ];
    for default_allow in [false, true] {
        for count in 0..=exceptions.len() {
            check(&DeviceSet { default_allow, exceptions: exceptions.iter().take(count).copied().collect() });
        }
    }
}

#[test]
fn opening_for_writing_too_does_not_get_around_a_denied_write() {
    let exceptions = [(node(true, Some(1), Some(3)), WRITE)].into_iter().collect();
    let program = compile(&DeviceSet { default_allow: true, exceptions });
    assert_eq!(run(&program, CHAR, u32::from(READ | WRITE), 1, 3), 0);
    assert_eq!(run(&program, CHAR, u32::from(READ), 1, 3), 1);
}

#[test]
fn nothing_allowed_is_six_loads_and_a_refusal() {
    let program = compile(&DeviceSet::default());
    assert_eq!(program.len(), 8);
    assert_eq!(program[6..], [0xb7, 0x95]);
}

//! Names and numbers of system calls.
//!
//! Called by `check` (names to calls) and `arch`. Rows are 64 bytes without a pointer, so that a program that
//! never compiles a profile pays neither relocations nor pages for them.

mod rows;

use crate::arch::{ARM_PRIVATE, Arch, X32_BIT};

/// The ABI has no such call.
const NONE: u16 = u16::MAX;
/// From here on a number of the Arm column stands for one of the private range.
const PRIVATE: u16 = 0xf000;
const COLUMNS: usize = 18;
/// Of the longest name.
const NAME: usize = 28;

/// One call: its name, padded with zeros, and a number for each column.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Row {
    name: [u8; NAME],
    numbers: [u16; COLUMNS],
}

const fn row(name: &str, numbers: [u16; COLUMNS]) -> Row {
    let bytes = name.as_bytes();
    let mut padded = [0; NAME];
    let mut i = 0;
    while i < bytes.len() {
        padded[i] = bytes[i];
        i += 1;
    }
    Row { name: padded, numbers }
}

impl Row {
    /// As the kernel passes it to a filter.
    pub(crate) fn number(&self, arch: Arch) -> Option<u32> {
        match (arch, self.numbers[arch.column()]) {
            (_, NONE) => None,
            (Arch::X32, number) => Some(u32::from(number) | X32_BIT),
            (_, number) if number >= PRIVATE => Some(ARM_PRIVATE | u32::from(number - PRIVATE)),
            (_, number) => Some(u32::from(number)),
        }
    }

    fn name(&self) -> &str {
        let len = self.name.iter().position(|byte| *byte == 0).unwrap_or(NAME);
        std::str::from_utf8(&self.name[..len]).unwrap_or_default()
    }
}

/// The call of this name on any ABI.
pub(crate) fn find(name: &str) -> Option<&'static Row> {
    let mut padded = [0; NAME];
    padded.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
    let key = first(&padded);
    let order = |row: &Row| first(&row.name).cmp(&key).then_with(|| row.name.cmp(&padded));
    let index = rows::ROWS.binary_search_by(order).ok()?;
    (!name.is_empty()).then(|| &rows::ROWS[index])
}

/// The first letters as a number: it decides most comparisons.
fn first(name: &[u8; NAME]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *name;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Every call of an ABI, in the order of names.
pub(crate) fn all(arch: Arch) -> impl Iterator<Item = (u32, &'static str)> {
    rows::ROWS.iter().filter_map(move |row| Some((row.number(arch)?, row.name())))
}

/// The name of a number; a scan, for messages.
pub(crate) fn name_of(arch: Arch, number: u32) -> Option<&'static str> {
    rows::ROWS.iter().find(|row| row.number(arch) == Some(number)).map(Row::name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_so_that_the_search_finds_every_name() {
        for row in &rows::ROWS {
            assert_eq!(find(row.name()).map(Row::name), Some(row.name()));
        }
        assert!(find("").is_none());
        assert!(find("no_such_call").is_none());
        assert!(find(&"x".repeat(NAME + 1)).is_none());
    }

    #[test]
    fn a_row_is_one_cache_line() {
        assert_eq!(size_of::<Row>(), 64);
    }

    #[test]
    fn numbers_are_those_of_the_headers() {
        let known = [
            (Arch::X86_64, "openat", 257),
            (Arch::X86_64, "uretprobe", 335),
            (Arch::X86, "socketcall", 102),
            (Arch::X86, "statx", 383),
            (Arch::X32, "execve", X32_BIT | 520),
            (Arch::Arm, "set_tls", 0xf_0005),
            (Arch::Aarch64, "clone3", 435),
            (Arch::Loongarch64, "statx", 291),
            (Arch::Mips, "read", 4003),
            (Arch::Mips64, "futex_waitv", 5449),
            (Arch::Mipsel64n32, "mseal", 6462),
            (Arch::S390x, "s390_pci_mmio_read", 353),
            (Arch::Riscv64, "riscv_flush_icache", 259),
            (Arch::Ppc64le, "swapcontext", 249),
        ];
        for (arch, name, number) in known {
            assert_eq!(arch.call_number(name), Some(number), "{name} on {arch:?}");
            assert_eq!(arch.call_name(number), Some(name));
        }
        assert_eq!(Arch::Aarch64.call_number("open"), None);
        assert_eq!(Arch::Loongarch64.call_number("renameat"), None);
    }
}

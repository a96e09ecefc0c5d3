//! By which ABI a call was made, and what it is called there.
//!
//! Called by `request`. Facts only; the tables are the seccomp compiler's.

use std::sync::OnceLock;

use cofferdam_seccomp::Arch;

/// Set in every call number of x32.
const X32_BIT: u32 = 0x4000_0000;

/// The ABI of an audit token; x32 has x86-64's, and a bit in the number.
pub(crate) fn abi(token: u32, number: u32) -> Option<Arch> {
    match Arch::ALL.into_iter().find(|arch| arch.token() == token)? {
        Arch::X86_64 if number & X32_BIT != 0 => Some(Arch::X32),
        arch => Some(arch),
    }
}

/// The name of a call. The compiler's table is sorted by name; this one, made at first use, by number.
pub(crate) fn name(arch: Arch, number: u32) -> Option<&'static str> {
    type Table = Vec<(u32, &'static str)>;
    static TABLES: [OnceLock<Table>; Arch::ALL.len()] = [const { OnceLock::new() }; Arch::ALL.len()];
    let index = Arch::ALL.iter().position(|known| *known == arch)?;
    let table = TABLES.get(index)?.get_or_init(|| {
        let mut table: Table = arch.calls().collect();
        table.sort_unstable();
        table
    });
    let at = table.binary_search_by_key(&number, |(number, _)| *number).ok()?;
    table.get(at).map(|(_, name)| *name)
}

/// Whether addresses and `long` have 64 bits.
pub(crate) fn wide(arch: Arch) -> bool {
    const BITS64: u32 = 0x8000_0000;
    arch.token() & BITS64 != 0 && !matches!(arch, Arch::X32 | Arch::Mips64n32 | Arch::Mipsel64n32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_is_another_call_on_another_abi() {
        let names = [(Arch::X86_64, 83), (Arch::X86, 39), (Arch::X32, X32_BIT | 83)];
        for (arch, number) in names {
            assert_eq!(abi(arch.token(), number), Some(arch));
            assert_eq!(name(arch, number), Some("mkdir"), "{arch:?}");
        }
        assert_eq!(name(Arch::Aarch64, 34), Some("mkdirat"));
        assert_eq!(name(Arch::X86_64, 9999), None);
        assert_eq!(abi(7, 0), None);
    }
}

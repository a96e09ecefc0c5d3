//! Writes `src/table/rows.rs` from the kernel's own headers.
//!
//! Run by hand when the kernel gains calls, from this crate's directory:
//!
//! ```text
//! cargo run --example syscall_table -- ROOT > src/table/rows.rs && cargo fmt -p cofferdam-seccomp
//! ```
//!
//! `ROOT` is where the `linux-libc-dev-*-cross` packages of Debian (amd64, x32, armhf, arm64, m68k, mips, hppa,
//! powerpc, riscv64, s390x, sh4) were unpacked, so that `ROOT/usr/<triple>/include` exists. `cc -E` does the
//! preprocessing; nothing is compiled. Calls that are newer than those headers (6.1) stand in [`NEWER`].

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::process::Command;

type Table = BTreeMap<String, [Option<u16>; COLUMNS.len()]>;

struct Column {
    triple: &'static str,
    header: &'static str,
    flags: &'static [&'static str],
    /// Added to the numbers of [`NEWER`].
    base: u16,
}

const fn column(
    triple: &'static str,
    header: &'static str,
    flags: &'static [&'static str],
    base: u16,
) -> Column {
    Column { triple, header, flags, base }
}

/// In the order of `Arch::column`. LoongArch has no package: its header is the generic one with these options
/// (`arch/loongarch/include/uapi/asm/unistd.h`; `NEW_STAT` since Linux 6.11).
const COLUMNS: [Column; 18] = [
    column("x86_64-linux-gnu", "asm/unistd_64.h", &[], 0),
    column("x86_64-linux-gnu", "asm/unistd_32.h", &[], 0),
    column("x86_64-linux-gnu", "asm/unistd_x32.h", &["-D__X32_SYSCALL_BIT=0"], 0),
    column("arm-linux-gnueabihf", "asm/unistd.h", &["-D__ARM_EABI__"], 0),
    column("aarch64-linux-gnu", "asm/unistd.h", &[], 0),
    column(
        "aarch64-linux-gnu",
        "asm-generic/unistd.h",
        &[
            "-D__ARCH_WANT_NEW_STAT",
            "-D__ARCH_WANT_SYS_CLONE",
            "-D__ARCH_WANT_SYS_CLONE3",
            "-D__BITS_PER_LONG=64",
        ],
        0,
    ),
    column("m68k-linux-gnu", "asm/unistd_32.h", &[], 0),
    column("mips-linux-gnu", "asm/unistd_o32.h", &["-D__NR_Linux=4000"], 4000),
    column("mips-linux-gnu", "asm/unistd_n64.h", &["-D__NR_Linux=5000"], 5000),
    column("mips-linux-gnu", "asm/unistd_n32.h", &["-D__NR_Linux=6000"], 6000),
    column("powerpc-linux-gnu", "asm/unistd_32.h", &[], 0),
    column("powerpc-linux-gnu", "asm/unistd_64.h", &[], 0),
    column("s390x-linux-gnu", "asm/unistd_32.h", &[], 0),
    column("s390x-linux-gnu", "asm/unistd_64.h", &[], 0),
    column("sh4-linux-gnu", "asm/unistd_32.h", &[], 0),
    column("hppa-linux-gnu", "asm/unistd_32.h", &[], 0),
    column("hppa-linux-gnu", "asm/unistd_64.h", &[], 0),
    column("riscv64-linux-gnu", "asm/unistd.h", &[], 0),
];

/// Calls after Linux 6.1: since 5.1 a call has one number on every architecture of this table.
const NEWER: &[(&str, u16)] = &[
    ("cachestat", 451),
    ("fchmodat2", 452),
    ("map_shadow_stack", 453),
    ("futex_wake", 454),
    ("futex_wait", 455),
    ("futex_requeue", 456),
    ("statmount", 457),
    ("listmount", 458),
    ("lsm_get_self_attr", 459),
    ("lsm_set_self_attr", 460),
    ("lsm_list_modules", 461),
    ("mseal", 462),
    ("setxattrat", 463),
    ("getxattrat", 464),
    ("listxattrat", 465),
    ("removexattrat", 466),
    ("open_tree_attr", 467),
    ("file_getattr", 468),
    ("file_setattr", 469),
    ("listns", 470),
    ("rseq_slice_yield", 471),
];

/// Calls that only some architectures gained after 6.1, with the column.
const SINGLE: &[(&str, usize, u16)] = &[
    ("uretprobe", 0, 335),
    ("uprobe", 0, 336),
    ("uretprobe", 2, 335),
    ("uprobe", 2, 336),
    ("riscv_hwprobe", 17, 258),
    ("sync_file_range2", 14, 388),
    ("cacheflush", 15, 356),
    ("cacheflush", 16, 356),
    ("memfd_secret", 12, 447),
    ("memfd_secret", 13, 447),
];

/// Macros of the headers that are not calls.
const NOT_CALLS: &[&str] =
    &["syscalls", "arch_specific_syscall", "Linux", "Linux_syscalls", "SYSCALL_MASK", "SYSCALL_BASE"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args().nth(1).ok_or("usage: syscall_table ROOT")?;
    let mut table = Table::new();
    for (index, column) in COLUMNS.iter().enumerate() {
        for (name, number) in read(&root, column)? {
            table.entry(name).or_default()[index] = Some(number);
        }
        for (name, number) in NEWER {
            table.entry((*name).to_owned()).or_default()[index] = Some(column.base + number);
        }
    }
    for (name, index, number) in SINGLE {
        table.entry((*name).to_owned()).or_default()[*index] = Some(*number);
    }
    print(&table);
    Ok(())
}

/// The names a header defines, with their numbers.
fn read(root: &str, column: &Column) -> Result<Vec<(String, u16)>, Box<dyn Error>> {
    let include = format!("{root}/usr/{}/include", column.triple);
    let header = format!("{include}/{}", column.header);
    let defines = preprocess(&include, &header, column.flags, &["-dM"])?;
    let names: Vec<&str> = defines
        .lines()
        .filter_map(|line| line.strip_prefix("#define ")?.split_whitespace().next())
        .filter(|name| name.starts_with("__NR_") || name.starts_with("__ARM_NR_"))
        .collect();
    let probe = std::env::temp_dir().join(format!("syscall_table.{}.h", std::process::id()));
    let lines: String = names.iter().map(|name| format!("@{name}@ {name}\n")).collect();
    std::fs::write(&probe, format!("#include \"{header}\"\n{}", lines.replace('@', "\"")))?;
    let values = preprocess(&include, &probe.to_string_lossy(), column.flags, &[]);
    std::fs::remove_file(&probe)?;
    Ok(values?.lines().filter_map(number_of).collect())
}

fn preprocess(include: &str, file: &str, flags: &[&str], more: &[&str]) -> Result<String, Box<dyn Error>> {
    let out = Command::new("cc")
        .args(["-E", "-P", "-nostdinc", "-x", "c", "-I", include])
        .args(flags)
        .args(more)
        .arg(file)
        .output()?;
    if !out.status.success() {
        return Err(format!("{file}: {}", String::from_utf8_lossy(&out.stderr)).into());
    }
    Ok(String::from_utf8(out.stdout)?)
}

/// `"__NR_read" (4000 + 3)`: the value is a sum of numbers.
fn number_of(line: &str) -> Option<(String, u16)> {
    let (name, value) = line.strip_prefix('"')?.split_once('"')?;
    let name = name.strip_prefix("__ARM_NR_").or_else(|| name.strip_prefix("__NR_"))?;
    let placeholder = name.starts_with("reserved") || name.starts_with("unused");
    if placeholder || NOT_CALLS.contains(&name) || name.ends_with("_Linux") || name.ends_with("_syscalls") {
        return None;
    }
    let mut sum = 0u32;
    for term in value.split(['(', ')', '+', ' ']).filter(|term| !term.is_empty()) {
        sum += match term.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => term.parse().ok()?,
        };
    }
    // The private calls of Arm, from 0xf0001, are kept as 0xf001.
    if (0xf_0001..0xf_0fff).contains(&sum) {
        sum = 0xf000 | (sum & 0xfff);
    }
    (sum != 0xf_0000).then_some(())?;
    Some((name.to_owned(), u16::try_from(sum).ok()?))
}

fn print(table: &Table) {
    println!(
        "//! The numbers, one row a call; written by `examples/syscall_table.rs` from the headers of Linux 6.1 and"
    );
    println!("//! its list of newer calls (up to 7.0). Read by `table` alone; not to be edited by hand.");
    println!("//!");
    println!(
        "//! Columns: x86_64 x86 x32 arm aarch64 loongarch64 m68k mips mips64 mips64n32 ppc ppc64 s390 s390x sh"
    );
    println!(
        "//! parisc parisc64 riscv64. `N` is none. x32 lacks its bit 30; `0xf001` and up are Arm's 0xf0001."
    );
    println!();
    println!("use super::{{NONE as N, Row, row}};");
    println!();
    println!("#[rustfmt::skip]");
    println!("pub(super) static ROWS: [Row; {}] = [", table.len());
    for (name, numbers) in table {
        let cells: Vec<String> = numbers
            .iter()
            .map(|n| match n {
                None => "N".to_owned(),
                Some(n) if *n >= 0xf000 => format!("{n:#x}"),
                Some(n) => n.to_string(),
            })
            .collect();
        println!("    row({name:?}, [{}]),", cells.join(", "));
    }
    println!("];");
}

//! The profile of `cofferdam sandbox`: what ordinary programs need, and no more.
//!
//! Called by the command line. It builds a document like any other, so that `compile` judges it and a user can
//! print it, change it and hand it back. An allow-list by purpose; what is missing fails with EPERM, and what is
//! newer than the list with ENOSYS (see `newer` in this crate). What is left out on purpose: keyrings (not
//! namespaced), userfaultfd and io_uring (the kernel's most exploited doors of late), obsolete calls, and all
//! that a capability guards unless it is held.
//!
//! ptrace(2) is in: since Linux 4.8 a tracer cannot carry a call past the filter.

use cofferdam_oci::{Seccomp, SeccompArg, SeccompRule};

use crate::Arch;
use crate::words::ENOSYS;

/// `EIO`, which Linux 6.2 and later themselves answer to a refused `TIOCSTI`.
const EIO: u32 = 5;
/// What the kernel looks at of an `int` argument. Without the mask a caller sets a high bit and the comparison
/// fails, but the kernel does as told (CVE-2019-7303).
const INT: u64 = 0xffff_ffff;
/// All of `CLONE_NEW*` that clone(2) takes: cgroup, uts, ipc, user, pid, net, mount.
const CLONE_NAMESPACES: u64 = 0x7e02_0000;
/// Families of sockets: unix, inet, inet6, netlink, packet. Others are rare and have been ways into the kernel.
const SOCKETS: [u64; 5] = [1, 2, 10, 16, 17];
/// `PER_LINUX` and `PER_LINUX32`, each also with `UNAME26`, and the question which one it is.
const PERSONALITIES: [u64; 5] = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

const ALLOWED: &[&str] = &[
    FILES,
    DIRECTORIES,
    ATTRIBUTES,
    DESCRIPTORS,
    MEMORY,
    PROCESSES,
    SIGNALS,
    TIME,
    IDENTITY,
    NETWORK,
    IPC,
    EVENTS,
    INFORMATION,
    MACHINE,
];

/// Contents of files.
const FILES: &str = "\
    _llseek cachestat copy_file_range creat fadvise64 fadvise64_64 arm_fadvise64_64 fallocate fdatasync \
    flock fsync ftruncate ftruncate64 lseek open openat openat2 pread64 preadv preadv2 pwrite64 pwritev \
    pwritev2 read readahead readv sendfile sendfile64 splice sync sync_file_range sync_file_range2 \
    arm_sync_file_range syncfs tee truncate truncate64 vmsplice write writev io_setup io_submit io_cancel \
    io_destroy io_getevents io_pgetevents io_pgetevents_time64";
/// Names of files.
const DIRECTORIES: &str = "\
    chdir fchdir getcwd getdents getdents64 link linkat mkdir mkdirat mknod mknodat name_to_handle_at \
    readdir readlink readlinkat rename renameat renameat2 rmdir symlink symlinkat unlink unlinkat";
const ATTRIBUTES: &str = "\
    access chmod chown chown32 faccessat faccessat2 fchmod fchmodat fchmodat2 fchown fchown32 fchownat \
    fgetxattr file_getattr file_setattr flistxattr fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs \
    fstatfs64 futimesat getxattr getxattrat lchown lchown32 lgetxattr listmount listxattr listxattrat \
    llistxattr lremovexattr lsetxattr lstat lstat64 newfstatat oldfstat oldlstat oldstat removexattr \
    removexattrat setxattr setxattrat stat stat64 statfs statfs64 statmount statx umask utime utimensat \
    utimensat_time64 utimes";
const DESCRIPTORS: &str = "\
    close close_range dup dup2 dup3 fcntl fcntl64 memfd_create memfd_secret pipe pipe2";
const MEMORY: &str = "\
    brk madvise map_shadow_stack membarrier mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap \
    mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_madvise \
    process_mrelease remap_file_pages";
/// Processes, threads, scheduling and limits. clone(2) is treated apart.
const PROCESSES: &str = "\
    execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv \
    futex_wake get_robust_list get_thread_area getpgid getpgrp getpid getppid getpriority getrlimit \
    getrusage getsid gettid ioprio_get ioprio_set kcmp landlock_add_rule landlock_create_ruleset \
    landlock_restrict_self nice pidfd_getfd pidfd_open pidfd_send_signal prctl prlimit64 process_vm_readv \
    process_vm_writev ptrace restart_syscall rseq rseq_slice_yield sched_get_priority_max \
    sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler \
    sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam \
    sched_setscheduler sched_yield seccomp set_robust_list set_thread_area set_tid_address setpgid \
    setpriority setrlimit setsid ugetrlimit uretprobe vfork wait4 waitid waitpid";
const SIGNALS: &str = "\
    alarm kill pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend \
    rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sgetmask sigaction sigaltstack signal \
    signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend ssetmask tgkill tkill";
/// Reading clocks and waiting; adjtimex(2) is guarded by the kernel when it sets.
const TIME: &str = "\
    adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 \
    clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create \
    timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 \
    timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times";
/// Users, groups and capabilities: what may be set is the kernel's to judge.
const IDENTITY: &str = "\
    capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid \
    getresgid32 getresuid getresuid32 getuid getuid32 lsm_get_self_attr lsm_list_modules setfsgid \
    setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid \
    setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32";
/// socket(2) itself is treated apart.
const NETWORK: &str = "\
    accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg \
    recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketpair";
const IPC: &str = "\
    mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend \
    mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop \
    semtimedop_time64 shmat shmctl shmdt shmget";
const EVENTS: &str = "\
    _newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait \
    epoll_wait_old eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 \
    inotify_rm_watch poll ppoll ppoll_time64 pselect6 pselect6_time64 select";
const INFORMATION: &str = "\
    getcpu getrandom olduname oldolduname sysinfo uname";
/// Calls of single architectures.
const MACHINE: &str = "\
    arch_prctl breakpoint cacheflush get_tls modify_ldt riscv_flush_icache riscv_hwprobe \
    s390_guarded_storage s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr s390_sthyi set_tls \
    swapcontext switch_endian rtas subpage_prot usr26 usr32";

/// Calls that come with a capability.
const GUARDED: &[(&str, &str)] = &[
    (
        "CAP_SYS_ADMIN",
        "\
         bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick listns mount mount_setattr \
         move_mount open_tree open_tree_attr perf_event_open pivot_root quotactl quotactl_fd \
         setdomainname sethostname setns syslog umount umount2 unshare",
    ),
    ("CAP_BPF", "bpf"),
    ("CAP_PERFMON", "perf_event_open"),
    ("CAP_SYSLOG", "syslog"),
    ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
    ("CAP_SYS_BOOT", "kexec_file_load kexec_load reboot"),
    ("CAP_SYS_CHROOT", "chroot"),
    ("CAP_SYS_MODULE", "delete_module finit_module init_module"),
    (
        "CAP_SYS_NICE",
        "\
         get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node",
    ),
    ("CAP_SYS_PACCT", "acct"),
    ("CAP_SYS_RAWIO", "ioperm iopl"),
    ("CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"),
    ("CAP_SYS_TTY_CONFIG", "vhangup"),
];

/// The profile for a process that holds the capabilities `caps` (`CAP_SYS_ADMIN` style), on the architecture this
/// program was built for and its 32-bit sibling.
///
/// ```
/// use cofferdam_oci::Pointer;
/// use cofferdam_seccomp::{Arch, SeccompData, baseline::baseline, compile, interpret};
/// let filter = compile(&baseline(&[]), &Pointer::root(), Arch::X86_64).unwrap();
/// let mount = SeccompData::new(Arch::X86_64, Arch::X86_64.call_number("mount").unwrap(), [0; 6]);
/// assert_eq!(interpret::run(&filter, &mount), 0x0005_0001); // EPERM
/// let filter = compile(&baseline(&["CAP_SYS_ADMIN"]), &Pointer::root(), Arch::X86_64).unwrap();
/// assert_eq!(interpret::run(&filter, &mount), 0x7fff_0000);
/// ```
#[must_use]
pub fn baseline(caps: &[&str]) -> Seccomp {
    let sibling = match Arch::native() {
        Some(Arch::X86_64) => Some(Arch::X86),
        Some(Arch::Aarch64) => Some(Arch::Arm),
        Some(Arch::S390x) => Some(Arch::S390),
        _ => None,
    };
    let mut names: Vec<&str> = ALLOWED.iter().flat_map(|calls| calls.split_whitespace()).collect();
    for (cap, calls) in GUARDED {
        if caps.contains(cap) {
            names.extend(calls.split_whitespace());
        }
    }
    let mut syscalls = vec![allow(&names, Vec::new())];
    if !caps.contains(&"CAP_SYS_ADMIN") {
        syscalls.extend(threads_only());
    }
    syscalls.extend(SOCKETS.map(|family| allow(&["socket"], vec![equals(0, INT, family)])));
    syscalls.extend(PERSONALITIES.map(|value| allow(&["personality"], vec![equals(0, INT, value)])));
    syscalls.extend(no_typing_into_the_terminal());
    Seccomp {
        default_action: "SCMP_ACT_ERRNO".to_owned(),
        architectures: sibling.iter().map(|arch| arch.name().to_owned()).collect(),
        syscalls,
        ..Seccomp::default()
    }
}

/// No new namespaces. clone3(2) hides its flags in memory, where a filter cannot look; after ENOSYS the C library
/// uses clone(2).
fn threads_only() -> [SeccompRule; 2] {
    // clone(2) has its first two arguments the other way round on s390.
    let flags = if matches!(Arch::native(), Some(Arch::S390x | Arch::S390)) { 1 } else { 0 };
    [allow(&["clone"], vec![equals(flags, CLONE_NAMESPACES, 0)]), errno(&["clone3"], ENOSYS, Vec::new())]
}

/// `TIOCSTI` puts input into the terminal's queue and `TIOCLINUX` pastes on the console: what the user types next
/// into the shell outside (CVE-2017-5226, CVE-2023-28100). All other requests pass.
fn no_typing_into_the_terminal() -> Vec<SeccompRule> {
    let mips = matches!(
        Arch::native(),
        Some(Arch::Mips | Arch::Mipsel | Arch::Mips64 | Arch::Mipsel64 | Arch::Mips64n32 | Arch::Mipsel64n32)
    );
    let requests = if mips { [0x5472, 0x5483] } else { [0x5412, 0x541c] };
    let mut rules = requests.map(|request| errno(&["ioctl"], EIO, vec![equals(1, INT, request)])).to_vec();
    let any = SeccompArg { index: 1, value: 0, value_two: 0, op: "SCMP_CMP_GE".to_owned() };
    rules.push(allow(&["ioctl"], vec![any]));
    rules
}

fn equals(index: u32, mask: u64, value: u64) -> SeccompArg {
    SeccompArg { index, value: mask, value_two: value, op: "SCMP_CMP_MASKED_EQ".to_owned() }
}

fn allow(names: &[&str], args: Vec<SeccompArg>) -> SeccompRule {
    rule(names, "SCMP_ACT_ALLOW", None, args)
}

fn errno(names: &[&str], errno: u32, args: Vec<SeccompArg>) -> SeccompRule {
    rule(names, "SCMP_ACT_ERRNO", Some(errno), args)
}

fn rule(names: &[&str], action: &str, errno_ret: Option<u32>, args: Vec<SeccompArg>) -> SeccompRule {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    SeccompRule { names, action: action.to_owned(), errno_ret, args }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Filter, SeccompData, compile, interpret};
    use cofferdam_oci::Pointer;

    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;

    fn filter(caps: &[&str]) -> Filter {
        compile(&baseline(caps), &Pointer::root(), Arch::native().unwrap()).unwrap()
    }

    fn answer(filter: &Filter, name: &str, args: [u64; 6]) -> u32 {
        let arch = Arch::native().unwrap();
        interpret::run(filter, &SeccompData::new(arch, arch.call_number(name).unwrap(), args))
    }

    #[test]
    fn every_name_is_a_call_and_stands_once() {
        assert!(filter(&[]).unknown_names().is_empty());
        assert!(filter(&GUARDED.iter().map(|(cap, _)| *cap).collect::<Vec<_>>()).unknown_names().is_empty());
        let mut names: Vec<&str> = ALLOWED.iter().flat_map(|calls| calls.split_whitespace()).collect();
        names.extend(GUARDED.iter().flat_map(|(_, calls)| calls.split_whitespace()));
        let guarded_twice = ["bpf", "perf_event_open", "syslog"];
        names.retain(|name| !guarded_twice.contains(name));
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }

    #[test]
    fn terminals_take_no_input_from_inside_whatever_the_high_bits_say() {
        let filter = filter(&["CAP_SYS_ADMIN"]);
        for request in [0x5412, 0x541c, 0x1_0000_5412, 0xffff_ffff_0000_541c] {
            assert_eq!(answer(&filter, "ioctl", [0, request, 0, 0, 0, 0]), ERRNO | EIO);
        }
        for request in [0, 0x5401, 0x5411, 0x5413, 0xc0ff_ee00, 0xffff_ffff_ffff_ffff] {
            assert_eq!(answer(&filter, "ioctl", [0, request, 0, 0, 0, 0]), ALLOW);
        }
    }

    #[test]
    fn namespaces_need_cap_sys_admin() {
        const THREAD: u64 = 0x003d_0f00;
        let plain = filter(&[]);
        assert_eq!(answer(&plain, "clone", [THREAD, 0, 0, 0, 0, 0]), ALLOW);
        for namespace in
            [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000]
        {
            assert_eq!(answer(&plain, "clone", [namespace | 17, 0, 0, 0, 0, 0]), ERRNO | 1);
        }
        assert_eq!(answer(&plain, "clone3", [0; 6]), ERRNO | ENOSYS);
        assert_eq!(answer(&plain, "unshare", [0; 6]), ERRNO | 1);
        let admin = filter(&["CAP_SYS_ADMIN"]);
        for name in ["clone", "clone3", "unshare", "mount"] {
            assert_eq!(answer(&admin, name, [0x1000_0000, 0, 0, 0, 0, 0]), ALLOW, "{name}");
        }
    }

    #[test]
    fn sockets_of_rare_families_are_refused() {
        let filter = filter(&[]);
        for family in [1, 2, 10, 16] {
            assert_eq!(answer(&filter, "socket", [family, 1, 0, 0, 0, 0]), ALLOW);
        }
        for family in [38, 40, 0x1_0000_0028] {
            assert_eq!(answer(&filter, "socket", [family, 1, 0, 0, 0, 0]), ERRNO | 1);
        }
    }

    #[test]
    fn keyrings_and_new_doors_are_closed_whatever_is_held() {
        let caps: Vec<&str> = GUARDED.iter().map(|(cap, _)| *cap).collect();
        let filter = filter(&caps);
        for name in ["keyctl", "add_key", "request_key", "userfaultfd", "io_uring_setup"] {
            assert_eq!(answer(&filter, name, [0; 6]), ERRNO | 1, "{name}");
        }
    }
}

//! System call numbers: the only thing, besides the instruction itself, that differs between machines.
//!
//! aarch64 and riscv64 share the kernel's generic table.

macro_rules! numbers {
    ($($name:ident $x86_64:literal $generic:literal)*) => { $(
        #[cfg(target_arch = "x86_64")]
        pub(crate) const $name: usize = $x86_64;
        #[cfg(any(target_arch = "aarch64", target_arch = "riscv64"))]
        pub(crate) const $name: usize = $generic;
    )* };
}

numbers! {
    ACCEPT4 288 242
    BPF 321 280
    CAPGET 125 90
    CAPSET 126 91
    CHDIR 80 49
    CHROOT 161 51
    CLONE3 435 435
    CLOSE 3 57
    CLOSE_RANGE 436 436
    DUP3 292 24
    FACCESSAT2 439 439
    EXECVE 59 221
    EXECVEAT 322 281
    EXIT_GROUP 231 94
    FCHDIR 81 50
    FCHMOD 91 52
    FCHMODAT 268 53
    FCHOWNAT 260 54
    FCNTL 72 25
    FSCONFIG 431 431
    FSMOUNT 432 432
    FSOPEN 430 430
    FSTATFS 138 44
    FUTEX 202 98
    GETCWD 79 17
    GETDENTS64 217 61
    IOCTL 16 29
    IOPRIO_SET 251 30
    KEYCTL 250 219
    KILL 62 129
    LINKAT 265 37
    LSEEK 8 62
    MEMFD_CREATE 319 279
    MKDIRAT 258 34
    MKNODAT 259 33
    MMAP 9 222
    MOUNT 165 40
    MOUNT_SETATTR 442 442
    MOVE_MOUNT 429 429
    OPEN_TREE 428 428
    OPENAT 257 56
    OPENAT2 437 437
    PERSONALITY 135 92
    PIDFD_GETFD 438 438
    PIDFD_OPEN 434 434
    PIDFD_SEND_SIGNAL 424 424
    PIVOT_ROOT 155 41
    PPOLL 271 73
    PRCTL 157 167
    PRLIMIT64 302 261
    READ 0 63
    READLINKAT 267 78
    RECVMSG 47 212
    RT_SIGACTION 13 134
    RT_SIGPROCMASK 14 135
    SCHED_SETAFFINITY 203 122
    SCHED_SETATTR 314 274
    SECCOMP 317 277
    SENDFILE 40 71
    SENDMSG 46 211
    SET_MEMPOLICY 238 237
    SETDOMAINNAME 171 162
    SETGROUPS 116 159
    SETHOSTNAME 170 161
    SETNS 308 268
    SETRESGID 119 149
    SETRESUID 117 147
    SETSID 112 157
    SOCKET 41 198
    SOCKETPAIR 53 199
    STATX 332 291
    SYMLINKAT 266 36
    UMASK 95 166
    UMOUNT2 166 39
    UNAME 63 160
    UNLINKAT 263 35
    UNSHARE 272 97
    WAITID 247 95
    WRITE 1 64
}

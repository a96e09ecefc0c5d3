//! The operations: everything a child can do between clone and execve.
//!
//! The library's lowering writes them, the child's loop runs them. An operation is a little larger than
//! a system call where the root filesystem must be looked at; it never reads configuration. Paths called
//! "inside" are resolved beneath the container's root, whose descriptor the child holds.

use core::ffi::CStr;

use crate::wire::{Cursor, List, Sink, Wire};

macro_rules! ops {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        /// One operation.
        #[derive(Clone, Copy, Debug)]
        pub enum Op<'a> {
            $($(#[$doc])* $name { $($(#[$field_doc])* $field: $type,)* },)*
        }

        #[repr(u16)]
        enum Tag { $($name,)* }

        impl<'a> Op<'a> {
            /// Writes it.
            pub fn put(&self, out: &mut dyn Sink) {
                match self {
                    $(Self::$name { $($field,)* } => {
                        (Tag::$name as u16).put(out);
                        $($field.put(out);)*
                    })*
                }
            }

            /// Reads it.
            #[must_use]
            pub fn take(from: &mut Cursor<'a>) -> Option<Self> {
                $(const $name: u16 = Tag::$name as u16;)*
                match u16::take(from)? {
                    $($name => Some(Self::$name { $($field: Wire::take(from)?,)* }),)*
                    _ => None,
                }
            }

            /// Its name.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name { .. } => stringify!($name),)* }
            }
        }
    };
}

#[allow(non_upper_case_globals)]
mod table {
    use super::*;
    ops! {
        /// Closes every descriptor from 3 on but the program's own and those of `keep`.
        CloseOthers {
            /// Descriptors, ascending, native-endian 32-bit numbers.
            keep: &'a [u8],
        }
        /// Gives signals their default action: an ignored one would stay ignored.
        DefaultSignals { #[doc = "Those that the caller ignores, signal 1 lowest."] ignored: u64, }
        /// Lets go of all that was only needed on the way: /proc, the root, every descriptor from 3 on but
        /// the program's own and those of `keep`.
        Forget {
            /// Descriptors, ascending, native-endian 32-bit numbers.
            keep: &'a [u8],
        }
        /// PR_SET_DUMPABLE.
        Dumpable { #[doc = "On or off."] on: bool, }
        /// Opens and verifies /proc, for every later write below it.
        OpenProc {}
        /// setns(2).
        Setns { #[doc = "Namespace or pidfd."] fd: i32, #[doc = "`CLONE_NEW*` bits."] flags: u64, }
        /// Makes the process that carries on, in the new namespaces and as the caller's child, and ends.
        Successor { #[doc = "`CLONE_NEW*` bits and `CLONE_PARENT`."] flags: u64, }
        /// Takes ids of a user namespace just entered.
        Become { #[doc = "User."] uid: u32, #[doc = "Group."] gid: u32, }
        /// Waits for the parent to say `point`.
        Await { #[doc = "See [`crate::frame::Point`]."] point: u32, }
        /// Says `point` and waits for the parent to answer.
        Meet { #[doc = "See [`crate::frame::Point`]."] point: u32, }
        /// Waits for the parent to say [`crate::frame::Point::Cgroup`], with open `tasks` files, and joins
        /// these by itself, which costs the kernel less than being moved.
        JoinCgroups {}
        /// unshare(2).
        Unshare { #[doc = "`CLONE_NEW*` bits."] flags: u64, }
        /// Makes and enters a time namespace.
        TimeNamespace { #[doc = "What /proc/self/timens_offsets gets."] offsets: &'a [u8], }
        /// setsid(2).
        Setsid {}
        /// Joins a new session keyring.
        Keyring { #[doc = "Its name."] name: &'a CStr, }
        /// Makes `to` a duplicate of `from`.
        Dup { #[doc = "Descriptor."] from: i32, #[doc = "Number."] to: i32, }
        /// The descriptors that came with the program become standard input, output and error.
        TakeStreams {}
        /// Sets the propagation of every mount.
        Propagation { #[doc = "`MS_*`."] flag: u64, }
        /// Binds the root filesystem on itself and keeps its descriptor.
        OpenRoot {
            /// Directory on the host.
            path: &'a CStr,
            /// The same as a detached mount that the parent opened, or -1.
            fd: i32,
            /// Whether the mount it lies in must be made private first.
            private_parent: bool,
            /// Whether it is bound at all (there is a mount namespace).
            bind: bool,
        }
        /// A copy-on-write view of a directory becomes the root filesystem.
        OverlayRoot {
            /// Directory on the host.
            path: &'a CStr,
            /// Parameters of the tmpfs that holds the changes, as [`Op::Mount`]'s.
            params: List<'a>,
            /// `userxattr`, needed in user namespaces.
            userxattr: bool,
            /// Whether parts follow that are named from `path`, and in the end [`Op::NoMoreLayers`].
            more: bool,
        }
        /// Lets go of the tmpfs that holds the layers.
        NoMoreLayers {}
        /// An empty root in memory, to be filled by [`Op::Layer`] and others.
        LayeredRoot {
            /// Directory on the host that it stands for.
            path: &'a CStr,
            /// Parameters of the tmpfs, as [`Op::Mount`]'s.
            params: List<'a>,
        }
        /// A copy-on-write view of a directory becomes a directory of the root.
        Layer {
            /// Name in the root.
            name: &'a CStr,
            /// Directory on the host, from the working directory.
            source: &'a CStr,
            /// `userxattr`, needed in user namespaces.
            userxattr: bool,
        }
        /// A layered root takes the place of the directory that it stands for.
        PlaceRoot { #[doc = "Directory on the host."] path: &'a CStr, }
        /// The root is what `/` is now (in a container that was entered).
        EnterRoot {}
        /// Mounts a new file system inside.
        Mount {
            /// Where.
            target: &'a CStr,
            /// Type.
            fstype: &'a CStr,
            /// `f` and a key for a flag; `s` and a key, then the value.
            params: List<'a>,
            /// `MOUNT_ATTR_*`.
            attr: u64,
            /// Recursive attributes to set.
            rec_set: u64,
            /// Recursive attributes to clear.
            rec_clear: u64,
            /// Propagation changes: 8 bytes of flag, the lowest bit set for recursive ones.
            propagation: &'a [u8],
            /// Whether the target may be reached through symbolic links.
            symlinks: bool,
            /// Whether the target's content is copied up.
            copy_up: bool,
            /// Whether it gets the permission bits of the target.
            inherit_mode: bool,
            /// Whether it is kept at hand, for [`Op::Seal`].
            hold: bool,
            /// User namespace of an idmap, or -1.
            idmap: i32,
        }
        /// mount(2) inside, for parameters that fsconfig(2) cannot take; else as [`Op::Mount`].
        MountLegacy {
            /// Where.
            target: &'a CStr,
            /// Type.
            fstype: &'a CStr,
            /// Source.
            source: &'a CStr,
            /// `MS_*`.
            flags: u64,
            /// Options.
            data: &'a CStr,
            /// Propagation changes.
            propagation: &'a [u8],
            /// As [`Op::Mount`]'s.
            hold: bool,
        }
        /// Mounts a file or directory of the host inside.
        Bind {
            /// Where.
            target: &'a CStr,
            /// What, on the host.
            source: &'a CStr,
            /// Whether `source` is inside instead: what an earlier mount has put there.
            from_inside: bool,
            /// The same as a detached mount that the parent opened, or -1.
            fd: i32,
            /// Whether mounts below come along.
            recursive: bool,
            /// Whether a symbolic link at `source` is not followed.
            nofollow: bool,
            /// Whether a symbolic link at `source` is made anew inside, instead of mounting.
            copy_symlink: bool,
            /// Attributes to set.
            set: u64,
            /// Attributes to clear.
            clear: u64,
            /// Recursive attributes to set.
            rec_set: u64,
            /// Recursive attributes to clear.
            rec_clear: u64,
            /// Propagation changes.
            propagation: &'a [u8],
            /// User namespace of an idmap, or -1.
            idmap: i32,
            /// Whether the idmap is recursive.
            idmap_recursive: bool,
        }
        /// Changes the attributes of a mount inside.
        SetAttr {
            /// Where.
            target: &'a CStr,
            /// Attributes to set.
            set: u64,
            /// Attributes to clear.
            clear: u64,
            /// Recursive attributes to set.
            rec_set: u64,
            /// Recursive attributes to clear.
            rec_clear: u64,
            /// Propagation changes.
            propagation: &'a [u8],
        }
        /// Makes the next of the mounts that were held read-only: a second look-up of its path could find
        /// another one.
        Seal {
            /// Whether those below become it too.
            recursive: bool,
        }
        /// Makes a device node inside; one that is there and the same is kept.
        Node {
            /// Where.
            path: &'a CStr,
            /// Type and permission bits.
            mode: u32,
            /// Device number.
            dev: u32,
            /// Owner.
            uid: u32,
            /// Group.
            gid: u32,
        }
        /// Makes a symbolic link inside; one that is there is kept.
        Symlink { #[doc = "Where."] path: &'a CStr, #[doc = "What it says."] target: &'a CStr, }
        /// Makes a directory inside, and those above it, where missing.
        Directory { #[doc = "Where."] path: &'a CStr, #[doc = "Permission bits."] mode: u32, }
        /// Makes a pseudoterminal of the container's devpts and sends its master to the parent.
        Terminal {
            /// Rows, 0 for the default.
            rows: u32,
            /// Columns, 0 for the default.
            columns: u32,
            /// Owner.
            uid: u32,
            /// Whether it becomes /dev/console.
            console: bool,
            /// Whether what is written is shown on another terminal, which returns the carriage.
            relayed: bool,
        }
        /// The terminal becomes standard input, output and error, and the controlling terminal.
        UseTerminal {}
        /// Gives standard input, output and error to the user, where they are the caller's.
        OwnStdio { #[doc = "User."] uid: u32, }
        /// Makes a path inside unreadable; one that is not there is left alone.
        Mask { #[doc = "Where."] path: &'a CStr, #[doc = "`context=` of SELinux, or empty."] label: &'a CStr, }
        /// Makes a path inside, and all mounts below, read-only; one that is not there is left alone.
        Readonly { #[doc = "Where."] path: &'a CStr, }
        /// Makes the root the process's root and leaves the old one.
        Pivot { #[doc = "Whether mounts of the old root may be shared."] shared: bool, }
        /// As [`Op::Pivot`], by `MS_MOVE` and chroot(2).
        MoveRoot {}
        /// Takes every whole procfs and sysfs but the container's own off the mount namespace, in which the host's
        /// stay when the root is not pivoted: whoever sees one may mount another, with nothing masked.
        HideFullProc {}
        /// As [`Op::Pivot`], by chroot(2) alone.
        Chroot {}
        /// sethostname(2).
        Hostname { #[doc = "The name."] name: &'a [u8], }
        /// setdomainname(2).
        Domainname { #[doc = "The name."] name: &'a [u8], }
        /// Writes a file below /proc/sys, through the verified /proc.
        Sysctl { #[doc = "Such as `sys/net/ipv4/ip_forward`."] file: &'a CStr, #[doc = "What."] value: &'a [u8], }
        /// Sets the loopback device up.
        Loopback {}
        /// Writes a security label, through the verified /proc.
        Label {
            /// First choice, below `thread-self`.
            file: &'a CStr,
            /// Second choice, or empty.
            fallback: &'a CStr,
            /// What.
            value: &'a [u8],
        }
        /// prlimit(2).
        Rlimit { #[doc = "Which."] resource: u32, #[doc = "In force."] soft: u64, #[doc = "Ceiling."] hard: u64, }
        /// sched_setattr(2).
        Scheduler {
            /// `SCHED_*`.
            policy: u32,
            /// `SCHED_FLAG_*`.
            flags: u64,
            /// Nice value.
            nice: i32,
            /// Static priority.
            priority: u32,
            /// Nanoseconds.
            runtime: u64,
            /// Nanoseconds.
            deadline: u64,
            /// Nanoseconds.
            period: u64,
        }
        /// Allows every CPU that the cgroups leave, whatever the caller is confined to.
        EveryCpu {}
        /// sched_setaffinity(2).
        Affinity { #[doc = "CPU mask."] mask: &'a [u8], }
        /// ioprio_set(2).
        IoPriority { #[doc = "Class and level."] value: u32, }
        /// set_mempolicy(2).
        Mempolicy { #[doc = "Mode and flags."] mode: u32, #[doc = "Node mask."] nodes: &'a [u8], }
        /// personality(2).
        Personality { #[doc = "Domain."] value: u32, }
        /// umask(2).
        Umask { #[doc = "Mask."] mask: u32, }
        /// Drops from the bounding set what is not in `set`.
        Bounding { #[doc = "What stays."] set: u64, #[doc = "The highest capability there is."] last: u32, }
        /// Becomes the user, keeping permitted capabilities.
        User {
            /// User.
            uid: u32,
            /// Group.
            gid: u32,
            /// Whether supplementary groups are set.
            set_groups: bool,
            /// Supplementary groups, native-endian 32-bit numbers.
            groups: &'a [u8],
        }
        /// capset(2) and the ambient set.
        Capabilities {
            /// Permitted.
            permitted: u64,
            /// Effective.
            effective: u64,
            /// Inheritable.
            inheritable: u64,
            /// Ambient.
            ambient: u64,
            /// Permitted and effective besides, as far as they are there: needed a little longer.
            keep: u64,
        }
        /// Changes the working directory, and verifies that it lies inside.
        Chdir {
            /// Where.
            path: &'a CStr,
            /// "Permission denied" is left to a second attempt, as the user.
            first_try: bool,
        }
        /// Finds the program in the environment's `PATH`.
        Find { #[doc = "Its name."] name: &'a CStr, #[doc = "The environment's `PATH`."] path: &'a CStr, }
        /// Looks the user's home directory up in /etc/passwd, for the environment.
        Home { #[doc = "User."] uid: u32, }
        /// Waits on a socket for `start`, whose connection then takes the parent's place.
        AwaitStart { #[doc = "Listening socket."] listener: i32, }
        /// Runs a hook and waits for it.
        Hook {
            /// Program.
            path: &'a CStr,
            /// Arguments.
            argv: List<'a>,
            /// Environment.
            env: List<'a>,
            /// Whether the home directory that was looked up is added to the environment.
            home: bool,
            /// Where it starts; empty is the container's root.
            directory: &'a CStr,
            /// Milliseconds, 0 for ever.
            timeout: u64,
            /// Its standard output, or -1: then what it says is told when it fails.
            stdout: i32,
            /// Its standard error, likewise.
            stderr: i32,
            /// Whether it starts with PR_SET_NO_NEW_PRIVS.
            no_new_privs: bool,
            /// The seccomp filter that it runs under, `struct sock_filter`s; none when empty.
            filter: &'a [u8],
            /// Its flags, but for those of a listener.
            filter_flags: u32,
        }
        /// PR_SET_NO_NEW_PRIVS.
        NoNewPrivs {}
        /// Installs a seccomp filter; a listener is handed to the parent.
        Seccomp { #[doc = "Flags."] flags: u32, #[doc = "`struct sock_filter`s."] filter: &'a [u8], }
        /// Marks every descriptor from `first` on close-on-exec.
        CloexecFrom { #[doc = "Descriptor."] first: u32, }
        /// Marks every descriptor from 3 on close-on-exec, but for those of `keep`.
        CloexecOthers {
            /// Descriptors, ascending, native-endian 32-bit numbers.
            keep: &'a [u8],
        }
        /// Obeys programs as they come on the control socket, each answered by a frame (`DONE` or `DENIED`),
        /// until it is closed; then the process ends. A program that comes may end in an execve(2).
        Obey {}
        /// From here on, whenever it waits for a program, it does so in getppid(2), which a filter hands to the other
        /// side, and by whose arguments it says what came of the last one, how many frames it sent about it (the lower
        /// half of the third) and how many programs came so far: then both run on one processor, in turn.
        /// The listener is handed over; where there can be none nothing changes.
        Park {
            /// `struct sock_filter`s that notify of getppid(2) and allow all else.
            filter: &'a [u8],
        }
        /// The root of another process, in whose mount namespace we are, becomes ours.
        JoinRoot { #[doc = "Directory."] fd: i32, }
        /// The working directory of another process becomes ours; it must lie beneath the root.
        JoinCwd { #[doc = "Directory."] fd: i32, }
        /// Makes a directory. This and all that follow look paths up as the process that was joined would,
        /// but no magic link.
        HereDirectory { #[doc = "Where."] path: &'a CStr, #[doc = "Permission bits."] mode: u32, }
        /// Makes a node.
        HereNode {
            /// Where.
            path: &'a CStr,
            /// Type and permission bits.
            mode: u32,
            /// Device number.
            dev: u32,
        }
        /// Makes a symbolic link.
        HereSymlink { #[doc = "Where."] path: &'a CStr, #[doc = "What it says."] target: &'a CStr, }
        /// Changes the owner.
        HereOwner {
            /// Of what.
            path: &'a CStr,
            /// User.
            uid: u32,
            /// Group.
            gid: u32,
            /// Whether a symbolic link at the end is followed.
            follow: bool,
        }
        /// Changes the permission bits of a path, or of what the first descriptor names, if it is empty.
        HereMode {
            /// Of what.
            path: &'a CStr,
            /// Permission bits.
            mode: u32,
            /// Whether a symbolic link at the end is followed.
            follow: bool,
        }
        /// Removes a name.
        HereUnlink { #[doc = "Which."] path: &'a CStr, #[doc = "`AT_REMOVEDIR` or 0."] flags: u32, }
        /// Copies a regular file's content into the program's first descriptor; `EFBIG` beyond the limit.
        HereRead { #[doc = "Which."] path: &'a CStr, #[doc = "Bytes."] limit: u64, }
        /// Writes a regular file.
        HereWrite {
            /// Which.
            path: &'a CStr,
            /// Permission bits of one that is made.
            mode: u32,
            /// What.
            content: &'a [u8],
        }
        /// Opens and hands the descriptor over.
        HereOpen {
            /// What.
            path: &'a CStr,
            /// `O_*`.
            flags: u64,
            /// Permission bits of a file that is made.
            mode: u32,
            /// `RESOLVE_*`, besides the one about magic links.
            resolve: u64,
        }
        /// Opens a socket of rtnetlink(7) and hands it over.
        RouteSocket {}
        /// Mounts a new file system.
        HereMount {
            /// Where.
            target: &'a CStr,
            /// Type.
            fstype: &'a CStr,
            /// As [`Op::Mount`]'s.
            params: List<'a>,
            /// `MOUNT_ATTR_*`.
            attr: u64,
        }
        /// Copies what is mounted at a path, or what the first descriptor names, if it is empty: attached nowhere,
        /// the copy becomes the first descriptor.
        HereTree { #[doc = "What."] path: &'a CStr, #[doc = "Whether mounts below come along."] recursive: bool, }
        /// Names what is at a path by the first descriptor.
        HerePlace { #[doc = "What."] path: &'a CStr, #[doc = "Whether a link there is followed."] follow: bool, }
        /// Opens the file system at a path, or that the first descriptor is on, if it is empty, to be changed; that
        /// becomes the first descriptor.
        HerePick { #[doc = "Where."] path: &'a CStr, }
        /// Hands the first descriptor over.
        HereGive {}
        /// Changes the attributes and the propagation of a mount: of that which the first descriptor is the root of, if
        /// there is no path.
        HereAttributes {
            /// Which.
            target: &'a CStr,
            /// Attributes to set.
            set: u64,
            /// Attributes to clear.
            clear: u64,
            /// New propagation, or 0.
            propagation: u64,
            /// Whether those below change too.
            recursive: bool,
        }
        /// Takes a mount off, that which the first descriptor is the root of, if there is no path; a symbolic link in
        /// its place is not followed.
        HereUnmount { #[doc = "Where."] target: &'a CStr, #[doc = "`MNT_*`."] flags: u32, }
        /// Becomes another process for the rest of the program: the first descriptor is its root, the second its
        /// working directory, if that is not the root. Afterwards, also after a failure, the process has left both, and is itself again before
        /// a program that does not begin with this.
        HereAs {
            /// Its umask.
            umask: u32,
            /// Its user.
            uid: u32,
            /// Its group.
            gid: u32,
            /// Whether supplementary groups may be set.
            set_groups: bool,
            /// They, native-endian 32-bit numbers.
            groups: &'a [u8],
            /// Capabilities, as far as we have them.
            effective: u64,
            /// Whether its working directory is another than its root.
            elsewhere: bool,
        }
        /// Changes the owner of what the first descriptor names.
        HereOwnerOf { #[doc = "User."] uid: u32, #[doc = "Group."] gid: u32, }
        /// Sets an extended attribute.
        HereAttribute {
            /// Of what; of what the first descriptor names, if empty.
            path: &'a CStr,
            /// Whether a symbolic link at the end is followed.
            follow: bool,
            /// Which.
            name: &'a CStr,
            /// What.
            value: &'a [u8],
            /// `XATTR_*`.
            flags: u32,
        }
        /// Connects the first descriptor.
        HereConnect { #[doc = "`struct sockaddr`."] address: &'a [u8], }
        /// Gives the first descriptor an address.
        HereAddress { #[doc = "`struct sockaddr`."] address: &'a [u8], }
        /// Opens a file system to be configured, and hands it over.
        HereFsOpen { #[doc = "Its type."] fstype: &'a CStr, }
        /// Configures the file system that the first descriptor is.
        HereFsConfig {
            /// A command of fsconfig(2) that takes no blob and no path. A descriptor is the second one.
            command: u32,
            /// Key, or empty.
            key: &'a CStr,
            /// Value, or empty.
            value: &'a CStr,
        }
        /// Makes a mount of the file system that the first descriptor is, and hands it over.
        HereFsMount { #[doc = "`MOUNT_ATTR_*`."] attr: u64, }
        /// Attaches the mount that the first descriptor is; at what the second one names, if there is no path.
        HereAttach { #[doc = "Where."] target: &'a CStr, #[doc = "Whether a link there is followed."] follow: bool, }
        /// Has the kernel send a signal when the thread that made the process ends.
        ParentDeathSignal { #[doc = "The signal."] signal: u32, }
        /// Executes what a descriptor names; other descriptors stay as they are.
        ExecFd {
            /// The program.
            fd: i32,
            /// The number that the control socket gets.
            control: i32,
            /// Arguments.
            argv: List<'a>,
            /// Environment.
            env: List<'a>,
        }
        /// execve(2) of what [`Op::Find`] found.
        Exec {
            /// Arguments.
            argv: List<'a>,
            /// Environment.
            env: List<'a>,
        }
    }
}
pub use table::Op;

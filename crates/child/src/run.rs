//! The loop: reads an operation, runs it, reports the first failure.
//!
//! Called once by the program's entry; never returns.

use cofferdam_sys::{Errno, mmap, open, setns};

use crate::context::{Context, Done, Fail};
use crate::frame::{CORRUPT, DENIED, FAILED, Frame, HELLO};
use crate::op::Op;
use crate::wire::Cursor;
use crate::{
    bare, capabilities, console, descriptors, exec, find, here, here_as, here_mounts, here_sockets, hook,
    mask, mount, namespaces, node, overlay, procfs, root, scheduling, seccomp, serve,
};

/// Runs the operations that the sealed file `program` holds, speaking on `control`.
///
/// The bytes come from the same build of the same sources, through a sealed file, and are checked all
/// the same: whatever does not decode ends the process with a report.
///
/// ```no_run
/// // What the child program does, with the descriptors that it was given.
/// cofferdam_child::run(3, 4);
/// ```
pub fn run(control: i32, program: i32) -> ! {
    let mut context = Context::new(control);
    let hello = Frame { kind: HELLO, a: 0, b: 0, errno: 0 };
    let (at, fail) = match context.say(hello, &[]) {
        Ok(()) => obey(&mut context, program),
        Err(e) => (CORRUPT, e.into()),
    };
    let frame = Frame { kind: FAILED, a: at, b: fail.detail, errno: fail.errno.0 };
    let _ = context.say(frame, &[]);
    setns::exit(1);
}

/// The file is let go of with all that is not needed: the mapping keeps its content.
fn obey(context: &mut Context, program: i32) -> (u32, Fail) {
    let corrupt = (CORRUPT, Errno::EBADMSG.into());
    let Ok(size) = open::size(program) else { return corrupt };
    let Ok(block) = mmap::sealed(program, size) else { return corrupt };
    match all(context, block) {
        // The first program ends in an execve(2) or obeys others.
        Ok(_) => corrupt,
        Err(failed) => failed,
    }
}

/// Runs a block of operations in the calling process, for one that is not the child program but joins
/// another's namespaces as it does: a single thread, at its beginning. What descriptors they name are the
/// calling process's.
///
/// # Errors
/// The frame that tells of the failure.
///
/// ```
/// use cofferdam_child::{frame::CORRUPT, run_here};
/// assert_eq!(run_here(-1, &[]), Ok(()));
/// assert_eq!(run_here(-1, b"no operation").unwrap_err().a, CORRUPT);
/// ```
pub fn run_here(control: i32, block: &[u8]) -> Result<(), Frame> {
    match all(&mut Context::new(control), block) {
        Ok(_) => Ok(()),
        Err((at, fail)) => Err(Frame { kind: DENIED, a: at, b: fail.detail, errno: fail.errno.0 }),
    }
}

/// Runs operations one after the other and says how many, or which of them failed.
pub(crate) fn all(context: &mut Context, block: &[u8]) -> Result<u32, (u32, Fail)> {
    let mut cursor = Cursor(block);
    let mut index = 0u32;
    while !cursor.0.is_empty() {
        let op = Op::take(&mut cursor).ok_or((CORRUPT, Errno::EBADMSG.into()))?;
        if index == 0 && !matches!(op, Op::HereAs { .. }) {
            here_as::become_itself(context);
        }
        one(context, &op).map_err(|fail| (index, fail))?;
        index = index.saturating_add(1);
    }
    Ok(index)
}

fn one(c: &mut Context, op: &Op<'_>) -> Done {
    match op {
        // Below the directory, these leave it what it is.
        Op::Node { .. } | Op::Symlink { .. } | Op::Mount { .. } | Op::Bind { .. } => {}
        _ => c.directory = None,
    }
    match *op {
        Op::CloseOthers { keep } => descriptors::close_others(c, keep),
        Op::Forget { keep } => descriptors::forget(c, keep),
        Op::Dup { from, to } => Ok(open::dup_onto(from, to)?),
        Op::CloexecOthers { keep } => descriptors::cloexec_others(keep),
        Op::CloexecFrom { first } => descriptors::cloexec_from(first),
        Op::OwnStdio { uid } => descriptors::own_stdio(uid),
        Op::OpenProc {} => procfs::open(c),
        Op::Sysctl { file, value } => procfs::write(c, file, value),
        Op::Label { file, fallback, value } => procfs::label(c, file, fallback, value),
        Op::DefaultSignals { ignored } => {
            cofferdam_sys::sigprocmask::default_actions(ignored);
            Ok(())
        }
        Op::Dumpable { on } => Ok(cofferdam_sys::prctl::set_dumpable(on)?),
        Op::Setns { fd, flags } => Ok(setns::setns(fd, flags)?),
        Op::JoinCgroups {} => namespaces::join_cgroups(c),
        Op::Unshare { flags } => Ok(setns::unshare(flags)?),
        Op::Successor { flags } => namespaces::successor(c, flags),
        Op::Become { uid, gid } => namespaces::take_ids(uid, gid),
        Op::TimeNamespace { offsets } => namespaces::time(c, offsets),
        Op::Keyring { name } => namespaces::keyring(name),
        Op::Hostname { name } => Ok(setns::sethostname(name)?),
        Op::Domainname { name } => Ok(setns::setdomainname(name)?),
        Op::Loopback {} => Ok(cofferdam_sys::netdevice::loopback_up()?),
        Op::Setsid {} => Ok(setns::setsid()?),
        Op::Await { point } => Ok(c.hear_number(point)?),
        Op::Meet { point } => namespaces::meet(c, point),
        Op::AwaitStart { listener } => namespaces::await_start(c, listener),
        Op::Propagation { flag } => root::propagation(flag),
        Op::OpenRoot { path, fd, private_parent, bind } => root::open(c, path, fd, private_parent, bind),
        Op::OverlayRoot { .. } | Op::LayeredRoot { .. } | Op::Layer { .. } | Op::PlaceRoot { .. } => {
            overlay::run(c, op)
        }
        Op::EnterRoot {} => root::enter(c),
        Op::Pivot { shared } => root::pivot(c, shared),
        Op::MoveRoot {} => root::move_root(c),
        Op::HideFullProc {} => bare::hide(c),
        Op::Chroot {} => root::chroot(c),
        Op::Mount { .. } | Op::MountLegacy { .. } | Op::Bind { .. } | Op::SetAttr { .. } => mount::run(c, op),
        Op::Seal { recursive } => mount::seal(c, recursive),
        Op::Node { path, mode, dev, uid, gid } => node::node(c, path, node::Node { mode, dev, uid, gid }),
        Op::Symlink { path, target } => node::symlink(c, path, target),
        Op::Directory { path, mode } => node::directory(c, path, mode),
        Op::Mask { path, label } => mask::mask(c, path, label),
        Op::Readonly { path } => mask::readonly(c, path),
        Op::Terminal { rows, columns, uid, console, relayed } => {
            console::make(c, (rows, columns), uid, console, relayed)
        }
        Op::UseTerminal {} => console::take(c),
        Op::Obey {} => serve::serve(c),
        _ => process(c, op),
    }
}

/// The operations of a process that joined another's namespaces.
fn joined(c: &mut Context, op: &Op<'_>) -> Done {
    match *op {
        Op::JoinRoot { fd } => here::join_root(fd),
        Op::JoinCwd { fd } => here::join_cwd(fd),
        Op::HereDirectory { path, mode } => here::directory(path, mode),
        Op::HereNode { path, mode, dev } => here::node(path, mode, dev),
        Op::HereSymlink { path, target } => here::symlink(path, target),
        Op::HereOwner { path, uid, gid, follow } => here::owner(path, uid, gid, follow),
        Op::HereAs { .. } => here_as::become_another(c, op),
        Op::HereOwnerOf { uid, gid } => Ok(cofferdam_sys::dirs::fchown(here::received(c, 0)?, uid, gid)?),
        Op::HereAttribute { .. } => here::attribute(c, op),
        Op::HereConnect { address } => here_sockets::connect(c, address),
        Op::HereAddress { address } => here_sockets::bind(c, address),
        Op::HereMode { path, mode, follow } => here::mode(c, path, mode, follow),
        Op::HereUnlink { path, flags } => here::unlink(path, flags),
        Op::HereRead { path, limit } => here::read(c, path, limit),
        Op::HereWrite { path, mode, content } => here::write(c, path, mode, content),
        Op::HereOpen { path, flags, mode, resolve } => here::open(c, path, (flags, mode), resolve),
        Op::RouteSocket {} => here::hand_over(c, &cofferdam_sys::socket::route()?),
        _ => here_mounts::run(c, op),
    }
}

/// The operations that shape the process itself, in its last moments.
fn process(c: &mut Context, op: &Op<'_>) -> Done {
    match *op {
        Op::Rlimit { resource, soft, hard } => Ok(cofferdam_sys::rlimit::set(resource, soft, hard)?),
        Op::Scheduler { .. } => scheduling::scheduler(op),
        Op::EveryCpu {} => {
            scheduling::every_cpu();
            Ok(())
        }
        Op::Affinity { mask } => Ok(cofferdam_sys::sched::setaffinity(mask)?),
        Op::IoPriority { value } => Ok(cofferdam_sys::ioprio_set::ioprio_set(value)?),
        Op::Mempolicy { mode, nodes } => Ok(cofferdam_sys::set_mempolicy::set_mempolicy(mode, nodes)?),
        Op::Personality { value } => Ok(cofferdam_sys::personality::personality(value)?),
        Op::Umask { mask } => {
            setns::umask(mask);
            Ok(())
        }
        Op::Bounding { set, last } => capabilities::bounding(set, last),
        Op::User { uid, gid, set_groups, groups } => capabilities::user(uid, gid, set_groups, groups),
        Op::Capabilities { permitted, effective, inheritable, ambient, keep } => {
            capabilities::set((permitted, effective, inheritable), ambient, keep)
        }
        Op::Chdir { path, first_try } => root::chdir(c, path, first_try),
        Op::Find { name, path } => find::find(c, name, path),
        Op::Hook {
            path,
            argv,
            env,
            home,
            directory,
            timeout,
            stdout,
            stderr,
            no_new_privs,
            filter,
            filter_flags,
        } => {
            let confined = hook::Confined { no_new_privs, filter, flags: filter_flags };
            let output = [stdout, stderr];
            hook::run(c, hook::Program { path, argv, env, home, directory, output, confined }, timeout)
        }
        Op::ParentDeathSignal { signal } => Ok(cofferdam_sys::prctl::set_pdeathsig(signal)?),
        Op::NoNewPrivs {} => Ok(cofferdam_sys::prctl::set_no_new_privs()?),
        Op::Seccomp { flags, filter } => seccomp::install(c, flags, filter),
        Op::Exec { argv, env } => exec::exec(c, argv, env),
        Op::ExecFd { fd, control, argv, env } => exec::exec_fd(c, fd, control, argv, env),
        Op::Home { uid } => exec::home(c, uid),
        Op::Park { filter } => serve::park(c, filter),
        Op::NoMoreLayers {} => overlay::run(c, op),
        Op::TakeStreams {} => descriptors::take_streams(c),
        _ => joined(c, op),
    }
}

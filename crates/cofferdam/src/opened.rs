//! What the parent opens before the clone: namespaces to join, trees that the child's user namespace may
//! not open or map, the user namespaces of idmaps, the socket on which `start` is awaited.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

use cofferdam_plan::{BindOpen, IdmapPlan, InitPlan, MountKind, MountPlan};
use cofferdam_sys::clone3::CLONE_NEWUSER;
use cofferdam_sys::fsopen::{AT_RECURSIVE, OPEN_TREE_CLONE, open_tree};
use cofferdam_sys::mount_setattr::{MOUNT_ATTR_IDMAP, MS_SLAVE, MountAttr, mount_setattr};
use cofferdam_sys::open::{AT_FDCWD, AT_SYMLINK_NOFOLLOW};

use crate::lower::Inputs;
use crate::options::Streams;
use crate::program::c_path;
use crate::{Error, ErrorKind, Result, hooks, idmap};

/// Descriptors; they are closed when the child has its own copies.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    namespaces: Vec<OwnedFd>,
    root: Option<OwnedFd>,
    trees: BTreeMap<usize, OwnedFd>,
    idmaps: BTreeMap<usize, OwnedFd>,
    stdio: Vec<OwnedFd>,
    hook_output: [Option<OwnedFd>; 2],
    pub(crate) start: Option<OwnedFd>,
    pub(crate) born_in: Option<OwnedFd>,
}

impl Opened {
    pub(crate) fn for_init(plan: &InitPlan, stdio: Streams, born_in: Option<OwnedFd>) -> Result<Self> {
        let mut opened = Self { born_in, ..Self::default() };
        for join in &plan.join {
            let file = File::open(join.path.as_path()).map_err(|e| {
                Error::io("opening namespace", join.path.as_path(), &e).with_pointer(&join.pointer)
            })?;
            opened.namespaces.push(file.into());
        }
        for (index, mount) in plan.mounts.iter().enumerate() {
            opened.mount(index, mount, plan)?;
        }
        opened.root(plan)?;
        opened.stdio = streams(stdio)?;
        opened.hook_output = hook_output(plan)?;
        Ok(opened)
    }

    pub(crate) fn for_exec(stdio: Streams, born_in: Option<OwnedFd>) -> Result<Self> {
        Ok(Self { stdio: streams(stdio)?, born_in, ..Self::default() })
    }

    /// A bind source that only the parent may open, or an idmap that only the parent may set.
    fn mount(&mut self, index: usize, m: &MountPlan, plan: &InitPlan) -> Result<()> {
        let mapped = m.idmap.as_ref().map(|i| self.mapping(i, plan)).transpose();
        let mapped = mapped.map_err(|e| e.with_pointer(&m.pointer))?;
        match &m.kind {
            MountKind::Bind { source, recursive, open: BindOpen::Parent, nofollow, .. } => {
                let tree =
                    tree(source.as_path(), *recursive, *nofollow).map_err(|e| e.with_pointer(&m.pointer))?;
                if let (Some(user), Some(plan)) = (mapped, &m.idmap) {
                    map(&tree, &user, plan.recursive).map_err(|e| e.with_pointer(&m.pointer))?;
                }
                self.trees.insert(index, tree);
            }
            _ => {
                if let Some(user) = mapped {
                    self.idmaps.insert(index, user);
                }
            }
        }
        Ok(())
    }

    /// The user namespace of an idmap. One without ids of its own has those of the container, whose user
    /// namespace may be another's.
    fn mapping(&self, idmap: &IdmapPlan, plan: &InitPlan) -> Result<OwnedFd> {
        if !idmap.uid.is_empty() || !idmap.gid.is_empty() {
            return idmap::namespace(idmap);
        }
        if let Some(maps) = &plan.id_maps {
            let (uid, gid) = (maps.uid.clone(), maps.gid.clone());
            return idmap::namespace(&IdmapPlan { uid, gid, recursive: idmap.recursive });
        }
        let joined = plan.join.iter().zip(&self.namespaces).find(|(join, _)| join.kind == CLONE_NEWUSER);
        let (join, user) =
            joined.ok_or_else(|| Error::new(ErrorKind::Configuration, "the mount has no ids to map to"))?;
        user.try_clone().map_err(|e| Error::io("holding namespace", join.path.as_path(), &e))
    }

    /// In a user namespace of its own the child may not be allowed to walk to the root filesystem.
    fn root(&mut self, plan: &InitPlan) -> Result<()> {
        let parent_may =
            cofferdam_sys::capset::capget().is_ok_and(|(_, effective, _)| effective >> 21 & 1 == 1);
        if plan.id_maps.is_some()
            && plan.root.new_mount_namespace
            && parent_may
            && !crate::facts::in_user_namespace()
        {
            self.root = Some(tree(plan.root.path.as_path(), true, false)?);
        }
        Ok(())
    }

    pub(crate) fn inputs(&self) -> Inputs {
        let numbers = |fds: &[OwnedFd]| fds.iter().map(AsRawFd::as_raw_fd).collect();
        let by_index =
            |fds: &BTreeMap<usize, OwnedFd>| fds.iter().map(|(i, fd)| (*i, fd.as_raw_fd())).collect();
        Inputs {
            namespaces: numbers(&self.namespaces),
            root: self.root.as_ref().map(AsRawFd::as_raw_fd),
            trees: by_index(&self.trees),
            idmaps: by_index(&self.idmaps),
            start: self.start.as_ref().map(AsRawFd::as_raw_fd),
            stdio: numbers(&self.stdio),
            hook_output: self.hook_output.each_ref().map(|fd| fd.as_ref().map_or(-1, AsRawFd::as_raw_fd)),
            ..Inputs::default()
        }
    }
}

impl Inputs {
    /// The descriptors that the child needs.
    pub(crate) fn descriptors(&self) -> Vec<i32> {
        let mut all = self.namespaces.clone();
        all.extend(self.root.iter().chain(self.trees.values()).chain(self.idmaps.values()));
        all.extend(
            self.start.iter().chain(&self.stdio).chain(&self.hook_output).chain(std::iter::once(&self.init)),
        );
        all.retain(|fd| *fd >= 0);
        all
    }
}

/// What hooks that run inside write to, which only the host's side can name.
fn hook_output(plan: &InitPlan) -> Result<[Option<OwnedFd>; 2]> {
    let mut inside = plan.hooks.create_container.iter().chain(&plan.hooks.start_container);
    let Some([stdout, stderr]) = inside.next().map(|hook| &hook.output) else { return Ok([None, None]) };
    let open = |path: &Option<std::path::PathBuf>, stream| {
        path.as_deref().map(|path| hooks::open_output(path, stream)).transpose()
    };
    Ok([open(stdout, "stdout")?.map(Into::into), open(stderr, "stderr")?.map(Into::into)])
}

/// A detached copy, which gets events from the host and sends none.
fn tree(source: &std::path::Path, recursive: bool, nofollow: bool) -> Result<OwnedFd> {
    let all = if recursive { AT_RECURSIVE } else { 0 };
    let link = if nofollow { AT_SYMLINK_NOFOLLOW } else { 0 };
    let open = || {
        let fd = open_tree(AT_FDCWD, &c_path(source), OPEN_TREE_CLONE | all | link)?;
        mount_setattr(fd.raw(), AT_RECURSIVE, &MountAttr { propagation: MS_SLAVE, ..MountAttr::default() })?;
        Ok(OwnedFd::from(fd))
    };
    open().map_err(|e| Error::system("opening", e).with_object(source.display().to_string()))
}

fn map(tree: &OwnedFd, user: &OwnedFd, recursive: bool) -> Result<()> {
    let number = u64::try_from(user.as_raw_fd()).unwrap_or_default();
    let attr = MountAttr { set: MOUNT_ATTR_IDMAP, userns_fd: number, ..MountAttr::default() };
    let flags = if recursive { AT_RECURSIVE } else { 0 };
    mount_setattr(tree.as_raw_fd(), flags, &attr).map_err(|e| {
        Error::system("mapping the ids of the mount", e)
            .with_hint("the file system may not support idmapped mounts")
    })
}

/// Numbers above 2, so that putting one in its place never overwrites another.
pub(crate) fn streams(stdio: Streams) -> Result<Vec<OwnedFd>> {
    let failed = |e: std::io::Error| Error::io("setting up standard input and output", "", &e);
    match stdio {
        Streams::Inherit => Ok(Vec::new()),
        Streams::Null => {
            let null = File::options().read(true).write(true).open("/dev/null").map_err(failed)?;
            (0..3)
                .map(|_| null.try_clone().map(OwnedFd::from))
                .collect::<std::io::Result<_>>()
                .map_err(failed)
        }
        Streams::Fds(fds) => {
            fds.iter().map(OwnedFd::try_clone).collect::<std::io::Result<_>>().map_err(failed)
        }
    }
}

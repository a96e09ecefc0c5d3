//! The commands of v2's mounts, found on the host: they are run by the core, each beside its mount.
//!
//! Called by DefaultCreateCommand.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cofferdam::{Error, ErrorKind, MountCommand, Result};

use crate::{Config, MountCommand as Wanted, lower};

/// All of them; one without variables gets those of the container's program.
pub(super) fn mount_commands(config: &Config, env: &[String]) -> Result<Vec<MountCommand>> {
    let mut all = Vec::new();
    for (mount, at, wanted) in lower::with_commands(config) {
        for (key, after, commands) in [
            ("premount_cmds", false, &wanted.premount_cmds),
            ("postmount_cmds", true, &wanted.postmount_cmds),
        ] {
            for (index, one) in commands.iter().enumerate() {
                let env = if one.env.is_empty() { env } else { &one.env };
                let path = found(one, env).ok_or_else(|| {
                    Error::new(ErrorKind::Configuration, "finding the command of a mount")
                        .with_object(&one.path)
                        .with_detail("it is not on the host's PATH")
                        .with_pointer(&config.place(&at.key(key).index(index).key("path")))
                })?;
                let args = std::iter::once(&one.path).chain(&one.args).cloned().collect();
                let directory = one.dir.clone();
                all.push(MountCommand { mount, after, path, args, env: env.to_vec(), directory });
            }
        }
    }
    Ok(all)
}

/// A name is looked for as execvp(3) does, in the caller's PATH where the command has none.
fn found(wanted: &Wanted, env: &[String]) -> Option<String> {
    if wanted.path.starts_with('/') {
        return Some(wanted.path.clone());
    }
    let own = env.iter().find_map(|variable| variable.strip_prefix("PATH=")).map(Into::into);
    let path = own.or_else(|| std::env::var_os("PATH"))?;
    let is_program =
        |file: &PathBuf| file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    let dirs = std::env::split_paths(&path).filter(|dir| dir.is_absolute());
    let file = dirs.map(|dir| dir.join(Path::new(&wanted.path))).find(is_program)?;
    file.into_os_string().into_string().ok()
}

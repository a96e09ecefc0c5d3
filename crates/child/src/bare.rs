//! The host's procfs and sysfs, taken off before a root that is not pivoted is entered.
//!
//! Called by the loop. The kernel lets a user namespace mount a procfs or sysfs only where it sees a whole one
//! already (`mount_too_revealing`), reachable or not: what is left of the host's would let a container mount one in
//! which nothing is masked.

use cofferdam_sys::fsopen::AT_RECURSIVE;
use cofferdam_sys::mount_setattr::{MS_SLAVE, MountAttr, mount_setattr};
use cofferdam_sys::{Errno, Result, dirs, fsopen, open, pivot_root};

use crate::context::{Context, Done, Path};
use crate::wire::List;
use crate::{mount, procfs};

/// The most mounts that are taken off.
const MOST: u32 = 256;
/// A line holds two paths, each letter of which may be written as four.
const LONGEST: usize = 1 << 15;

/// Where the mount of a line of mountinfo is, if it is a whole procfs or sysfs. See proc_pid_mountinfo(5).
///
/// ```
/// use cofferdam_child::bare::whole;
/// let line = b"24 27 0:22 / /a\\040b rw,relatime shared:5 - proc proc rw";
/// assert_eq!(whole(line), Some(&b"/a\\040b"[..]));
/// assert_eq!(whole(b"24 27 0:22 /sys /sys rw - proc proc rw"), None);
/// assert_eq!(whole(b"24 27 0:22 / / rw - ext4 /dev/vda rw"), None);
/// ```
#[must_use]
pub fn whole(line: &[u8]) -> Option<&[u8]> {
    let mut fields = line.split(|b| *b == b' ');
    let (root, point) = (fields.nth(3)?, fields.next()?);
    fields.find(|field| *field == b"-")?;
    let kind = fields.next()?;
    (root == b"/" && (kind == b"proc" || kind == b"sysfs")).then_some(point)
}

pub(crate) fn hide(c: &mut Context) -> Done {
    let mut inside = Path::new();
    let mut words = [0; 4095];
    let root = c.root.as_ref().ok_or(Errno::EBADF)?;
    // Its canonical path, as mountinfo has it.
    let path = procfs::with_link(c, root, |own, name| dirs::readlinkat(own.raw(), name, &mut words))?;
    inside.push(path)?;
    let mut left = 0u32;
    for _ in 0..MOST {
        let Some(mut point) = next(c, &inside, left)? else { return Ok(()) };
        match take_off(&mut point) {
            Ok(()) => {}
            // Locked, as all mounts of the host's are for a user namespace's: covered, it is no whole one.
            Err(Errno::EINVAL | Errno::EPERM) => {
                cover(c, &mut point)?;
                left = left.saturating_add(1);
            }
            // Beneath one that has gone.
            Err(Errno::ENOENT | Errno::ENOTDIR) => left = left.saturating_add(1),
            Err(e) => return Err(e.into()),
        }
    }
    Err(Errno::E2BIG.into())
}

/// The next one outside the container's root, after so many that stay.
fn next(c: &Context, inside: &Path, mut left: u32) -> Result<Option<Path>> {
    let file = procfs::beneath(c, c"thread-self/mountinfo", open::O_RDONLY)?;
    let mut buffer = [0u8; LONGEST];
    let mut filled = 0usize;
    loop {
        let n = open::read(file.raw(), buffer.get_mut(filled..).unwrap_or_default())?;
        filled = filled.saturating_add(n);
        let text = buffer.get(..filled).unwrap_or_default();
        let end = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at.saturating_add(1));
        for line in text.get(..end).unwrap_or_default().split(|b| *b == b'\n') {
            let Some(point) = whole(line).map(plain).transpose()?.filter(|p| !within(p, inside)) else {
                continue;
            };
            if left == 0 {
                return Ok(Some(point));
            }
            left = left.saturating_sub(1);
        }
        if n == 0 {
            return Ok(None);
        }
        filled = crate::passwd::shift(&mut buffer, end, filled);
    }
}

fn within(path: &Path, root: &Path) -> bool {
    let root = if root.bytes() == b"/" { b"" } else { root.bytes() };
    path.bytes().strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
}

/// The path with its escapes (`\\040`) resolved.
fn plain(words: &[u8]) -> Result<Path> {
    let mut path = Path::new();
    let mut rest = words;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let code = octal.and_then(|digits| {
            digits.iter().try_fold(0u8, |n, d| {
                let digit = d.checked_sub(b'0').filter(|d| *d < 8)?;
                n.checked_mul(8)?.checked_add(digit)
            })
        });
        path.push(&[code.unwrap_or(*first)])?;
        rest = if code.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    Ok(path)
}

fn take_off(point: &mut Path) -> Result<()> {
    let at = open::open(point.c_str()?, open::O_PATH | open::O_DIRECTORY | open::O_NOFOLLOW)?;
    // Nothing of it may reach the host.
    mount_setattr(at.raw(), AT_RECURSIVE, &MountAttr { propagation: MS_SLAVE, ..MountAttr::default() })?;
    dirs::fchdir(at.raw())?;
    let done = pivot_root::umount_here();
    dirs::chdir(c"/")?;
    done
}

fn cover(c: &mut Context, point: &mut Path) -> Result<()> {
    let at = open::open(point.c_str()?, open::O_PATH | open::O_DIRECTORY | open::O_NOFOLLOW)?;
    let empty = mount::new(&mut c.text, c"tmpfs", List::new(b""), 0)?;
    fsopen::move_mount(empty.raw(), at.raw())
}

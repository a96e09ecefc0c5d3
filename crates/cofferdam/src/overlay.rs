//! Deciding how a root filesystem gets a writable layer in memory (`io.cofferdam.rootfs.overlay`).
//!
//! Called by `decide`. It looks at the root's entries and at what is mounted below them; it changes
//! nothing.

use std::fs;
use std::path::{Path, PathBuf};

use cofferdam_oci::{Pointer, Reject};
use cofferdam_plan::InitPlan;
use cofferdam_sys::clone3::CLONE_NEWUSER;

use crate::Bundle;

/// The annotation by which a container's root gets a writable layer in memory.
pub(crate) const ANNOTATION: &str = "io.cofferdam.rootfs.overlay";

/// A writable layer.
#[derive(Clone, Debug)]
pub(crate) struct OverlayPlan {
    /// Parameters of the tmpfs that holds it, as the child takes them.
    pub(crate) params: Vec<String>,
    /// Whether overlays need `userxattr`.
    pub(crate) userxattr: bool,
    /// Whether one overlay covers the whole root.
    pub(crate) whole: bool,
    /// Without that, the root's entries; with it, those that it leaves out.
    pub(crate) entries: Vec<Entry>,
}

/// One entry of a root that is put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A directory with an overlay of its own.
    Layered(String),
    /// A directory with mounts below, or a file: shown as it is, read-only.
    Bound(String),
    /// A directory over which the configuration mounts something.
    Empty(String),
    /// A symbolic link and its words.
    Link(String, String),
}

/// Reads the annotation: `""` or `size=BYTES`, as tmpfs(5) takes it.
pub(crate) fn params(bundle: &Bundle, rejects: &mut Vec<Reject>) -> Option<Vec<String>> {
    let value = bundle.spec.annotations.get(ANNOTATION)?;
    let mut params: Vec<String> = vec!["ssource".into(), "cofferdam".into(), "smode".into(), "755".into()];
    if let Some(size) = value.strip_prefix("size=") {
        params.extend(["ssize".into(), size.into()]);
    } else if !value.is_empty() {
        let pointer = Pointer::new("/annotations").key(ANNOTATION);
        rejects.push(Reject::new(pointer, format!("{value:?} is neither empty nor size=BYTES")));
    }
    Some(params)
}

/// One overlay leaves out what is mounted below the root: that is laid over it. In a user namespace the
/// kernel refuses such an overlay, and the root is put together from all its entries.
pub(crate) fn decide(params: Vec<String>, plan: &InitPlan) -> OverlayPlan {
    let mapped = plan.new_namespaces & CLONE_NEWUSER != 0;
    let root = plan.root.path.as_path();
    let covered: Vec<&str> = plan.mounts.iter().map(|m| m.target.as_str()).collect();
    let below = mounts_below(root, &fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
    let matters = |m: &PathBuf| {
        let inside = format!("/{}", m.display());
        mapped || !covered.iter().any(|c| inside == *c || inside.starts_with(&format!("{c}/")))
    };
    let left_out: Vec<&PathBuf> = below.iter().filter(|m| matters(m)).collect();
    let whole = !mapped || left_out.is_empty();
    let mut entries = if left_out.is_empty() { Vec::new() } else { entries(root, &below, &covered) };
    if whole {
        entries.retain(|e| left_out.iter().any(|m| m.starts_with(e.name())));
    }
    OverlayPlan { params, userxattr: mapped, whole, entries }
}

/// Mount points below `root`, relative to it.
fn mounts_below(root: &Path, mountinfo: &str) -> Vec<PathBuf> {
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4));
    let unescape = |p: &str| p.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\");
    points
        .filter_map(|p| Path::new(&unescape(p)).strip_prefix(root).map(Path::to_owned).ok())
        .filter(|p| !p.as_os_str().is_empty())
        .collect()
}

fn entries(root: &Path, below: &[PathBuf], covered: &[&str]) -> Vec<Entry> {
    let Ok(all) = fs::read_dir(root) else { return Vec::new() };
    let mut entries: Vec<_> = all.flatten().filter_map(|e| one(&e, below, covered)).collect();
    entries.sort_by(|a, b| a.name().cmp(b.name()));
    entries
}

fn one(entry: &fs::DirEntry, below: &[PathBuf], covered: &[&str]) -> Option<Entry> {
    let name = entry.file_name().into_string().ok()?;
    let kind = entry.file_type().ok()?;
    if kind.is_symlink() {
        let words = fs::read_link(entry.path()).ok()?;
        return Some(Entry::Link(name, words.to_str()?.to_owned()));
    }
    if !kind.is_dir() {
        return kind.is_file().then_some(Entry::Bound(name));
    }
    if covered.contains(&format!("/{name}").as_str()) {
        return Some(Entry::Empty(name));
    }
    let deeper = below.iter().any(|m| m.starts_with(&name) && m.components().count() > 1);
    // A colon would separate lower directories.
    Some(if deeper || name.contains(':') { Entry::Bound(name) } else { Entry::Layered(name) })
}

impl Entry {
    fn name(&self) -> &str {
        let (Self::Layered(name) | Self::Bound(name) | Self::Empty(name) | Self::Link(name, _)) = self;
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_those_below_the_root_only() {
        let info = "1 0 8:1 / / rw - ext4 a rw\n2 1 0:2 / /srv/a\\040b/c rw - tmpfs t rw\n3 1 0:3 / /srvx rw - tmpfs t rw\n";
        assert_eq!(mounts_below(Path::new("/srv"), info), [PathBuf::from("a b/c")]);
    }

    #[test]
    fn each_kind_of_entry_is_shown_in_its_way() {
        let dir = std::env::temp_dir().join(format!("cofferdam-overlay-{}", std::process::id()));
        for name in ["plain", "deep/mounted", "covered"] {
            fs::create_dir_all(dir.join(name)).unwrap();
        }
        std::os::unix::fs::symlink("plain", dir.join("link")).unwrap();
        fs::write(dir.join("file"), "").unwrap();
        let got = entries(&dir, &["deep/mounted".into(), "plain".into()], &["/covered"]);
        fs::remove_dir_all(&dir).unwrap();
        let (own, link) = (|s: &str| s.to_owned(), Entry::Link("link".into(), "plain".into()));
        let want = [Entry::Empty(own("covered")), Entry::Bound(own("deep")), Entry::Bound(own("file")), link];
        assert_eq!(got, [&want[..], &[Entry::Layered(own("plain"))]].concat());
    }
}

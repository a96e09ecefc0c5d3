//! The home directory of a user, from the container's /etc/passwd: a hostile file, read with a bound.

use cofferdam_sys::{Result, open};

use crate::context::Path;

/// Writes `HOME=` and the user's home directory, `/` when there is none.
pub(crate) fn home(uid: u32, line: &mut Path) -> Result<()> {
    line.push(b"HOME=")?;
    let mut buffer = [0u8; 4096];
    let mut reader =
        Reader { fd: open::open(c"/etc/passwd", open::O_RDONLY | open::O_NONBLOCK).ok(), left: 1 << 20 };
    let mut start = 0usize;
    loop {
        let filled = start.saturating_add(reader.read(buffer.get_mut(start..).unwrap_or_default()));
        let text = buffer.get(..filled).unwrap_or_default();
        let end = text.iter().rposition(|b| *b == b'\n').map_or(0, |n| n.saturating_add(1));
        let complete = if filled == start { filled } else { end };
        if let Some(home) = search(text.get(..complete).unwrap_or_default(), uid) {
            return line.push(home);
        }
        if filled == start || (end == 0 && filled == buffer.len()) {
            return line.push(b"/");
        }
        start = shift(&mut buffer, end, filled);
    }
}

/// Moves `from..to` to the beginning and gives its length. (`copy_within` would bring a panic along.)
pub(crate) fn shift(buffer: &mut [u8], from: usize, to: usize) -> usize {
    let length = to.saturating_sub(from);
    for i in 0..length {
        let byte = buffer.get(from.saturating_add(i)).copied().unwrap_or_default();
        if let Some(slot) = buffer.get_mut(i) {
            *slot = byte;
        }
    }
    length
}

struct Reader {
    fd: Option<cofferdam_sys::Fd>,
    left: usize,
}

impl Reader {
    fn read(&mut self, buffer: &mut [u8]) -> usize {
        let take = buffer.len().min(self.left);
        let buffer = buffer.get_mut(..take).unwrap_or_default();
        let n = self.fd.as_ref().and_then(|fd| open::read(fd.raw(), buffer).ok()).unwrap_or(0);
        self.left = self.left.saturating_sub(n);
        n
    }
}

/// The sixth field of the line whose third is `uid`, if it is an absolute path.
///
/// ```
/// use cofferdam_child::passwd::search;
/// assert_eq!(search(b"root:x:0:0:root:/root:/bin/sh\n", 0), Some(&b"/root"[..]));
/// assert_eq!(search(b"root:x:0x:0:root:/root:/bin/sh\n", 0), None);
/// ```
#[must_use]
pub fn search(text: &[u8], uid: u32) -> Option<&[u8]> {
    text.split(|b| *b == b'\n').find_map(|line| {
        let mut fields = line.split(|b| *b == b':');
        let number = fields.nth(2)?;
        let home = fields.nth(2)?;
        let found = decimal(number)? == uid && home.first() == Some(&b'/') && !home.contains(&0);
        found.then_some(home)
    })
}

/// A number of decimal digits only: `1x`, `-1` and what does not fit are none (CVE-2026-30892).
fn decimal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |n, d| {
        let digit = d.checked_sub(b'0').filter(|d| *d < 10)?;
        n.checked_mul(10)?.checked_add(u32::from(digit))
    })
}

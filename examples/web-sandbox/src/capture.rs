//! What a program writes: the beginning is kept, the rest is read and forgotten. Used by `running`.

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// What was written until now.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    pub(crate) kept: Vec<u8>,
    pub(crate) truncated: bool,
}

/// Reads to the end, keeping `limit` bytes. What was read stays in `into` when this is dropped.
pub(crate) async fn read(from: Option<Receiver>, limit: usize, into: &mut Captured) -> std::io::Result<()> {
    let Some(mut from) = from else { return Ok(()) };
    let mut buffer = vec![0; 16 << 10];
    loop {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        let room = limit.saturating_sub(into.kept.len());
        into.kept.extend(buffer.iter().take(n.min(room)));
        into.truncated |= n > room;
    }
}

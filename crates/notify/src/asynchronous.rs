//! Awaiting requests in a tokio runtime.
//!
//! Made by [`Listener::awaited`]. Looking at a request and answering it take no time worth awaiting.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::{Error, Listener, Received, Request, Result};

/// A listener whose requests are awaited; several tasks may do so at once.
///
/// ```no_run
/// # async fn f(listener: cofferdam_notify::Listener) -> cofferdam_notify::Result<()> {
/// let listener = listener.awaited()?;
/// while let Some(request) = listener.next().await? {
///     let _ = request.answer(cofferdam_notify::Answer::Value(0));
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct AsyncListener {
    /// The runtime is told of a descriptor of its own.
    ready: AsyncFd<OwnedFd>,
    listener: Listener,
    /// Between "there is nothing" and telling the runtime so, nobody else may look.
    looking: Mutex<()>,
}

impl Listener {
    /// The same listener, for tasks. Threads must not wait at the same time.
    ///
    /// # Errors
    /// [`Error::System`] when the runtime takes no more descriptors.
    ///
    /// # Panics
    /// Outside a runtime with its input and output enabled.
    pub fn awaited(self) -> Result<AsyncListener> {
        let copy = self.as_fd().try_clone_to_owned().map_err(|e| Error::io("keeping the listener", &e))?;
        #[allow(deprecated)] // What is wrong with it is wrong for types that may change their descriptor.
        let ready = AsyncFd::with_interest(copy, Interest::READABLE);
        let ready = ready.map_err(|e| Error::io("registering the listener", &e))?;
        Ok(AsyncListener { ready, listener: self, looking: Mutex::new(()) })
    }
}

impl AsyncListener {
    /// Waits for the next request; `None` when there will be none. May be cancelled at any time: nothing is lost.
    ///
    /// # Errors
    /// As [`Listener::next`].
    pub async fn next(&self) -> Result<Option<Request>> {
        loop {
            let ready = self.ready.readable().await;
            let mut ready = ready.map_err(|e| Error::io("awaiting a notification", &e))?;
            let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
            match self.listener.next_within(Duration::ZERO)? {
                Received::Request(request) => return Ok(Some(request)),
                Received::End => return Ok(None),
                Received::Nothing => ready.clear_ready(),
            }
        }
    }
}

//! Events as a stream, with the feature `tokio`.
//!
//! Called by whoever polls it; [`super::events`] looks, this waits.

use std::future::poll_fn;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Sleep, sleep};

use super::async_io::register;
use super::events::{Event, Events};
use crate::{Error, Result};

/// How often memory is asked for, as long as nothing else wakes us.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// What a stream waits for.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    process: Option<AsyncFd<OwnedFd>>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Events {
    /// Arranges to be woken; ready when there may be something already.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let failed = |e: std::io::Error| Error::io("waiting for events", "", &e);
        if self.waiting.process.is_none()
            && let Some(process) = &self.process
        {
            self.waiting.process = Some(register(process.as_fd(), Interest::READABLE).map_err(failed)?);
        }
        if let Some(process) = &self.waiting.process
            && let Poll::Ready(ready) = process.poll_read_ready(cx)
        {
            ready.map_err(failed)?.clear_ready();
            return Poll::Ready(Ok(()));
        }
        if self.waiting.pause.is_none() {
            let asked = self.memory.as_ref().map(|_| ASK_EVERY);
            let pause = [self.pause(), asked].into_iter().flatten().min();
            self.waiting.pause = pause.map(|pause| Box::pin(sleep(pause)));
        }
        let over = self.waiting.pause.as_mut().is_some_and(|pause| pause.as_mut().poll(cx).is_ready());
        if over {
            self.waiting.pause = None;
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

impl Events {
    /// As [`Iterator::next`], without blocking. Dropping the future loses no event.
    ///
    /// # Panics
    /// Outside of a tokio runtime whose I/O and time are enabled.
    ///
    /// ```no_run
    /// # async fn f(child: &cofferdam::Child) -> cofferdam::Result<()> {
    /// let mut events = child.events(None)?;
    /// while let Some(event) = events.next_async().await {
    ///     println!("{:?}", event?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next_async(&mut self) -> Option<Result<Event>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = Result<Event>;

    /// As [`Iterator::next`] of the same type, without blocking.
    ///
    /// # Panics
    /// Outside of a tokio runtime whose I/O and time are enabled.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while !self.ended {
            match self.look() {
                Ok(Some(event)) => return Poll::Ready(Some(Ok(event))),
                Ok(None) => match self.poll_rest(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(e)) => return Poll::Ready(Some(Err(e))),
                    Poll::Pending => return Poll::Pending,
                },
                Err(e) => return Poll::Ready(Some(Err(e))),
            }
        }
        Poll::Ready(None)
    }
}

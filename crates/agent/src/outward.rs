//! One thread that waits for those outside: the Kubernetes API, Falco's plugin.
//!
//! Made by `serve` where one of them is asked for. Nobody who answers calls waits for it, and nothing in it may take
//! long without awaiting.

use std::future::Future;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::failure::Failure;

/// The thread. When this is dropped it ends, and all that it waits for is given up.
#[derive(Debug)]
pub(crate) struct Outward {
    handle: Handle,
    _stop: oneshot::Sender<()>,
}

impl Outward {
    pub(crate) fn start() -> Result<Self, Failure> {
        let failed = |e| Failure::io("making the thread that waits for others", &e);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("outward".to_owned());
        // Not waited for: whoever drops the agent last may be it.
        thread.spawn(move || drop(runtime.block_on(stopped))).map_err(failed)?;
        Ok(Self { handle, _stop: stop })
    }

    /// Does this here, with the thread's help.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.handle.block_on(work)
    }

    /// Has the thread do this along with everything else.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(work));
    }
}

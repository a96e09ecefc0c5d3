//! Prepared containers in stock, so that a program starts at once.
//!
//! Called by embedders. One thread fills the stock again; it makes containers as everybody does.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::Command;
use super::child::Child;
use super::exec::Exec;
use super::output::Output;
use super::prepared::Prepared;
use super::stdio::Stdio;
use crate::{Error, ErrorKind, Result};

/// After a failure nothing is tried again for this long: what was the matter may pass.
const PAUSE: Duration = Duration::from_millis(200);

/// A stock of prepared containers, all from the same command, that fills itself again.
///
/// The command must not name an id: every container needs one of its own. The pool never holds more than the
/// size it was made with. Whoever finds it empty waits for a container to be
/// made, as without a pool. Dropping it removes the containers in stock; those that were started go on.
///
/// ```no_run
/// use cofferdam::{Exec, Pool, sandbox::Sandbox};
/// let mut sandbox = Sandbox::new("sh");
/// sandbox.memory(64 << 20).processes(16);
/// let pool = Pool::new(sandbox.into(), 8)?;
/// let output = pool.output(Exec::new("sh").args(["-c", "echo hello"]))?;
/// assert_eq!(output.stdout, b"hello\n");
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Debug)]
pub struct Pool {
    pub(super) shared: Arc<Shared>,
    filler: Option<JoinHandle<()>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) command: Command,
    size: usize,
    stock: Mutex<Stock>,
    /// The stock has become smaller, or the pool is closed.
    wanted: Condvar,
    /// The stock has grown, or cannot.
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Stock {
    ready: VecDeque<Prepared>,
    closed: bool,
    /// Why the last container could not be made.
    failed: Option<Error>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Stock> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self) -> Result<Prepared> {
        loop {
            let taken = self.lock().ready.pop_front();
            self.wanted.notify_one();
            match taken {
                // One that has been killed meanwhile is removed by being dropped.
                Some(prepared) if !prepared.is_waiting() => {}
                Some(prepared) => return Ok(prepared),
                None => return self.command.prepare(),
            }
        }
    }

    pub(super) fn run(&self, exec: &Exec, input: &Stdio, output: &Stdio) -> Result<Child> {
        for _ in 0..self.size {
            match self.take()?.run(Some(exec), input, output) {
                // Killed in the last moment: the next one is not to blame.
                Err(e) if e.kind() == ErrorKind::WrongState => {}
                other => return other,
            }
        }
        self.command.prepare()?.run(Some(exec), input, output)
    }

    fn fill(&self) {
        let mut stock = self.lock();
        while !stock.closed {
            if stock.ready.len() >= self.size {
                stock = self.wanted.wait(stock).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            drop(stock);
            let made = self.command.prepare();
            stock = self.lock();
            match made {
                Ok(prepared) if !stock.closed => {
                    stock.failed = None;
                    stock.ready.push_back(prepared);
                }
                Ok(_) => {}
                Err(e) => {
                    stock.failed = Some(e);
                    self.filled.notify_all();
                    let waited = self.wanted.wait_timeout(stock, PAUSE);
                    stock = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
            self.filled.notify_all();
        }
    }
}

impl Pool {
    /// Makes the pool with its first container, and begins to fill it.
    ///
    /// # Errors
    /// As [`Command::prepare`]; when no thread can be made.
    pub fn new(command: Command, size: usize) -> Result<Self> {
        let mut stock = Stock::default();
        if size > 0 {
            stock.ready.push_back(command.prepare()?);
        }
        let (wanted, filled) = (Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { command, size, stock: Mutex::new(stock), wanted, filled });
        let own = Arc::clone(&shared);
        let filler = Builder::new().name("cofferdam-pool".to_owned()).spawn(move || own.fill());
        let filler = filler.map_err(|e| Error::io("starting a thread", "cofferdam-pool", &e))?;
        Ok(Self { shared, filler: Some(filler) })
    }

    /// Takes a prepared container, or makes one if there is none in stock.
    ///
    /// # Errors
    /// As [`Command::prepare`].
    pub fn take(&self) -> Result<Prepared> {
        self.shared.take()
    }

    /// Starts a program in a container of the pool's.
    ///
    /// # Errors
    /// As [`Prepared::spawn`] and [`Pool::take`].
    pub fn spawn(&self, exec: &Exec) -> Result<Child> {
        self.shared.run(exec, &Stdio::inherit(), &Stdio::inherit())
    }

    /// Runs a program in a container of the pool's to its end and collects what it wrote.
    ///
    /// # Errors
    /// As [`Prepared::spawn`] and [`Pool::take`].
    pub fn output(&self, exec: &Exec) -> Result<Output> {
        self.shared.run(exec, &Stdio::null(), &Stdio::piped())?.wait_with_output()
    }

    /// How many containers are in stock.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.shared.lock().ready.len()
    }

    /// Waits until the pool is full.
    ///
    /// # Errors
    /// Why a container could not be made.
    pub fn wait_until_full(&self) -> Result<()> {
        let mut stock = self.shared.lock();
        while stock.ready.len() < self.shared.size {
            if let Some(e) = stock.failed.take() {
                return Err(e);
            }
            stock = self.shared.filled.wait(stock).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let left = {
            let mut stock = self.shared.lock();
            stock.closed = true;
            std::mem::take(&mut stock.ready)
        };
        self.shared.wanted.notify_all();
        drop(left);
        if let Some(filler) = self.filler.take() {
            // It may be making its last container, which it removes.
            let _ = filler.join();
        }
    }
}

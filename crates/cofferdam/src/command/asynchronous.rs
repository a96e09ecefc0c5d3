//! Starting, waiting and collecting without blocking a thread, with the feature `tokio`: the same types.
//!
//! Called by embedders. Containers are made and removed by a few milliseconds of system calls, which run
//! where tokio has its blocking calls; what takes long is awaited by descriptors.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::io::Interest;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::task::spawn_blocking;

use super::Command;
use super::async_io::register;
use super::child::Child;
use super::exec::Exec;
use super::output::Output;
use super::pipes::Terminal;
use super::pool::Pool;
use super::stdio::Stdio;
use crate::{Container, Error, ErrorKind, ExitStatus, Result};

impl Command {
    /// As [`Command::spawn`], without blocking.
    ///
    /// A container whose future is dropped before it is ready is ended and removed.
    ///
    /// # Errors
    /// As [`Command::spawn`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    ///
    /// ```no_run
    /// # async fn f() -> cofferdam::Result<()> {
    /// use std::time::Duration;
    /// let mut child = cofferdam::Command::new("make").kill_on_drop(true).spawn_async().await?;
    /// match tokio::time::timeout(Duration::from_secs(60), child.wait_async()).await {
    ///     Ok(status) => println!("{}", status?),
    ///     Err(_) => child.kill()?,
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn spawn_async(&self) -> Result<Child> {
        let launch = self.launch(&Stdio::inherit(), &Stdio::inherit())?;
        let child = blocking(move || launch.run().map(Child::killing)).await??;
        Ok(child.killing_again(self.kill_on_drop))
    }

    /// As [`Command::create`], without blocking.
    ///
    /// # Errors
    /// As [`Command::create`].
    ///
    /// # Panics
    /// As [`Command::spawn_async`].
    pub async fn create_async(&self) -> Result<Child> {
        let launch = self.launch(&Stdio::inherit(), &Stdio::inherit())?;
        let child = blocking(move || launch.create().map(Child::killing)).await??;
        Ok(child.killing_again(self.kill_on_drop))
    }

    /// As [`Command::output`], without blocking.
    ///
    /// Dropping the future ends and removes the container, since nobody else could.
    ///
    /// # Errors
    /// As [`Command::output`].
    ///
    /// # Panics
    /// As [`Command::spawn_async`].
    ///
    /// ```no_run
    /// # async fn f() -> cofferdam::Result<()> {
    /// let output = cofferdam::Command::new("date").output_async().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn output_async(&self) -> Result<Output> {
        let launch = self.launch(&Stdio::null(), &Stdio::piped())?;
        blocking(move || launch.run().map(Child::killing)).await??.wait_with_output_async().await
    }

    /// As [`Command::status`], without blocking; dropped, as [`Command::output_async`].
    ///
    /// # Errors
    /// As [`Command::status`].
    ///
    /// # Panics
    /// As [`Command::spawn_async`].
    pub async fn status_async(&self) -> Result<ExitStatus> {
        let launch = self.launch(&Stdio::inherit(), &Stdio::inherit())?;
        blocking(move || launch.run().map(Child::killing)).await??.wait_async().await
    }
}

impl Exec {
    /// As [`Exec::spawn_in`], without blocking.
    ///
    /// # Errors
    /// As [`Exec::spawn_in`].
    ///
    /// # Panics
    /// As [`Command::spawn_async`].
    ///
    /// ```no_run
    /// # async fn f(container: &cofferdam::Container) -> cofferdam::Result<()> {
    /// let mut process = cofferdam::Exec::new("sleep").arg("1").spawn_in_async(container).await?;
    /// process.wait_async().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn spawn_in_async(&self, container: &Container) -> Result<Child> {
        let (exec, container) = (self.clone(), container.clone());
        let child = blocking(move || exec.spawn_in(&container).map(Child::killing)).await??;
        Ok(child.killing_again(false))
    }

    /// As [`Exec::output_in`], without blocking. Dropping the future ends the process.
    ///
    /// # Errors
    /// As [`Exec::output_in`].
    ///
    /// # Panics
    /// As [`Command::spawn_async`].
    pub async fn output_in_async(&self, container: &Container) -> Result<Output> {
        let (exec, container) = (self.clone(), container.clone());
        let start = move || exec.start(&container, &Stdio::null(), &Stdio::piped()).map(Child::killing);
        blocking(start).await??.wait_with_output_async().await
    }
}

impl Pool {
    /// As [`Pool::spawn`], without blocking; dropped, as [`Command::spawn_async`].
    ///
    /// # Errors
    /// As [`Pool::spawn`].
    ///
    /// # Panics
    /// As [`Command::spawn_async`].
    ///
    /// ```no_run
    /// # async fn f(pool: &cofferdam::Pool) -> cofferdam::Result<()> {
    /// let mut child = pool.spawn_async(cofferdam::Exec::new("sleep").arg("1")).await?;
    /// child.wait_async().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn spawn_async(&self, exec: &Exec) -> Result<Child> {
        let (shared, exec) = (Arc::clone(&self.shared), exec.clone());
        let child = blocking(move || shared.take()?.spawn(&exec).map(Child::killing)).await??;
        Ok(child.killing_again(self.shared.command.kill_on_drop))
    }

    /// As [`Pool::output`], without blocking; dropped, as [`Command::output_async`].
    ///
    /// # Errors
    /// As [`Pool::output`].
    ///
    /// # Panics
    /// As [`Command::spawn_async`].
    pub async fn output_async(&self, exec: &Exec) -> Result<Output> {
        let (shared, exec) = (Arc::clone(&self.shared), exec.clone());
        let run = move || shared.run(&exec, &Stdio::null(), &Stdio::piped()).map(Child::killing);
        blocking(run).await??.wait_with_output_async().await
    }
}

impl Child {
    /// What is dropped because nobody waits for it any more is ended.
    fn killing(self) -> Self {
        self.killing_again(true)
    }

    fn killing_again(mut self, kill: bool) -> Self {
        self.ownership.kill_on_drop = kill;
        self
    }

    /// As [`Child::start`], without blocking.
    ///
    /// # Errors
    /// As [`Child::start`].
    ///
    /// # Panics
    /// As [`Command::spawn_async`].
    pub async fn start_async(&mut self) -> Result<()> {
        let container = self.container.clone();
        blocking(move || container.start()).await?
    }

    /// As [`Child::wait`], without blocking. Dropping the future loses nothing: it can be called again.
    ///
    /// # Errors
    /// As [`Child::wait`].
    ///
    /// # Panics
    /// As [`Command::spawn_async`].
    pub async fn wait_async(&mut self) -> Result<ExitStatus> {
        drop(self.stdin.take());
        if let Some(status) = self.status {
            return Ok(status);
        }
        readable(self.as_fd())
            .await
            .map_err(|e| Error::io("waiting for process", self.pid().to_string(), &e))?;
        let status = self.process.wait();
        self.status = status.as_ref().ok().copied();
        let removed = if std::mem::take(&mut self.ownership.removes) {
            let container = self.container.clone();
            blocking(move || container.remove_ended()).await?
        } else {
            Ok(())
        };
        let status = status?;
        removed.map(|()| status)
    }

    /// As [`Child::wait_with_output`], without blocking.
    ///
    /// # Errors
    /// As [`Child::wait_with_output`].
    ///
    /// # Panics
    /// As [`Command::spawn_async`].
    pub async fn wait_with_output_async(self) -> Result<Output> {
        self.communicate_async(&[]).await
    }

    /// As [`Child::communicate`], without blocking.
    ///
    /// # Errors
    /// As [`Child::communicate`].
    ///
    /// # Panics
    /// As [`Command::spawn_async`].
    ///
    /// ```no_run
    /// # async fn f() -> cofferdam::Result<()> {
    /// use cofferdam::{Command, Stdio};
    /// let mut command = Command::new("sort");
    /// let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn_async().await?;
    /// assert_eq!(child.communicate_async(b"b\na\n").await?.stdout, b"a\nb\n");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn communicate_async(mut self, input: &[u8]) -> Result<Output> {
        let collected = exchange(&mut self, input).await;
        let collected = collected.map_err(|e| Error::io("reading what the program writes", "", &e));
        let status = self.wait_async().await;
        let (stdout, stderr) = collected?;
        Ok(Output { status: status?, stdout, stderr })
    }
}

/// Runs what blocks for a short time.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    spawn_blocking(work)
        .await
        .map_err(|e| Error::new(ErrorKind::System, "running a blocking call").with_detail(e.to_string()))
}

/// Waits until a descriptor can be read.
async fn readable(fd: BorrowedFd<'_>) -> io::Result<()> {
    register(fd, Interest::READABLE)?.readable().await.map(drop)
}

/// As [`super::output::exchange`].
async fn exchange(child: &mut Child, input: &[u8]) -> io::Result<(Vec<u8>, Vec<u8>)> {
    if let Some(terminal) = child.terminal.take() {
        return printed(terminal).await.map(|bytes| (bytes, Vec::new()));
    }
    let stdin = child.stdin.take().filter(|_| !input.is_empty());
    let stdin = stdin.map(super::pipes::ChildStdin::into_async).transpose()?;
    let out = child.stdout.take().map(super::pipes::ChildStdout::into_async).transpose()?;
    let err = child.stderr.take().map(super::pipes::ChildStderr::into_async).transpose()?;
    let (mut feeding, mut out, mut err) = (pin!(feed(stdin, input)), pin!(drain(out)), pin!(drain(err)));
    let (mut fed, mut first, mut second) = (None, None, None);
    poll_fn(|cx| {
        poll_once(&mut fed, feeding.as_mut(), cx);
        poll_once(&mut first, out.as_mut(), cx);
        poll_once(&mut second, err.as_mut(), cx);
        if fed.is_some() && first.is_some() && second.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    fed.unwrap_or(Ok(()))?;
    Ok((first.unwrap_or_else(|| Ok(Vec::new()))?, second.unwrap_or_else(|| Ok(Vec::new()))?))
}

/// Polls a future that may be ready already.
fn poll_once<F: Future>(
    done: &mut Option<F::Output>,
    future: std::pin::Pin<&mut F>,
    cx: &mut std::task::Context<'_>,
) {
    if done.is_none()
        && let Poll::Ready(output) = future.poll(cx)
    {
        *done = Some(output);
    }
}

/// Writes all of it; a program that does not want to read more is no error.
async fn feed(to: Option<Sender>, mut rest: &[u8]) -> io::Result<()> {
    let Some(to) = to else { return Ok(()) };
    while !rest.is_empty() {
        to.writable().await?;
        match to.try_write(rest) {
            Ok(n) => rest = rest.get(n..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(e) if passes(&e) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Reads to the end.
async fn drain(from: Option<Receiver>) -> io::Result<Vec<u8>> {
    let Some(from) = from else { return Ok(Vec::new()) };
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
    loop {
        from.readable().await?;
        match from.try_read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(n) => bytes.extend(buffer.iter().take(n)),
            Err(e) if passes(&e) => {}
            Err(e) => return Err(e),
        }
    }
}

/// Reads what a terminal shows until nobody has it any more.
async fn printed(terminal: Terminal) -> io::Result<Vec<u8>> {
    let mut terminal = pin!(terminal.into_async()?);
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 4096]);
    loop {
        let mut room = tokio::io::ReadBuf::new(&mut buffer);
        poll_fn(|cx| tokio::io::AsyncRead::poll_read(terminal.as_mut(), cx, &mut room)).await?;
        if room.filled().is_empty() {
            return Ok(bytes);
        }
        bytes.extend_from_slice(room.filled());
    }
}

fn passes(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

//! Which handler answers which call, and what is wrapped around all of them.
//!
//! Made by supervisors; asked by [`crate::Service`], or by a loop of the supervisor's own. It decides nothing but
//! what happens when nobody does: a call without a handler, a handler that fails or panics.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cofferdam_sys::Errno;

use crate::call::behind_socketcall;
use crate::{Answer, Error, Request, Result};

/// Answers a request, or says why it cannot.
pub type Handler = Arc<dyn Fn(&Request) -> Result<Answer> + Send + Sync>;
/// Is asked in a handler's place, with what it is wrapped around.
pub type Middleware = Arc<dyn Fn(&Request, &Next<'_>) -> Result<Answer> + Send + Sync>;

/// Handlers by the names of system calls.
///
/// ```
/// use cofferdam_notify::{Answer, Call, Errno, Registry};
/// let registry = Registry::new()
///     .on(&["mkdir", "mkdirat"], |request| match request.call()? {
///         Call::Mkdir { path, .. } if path.as_bytes().starts_with(b"/forbidden") => Err(Errno::EACCES)?,
///         _ => Ok(Answer::Errno(Errno::EROFS)),
///     })
///     .otherwise(|_| Ok(Answer::Errno(Errno::EPERM)))
///     .wrap(|request, next| {
///         let answer = next.handle(request);
///         eprintln!("{:?}: {answer:?}", request.name());
///         answer
///     });
/// assert!(registry.knows("mkdirat") && !registry.knows("mount"));
/// ```
#[derive(Clone)]
pub struct Registry {
    handlers: HashMap<String, Handler>,
    otherwise: Handler,
    middleware: Vec<Middleware>,
    failed: Errno,
}

/// What a middleware is wrapped around: further middleware, in the end the handler.
///
/// ```
/// use cofferdam_notify::{Next, Registry};
/// let audited = Registry::new().wrap(|request, next: &Next| {
///     let before = std::time::Instant::now();
///     let answer = next.handle(request);
///     println!("{:?} after {:?}", request.name(), before.elapsed());
///     answer
/// });
/// # drop(audited);
/// ```
pub struct Next<'a> {
    rest: &'a [Middleware],
    handler: &'a Handler,
}

impl Next<'_> {
    /// Asks.
    ///
    /// # Errors
    /// The handler's, and [`Error::Panicked`] when it panicked.
    pub fn handle(&self, request: &Request) -> Result<Answer> {
        match self.rest.split_first() {
            None => caught(|| (self.handler)(request)),
            Some((first, rest)) => caught(|| first(request, &Next { rest, handler: self.handler })),
        }
    }
}

/// A program that aborts when it panics does so here, too.
fn caught(ask: impl FnOnce() -> Result<Answer>) -> Result<Answer> {
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|said| {
        let words = said.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| said.downcast_ref::<&str>().copied());
        Err(Error::Panicked(words.unwrap_or("without words").to_owned()))
    })
}

impl Registry {
    /// One without handlers: what it does not know fails with `ENOSYS`, what goes wrong with `EIO`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            handlers: HashMap::new(),
            otherwise: Arc::new(|_| Ok(Answer::Errno(Errno::ENOSYS))),
            middleware: Vec::new(),
            failed: Errno::EIO,
        }
    }

    /// Has these system calls answered by `handler`; whoever was said before for one of them is forgotten. On ABIs
    /// with socketcall(2) the calls behind it count by their own names.
    #[must_use]
    pub fn on(
        mut self,
        calls: &[&str],
        handler: impl Fn(&Request) -> Result<Answer> + Send + Sync + 'static,
    ) -> Self {
        let handler: Handler = Arc::new(handler);
        for call in calls {
            self.handlers.insert((*call).to_owned(), Arc::clone(&handler));
        }
        self
    }

    /// Has all other calls answered by `handler`.
    #[must_use]
    pub fn otherwise(mut self, handler: impl Fn(&Request) -> Result<Answer> + Send + Sync + 'static) -> Self {
        self.otherwise = Arc::new(handler);
        self
    }

    /// Wraps `middleware` around all handlers, also the one for all other calls. The first is the outermost.
    #[must_use]
    pub fn wrap(
        mut self,
        middleware: impl Fn(&Request, &Next<'_>) -> Result<Answer> + Send + Sync + 'static,
    ) -> Self {
        self.middleware.push(Arc::new(middleware));
        self
    }

    /// What a caller gets when a handler panicked, or failed with what is not the caller's affair
    /// ([`Error::for_caller`]).
    #[must_use]
    pub fn failing_with(mut self, errno: Errno) -> Self {
        self.failed = errno;
        self
    }

    /// Whether a call has a handler of its own.
    #[must_use]
    pub fn knows(&self, call: &str) -> bool {
        self.handlers.contains_key(call)
    }

    /// The answer to a request, whatever happens on the way.
    pub fn ask(&self, request: &Request) -> Answer {
        let next = Next { rest: &self.middleware, handler: self.handler(request) };
        next.handle(request).unwrap_or_else(|e| Answer::Errno(e.for_caller().unwrap_or(self.failed)))
    }

    /// Asks, and answers.
    ///
    /// # Errors
    /// As [`Request::answer`].
    pub fn answer(&self, request: Request) -> Result<()> {
        let answer = self.ask(&request);
        request.answer(answer)
    }

    fn handler(&self, request: &Request) -> &Handler {
        let Some(name) = request.name() else { return &self.otherwise };
        let behind = || {
            let [number, ..] = request.args();
            behind_socketcall(u32::try_from(number).ok()?).filter(|_| name == "socketcall")
        };
        let found = self.handlers.get(name).or_else(|| self.handlers.get(behind()?));
        found.unwrap_or(&self.otherwise)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("calls", &self.handlers.keys())
            .field("middleware", &self.middleware.len())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Next").field("middleware", &self.rest.len()).finish_non_exhaustive()
    }
}

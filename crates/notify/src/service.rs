//! Threads that answer one listener's requests.
//!
//! Made by supervisors, one for each container: a flood of one container's requests then waits for that
//! container's threads and for no other's. Further requests wait in the kernel, each in the thread that made it,
//! which is all the queue there is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::listener::Taken;
use crate::{Answer, Error, Listener, Registry, Request, Result};

/// Working on a request takes long if it takes longer than this, in nanoseconds.
const LONG: u64 = 200_000;
/// How often the kept turn is looked at.
const TICK: Duration = Duration::from_millis(1);

/// How much one service may use.
///
/// ```
/// use cofferdam_notify::Limits;
/// let limits = Limits { workers: 8, rate: Some(10_000), ..Limits::default() };
/// assert_eq!(limits.late, 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most requests that are worked on at once, each by a thread. Threads are made when they are needed.
    pub workers: usize,
    /// Most answers that wait for their time ([`Answer::After`]). Beyond, workers do the waiting.
    pub late: usize,
    /// Most requests a second, in the long run: what comes faster (after a tenth of a second's worth) waits. The
    /// processors that a container's flood takes, here and in its own threads that it answers, are then bounded,
    /// and other containers' answers stay as fast as they were. Without it, as many as there are.
    pub rate: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { workers: 4, late: 1024, rate: None }
    }
}

/// Answers a listener's requests until its processes have ended or it is stopped. Dropped, it is stopped.
///
/// ```no_run
/// use std::sync::Arc;
/// use cofferdam_notify::{Answer, Limits, Listener, Registry, Service};
/// # fn f(listener: Listener) -> cofferdam_notify::Result<()> {
/// let registry = Arc::new(Registry::new().on(&["uname"], |_| Ok(Answer::proceed("anybody may ask that"))));
/// let service = Service::start(listener, registry, Limits::default())?;
/// service.wait()
/// # }
/// ```
#[derive(Debug)]
pub struct Service(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    listener: Listener,
    registry: RwLock<Arc<Registry>>,
    limits: Limits,
    /// Threads that wait for a request.
    idle: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
    /// The turn to receive of who works on a request that should not take long, and how many there were.
    kept: Mutex<(u64, Option<Taken>)>,
    /// How long working on a request takes, in nanoseconds, on the average of the last few.
    usual: AtomicU64,
    /// Whether nobody watches the kept turn, having found nothing to watch.
    unwatched: AtomicBool,
    /// When the next request may be worked on, at the allowed rate.
    pace: Mutex<Instant>,
}

#[derive(Debug, Default)]
struct State {
    workers: usize,
    /// Whether there is a thread that waits for late answers' time.
    clock: bool,
    /// Whether there is a thread that watches the kept turn.
    watch: bool,
    ended: bool,
    late: BinaryHeap<Reverse<Late>>,
    failed: Option<Error>,
}

/// An answer and its time.
#[derive(Debug)]
struct Late {
    at: Instant,
    request: Request,
    answer: Answer,
}

impl Service {
    /// Starts answering.
    ///
    /// # Errors
    /// [`Error::System`] when no thread can be made.
    pub fn start(listener: Listener, registry: Arc<Registry>, limits: Limits) -> Result<Self> {
        let shared = Arc::new(Shared {
            listener,
            registry: RwLock::new(registry),
            limits,
            idle: AtomicUsize::new(0),
            state: Mutex::default(),
            changed: Condvar::new(),
            kept: Mutex::default(),
            usual: AtomicU64::new(0),
            unwatched: AtomicBool::new(false),
            pace: Mutex::new(Instant::now()),
        });
        spawn(&shared, &mut shared.state())?;
        Ok(Self(shared))
    }

    /// Has requests answered by another registry from now on; those that are being worked on are finished by the
    /// old one.
    pub fn replace(&self, registry: Arc<Registry>) {
        *self.0.registry.write().unwrap_or_else(PoisonError::into_inner) = registry;
    }

    /// Ends it: no further request is received, those that were are answered, late ones at once.
    pub fn stop(&self) {
        self.0.listener.stop();
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let state = self.0.state();
        state.ended && state.workers == 0
    }

    /// Waits until it has ended and every request has been answered.
    ///
    /// # Errors
    /// What ended it, if that was a failure.
    pub fn wait(&self) -> Result<()> {
        let mut state = self.0.state();
        while !state.ended || state.workers > 0 || state.clock || state.watch {
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.failed.take().map_or(Ok(()), Err)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Makes a worker.
fn spawn(shared: &Arc<Shared>, state: &mut State) -> Result<()> {
    let copy = Arc::clone(shared);
    let made = thread::Builder::new().name("notify".to_owned()).spawn(move || copy.work());
    made.map_err(|e| Error::io("making a thread", &e))?;
    state.workers = state.workers.saturating_add(1);
    Ok(())
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a worker does. Waking another thread to wait for the next request takes longer than many an answer
    /// does: so it keeps the turn while it works, unless work usually takes long, and `watch` takes it away when
    /// this once it does.
    fn work(self: Arc<Self>) {
        let mut turn = None;
        loop {
            self.idle.fetch_add(1, Ordering::AcqRel);
            let next = self.listener.next_in_turn(turn.take());
            self.idle.fetch_sub(1, Ordering::AcqRel);
            match next {
                Ok(Some((request, mine))) => {
                    if self.usual.load(Ordering::Relaxed) > LONG {
                        drop(mine);
                        self.another();
                    } else {
                        self.keep(mine);
                    }
                    self.keep_pace();
                    let begin = Instant::now();
                    self.answer(request);
                    self.took(begin.elapsed());
                    turn = self.kept().1.take();
                }
                Ok(None) => return self.leave(None),
                Err(e) => return self.leave(Some(e)),
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, (u64, Option<Taken>)> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where `watch` finds it.
    fn keep(self: &Arc<Self>, turn: Taken) {
        {
            let mut kept = self.kept();
            kept.0 = kept.0.wrapping_add(1);
            kept.1 = Some(turn);
        }
        if self.unwatched.swap(false, Ordering::AcqRel) {
            // Whoever says so has the state until it waits.
            drop(self.state());
            self.changed.notify_all();
        }
        // The first time there is nobody.
        if self.usual.load(Ordering::Relaxed) == 0 {
            let mut state = self.state();
            if !state.watch && !state.ended {
                let copy = Arc::clone(self);
                let made = thread::Builder::new().name("notify-watch".to_owned()).spawn(move || copy.watch());
                state.watch = made.is_ok();
            }
        }
    }

    fn took(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).clamp(1, u64::from(u32::MAX));
        let usual = self.usual.load(Ordering::Relaxed);
        self.usual.store((usual.saturating_mul(7).saturating_add(time) / 8).max(1), Ordering::Relaxed);
    }

    /// Gives the turn of whoever works too long to another worker. Looks once a millisecond while requests come.
    fn watch(self: Arc<Self>) {
        const QUIET: u32 = 10;
        let (mut last, mut quiet) = (0, 0u32);
        let mut state = self.state();
        while !state.ended {
            let waited = self.changed.wait_timeout(state, TICK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            let mut kept = self.kept();
            if kept.0 != last {
                (last, quiet) = (kept.0, 0);
                continue;
            }
            if let Some(turn) = kept.1.take() {
                drop(kept);
                drop(state);
                drop(turn);
                self.another();
                state = self.state();
                continue;
            }
            drop(kept);
            quiet = quiet.saturating_add(1);
            if quiet > QUIET && !state.ended {
                self.unwatched.store(true, Ordering::Release);
                // One that came in between would not have woken us.
                if self.kept().0 == last {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                self.unwatched.store(false, Ordering::Release);
                quiet = 0;
            }
        }
        state.watch = false;
        self.changed.notify_all();
    }

    /// Somebody must receive while a request is worked on. Without another thread it waits.
    fn another(self: &Arc<Self>) {
        if self.idle.load(Ordering::Acquire) > 0 {
            return;
        }
        let mut state = self.state();
        if state.workers < self.limits.workers && !state.ended {
            let _ = spawn(self, &mut state);
        }
    }

    /// Waits as the rate demands. Time that was not used is saved up for a burst, a tenth of a second at most.
    fn keep_pace(&self) {
        const BURST: Duration = Duration::from_millis(100);
        let Some(step) = self.limits.rate.and_then(|rate| Duration::from_secs(1).checked_div(rate)) else {
            return;
        };
        let now = Instant::now();
        let ahead = {
            let mut next = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            let saved = now.checked_sub(BURST).unwrap_or(now);
            *next = (*next).max(saved).checked_add(step).unwrap_or(now);
            next.saturating_duration_since(now)
        };
        if !ahead.is_zero() {
            thread::sleep(ahead);
        }
    }

    fn answer(self: &Arc<Self>, request: Request) {
        let registry = Arc::clone(&self.registry.read().unwrap_or_else(PoisonError::into_inner));
        match registry.ask(&request) {
            Answer::After(delay, answer) => self.later(request, delay, *answer),
            // A caller that has gone meanwhile, or whose table is full, was told or needs no answer.
            answer => drop(request.answer(answer)),
        }
    }

    fn later(self: &Arc<Self>, request: Request, delay: Duration, answer: Answer) {
        let Some(at) = Instant::now().checked_add(delay) else { return };
        let late = Late { at, request, answer };
        let mut state = self.state();
        if state.late.len() >= self.limits.late {
            state.late.retain(|Reverse(late)| late.request.is_valid());
        }
        if state.late.len() >= self.limits.late || !self.clock(&mut state) {
            drop(state);
            thread::sleep(delay);
            return drop(late.request.answer(late.answer));
        }
        state.late.push(Reverse(late));
        self.changed.notify_all();
    }

    /// Whether there is a thread that waits for the answers' time.
    fn clock(self: &Arc<Self>, state: &mut State) -> bool {
        if !state.clock {
            let copy = Arc::clone(self);
            let made = thread::Builder::new().name("notify-late".to_owned()).spawn(move || copy.tick());
            state.clock = made.is_ok();
        }
        state.clock
    }

    fn tick(&self) {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            let left = state.late.peek().map(|Reverse(late)| late.at.saturating_duration_since(now));
            match left {
                Some(left) if left.is_zero() || state.ended => {
                    let due = state.late.pop();
                    drop(state);
                    if let Some(Reverse(Late { request, answer, .. })) = due {
                        let _ = request.answer(answer);
                    }
                    state = self.state();
                }
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                None if state.ended && state.workers == 0 => break,
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
        state.clock = false;
        self.changed.notify_all();
    }

    fn leave(&self, failed: Option<Error>) {
        // The others are told, too.
        self.listener.stop();
        let mut state = self.state();
        state.workers = state.workers.saturating_sub(1);
        state.ended = true;
        state.failed = state.failed.take().or(failed);
        self.changed.notify_all();
    }
}

impl PartialEq for Late {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Late {}

impl PartialOrd for Late {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Late {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

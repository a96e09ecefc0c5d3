//! Measuring again and again: one thread, which waits for the next time, a key, a signal or a container's end.
//!
//! Called by [`super::run`].

use cofferdam::ErrorKind;
use cofferdam_nsinit::stats::Measurement;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::rates::{Moment, Rates};
use super::row::{self, Totals};
use super::screen::{self, Screen};
use super::{Format, Line, Subject, Subjects, value};
use crate::failure::{Failure, Outcome};
use crate::foreground::Signals;
use crate::log::Log;
use crate::output;

/// Added to the number of the signal that ended it, as shells do.
const SIGNALLED: i32 = 128;

/// Measures until nothing is left to measure, or somebody has seen enough.
pub(super) fn watch(interval: Duration, format: Format, subjects: &Subjects<'_>, log: &Log) -> Outcome {
    let signals = Signals::take()?;
    let mut before = BTreeMap::new();
    let first = measure(subjects, &before, log)?;
    let screen = if format == Format::Table { Screen::open()? } else { None };
    let mut show = Show { format, screen, headed: false };
    let (mut next, mut measured) = (Instant::now(), first);
    loop {
        if measured.is_empty() || !show.round(&measured, &before)? {
            return Ok(0);
        }
        let ends: Vec<OwnedFd> = measured.iter().filter_map(|m| m.end.as_ref()?.try_clone().ok()).collect();
        before = measured.into_iter().map(|m| (m.id, m.moment)).collect();
        let now = Instant::now();
        if next <= now {
            // After a stop, or on a machine that is too busy, what was missed is not made up for.
            next = next.checked_add(interval).unwrap_or(next).max(now);
        }
        match wait(next, &signals, &mut show, &ends)? {
            Wake::Quit => return Ok(0),
            Wake::Signal(number) => return Ok(SIGNALLED + number),
            Wake::Tick => {}
        }
        measured = measure(subjects, &before, log)?;
    }
}

/// A container at a moment.
struct Measured {
    id: String,
    measurement: Measurement,
    moment: Moment,
    /// Becomes readable when its first process ends.
    end: Option<OwnedFd>,
}

/// What runs. The first time, when nothing was before, all that were named must.
fn measure(
    subjects: &Subjects<'_>,
    before: &BTreeMap<String, Moment>,
    log: &Log,
) -> Result<Vec<Measured>, Failure> {
    let one = |subject: &Subject| -> cofferdam::Result<Measured> {
        let end = Pid::from_raw(subject.pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let measurement = (subject.measure)()?;
        let moment = Moment { at: Instant::now(), totals: Totals::of(&measurement) };
        Ok(Measured { id: subject.id.clone(), measurement, moment, end })
    };
    match subjects {
        Subjects::Named(named) if before.is_empty() => {
            named.iter().map(|subject| one(subject).map_err(Failure::from)).collect()
        }
        Subjects::Named(named) => {
            let still = named.iter().filter(|subject| before.contains_key(&subject.id));
            Ok(still.filter_map(|subject| still_there(one(subject), &subject.id, log)).collect())
        }
        Subjects::All(list) => {
            Ok(list()?.iter().filter_map(|subject| still_there(one(subject), &subject.id, log)).collect())
        }
    }
}

/// One that has ended is gone; about one that cannot be measured there is a warning.
fn still_there<T>(measured: cofferdam::Result<T>, id: &str, log: &Log) -> Option<T> {
    match measured {
        Err(error) if [ErrorKind::WrongState, ErrorKind::NotFound].contains(&error.kind()) => None,
        Err(error) => {
            log.warning(&format!("measure container {id}: {error}"));
            None
        }
        Ok(measured) => Some(measured),
    }
}

/// Where a round goes.
struct Show {
    format: Format,
    screen: Option<Screen>,
    headed: bool,
}

impl Show {
    /// Prints a round; whether anybody still reads.
    fn round(&mut self, measured: &[Measured], before: &BTreeMap<String, Moment>) -> Result<bool, Failure> {
        if self.format != Format::Table {
            let mut lines = String::new();
            for m in measured {
                let line = Line { id: &m.id, stats: value(self.format, &m.measurement)? };
                lines.push_str(&output::line(&line)?);
            }
            return output::text_if_read(&lines);
        }
        let rates = |m: &Measured| {
            before.get(&m.id).map_or_else(Rates::default, |moment| Rates::between(moment, &m.moment))
        };
        let rows: Vec<_> = measured.iter().map(|m| row::rates(&m.id, &m.moment.totals, &rates(m))).collect();
        let table = row::render(row::RATES, &rows);
        if let Some(screen) = &mut self.screen {
            return screen.draw(&table).map(|()| true);
        }
        let lines = if std::mem::replace(&mut self.headed, true) {
            table.split_once('\n').map_or("", |(_, rows)| rows)
        } else {
            &table
        };
        output::text_if_read(lines)
    }
}

/// Why the waiting is over.
enum Wake {
    Tick,
    Quit,
    Signal(i32),
}

/// Waits for the next time; an end comes before it.
fn wait(next: Instant, signals: &Signals, show: &mut Show, ends: &[OwnedFd]) -> Result<Wake, Failure> {
    loop {
        let left = next.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        let keys = show.screen.as_ref().and_then(Screen::keys);
        let mut wanted = vec![PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN)];
        wanted.extend(ends.iter().map(|end| PollFd::new(end, PollFlags::IN)));
        wanted.extend(keys.map(|keys| PollFd::from_borrowed_fd(keys, PollFlags::IN)));
        let has_keys = keys.is_some();
        match poll(&mut wanted, Some(&timeout)) {
            Ok(0) => return Ok(Wake::Tick),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(errno) => return Err(Failure::io("waiting for the next measurement", &errno.into())),
        }
        let ready: Vec<bool> = wanted.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(wanted);
        while let Some(number) = signals.next() {
            match Signal::from_named_raw(number) {
                Some(Signal::WINCH) if show.screen.is_some() => return Ok(Wake::Tick),
                Some(Signal::TSTP) => match &show.screen {
                    Some(screen) => screen.suspend()?,
                    None => screen::stop()?,
                },
                Some(Signal::WINCH | Signal::CONT | Signal::CHILD | Signal::URG | Signal::PIPE) => {}
                _ => return Ok(Wake::Signal(number)),
            }
        }
        let typed = has_keys && ready.last() == Some(&true);
        if typed && show.screen.as_mut().is_some_and(Screen::wants_to_quit) {
            return Ok(Wake::Quit);
        }
        if ready.iter().skip(1).take(ends.len()).any(|ended| *ended) {
            return Ok(Wake::Tick);
        }
    }
}

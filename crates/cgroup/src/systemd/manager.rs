//! What systemd is asked to do with a unit.
//!
//! Called by [`crate::Cgroup`] and [`crate::Making`]. Each function is one conversation; it may not touch a
//! cgroup.

use std::time::Duration;

use cofferdam_sys::Errno;

use super::bus::{Bus, Refused};
use super::{Manager, Property, SavedUnit, UnitPlan, Value, name};
use crate::error::Error;

/// As long as runc waits for a job.
const PATIENCE: Duration = Duration::from_secs(30);
/// What every systemd that is met with Linux 5.12 has.
const OLDEST: u32 = 244;

/// A conversation that has begun, for a unit whose process there is not yet.
#[derive(Debug)]
pub(crate) struct Asking<'p> {
    bus: Bus,
    plan: &'p UnitPlan,
    properties: Vec<Value>,
}

impl<'p> Asking<'p> {
    /// Connects, so that systemd lets us in while the process is made.
    pub(crate) fn begin(plan: &'p UnitPlan) -> Result<Self, Error> {
        let mut bus = Bus::connect(plan.manager, patience())?;
        let properties = known(&mut bus, &plan.properties)?;
        Ok(Self { bus, plan, properties })
    }
}

/// A unit that was asked for; systemd makes it while the caller does something else.
#[derive(Debug)]
pub(crate) struct Asked<'p> {
    bus: Bus,
    serial: u32,
    plan: &'p UnitPlan,
    body: Vec<Value>,
}

impl<'p> Asked<'p> {
    /// Asks for the unit, with the process in it.
    pub(crate) fn ask(asking: Asking<'p>, pid: u32) -> Result<Self, Error> {
        let Asking { mut bus, plan, properties: more } = asking;
        let mut properties = Vec::new();
        if !name::is_slice(&plan.name) {
            properties.push(pair("PIDs", Value::Array("u".into(), vec![Value::U32(pid)])));
        }
        properties.extend(more);
        let body = vec![
            Value::text(&plan.name),
            Value::text("replace"),
            Value::Array("(sv)".into(), properties),
            Value::Array("(sa(sv))".into(), Vec::new()),
        ];
        let serial = bus.call("StartTransientUnit", &body)?;
        Ok(Self { bus, serial, plan, body })
    }

    /// Waits until it is made. False when there was such a slice already, which is nobody's to remove.
    pub(crate) fn granted(mut self) -> Result<bool, Error> {
        let job = match self.bus.answer(self.serial) {
            Err(Refused::Said(error, _)) if is(&error, "UnitExists") => {
                if name::is_slice(&self.plan.name) {
                    return Ok(false);
                }
                self.again()
            }
            other => other,
        };
        let job = job.map_err(|e| self.refused(e))?;
        let [Value::Path(job)] = job.as_slice() else {
            return Err(Error::new("asking systemd for", &self.plan.name, "it answered without a job"));
        };
        match self.bus.job(job)?.as_str() {
            "done" => Ok(true),
            result => Err(Error::new(
                "waiting for systemd to make",
                &self.plan.name,
                format!("the job ended: {result}"),
            )
            .hint(format!(
                "the journal says why: journalctl{} -u {}",
                flag(self.plan.manager),
                self.plan.name
            ))),
        }
    }

    /// A unit of that name that failed keeps the name until it is reset.
    fn again(&mut self) -> Result<Vec<Value>, Refused> {
        let reset = self.bus.call("ResetFailedUnit", &[Value::text(&self.plan.name)])?;
        if let Err(Refused::Broken(e)) = self.bus.answer(reset) {
            return Err(e.into());
        }
        let serial = self.bus.call("StartTransientUnit", &self.body)?;
        self.bus.answer(serial)
    }

    fn refused(&self, refused: Refused) -> Error {
        refusal("asking systemd for", &self.plan.name, refused, &self.plan.properties, self.plan.manager)
    }
}

/// Changes properties of a unit until it ends.
pub(crate) fn set(unit: &SavedUnit, properties: &[Property]) -> Result<(), Error> {
    if properties.is_empty() {
        return Ok(());
    }
    let mut bus = Bus::connect(unit.manager, patience())?;
    let changed = known(&mut bus, properties)?;
    let body = [Value::text(&unit.name), Value::Bool(true), Value::Array("(sv)".into(), changed)];
    let serial = bus.call("SetUnitProperties", &body)?;
    let step = "changing systemd's properties of";
    bus.answer(serial).map_err(|e| refusal(step, &unit.name, e, properties, unit.manager))?;
    Ok(())
}

/// Puts a process into a unit, where its user may not do so by the cgroup's files.
pub(crate) fn attach(unit: &SavedUnit, pid: u32) -> Result<(), Error> {
    let mut bus = Bus::connect(unit.manager, patience())?;
    let pids = Value::Array("u".into(), vec![Value::U32(pid)]);
    let serial = bus.call("AttachProcessesToUnit", &[Value::text(&unit.name), Value::text("/"), pids])?;
    let step = format!("having systemd move process {pid} into");
    bus.answer(serial).map_err(|e| refusal(&step, &unit.name, e, &[], unit.manager))?;
    Ok(())
}

/// Removes a unit whose processes have ended, and returns when its name is free. Where systemd is no more,
/// neither is the unit.
pub(crate) fn stop(unit: &SavedUnit) -> Result<(), Error> {
    let mut bus = match Bus::connect(unit.manager, patience()) {
        Err(e) if e.errno.is_none_or(|e| e == Errno::ENOENT.0 || e == Errno::ECONNREFUSED.0) => return Ok(()),
        other => other?,
    };
    let name = [Value::text(&unit.name)];
    let serial = bus.call("StopUnit", &[Value::text(&unit.name), Value::text("replace")])?;
    let job = match bus.answer(serial) {
        // It went with its last process.
        Err(Refused::Said(error, _)) if is(&error, "NoSuchUnit") => return Ok(()),
        other => other.map_err(|e| refusal("having systemd remove", &unit.name, e, &[], unit.manager))?,
    };
    if let [Value::Path(job)] = job.as_slice()
        && bus.job(job)? != "done"
    {
        let reset = bus.call("ResetFailedUnit", &name)?;
        let _ = bus.answer(reset);
    }
    Ok(())
}

/// The properties that this systemd knows; it is asked for its version only when one is young.
fn known(bus: &mut Bus, properties: &[Property]) -> Result<Vec<Value>, Error> {
    let young = properties.iter().any(|p| p.since > OLDEST);
    let version = if young { version(bus)? } else { OLDEST };
    let known = properties.iter().filter(|p| p.since <= version);
    Ok(known.map(|p| pair(&p.name, p.value.clone())).collect())
}

/// Of a version that cannot be read, the oldest: then what is young is left to the cgroup's files.
fn version(bus: &mut Bus) -> Result<u32, Error> {
    let serial = bus.ask("Version")?;
    match bus.answer(serial) {
        Ok(answer) => Ok(match answer.as_slice() {
            [Value::Text(text)] => number(text),
            _ => OLDEST,
        }),
        Err(Refused::Broken(e)) => Err(e),
        Err(Refused::Said(..)) => Ok(OLDEST),
    }
}

/// `252.39-1~deb12u1`, `v256`.
fn number(text: &str) -> u32 {
    let text = text.trim_start_matches(['"', 'v']);
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(OLDEST)
}

fn pair(name: &str, value: Value) -> Value {
    Value::Struct(vec![Value::text(name), Value::Variant(Box::new(value))])
}

fn is(error: &str, name: &str) -> bool {
    error.rsplit('.').next() == Some(name)
}

const fn flag(manager: Manager) -> &'static str {
    match manager {
        Manager::System => "",
        Manager::User => " --user",
    }
}

/// systemd's words, the field whose property they name, and what to do.
fn refusal(step: &str, unit: &str, refused: Refused, properties: &[Property], manager: Manager) -> Error {
    let (error, words) = match refused {
        Refused::Broken(error) => return error,
        Refused::Said(error, words) => (error, words),
    };
    let short = error.rsplit('.').next().unwrap_or_default();
    let mut out = Error::new(step, unit, format!("systemd says {short}: {words}"));
    let named = |p: &&Property| words.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == p.name);
    if let Some(property) = properties.iter().find(named).filter(|p| !p.pointer.is_empty()) {
        out = out.asked_by(&property.pointer);
    }
    let flag = flag(manager);
    match short {
        "UnitExists" => out.asked_by("/linux/cgroupsPath").hint(format!(
            "a running unit has this name: choose another cgroupsPath, or end it with systemctl{flag} stop {unit}"
        )),
        "AccessDenied" | "InteractiveAuthorizationRequired" => {
            out.hint("the host's systemd obeys root only; an ordinary user has a systemd of its own")
        }
        "NoSuchUnit" => out.hint("systemd has ended it, or forgot it when its cgroup was empty"),
        _ => out,
    }
}

/// How long systemd may take to answer: `SYSTEMD_BUS_TIMEOUT`, as its own programs have it.
fn patience() -> Duration {
    let set = std::env::var("SYSTEMD_BUS_TIMEOUT").ok();
    set.and_then(|text| span(text.trim())).filter(|time| !time.is_zero()).unwrap_or(PATIENCE)
}

/// `5`, `5s`, `500ms`, `2min`: one number, systemd.time(7).
fn span(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let seconds = match unit.trim() {
        "" | "s" | "sec" => 1.0,
        "ms" | "msec" => 0.001,
        "us" | "usec" => 0.000_001,
        "min" | "m" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_versions_are_read_as_systemd_writes_them() {
        assert_eq!(span("5"), Some(Duration::from_secs(5)));
        assert_eq!(span("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(span("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(span("2min"), Some(Duration::from_secs(120)));
        assert_eq!((span("soon"), span("5 years"), span("")), (None, None, None));
        assert_eq!([number("252.39-1~deb12u1"), number("v256"), number("devel")], [252, 256, OLDEST]);
    }
}

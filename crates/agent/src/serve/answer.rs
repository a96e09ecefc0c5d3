//! Answering a call: the policy is asked, what it says is carried out, and what became of it is written down.
//!
//! Called by each container's threads. Nothing here decides.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use cofferdam_notify::{Answer, Error, Request, Result};

use super::audit::Entry;
use super::{Agent, FAILED};
use crate::falco::Event;
use crate::handle::{Context, Done, carry_out, users};
use crate::policy::{Action, Call, Container, Policy};
use crate::resolve::Own;

/// Why everything is refused.
const UNRESOLVED: &str = "who the container is could not be found out";

/// What was decided: the rule's name, and the action.
type Decided<'a> = (&'a str, &'a Action);

impl Agent {
    /// The policy as it is now.
    pub(super) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers by the container's own rules or the policy.
    pub(super) fn answer(&self, own: &Own, context: &Context, request: &Request) -> Result<Answer> {
        if let Some(falco) = self.falco(own.publish) {
            let (tid, name) = (request.tid().unwrap_or(0), request.name().unwrap_or("unknown"));
            falco.publish(Event::of(&context.container, request.id(), tid, name));
        }
        let shared = self.policy();
        let decide = |name: &str| judge(own.policy.as_ref(), &shared, context, name, request);
        self.record(&context.container, request, decide, |action| carry_out(action, context, request))
    }

    /// Refuses a call of a container of which it is not known what it may.
    pub(super) fn refuse_call(&self, container: &Container, request: &Request) -> Result<Answer> {
        let action = Action::Errno { errno: FAILED, reason: Some(UNRESOLVED.to_owned()) };
        let refused = || Done { answer: Answer::Errno(FAILED), reason: UNRESOLVED.to_owned() };
        self.record(container, request, |_| Ok(("unresolved", &action)), |_| Ok(refused()))
    }

    /// Decides, carries it out and writes it down. A handler that panics fails its own call and no other.
    fn record<'a>(
        &self,
        container: &Container,
        request: &Request,
        decide: impl FnOnce(&str) -> Result<Decided<'a>>,
        carry_out: impl FnOnce(&Action) -> Result<Done>,
    ) -> Result<Answer> {
        let begun = Instant::now();
        let name = request.name().unwrap_or("unknown");
        let mut entry = Entry::of(container, request.tid().unwrap_or(0), name, request.args());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let (rule, action) = decide(name)?;
            (entry.rule, entry.action) = (rule, action.name());
            carry_out(action)
        }));
        let outcome = outcome.unwrap_or_else(|_| Err(Error::Panicked(name.to_owned())));
        let done = outcome.unwrap_or_else(|e| Done {
            answer: Answer::Errno(e.for_caller().unwrap_or(FAILED)),
            reason: e.to_string(),
        });
        let words = words(&done.answer);
        (entry.answer, entry.reason) = (&words, &done.reason);
        let time = begun.elapsed();
        self.metrics.count(name, &words, time);
        self.settings.audit.call(&entry.took(time));
        Ok(done.answer)
    }
}

/// What the container's own rules say, or else the policy; and the deciding rule's name.
fn judge<'a>(
    own: Option<&'a Policy>,
    shared: &'a Policy,
    context: &Context,
    name: &str,
    request: &Request,
) -> Result<Decided<'a>> {
    let (uid, gid) = if shared.asks_for_users() { users::of(request)? } else { (0, 0) };
    let call = Call { name, args: request.args(), uid, gid };
    let (action, rule) = match own.map(|own| own.decide(&context.container, &call)) {
        Some((action, Some(rule))) => (action, Some(rule)),
        // Without a resolver nothing else is asked.
        Some((action, None)) if own.is_some_and(|own| own.rules.is_empty()) => (action, None),
        _ => shared.decide(&context.container, &call),
    };
    Ok((rule.map_or("default", |rule| &rule.name), action))
}

/// An answer in a word.
fn words(answer: &Answer) -> String {
    match answer {
        Answer::Errno(errno) => errno.name().to_owned(),
        Answer::Value(value) => value.to_string(),
        Answer::Continue(_) => "continue".to_owned(),
        Answer::Descriptor(_) => "descriptor".to_owned(),
        Answer::After(_, answer) => words(answer),
        _ => "other".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::Resolver;
    use crate::serve::Settings;
    use crate::serve::audit::{Audit, Format};
    use cofferdam_notify::{Arch, Errno, Limits, Listener, Registry, Service};
    use cofferdam_oci::{Pointer, Seccomp, SeccompRule};
    use cofferdam_sys::{prctl, seccomp};
    use std::sync::mpsc;
    use std::thread::JoinHandle;

    /// A thread that makes three directories, one after another, and the listener that is told of it.
    fn three_calls() -> (Listener, JoinHandle<Vec<Option<i32>>>) {
        let names = vec!["mkdir".to_owned(), "mkdirat".to_owned()];
        let rule = SeccompRule { names, action: "SCMP_ACT_NOTIFY".to_owned(), ..SeccompRule::default() };
        let profile = Seccomp {
            default_action: "SCMP_ACT_ALLOW".to_owned(),
            listener_path: Some("/nobody".to_owned()),
            syscalls: vec![rule],
            ..Seccomp::default()
        };
        let filter = cofferdam_seccomp::compile(&profile, &Pointer::root(), Arch::native().unwrap()).unwrap();
        let (to, from) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            prctl::set_no_new_privs().unwrap();
            let flags = seccomp::SECCOMP_FILTER_FLAG_NEW_LISTENER;
            let fd = seccomp::set_filter(flags, &filter.bytes()).unwrap().unwrap();
            to.send(Listener::new(fd.into()).unwrap()).unwrap();
            let make = |_| std::fs::create_dir("/nowhere/x").err().and_then(|e| e.raw_os_error());
            (0..3).map(make).collect()
        });
        (from.recv().unwrap(), thread)
    }

    #[test]
    fn a_handler_that_panics_fails_its_own_call_and_the_next_are_answered() {
        let settings = Settings {
            policy: None,
            resolver: Resolver::Policy,
            audit: Audit(Format::Json),
            workers: 1,
            rate: 0,
            falco: None,
            kubernetes: None,
        };
        let agent = Agent::new(settings).unwrap();
        let (listener, caller) = three_calls();
        let (answering, calls) = (Arc::clone(&agent), std::sync::atomic::AtomicUsize::new(0));
        let registry = Registry::new().otherwise(move |request| {
            let number = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let action = Action::Errno { errno: Errno::EDQUOT, reason: None };
            let decide = |_: &str| if number == 2 { panic!("no rule") } else { Ok(("a rule", &action)) };
            answering.record(&Container::default(), request, decide, |_| match number {
                0 => panic!("no idea"),
                _ => Ok(Answer::Errno(Errno::EDQUOT).into()),
            })
        });
        let service = Service::start(listener, Arc::new(registry), Limits::default()).unwrap();
        let refused = Some(FAILED.0);
        assert_eq!(caller.join().unwrap(), [refused, Some(Errno::EDQUOT.0), refused]);
        service.wait().unwrap();
        let text = agent.metrics.text(0);
        assert!(text.contains("outcome=\"EPERM\"} 2") && text.contains("outcome=\"EDQUOT\"} 1"), "{text}");
    }
}

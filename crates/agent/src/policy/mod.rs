//! The policy: which calls of which containers are answered how.
//!
//! Read from a TOML file once and on reload; asked for every notification. Pure: no file, no system call. The first
//! rule that is about a call decides, and calls that no rule is about get the default, which is EPERM unless the
//! file says otherwise.

pub(crate) mod action;
pub(crate) mod device;
mod document;
pub(crate) mod limits;
pub(crate) mod matching;
mod read;
pub(crate) mod template;
#[cfg(test)]
mod tests;

use cofferdam_sys::Errno;

pub(crate) use action::Action;
pub(crate) use matching::{Call, Container};
use matching::{Containers, Scope};
pub(crate) use read::Problem;

/// A whole policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) rules: Vec<Rule>,
    pub(crate) default: Action,
    /// How much of the agent containers get; the first that is about a container counts.
    pub(crate) limits: Vec<Limit>,
}

/// How much of the agent some containers get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) containers: Containers,
    /// Most calls of one that are answered in a second, in the long run; 0 is no limit.
    pub(crate) rate: u32,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// What the audit log calls it: its own name, or `rule[0]`.
    pub(crate) name: String,
    pub(crate) scope: Scope,
    pub(crate) action: Action,
}

impl Policy {
    /// Reads a document, or gives everything that is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        document::parse(text)
    }

    /// The policy of an agent without one: EPERM to everything.
    pub(crate) fn refuse_all() -> Self {
        let default = Action::Errno { errno: Errno::EPERM, reason: None };
        Self { rules: Vec::new(), default, limits: Vec::new() }
    }

    /// Whether the caller's ids need to be known.
    pub(crate) fn asks_for_users(&self) -> bool {
        self.rules.iter().any(|rule| rule.scope.users.matter())
    }

    /// Most calls of a container that are answered in a second, if that is said.
    pub(crate) fn rate(&self, container: &Container) -> Option<u32> {
        self.limits.iter().find(|limit| limit.containers.holds(container)).map(|limit| limit.rate)
    }

    /// What a call in a container gets, and the rule that says so; no rule is the default.
    pub(crate) fn decide(&self, container: &Container, call: &Call<'_>) -> (&Action, Option<&Rule>) {
        let about = |rule: &&Rule| rule.scope.containers.holds(container) && rule.scope.holds(call);
        self.rules.iter().find(about).map_or((&self.default, None), |rule| (&rule.action, Some(rule)))
    }
}

//! The policy's document: TOML to a [`Policy`], or everything that is wrong with it.
//!
//! Called through [`Policy::parse`]. Pure.

use std::ops::RangeInclusive;

use cofferdam_seccomp::Arch;
use toml::de::DeTable;

use super::action::{self, Action};
use super::matching::{Argument, Comparison, Containers, Named, Scope, Users};
use super::read::{Fields, Node, Problem, Reader, nearest};
use super::{Limit, Policy, Rule};
use crate::words;

/// The largest argument index.
const LAST_ARG: i128 = 5;

pub(super) fn parse(text: &str) -> Result<Policy, Vec<Problem>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(text);
    let broken = !errors.is_empty();
    for error in errors {
        let message = error.message().lines().collect::<Vec<_>>().join("; ");
        reader.reject(&error.span().unwrap_or_default(), "", format!("is not TOML: {message}"));
    }
    if broken {
        return Err(reader.finish());
    }
    let mut fields = Fields::new(root.get_ref(), root.span(), String::new());
    let default = default(&mut fields, &mut reader);
    let nodes = fields.take("rule").and_then(|node| node.list(&mut reader)).unwrap_or_default();
    let mut rules: Vec<Rule> = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let Some(rule) = rule(index, node, &mut reader) else { continue };
        if let Some(before) = rules.iter().find(|before| before.scope.covers(&rule.scope)) {
            let message =
                format!("is never reached: {} is about the same calls and comes first", before.name);
            node.reject::<()>(&mut reader, message);
        }
        rules.push(rule);
    }
    let nodes = fields.take("limit").and_then(|node| node.list(&mut reader)).unwrap_or_default();
    let limits = nodes.iter().filter_map(|node| limit(node, &mut reader)).collect();
    fields.finish(&mut reader, "a policy");
    let problems = reader.finish();
    if problems.is_empty() { Ok(Policy { rules, default, limits }) } else { Err(problems) }
}

/// What happens to calls that no rule is about: refused, unless something else is said.
fn default(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Action {
    let refused = Policy::refuse_all().default;
    let Some(mut of) = fields.take("default").and_then(|node| node.fields(reader)) else { return refused };
    let action = action::read(&mut of, reader);
    if let Some(action) = action.as_ref().filter(|action| !action.answers().is_empty()) {
        let message = format!("\"{}\" answers {} only", action.name(), action.answers().join(" and "));
        reader.reject(&of.at, &of.key, message);
    }
    if action.is_some() {
        of.finish(reader, "the default action");
    }
    action.unwrap_or(refused)
}

/// How much of the agent some containers get.
fn limit(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Limit> {
    let mut fields = node.fields(reader)?;
    let containers = fields.take("container").map(|node| containers(&node, reader));
    let rate = fields.need("rate", reader).and_then(|node| {
        let number = node.integer(reader)?;
        let wrong = format!("{number} is no rate (hint: calls a second, or 0 for no limit)");
        u32::try_from(number).ok().or_else(|| node.reject(reader, wrong))
    });
    fields.finish(reader, "a limit");
    Some(Limit { containers: containers.unwrap_or_default_some()?, rate: rate? })
}

fn rule(index: usize, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Rule> {
    let mut fields = node.fields(reader)?;
    let name = fields.take("name").and_then(|node| node.words(reader));
    let calls = fields.need("syscalls", reader);
    let containers = fields.take("container").map(|node| containers(&node, reader));
    let users = fields.take("user").map(|node| users(&node, reader));
    let args = fields.take("args").map(|node| node.each(reader, argument));
    let action = action::read(&mut fields, reader);
    let syscalls = calls.and_then(|node| syscalls(&node, action.as_ref(), reader));
    // Which keys belong to a rule depends on its action.
    if let Some(action) = &action {
        fields.finish(reader, &format!("a rule with the action \"{}\"", action.name()));
    }
    let scope = Scope {
        syscalls: syscalls?,
        containers: containers.unwrap_or_default_some()?,
        users: users.unwrap_or_default_some()?,
        args: args.unwrap_or_default_some()?,
    };
    Some(Rule { name: name.unwrap_or_else(|| format!("rule[{index}]")), scope, action: action? })
}

/// For keys that may be absent: absent is the default, wrong is nothing.
trait OrDefault<T> {
    fn unwrap_or_default_some(self) -> Option<T>;
}

impl<T: Default> OrDefault<T> for Option<Option<T>> {
    fn unwrap_or_default_some(self) -> Option<T> {
        self.unwrap_or_else(|| Some(T::default()))
    }
}

/// The names, sorted; `"*"` is every call, which is no name at all.
fn syscalls(node: &Node<'_>, action: Option<&Action>, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let known = |name: &str| Arch::ALL.into_iter().any(|arch| arch.call_number(name).is_some());
    let answers = action.map_or(&[][..], Action::answers);
    let mut every = false;
    let mut names = node.each(reader, |node, reader| {
        let name = node.string(reader)?;
        if name == "*" && answers.is_empty() {
            every = true;
        } else if !known(&name) {
            let hint = similar(&name).map(|near| format!(" (hint: \"{near}\"?)")).unwrap_or_default();
            return node.reject(reader, format!("{name:?} is no system call{hint}"));
        } else if !answers.is_empty() && !answers.contains(&name.as_str()) {
            let action = action.map_or("", Action::name);
            let message = format!("\"{action}\" answers {} only", answers.join(" and "));
            return node.reject(reader, message);
        }
        Some(name)
    })?;
    if every {
        names.clear();
    } else if names.is_empty() {
        return None;
    }
    names.sort();
    names.dedup();
    Some(names)
}

fn similar(name: &str) -> Option<&'static str> {
    nearest(name, Arch::native()?.calls().map(|(_, name)| name))
}

fn containers(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Containers> {
    let mut fields = node.fields(reader)?;
    let mut of = |name, fields: &mut Fields<'_>| {
        fields.take(name).map_or_else(|| Some(Vec::new()), |node| action::patterns(&node, reader))
    };
    let [id, namespace, pod, name] = ["id", "namespace", "pod", "name"].map(|name| of(name, &mut fields));
    let [annotations, labels, pod_annotations] =
        ["annotations", "labels", "pod_annotations"].map(|name| named(name, &mut fields, reader));
    fields.finish(reader, "a container");
    Some(Containers {
        id: id?,
        namespace: namespace?,
        pod: pod?,
        name: name?,
        annotations: annotations?,
        labels: labels?,
        pod_annotations: pod_annotations?,
    })
}

/// A table of names and patterns.
fn named(name: &'static str, fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Named> {
    let table = fields.take(name).map(|node| node.fields(reader));
    let patterns = |(key, node): (String, Node<'_>)| Some((key, action::patterns(&node, reader)?));
    table.flatten().iter().flat_map(Fields::all).map(patterns).collect()
}

fn users(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Users> {
    let mut fields = node.fields(reader)?;
    let mut of = |name, fields: &mut Fields<'_>| {
        fields.take(name).map_or_else(|| Some(Vec::new()), |node| node.each(reader, ids))
    };
    let [uid, gid] = ["uid", "gid"].map(|name| of(name, &mut fields));
    fields.finish(reader, "a user");
    Some(Users { uid: uid?, gid: gid? })
}

/// `0`, `"0"` or `"1000-1999"`.
pub(super) fn ids(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<RangeInclusive<u32>> {
    let text = if node.is_integer() { node.integer(reader)?.to_string() } else { node.string(reader)? };
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    match (first.parse::<u32>(), last.parse::<u32>()) {
        (Ok(first), Ok(last)) if first <= last => Some(first..=last),
        _ => {
            node.reject(reader, format!("{text:?} is neither an id nor a range of ids (hint: \"1000-1999\")"))
        }
    }
}

fn argument(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Argument> {
    let mut fields = node.fields(reader)?;
    let place = fields.need("index", reader);
    let index = place.and_then(|node| match node.integer(reader)? {
        index @ 0..=LAST_ARG => usize::try_from(index).ok(),
        other => node.reject(reader, format!("{other} is no argument (hint: 0 to {LAST_ARG})")),
    });
    let operator = fields.take("op").map_or(Some(Comparison::Equal), |node| {
        let word = node.string(reader)?;
        let known = Comparison::ALL.into_iter().find(|(name, _)| *name == word).map(|(_, op)| op);
        let all = Comparison::ALL.map(|(name, _)| name).join(" ");
        known.or_else(|| node.reject(reader, format!("{word:?} is no comparison (hint: one of {all})")))
    });
    let mask = fields.take("mask").map_or(Some(u64::MAX), |node| register(&node, reader));
    let value = fields.need("value", reader).and_then(|node| {
        let value = register(&node, reader)?;
        match mask {
            Some(mask) if value & !mask != 0 => node
                .reject(reader, "has bits outside the mask, so the condition can never be judged as meant"),
            _ => Some(value),
        }
    });
    fields.finish(reader, "a condition");
    Some(Argument { index: index?, mask: mask?, comparison: operator?, value: value? })
}

/// A register's value: an integer, negative ones as their two's complement, or a string for what TOML's 64 bits
/// cannot hold.
fn register(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<u64> {
    if node.is_integer() {
        let number = node.integer(reader)?;
        let signed = i64::try_from(number).map(i64::cast_unsigned).ok();
        return u64::try_from(number).ok().or(signed).or_else(|| node.reject(reader, "fits no register"));
    }
    let text = node.string(reader)?;
    words::register(&text).or_else(|| node.reject(reader, format!("{text:?} is no number")))
}

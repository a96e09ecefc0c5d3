//! The audit log: one line for every answered call, and for what happens to the agent itself.
//!
//! Written to standard output, each line at once, so that whoever collects it gets whole lines; the only place that
//! writes there while the agent serves. What a container can choose is quoted.

use std::io::Write;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::policy::Container;

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// key=value
    Text,
    /// One JSON object a line
    Json,
}

/// The log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Audit(pub(crate) Format);

/// What became of a call.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    pub(crate) container: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) namespace: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) pod: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) name: &'a str,
    /// The calling thread, as the agent sees it.
    pub(crate) pid: i32,
    pub(crate) syscall: &'a str,
    pub(crate) args: Vec<String>,
    /// The rule that decided; `default` when none did.
    pub(crate) rule: &'a str,
    pub(crate) action: &'a str,
    /// An errno's name, a number, `continue`, `descriptor`.
    pub(crate) answer: &'a str,
    /// What the policy gives as the reason, or what went wrong.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) reason: &'a str,
    pub(crate) seconds: f64,
}

impl<'a> Entry<'a> {
    /// Of a container's call, with nothing said about it yet.
    pub(crate) fn of(container: &'a Container, pid: i32, syscall: &'a str, args: [u64; 6]) -> Self {
        Self {
            container: &container.id,
            namespace: &container.namespace,
            pod: &container.pod,
            name: &container.name,
            pid,
            syscall,
            args: args.iter().map(|arg| format!("{arg:#x}")).collect(),
            rule: "",
            action: "",
            answer: "",
            reason: "",
            seconds: 0.0,
        }
    }

    /// With how long it took.
    pub(crate) fn took(self, time: Duration) -> Self {
        Self { seconds: time.as_secs_f64(), ..self }
    }
}

impl Audit {
    /// A call was answered.
    pub(crate) fn call(self, entry: &Entry<'_>) {
        self.line("call", serde_json::to_value(entry).unwrap_or_default());
    }

    /// Something happened to the agent or one of its containers.
    pub(crate) fn event(self, event: &str, about: &[(&str, &str)]) {
        let map = about.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
        self.line(event, Value::Object(map));
    }

    fn line(self, event: &str, fields: Value) {
        let line = self.render(&cofferdam::timestamp(), event, fields);
        // Whoever closed it does not want to know, and the containers are to be served all the same.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }

    fn render(self, time: &str, event: &str, fields: Value) -> String {
        let Value::Object(mut all) = fields else { return String::new() };
        match self.0 {
            Format::Json => {
                all.insert("time".to_owned(), time.into());
                all.insert("event".to_owned(), event.into());
                Value::Object(all).to_string() + "\n"
            }
            Format::Text => {
                let fields = all.iter().map(|(key, value)| format!(" {key}={}", plain(value)));
                format!("time={time} event={event}{}\n", fields.collect::<String>())
            }
        }
    }
}

/// Without quotes where nothing can be misread.
fn plain(value: &Value) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./:@+".contains(c);
    match value {
        Value::String(text) if !text.is_empty() && text.chars().all(safe) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(container: &Container) -> Entry<'_> {
        let entry = Entry::of(container, 7, "mkdir", [1, 0, 0, 0, 0, 0]);
        Entry { rule: "a rule", action: "errno", answer: "EPERM", ..entry }
    }

    #[test]
    fn a_container_cannot_write_lines_of_its_own() {
        let container = Container { id: "x\nevent=call pid=1".into(), ..Container::default() };
        let fields = serde_json::to_value(entry(&container)).unwrap();
        let line = Audit(Format::Text).render("T", "call", fields);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.starts_with("time=T event=call action=errno answer=EPERM args=0x1,0x0"), "{line}");
        assert!(line.contains(r#" container="x\nevent=call pid=1" "#), "{line}");
    }

    #[test]
    fn json_lines_have_every_field() {
        let container = Container { id: "c".into(), pod: "p".into(), ..Container::default() };
        let fields = serde_json::to_value(entry(&container).took(Duration::from_millis(1500))).unwrap();
        let line = Audit(Format::Json).render("T", "call", fields);
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&value["pod"], &value["seconds"], &value["answer"]),
            (&"p".into(), &1.5.into(), &"EPERM".into())
        );
        assert_eq!(value.get("namespace"), None);
        assert_eq!(value["args"][0], "0x1");
    }
}

//! Templates of names: Go's `{{.Field}}` on what is known of a container.
//!
//! Used by the policy's `mkdir` and by `MKDIR_TMPL` of listener metadata. Pure. Of Go's text/template only fields
//! are known, with its `{{-` and `-}}` that trim; anything else is refused rather than taken as text.

use super::matching::Container;

/// The fields, as in the pod context of templates for other agents.
const FIELDS: [&str; 5] = ["Namespace", "Pod", "Container", "Pid", "Pid1"];

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// Index into [`FIELDS`].
    Field(usize),
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut rest, mut trim) = (Vec::new(), text, false);
        loop {
            let (before, action) = match rest.split_once("{{") {
                None => (rest, None),
                Some((before, action)) => (before, Some(action)),
            };
            let mut before = if trim { before.trim_start() } else { before };
            if action.is_some_and(|action| action.starts_with("- ")) {
                before = before.trim_end();
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let Some(action) = action else { return Ok(Self(parts)) };
            let (inside, after) = action.split_once("}}").ok_or("a `{{` has no `}}`")?;
            trim = inside.ends_with(" -");
            let word = inside.strip_prefix("- ").unwrap_or(inside);
            parts.push(Part::Field(field(word.strip_suffix(" -").unwrap_or(word).trim())?));
            rest = after;
        }
    }

    pub(crate) fn render(&self, container: &Container) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Field(0) => container.namespace.clone(),
            Part::Field(1) => container.pod.clone(),
            Part::Field(2) => container.name.clone(),
            Part::Field(3) => container.pid.to_string(),
            Part::Field(_) => container.pid1.to_string(),
        };
        self.0.iter().map(part).collect()
    }
}

fn field(word: &str) -> Result<usize, String> {
    let known = word.strip_prefix('.').and_then(|name| FIELDS.iter().position(|field| *field == name));
    known.ok_or_else(|| {
        format!("{{{{{word}}}}} is not known in templates (hint: one of .{})", FIELDS.join(", ."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> Container {
        Container {
            namespace: "prod".into(),
            pod: "web".into(),
            name: "nginx".into(),
            pid: 12,
            pid1: 7,
            ..Container::default()
        }
    }

    #[test]
    fn fields_are_filled_in() {
        let of = |text: &str| Template::parse(text).unwrap().render(&container());
        assert_eq!(of("-{{.Namespace}}-{{ .Pod }}-{{.Container}}"), "-prod-web-nginx");
        assert_eq!(of("-pid-{{.Pid}}-{{.Pid1}}"), "-pid-12-7");
        assert_eq!(of("a {{- .Pod -}} b"), "awebb");
        assert_eq!(of("plain } text"), "plain } text");
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for wrong in ["{{.Node}}", "{{if .Pod}}", "{{.Pod", "{{}}", "{{.Pod | upper}}"] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
    }
}

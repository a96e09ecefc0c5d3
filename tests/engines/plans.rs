//! The plan of each engine's document, against the text that is kept. `UPDATE_GOLDEN=1` rewrites the texts.
//!
//! Kept is what does not depend on the host: not how its cgroups are mounted.

use std::fs;
use std::path::Path;

use cofferdam_tests::{Output, Value, facts};

use crate::document;

/// The steps, a line each: side, what, to what, for which field.
fn text(out: &Output, config: &Value, bundle: &Path) -> String {
    let report: Value = serde_json::from_str(out.ok()).expect("a plan is JSON");
    let word = |step: &Value, key: &str| step[key].as_str().unwrap_or_default().to_owned();
    let cgroups: Vec<String> = cgroup_mounts(config);
    let mut lines: Vec<String> = Vec::new();
    for step in report["steps"].as_array().expect("steps") {
        let (what, mut object, field) = (word(step, "step"), word(step, "object"), word(step, "field"));
        if ["making cgroup", "writing cgroup file", "joining cgroups", "waiting for cgroups"]
            .contains(&what.as_str())
        {
            continue;
        }
        let mut what = what;
        if cgroups.contains(&field) {
            (what, object) = ("mounting".into(), "cgroups".into());
        }
        object = object.replace(&bundle.display().to_string(), "BUNDLE");
        let field = if field.is_empty() { field } else { format!("[{field}]") };
        let words = [word(step, "side"), what, object, field];
        let line = words.iter().filter(|w| !w.is_empty()).cloned().collect::<Vec<_>>().join(" ");
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines.join("\n") + "\n"
}

fn cgroup_mounts(config: &Value) -> Vec<String> {
    let mounts = config["mounts"].as_array().into_iter().flatten().enumerate();
    mounts.filter(|(_, m)| m["type"] == "cgroup").map(|(n, _)| format!("/mounts/{n}")).collect()
}

facts! {
    fn plans_of_engines_documents_are_as_kept(t) {
        t.need(t.runtime.name == "cofferdam", "no other runtime has plans")?;
        let update = std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1");
        let mut wrong = Vec::new();
        for name in document::names() {
            let mut b = t.bundle();
            b.config = document::read(&name);
            b.write();
            let dir = b.dir.to_str().expect("ASCII");
            let out = t.runtime(&["plan", "--format", "json", "--bundle", dir, "golden"]);
            let seen = text(&out, &b.config, &b.dir);
            let path = document::directory("plans").join(&name).with_extension("txt");
            if update {
                fs::write(&path, seen).expect("golden text");
                continue;
            }
            let kept = fs::read_to_string(&path).unwrap_or_default();
            if let Some((n, (kept, seen))) = differs(&kept, &seen) {
                wrong.push(format!("{name}, line {n}: kept {kept:?}, now {seen:?}"));
            }
        }
        assert!(wrong.is_empty(), "UPDATE_GOLDEN=1 rewrites the plans:\n{}", wrong.join("\n"));
    }
}

/// The first line that is not the same.
fn differs<'a>(kept: &'a str, seen: &'a str) -> Option<(usize, (&'a str, &'a str))> {
    let count = kept.lines().count().max(seen.lines().count());
    let line = |text: &'a str, n: usize| text.lines().nth(n).unwrap_or("(nothing)");
    (0..count).map(|n| (n + 1, (line(kept, n), line(seen, n)))).find(|(_, (kept, seen))| kept != seen)
}

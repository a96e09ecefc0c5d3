//! Runs one test on each runtime under test and holds the result against the table of expected failures.

use std::fs::OpenOptions;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::expected::{Expected, expected};
use crate::{Runtime, Test, runtime};

/// Why a test could not say anything on this host.
#[derive(Debug)]
pub struct Skip(pub String);

/// What a test returns: it passed, or it could not be run. A failure is a panic.
pub type Check = Result<(), Skip>;

enum Seen {
    Pass,
    Skip(String),
    Fail(String),
}

/// Runs `body` on every runtime under test.
///
/// # Panics
/// When it fails where a pass is expected, or passes where a failure is.
pub fn check(name: &str, body: impl Fn(&Test) -> Check) {
    let mut wrong = Vec::new();
    for rt in runtime::under_test() {
        let seen = run(&rt, name, &body);
        record(&rt, name, &seen);
        match (seen, expected(&rt.name, name)) {
            (Seen::Skip(why), _) => eprintln!("SKIPPED {name} on {}: {why}", rt.name),
            (Seen::Pass, Expected::Pass) | (Seen::Fail(_), Expected::Fail(_)) => {}
            (Seen::Fail(why), Expected::Pass) => wrong.push(format!("{}: {why}", rt.name)),
            (Seen::Pass, Expected::Fail(why)) => {
                wrong.push(format!(
                    "{}: expected to fail ({why}), but passes: take it out of the table",
                    rt.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{name}\n{}", wrong.join("\n"));
}

fn run(rt: &Runtime, name: &str, body: &impl Fn(&Test) -> Check) -> Seen {
    if !rustix::process::geteuid().is_root() {
        return Seen::Skip("needs root".into());
    }
    let test = Test::new(rt.clone(), name);
    let verdict = catch_unwind(AssertUnwindSafe(|| body(&test)));
    let left = test.clean_up();
    match verdict {
        Err(payload) => Seen::Fail(words(payload.as_ref())),
        Ok(_) if !left.is_empty() => Seen::Fail(format!("left behind: {}", left.join(", "))),
        Ok(Err(Skip(why))) => Seen::Skip(why),
        Ok(Ok(())) => Seen::Pass,
    }
}

fn words(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("panicked").to_owned()
}

/// With `TEST_RESULTS` in the environment, one line per runtime and test is appended to that file:
/// runtime, test, pass, fail or skip, and the reason, with tabs between.
fn record(rt: &Runtime, name: &str, seen: &Seen) {
    let Some(path) = std::env::var_os("TEST_RESULTS") else { return };
    let (word, why) = match seen {
        Seen::Pass => ("pass", ""),
        Seen::Skip(why) => ("skip", why.as_str()),
        Seen::Fail(why) => ("fail", why.as_str()),
    };
    let line = format!("{}\t{name}\t{word}\t{}\n", rt.name, why.replace(['\n', '\t'], " | "));
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut f| f.write_all(line.as_bytes())).expect("TEST_RESULTS can be written");
}

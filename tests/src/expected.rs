//! Which tests are known to fail on which runtime, and why. A line here must fail: when it passes, the suite
//! says so and the line goes. Read by `check`.

/// What the table says of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// No line in the table.
    Pass,
    /// It fails, for this reason.
    Fail(&'static str),
}

/// What is expected of `test` on `runtime`.
pub fn expected(runtime: &str, test: &str) -> Expected {
    let line = TABLE.iter().find(|(names, t, _)| *t == test && names.split(' ').any(|n| n == runtime));
    line.map_or(Expected::Pass, |(_, _, why)| Expected::Fail(why))
}

/// The lines: runtimes, test, reason. runc is 1.1.5 and crun 1.8.1, as in Debian 12.
pub const TABLE: &[(&str, &str, &str)] = &[
];

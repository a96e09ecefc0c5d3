//! docs/spec-coverage.md has a row for every property of the schemas, and every row's tests exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cofferdam_tests::{expected, properties};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(here(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The committed list of properties.
fn listed() -> BTreeSet<String> {
    text("schema-properties.txt").lines().filter(|l| l.starts_with('/')).map(str::to_owned).collect()
}

/// The rows of the table: property and what is in the second column.
fn rows() -> BTreeMap<String, String> {
    let mut rows = BTreeMap::new();
    for line in text("../docs/spec-coverage.md").lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let [_, property, tests, ..] = cells.as_slice()
            && let Some(property) = property.strip_prefix('`').and_then(|p| p.strip_suffix('`'))
        {
            assert!(
                rows.insert(property.to_owned(), (*tests).to_owned()).is_none(),
                "{property} has two rows"
            );
        }
    }
    rows
}

/// Names of all tests of this package.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for dir in ["compliance", "lifecycle", "systemd"] {
        for entry in std::fs::read_dir(here(dir)).unwrap().flatten() {
            for line in std::fs::read_to_string(entry.path()).unwrap().lines() {
                if let Some((name, _)) = line.strip_prefix("    fn ").and_then(|l| l.split_once("(t) {")) {
                    assert!(names.insert(name.to_owned()), "{name} is the name of two tests");
                }
            }
        }
    }
    names
}

#[test]
fn every_property_of_the_schema_has_a_test() {
    let (rows, tests) = (rows(), tests());
    let missing: Vec<_> = listed().into_iter().filter(|p| !rows.contains_key(p)).collect();
    assert!(missing.is_empty(), "no row in docs/spec-coverage.md for {missing:#?}");
    for (property, cell) in rows {
        if cell == "not Linux" {
            continue;
        }
        let names: Vec<&str> = cell.split(',').map(|n| n.trim().trim_matches('`')).collect();
        for name in names {
            assert!(tests.contains(name), "the row of {property} names {name:?}, which is no test");
        }
    }
}

#[test]
fn every_row_is_a_property_of_the_schema() {
    let listed = listed();
    let unknown: Vec<_> = rows().into_keys().filter(|p| !listed.contains(p)).collect();
    assert!(unknown.is_empty(), "rows of docs/spec-coverage.md that are no property: {unknown:#?}");
}

#[test]
fn the_committed_list_is_that_of_the_schemas() {
    let dir = std::env::var_os("RUNTIME_SPEC_SCHEMA").map(PathBuf::from);
    let dir = dir.unwrap_or_else(|| here("../../shared/runtime-spec/schema"));
    if !dir.exists() {
        eprintln!(
            "SKIPPED: no schemas at {}; set RUNTIME_SPEC_SCHEMA to check the list against them",
            dir.display()
        );
        return;
    }
    let seen = properties::of(&dir, "config-schema.json", "");
    assert_eq!(seen, listed(), "tests/schema-properties.txt is not what the schemas say");
}

#[test]
fn every_expected_failure_is_of_a_test_that_exists() {
    let tests = tests();
    let mut seen = BTreeSet::new();
    for line in expected::TABLE {
        for test in line.tests {
            assert!(tests.contains(*test), "{test} is in the table of expected failures, but is no test");
            for runtime in line.runtimes {
                assert!(seen.insert((runtime, test)), "{test} is twice in the table for {runtime}");
            }
        }
    }
}

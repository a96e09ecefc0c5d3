//! Manual pages: one for each command of the tree, in man(7).
//!
//! Called by `main`. What the definitions cannot say (exit statuses, files, variables) is added here, once.

use std::path::Path;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::{Written, programs};

const MANUAL: &str = "Cofferdam";

/// Sections of the pages of programs: (program, heading, paragraphs).
const MORE: &[(&str, &str, &[&str])] = &[
    (
        "cofferdam",
        "NOTES",
        &["Flags may also be written as Go's flag package reads them, which is how engines write them: \
             -bundle DIR is --bundle DIR, and a flag is switched off by --flag=false."],
    ),
    (
        "cofferdam",
        "EXIT STATUS",
        &[
            "run, exec and sandbox without --detach end as the container's process did: with its status, or with 128 \
             and the number of the signal that ended it. Everything else ends with 0 for success, 1 for failure, \
             and 3 if there is no such command. sandbox ends with 125 to 127 as env(1) does when its program was \
             not started.",
        ],
    ),
    (
        "cofferdam",
        "FILES",
        &[
            "/run/cofferdam, or $XDG_RUNTIME_DIR/cofferdam when not root: the state of containers (see --root).",
        ],
    ),
    (
        "cofferdam-nsinit",
        "ENVIRONMENT",
        &[
            "data_path: the directory of container.json and state.json, instead of the current one.",
            "console: the terminal, as --console. log: the file for log messages, as --log-file.",
        ],
    ),
    (
        "cofferdam-nsinit",
        "FILES",
        &[
            "container.json, state.json: configuration and state, in the data directory.",
            "/var/run/nsinit, or $XDG_RUNTIME_DIR/nsinit when not root: the state of containers with a name.",
        ],
    ),
];

/// Every page, by the name of its file.
pub(crate) fn all(date: &str) -> Vec<Written> {
    let root = programs::whole();
    let pages = programs::every(&root).into_iter().map(|command| page(command, &root, date));
    // The program is called by this name too; its page says it all.
    let link = ("man1/nsinit.1".into(), b".so man1/cofferdam-nsinit.1\n".to_vec());
    pages.chain(std::iter::once(link)).collect()
}

fn page(command: &Command, root: &Command, date: &str) -> Written {
    let name = name(command);
    let version = root.get_version().and_then(|text| text.split_whitespace().nth(1)).unwrap_or_default();
    let man = Man::new(command.clone().disable_help_subcommand(true))
        .date(date)
        .source(format!("cofferdam {version}"))
        .manual(MANUAL);
    let mut text = Vec::new();
    // What is written to memory is written.
    let _ = render(&man, command, &mut text);
    let _ = more(&name, root).to_writer(&mut text);
    (Path::new("man1").join(format!("{name}.1")), text)
}

/// As `Man::render`, without the version, which stands in every page's footer.
fn render(man: &Man, command: &Command, text: &mut Vec<u8>) -> std::io::Result<()> {
    man.render_title(text)?;
    man.render_name_section(text)?;
    man.render_synopsis_section(text)?;
    man.render_description_section(text)?;
    man.render_options_section(text)?;
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        man.render_subcommands_section(text)?;
    }
    Ok(())
}

/// The name of a page: `cofferdam-run` for `cofferdam run`.
fn name(command: &Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).replace(' ', "-")
}

/// What follows behind the definitions.
fn more(name: &str, root: &Command) -> Roff {
    let mut roff = Roff::new();
    for (_, heading, paragraphs) in MORE.iter().filter(|(of, ..)| *of == name) {
        roff.control("SH", [*heading]);
        for (number, paragraph) in paragraphs.iter().enumerate() {
            if number > 0 {
                roff.control("PP", []);
            }
            roff.text([roman(*paragraph)]);
        }
    }
    let others = neighbours(name, root);
    if !others.is_empty() {
        roff.control("SH", ["SEE ALSO"]);
        let others: Vec<_> = others.iter().map(|other| format!("{other}(1)")).collect();
        roff.text([roman(others.join(", "))]);
    }
    roff
}

/// The pages above and directly below.
fn neighbours(of: &str, root: &Command) -> Vec<String> {
    let all = programs::every(root);
    let names = all.iter().map(|command| name(command));
    names
        .filter(|other| {
            let above = of.rsplit_once('-').is_some_and(|(above, _)| above == other);
            let below = other.rsplit_once('-').is_some_and(|(above, _)| above == of);
            above || below
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::process::{Command as Process, Stdio};

    use super::*;

    /// As roff writes it.
    fn escaped(word: &str) -> String {
        word.replace('-', "\\-")
    }

    #[test]
    fn every_command_has_a_page_and_every_flag_is_on_it() {
        let (root, pages) = (programs::whole(), all(""));
        for command in programs::every(&root) {
            let file = Path::new("man1").join(format!("{}.1", name(command)));
            let (_, text) = pages.iter().find(|(name, _)| *name == file).unwrap();
            let text = String::from_utf8(text.clone()).unwrap();
            for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                let word = arg.get_long().map_or_else(
                    || arg.get_value_names().unwrap()[0].to_string(),
                    |long| escaped(&format!("--{long}")),
                );
                assert!(text.contains(&word), "{word} is not in {}", file.display());
            }
        }
    }

    /// What a formatter complains of, or nothing if there is no such program here.
    fn complaints(formatter: &[&str], text: &[u8]) -> Option<String> {
        let [program, arguments @ ..] = formatter else { return None };
        let spawned = Process::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = spawned else {
            println!("SKIPPED: {program} is not installed");
            return None;
        };
        child.stdin.take().unwrap().write_all(text).unwrap();
        let output = child.wait_with_output().unwrap();
        let (said, shown) = (output.stderr, output.stdout);
        let told = String::from_utf8_lossy(if *program == "mandoc" { &shown } else { &said });
        // Twice a blank line, between a flag's help and its values, is how clap_mangen writes them.
        let matters = |line: &&str| !line.is_empty() && !line.contains("skipping paragraph macro: br");
        Some(told.lines().filter(matters).collect())
    }

    #[test]
    fn pages_are_formatted_without_a_warning() {
        let formatters: [&[&str]; 2] =
            [&["groff", "-ww", "-man", "-Tutf8"], &["mandoc", "-Tlint", "-Wwarning,stop"]];
        for formatter in formatters {
            for (name, text) in all("2026-01-02").iter().filter(|(name, _)| !name.ends_with("nsinit.1")) {
                let Some(told) = complaints(formatter, text) else { break };
                assert!(told.is_empty(), "{} of {}: {told}", formatter[0], name.display());
            }
        }
    }

    #[test]
    fn man_shows_the_page() {
        let file = std::env::temp_dir().join(format!("cofferdam-page-{}.1", std::process::id()));
        let (_, text) = all("2026-01-02").into_iter().next().unwrap();
        fs::write(&file, text).unwrap();
        let mut man = Process::new("man");
        let shown = man.arg("--warnings").arg("-l").arg(&file).env("MANWIDTH", "100").output();
        fs::remove_file(&file).unwrap();
        let Ok(shown) = shown else {
            println!("SKIPPED: man is not installed");
            return;
        };
        assert!(shown.stderr.is_empty(), "{}", String::from_utf8_lossy(&shown.stderr));
        let text = String::from_utf8_lossy(&shown.stdout);
        for part in ["cofferdam - Linux container runtime", "2026-01-02", "EXIT STATUS", "cofferdam-run(1)"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

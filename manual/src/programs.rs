//! The command lines that there are, as trees of definitions. Pure.
//!
//! Called by [`crate::page`] and [`crate::completion`]. `cofferdam nsinit` and `cofferdam agent` hand over to programs
//! with command lines of their own; those are grafted in here, so that whoever reads or completes sees one tree.

use clap::Command;

/// `cofferdam` with everything that can stand behind it.
pub(crate) fn whole() -> Command {
    let [root, nsinit] = cofferdam_cli::definitions();
    let mut root = root
        .mut_subcommand("nsinit", |_| nsinit)
        .mut_subcommand("agent", |_| cofferdam_agent::definition().name("agent"));
    root = plain(root);
    root.build();
    root
}

/// The programs that people call by a name of their own.
pub(crate) fn alone() -> Vec<Command> {
    let [_, nsinit] = cofferdam_cli::definitions();
    vec![nsinit.clone(), nsinit.name("cofferdam-nsinit"), cofferdam_agent::definition()]
        .into_iter()
        .map(plain)
        .collect()
}

/// Without the command `help`, which would repeat every other one.
fn plain(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(plain)
}

/// This one and all below it that are not hidden.
pub(crate) fn every(command: &Command) -> Vec<&Command> {
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set());
    std::iter::once(command).chain(shown.flat_map(every)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_flag_says_what_it_does() {
        let root = whole();
        let all = every(&root);
        assert!(all.len() > 30, "{} commands", all.len());
        for command in all {
            let name = command.get_bin_name().unwrap_or("cofferdam");
            assert!(command.get_about().is_some_and(|about| !about.to_string().is_empty()), "{name}");
            for arg in command.get_arguments() {
                assert!(arg.get_help().is_some(), "{name} {}", arg.get_id());
            }
        }
    }

    #[test]
    fn programs_of_their_own_are_part_of_the_tree() {
        let root = whole();
        let names: Vec<_> = every(&root).iter().filter_map(|command| command.get_bin_name()).collect();
        for name in ["cofferdam nsinit exec", "cofferdam agent learn", "cofferdam run"] {
            assert!(names.contains(&name), "{name} in {names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("help")), "{names:?}");
    }
}

//! `check`: everything that is wrong with a policy.

use std::path::PathBuf;

use crate::cli;
use crate::failure::{Failure, Outcome};
use crate::policy::Policy;

/// Check a policy: say everything that is wrong with it, each with its line, column and key
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The policy, a TOML file; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Check {
    pub(crate) fn execute(self) -> Outcome {
        let name = self.file.display();
        let text = match self.file.to_str() {
            Some("-") => std::io::read_to_string(std::io::stdin()),
            _ => std::fs::read_to_string(&self.file),
        };
        let text = text.map_err(|e| Failure::io(format_args!("reading {name}"), &e))?;
        match Policy::parse(&text) {
            Ok(policy) => {
                let default = policy.default.name();
                cli::print(&format!("{name}: {} rules, default {default}\n", policy.rules.len()));
                Ok(0)
            }
            Err(problems) => {
                let lines: Vec<String> = problems.iter().map(|problem| format!("{name}:{problem}")).collect();
                Err(Failure::new(format!("the policy is refused\n{}", lines.join("\n"))))
            }
        }
    }
}

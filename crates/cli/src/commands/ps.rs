//! `ps`: the processes of a container, as ps(1) shows them.

use std::ffi::OsString;
use std::process::{Command, Output};

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Show the processes of a container
///
/// Runs ps(1) with the given options (-ef when there are none) and prints the lines that are about the
/// container.
#[derive(Debug, clap::Args)]
pub(crate) struct Ps {
    /// How to print: table, or json for the process ids alone
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    format: String,
    /// Name of the container
    container_id: String,
    /// Options for ps(1)
    #[arg(value_name = "PS_OPTION", trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<OsString>,
}

impl Ps {
    pub(crate) fn execute(mut self, context: &Context) -> Outcome {
        let pids = context.container(&self.container_id)?.pids()?;
        match self.format.as_str() {
            "table" => {}
            "json" => {
                output::json_line(&pids)?;
                return Ok(0);
            }
            _ => return Err(Failure::new("invalid format option (hint: table or json)")),
        }
        if self.options.is_empty() {
            self.options.push("-ef".into());
        }
        let Output { status, stdout, stderr } = Command::new("ps")
            .args(&self.options)
            .output()
            .map_err(|error| Failure::io("running ps", &error))?;
        if !status.success() {
            return Err(Failure::new(format!(
                "ps: {status}: {}",
                String::from_utf8_lossy(&stderr).trim_end()
            )));
        }
        output::text(&about(&String::from_utf8_lossy(&stdout), &pids)?)?;
        Ok(0)
    }
}

/// The heading of ps and the lines whose column `PID` is one of `pids`.
fn about(printed: &str, pids: &[i32]) -> Result<String, Failure> {
    let (heading, lines) = printed.split_once('\n').unwrap_or((printed, ""));
    let Some(column) = heading.split_whitespace().position(|title| title == "PID") else {
        return Err(Failure::new("couldn't find PID field in ps output"));
    };
    let mut text = format!("{heading}\n");
    for line in lines.lines().filter(|line| !line.is_empty()) {
        let field = line.split_whitespace().nth(column).unwrap_or_default();
        let pid: i32 =
            field.parse().map_err(|_| Failure::new(format!("unable to parse pid: \"{field}\"")))?;
        if pids.contains(&pid) {
            text.push_str(line);
            text.push('\n');
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_the_container_are_shown() {
        let printed = "UID   PID  PPID CMD\nroot    1     0 init\nroot   71     1 sh\n";
        assert_eq!(about(printed, &[71, 5]).unwrap(), "UID   PID  PPID CMD\nroot   71     1 sh\n");
    }

    #[test]
    fn a_listing_without_pids_is_refused() {
        assert!(about("UID CMD\n0 init\n", &[1]).is_err());
        assert!(about("UID PID\n0 x\n", &[1]).is_err());
    }
}

//! Completions for bash, zsh and fish, of `cofferdam` and of the programs with names of their own. Called by `main`.

use std::path::Path;

use clap::Command;
use clap_complete::generate;
use clap_complete::shells::{Bash, Fish, Zsh};

use crate::{Written, programs};

/// Every file, by its name: as the shells look for them.
pub(crate) fn all() -> Vec<Written> {
    let mut all = programs::alone();
    all.push(programs::whole());
    all.into_iter().flat_map(of).collect()
}

fn of(mut command: Command) -> [Written; 3] {
    let name = command.get_name().to_owned();
    let mut texts = [Vec::new(), Vec::new(), Vec::new()];
    generate(Bash, &mut command, &name, &mut texts[0]);
    generate(Zsh, &mut command, &name, &mut texts[1]);
    generate(Fish, &mut command, &name, &mut texts[2]);
    let [bash, zsh, fish] = texts;
    [
        (Path::new("bash").join(&name), bash),
        (Path::new("zsh").join(format!("_{name}")), zsh),
        (Path::new("fish").join(format!("{name}.fish")), fish),
    ]
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::process::Command as Process;

    use super::*;

    /// A directory with every file; removed at the end.
    struct Files(PathBuf);

    impl Files {
        fn new(test: &str) -> Self {
            let directory = std::env::temp_dir().join(format!("cofferdam-{test}-{}", std::process::id()));
            for (name, text) in all() {
                let file = directory.join(name);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
            Self(directory)
        }
    }

    impl Drop for Files {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn every_shell_reads_its_files() {
        let files = Files::new("shells");
        for shell in ["bash", "zsh", "fish"] {
            for file in fs::read_dir(files.0.join(shell)).unwrap() {
                let Ok(output) = Process::new(shell).arg("-n").arg(file.unwrap().path()).output() else {
                    println!("SKIPPED: {shell} is not installed");
                    break;
                };
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && said.is_empty(), "{shell}: {said}");
            }
        }
    }

    /// What bash offers for the last of these words.
    fn offered(files: &Files, words: &[&str]) -> Vec<String> {
        let script = "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                      $(complete -p \"$1\" | sed 's/.* -F \\([^ ]*\\) .*/\\1/') \"$1\" \"${@: -1}\" \"${@: -2:1}\"; \
                      printf '%s\\n' \"${COMPREPLY[@]}\"";
        let file = files.0.join("bash").join(words[0]);
        let output =
            Process::new("bash").args(["-c", script, "bash"]).arg(file).args(words).output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn bash_completes_commands_and_flags() {
        let files = Files::new("bash");
        assert_eq!(offered(&files, &["cofferdam", "sta"]), ["start", "state", "stats"]);
        assert_eq!(offered(&files, &["cofferdam", "run", "--bun"]), ["--bundle"]);
        assert_eq!(offered(&files, &["cofferdam", "nsinit", "exec", "--fun"]), ["--func"]);
        assert_eq!(offered(&files, &["nsinit", "unp"]), ["unpause"]);
        assert!(offered(&files, &["cofferdam-agent", "l"]).contains(&"learn".to_owned()));
    }
}

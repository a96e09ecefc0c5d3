//! Which CRIU there is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::Skip;

/// A CRIU that can dump a process on this kernel: `COFFERDAM_CRIU`, the host's, or the one that `scripts/install-criu`
/// unpacks.
///
/// # Errors
/// Why there is none.
pub fn real() -> Result<&'static Path, Skip> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND.get_or_init(find).as_deref().map_err(|why| Skip(why.clone()))
}

fn find() -> Result<PathBuf, String> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/criu/bin/criu");
    let named = std::env::var_os("COFFERDAM_CRIU").map(PathBuf::from);
    let all = match named {
        Some(path) => vec![path],
        None => vec!["/usr/sbin/criu".into(), "/usr/local/sbin/criu".into(), "/usr/bin/criu".into(), own],
    };
    let there: Vec<PathBuf> = all.into_iter().filter(|path| path.is_file()).collect();
    match there.iter().find(|path| dumps(path)) {
        Some(path) => Ok(path.clone()),
        None if there.is_empty() => {
            Err("there is no criu (scripts/install-criu gets one, COFFERDAM_CRIU names one)".into())
        }
        None => Err(format!("{} cannot dump a process on this kernel", there[0].display())),
    }
}

/// What `criu check` says is not enough: an old one fails at the vDSO of a new kernel.
fn dumps(criu: &Path) -> bool {
    let dir = std::env::temp_dir().join(format!("cdt-criu-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("directory");
    let mut child = Command::new("setsid")
        .args(["sleep", "100"])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("sleep");
    std::thread::sleep(std::time::Duration::from_millis(100));
    let mut command = Command::new(criu);
    command.args(["dump", "--leave-running", "-t"]).arg(child.id().to_string()).arg("-D").arg(&dir);
    let done = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status();
    let _ = child.kill();
    let _ = child.wait();
    let _ = fs::remove_dir_all(&dir);
    done.is_ok_and(|status| status.success())
}

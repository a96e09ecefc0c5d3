//! buildah, which builds and runs without a monitor: it calls create, start, state, kill and delete itself.

use cofferdam_tests::{Output, Skip, Test, facts};

use crate::room::Room;

struct Buildah<'t> {
    room: Room<'t>,
    container: String,
}

impl<'t> Buildah<'t> {
    /// With a container made of the root filesystem.
    fn new(test: &'t Test) -> Result<Self, Skip> {
        let room = Room::new(test, &["buildah", "podman"])?;
        let mut this = Self { room, container: String::new() };
        this.container = this.call(&["from", "scratch"]).ok().trim().to_owned();
        let rootfs = this.room.rootfs.display().to_string();
        this.call(&["add", &this.container, &rootfs, "/"]).ok();
        Ok(this)
    }

    fn call(&self, args: &[&str]) -> Output {
        let mut command = self.room.command("buildah");
        command.args([
            "--root",
            &self.room.path("root"),
            "--runroot",
            "/run/engine",
            "--storage-driver",
            "vfs",
        ]);
        self.room.finish(command.args(args))
    }

    fn run(&self, flags: &[&str], args: &[&str]) -> Output {
        let runtime = self.room.test.runtime.path.display().to_string();
        // buildah names the cgroup after the container, below what it is told.
        let fixed = ["run", "--runtime", &runtime, "--isolation", "oci", "--network", "none"];
        self.call(&[&fixed, flags, &[&self.container, "--"], args].concat())
    }
}

facts! {
    fn buildah_runs_commands_in_what_it_builds(t) {
        let b = Buildah::new(t)?;
        let flags = ["--user", "1000:1000", "--workingdir", "/usr", "--env", "X=y", "--cap-drop", "all"];
        let script = "id -u; pwd; echo $X; grep CapBnd /proc/self/status";
        let seen = b.run(&flags, &["sh", "-c", script]);
        assert_eq!(seen.ok().split_whitespace().collect::<Vec<_>>(), ["1000", "/usr", "y", "CapBnd:", "0000000000000000"]);
        assert_eq!(b.run(&[], &["sh", "-c", "exit 7"]).code, 7);
        let absent = b.run(&[], &["/no/such/program"]);
        assert!(absent.refused().to_lowercase().contains("no such file or directory"), "{absent}");
        b.run(&[], &["touch", "/made"]).ok();
        b.run(&[], &["ls", "/made"]).ok();
        b.call(&["rm", &b.container]).ok();
        b.room.is_clean()?;
    }
}

//! What CRIU does only when it is told to: locks, sockets to the outside, images that shrink, memory that is fetched.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cofferdam_tests::{Container, Skip, Test, facts, json, own, wait_until};

use crate::criu::{Trip, count, counting, goes_on};

/// A port of the loopback device that nobody has.
fn port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port()
}

fn quiet(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

/// A container in one half, as its memory goes over to the other.
struct Half<'t> {
    trip: Trip<'t>,
    serving: Child,
    fetching: Child,
}

impl<'t> Half<'t> {
    /// Dumps all but memory, and has somebody ready to fetch that.
    fn new(t: &'t Test, id: &str) -> Result<Self, Skip> {
        let trip = Trip::real(t)?;
        trip.need_feature("uffd-noncoop")?;
        let (images, port) = (trip.images().display().to_string(), port());
        let server = format!("127.0.0.1:{port}");
        let told = t.dir.join("told");
        let line = trip.command(&[
            "checkpoint",
            "--lazy-pages",
            "--page-server",
            &server,
            "--status-fd",
            "9",
            "--manage-cgroups-mode",
            "ignore",
            "--image-path",
            &images,
            id,
        ]);
        let words: Vec<_> = std::iter::once(line.get_program()).chain(line.get_args()).collect();
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "told=$1; shift; exec \"$@\" 9>$told 2>$told.errors", "sh"])
            .arg(&told)
            .args(words);
        for (name, value) in line.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        let serving = quiet(command);
        wait_until("memory to be there", || fs::read(&told).is_ok_and(|told| told == [0]));
        let mut command = Command::new(&trip.criu);
        command.args([
            "lazy-pages",
            "--page-server",
            "--address",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "-D",
        ]);
        command.arg(&images);
        let fetching = quiet(command);
        wait_until("who fetches it", || trip.images().join("lazy-pages.socket").exists());
        Ok(Self { trip, serving, fetching })
    }

    /// What the serving side complained of.
    fn complaint(&self) -> String {
        fs::read_to_string(self.trip.t.dir.join("told.errors")).unwrap_or_default()
    }
}

impl Drop for Half<'_> {
    fn drop(&mut self) {
        // CRIU serves until somebody comes, whoever of its parents is gone by then.
        let id = self.serving.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        if matches!(self.serving.try_wait(), Ok(None)) {
            self.trip.t.host(&format!("kill -KILL {children} || true"));
        }
        for child in [&mut self.serving, &mut self.fetching] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

facts! {
    fn locks_are_kept_with_leave(t) {
        let trip = Trip::real(t)?;
        let mut b = t.bundle();
        b.args(&["probe", "lock", "/lock", "stays"]);
        let c = trip.start(&b);
        let locked = || c.exec(&[], &["probe", "lock", "/lock"]).stdout.trim() == "errno=EAGAIN";
        wait_until("the lock", locked);
        assert!(trip.checkpoint(&b, &[]).refused().contains("file-locks"));
        assert!(locked(), "it is kept when the dump fails");
        trip.checkpoint(&b, &["--file-locks"]).ok();
        trip.restore(&b, &["--file-locks"]).ok();
        assert!(locked());
        c.verb("delete", &["--force"]).ok();
    }

    fn images_give_back_what_was_restored_of_them(t) {
        let trip = Trip::real(t)?;
        let b = counting(t);
        let c = trip.start(&b);
        goes_on(&b);
        trip.checkpoint(&b, &[]).ok();
        let blocks = || fs::metadata(trip.images().join("pages-1.img")).unwrap().blocks();
        let (before, at) = (blocks(), count(&b));
        trip.restore(&b, &["--auto-dedup"]).ok();
        wait_until("it to count", || count(&b) > at);
        assert!(blocks() < before, "{} of {before} blocks are left", blocks());
        c.verb("delete", &["--force"]).ok();
    }

    fn a_socket_to_the_outside_needs_leave_and_is_connected_again(t) {
        let trip = Trip::real(t)?;
        let mut b = t.bundle();
        let here = t.dir.join("outside");
        fs::create_dir(&here).unwrap();
        let path = here.join("s");
        let ear = UnixDatagram::bind(&path).unwrap();
        ear.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let hears = || ear.recv(&mut [0; 8]).unwrap();
        // Of the same name inside, and in the same network namespace: that is how CRIU finds it.
        b.mount(here.to_str().unwrap(), "bind", here.to_str().unwrap(), &["bind"]);
        b.args(&["probe", "tells", path.to_str().unwrap()]);
        let c = trip.start(&b);
        hears();
        assert!(trip.checkpoint(&b, &[]).refused().contains("ext-unix-sk"));
        hears();
        trip.checkpoint(&b, &["--ext-unix-sk"]).ok();
        ear.set_nonblocking(true).unwrap();
        while ear.recv(&mut [0; 8]).is_ok() {}
        ear.set_nonblocking(false).unwrap();
        trip.restore(&b, &["--ext-unix-sk"]).ok();
        hears();
        c.verb("delete", &["--force"]).ok();
    }

    fn memory_is_fetched_when_it_is_needed(t) {
        let mut b = counting(t);
        let other = format!("{}-lazy", b.id);
        let c = Trip::real(t)?.start(&b);
        goes_on(&b);
        let mut half = Half::new(t, &b.id)?;
        // Until all of it has gone over, both are there.
        b.set("/linux/cgroupsPath", format!("/{other}"));
        b.write();
        let images = half.trip.images().display().to_string();
        let complaint = t.dir.join("complaint");
        let to = || fs::File::create(&complaint).unwrap();
        let mut restore = half.trip.command(&[
            "restore", "--detach", "--lazy-pages", "--manage-cgroups-mode", "ignore", "--bundle",
            b.dir.to_str().unwrap(), "--image-path", &images, &other,
        ]);
        // Files take the place of files.
        let mut restore = restore.stdin(Stdio::null()).stdout(to()).stderr(to()).spawn().unwrap();
        let complaint = || fs::read_to_string(&complaint).unwrap();
        wait_until("one side to have ended", || half.serving.try_wait().unwrap().is_some() || !complaint().is_empty());
        if half.complaint().contains("page-pipe: splice") || half.complaint().contains("criu failed") {
            half.fetching.kill().unwrap();
            restore.kill().unwrap();
            restore.wait().unwrap();
            Container::of(t, &other).verb("delete", &["--force"]);
            c.verb("delete", &["--force"]).ok();
            t.need(false, "criu's page server may not have pipes of 4 MiB here (fs.pipe-max-size, CAP_SYS_RESOURCE)")?;
        }
        assert_eq!((half.complaint(), complaint()), (String::new(), String::new()));
        assert!(restore.wait().unwrap().success() && half.fetching.wait().unwrap().success());
        goes_on(&b);
        Container::of(t, &other).verb("delete", &["--force"]).ok();
    }
}

own! {
    fn a_device_that_is_in_the_namespace_already_stays_there(t) {
        let trip = Trip::real(t)?;
        t.network_view();
        t.host("ip link set lo up; ip link add cdv0 type veth peer name cdv1; ip addr add 10.97.4.2/24 dev cdv0");
        let mut holder = quiet({
            let mut command = t.command(std::path::Path::new("/usr/bin/unshare"));
            command.args(["--net", "sleep", "1000"]);
            command
        });
        let namespace = format!("/proc/{}/ns/net", holder.id());
        let of = |path: &str| fs::read_link(path).ok();
        let outer = t.host("readlink /proc/self/ns/net").trim().to_owned();
        wait_until("a namespace", || {
            of(&namespace).is_some_and(|own| own.to_str() != Some(&outer) && Some(own) != of("/proc/self/ns/net"))
        });
        let mut b = counting(t);
        b.join("network", &namespace);
        b.set("/linux/netDevices", json!({"cdv0": {}}));
        let c = trip.start(&b);
        let there = || c.exec(&[], &["ip", "-4", "addr"]).ok().contains("10.97.4.2/24");
        assert!(there());
        trip.checkpoint(&b, &[]).ok();
        trip.restore(&b, &[]).ok();
        assert!(there());
        c.verb("delete", &["--force"]).ok();
        holder.kill().unwrap();
        holder.wait().unwrap();
    }
}

//! What a container may have besides files: terminals, pipes, connections, other users' ids, a network of its own.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

use cofferdam_tests::{ConsoleSocket, Container, facts, json, own, wait_until};

use crate::criu::{Trip, counting, goes_on};

facts! {
    fn a_terminal_goes_along(t) {
        let trip = Trip::real(t)?;
        let mut b = t.script("while read word; do echo got-$word; done");
        b.set("/process/terminal", true);
        b.write();
        let socket = ConsoleSocket::new(&t.dir);
        trip.run(&b.command_line("run", &["--detach", "--console-socket", socket.arg()])).ok();
        let (mut terminal, _) = socket.receive();
        terminal.write("one\n");
        terminal.read_until("got-one");
        trip.checkpoint(&b, &[]).ok();
        drop(terminal);
        trip.restore(&b, &["--console-socket", socket.arg()]).ok();
        let (mut terminal, _) = socket.receive();
        terminal.write("two\n");
        terminal.read_until("got-two");
        Container::of(t, &b.id).verb("delete", &["--force"]).ok();
    }

    fn pipes_of_whoever_restores_take_the_place_of_those_there_were(t) {
        let trip = Trip::real(t)?;
        let b = t.script("while read word; do echo got-$word; done; echo end");
        b.write();
        let images = trip.images().display().to_string();
        let lines = [
            b.command_line("run", &["--detach"]),
            b.command_line("restore", &["--detach", "--image-path", &images]),
        ];
        for (line, word) in lines.into_iter().zip(["one", "two"]) {
            let (stdin, mut writer) = std::io::pipe().unwrap();
            let (mut reader, stdout) = std::io::pipe().unwrap();
            let mut command = trip.command(&line);
            command.stdin(stdin).stdout(stdout.try_clone().unwrap()).stderr(stdout);
            assert!(command.status().unwrap().success(), "{line:?}");
            drop(command);
            writeln!(writer, "{word}").unwrap();
            let mut said = [0; 8];
            reader.read_exact(&mut said).unwrap();
            assert_eq!(String::from_utf8_lossy(&said), format!("got-{word}\n"));
            if word == "one" {
                trip.checkpoint(&b, &[]).ok();
                continue;
            }
            drop(writer);
            let mut rest = String::new();
            reader.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "end\n");
        }
        let c = Container::of(t, &b.id);
        c.wait_stopped();
        c.delete().ok();
    }

    fn ids_of_a_user_namespace_are_the_same_again(t) {
        let trip = Trip::real(t)?;
        let mut b = counting(t);
        b.user_namespace();
        t.host(&format!("chmod 777 {}", b.rootfs().display()));
        b.write();
        // Streams that its root may open anew.
        let quietly = |words: &[&str]| {
            let mut command = trip.command(words);
            let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
            assert!(done.unwrap().success(), "{words:?}");
        };
        quietly(&b.command_line("run", &["--detach"]));
        let c = Container::of(t, &b.id);
        goes_on(&b);
        let map = |c: &Container<'_>| fs::read_to_string(format!("/proc/{}/uid_map", c.pid())).unwrap();
        let before = map(&c);
        trip.checkpoint(&b, &[]).ok();
        let images = trip.images().display().to_string();
        quietly(&b.command_line("restore", &["--detach", "--image-path", &images]));
        assert_eq!(map(&c), before);
        goes_on(&b);
        c.verb("delete", &["--force"]).ok();
    }

    fn a_cgroup_namespace_goes_along(t) {
        let trip = Trip::real(t)?;
        let mut b = counting(t);
        b.namespace("cgroup");
        trip.there_and_back(&b, &["--manage-cgroups-mode", "ignore"])?;
    }
}

own! {
    fn connections_need_leave_and_go_on_with_it(t) {
        let trip = Trip::real(t)?;
        // Both ends are the container's own: a line a second from one to the other.
        let mut b = t.script(
            "sleep 1000 | nc -l -p 7777 > /n & sleep 0.5
             (i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done) | nc 127.0.0.1 7777 & wait",
        );
        b.namespace("network");
        let c = trip.start(&b);
        let last = || fs::read_to_string(b.rootfs().join("n")).unwrap_or_default().lines().count();
        wait_until("the connection", || last() > 2);
        let said = trip.checkpoint(&b, &[]);
        assert!(said.refused().contains("--tcp-established"), "{said}");
        let before = last();
        wait_until("the connection to go on", || last() > before);
        let said = trip.checkpoint(&b, &["--tcp-established"]);
        // Linux 6.16 knows SO_PASSCRED on sockets of its own family only, and CRIU asks every socket for it.
        let knows = !said.stderr.contains("Can't get 1:16 opt");
        if !knows {
            wait_until("the connection to go on", || last() > before);
            c.verb("delete", &["--force"]).ok();
        }
        t.need(knows, "this criu cannot dump TCP connections of this kernel")?;
        said.ok();
        let before = last();
        trip.restore(&b, &["--tcp-established"]).ok();
        wait_until("the connection to go on", || last() > before + 2);
        c.verb("delete", &["--force"]).ok();
    }

    fn its_own_network_is_made_anew(t) {
        let trip = Trip::real(t)?;
        t.network_view();
        t.host("ip link set lo up");
        let mut b = counting(t);
        b.namespace("network");
        let network = r#"{"networks": [{"type": "veth", "addresses": ["10.97.3.2/24"], "bridge": "cdbr7"}]}"#;
        b.set("/annotations", json!({"org.cofferdam.network": network}));
        let c = trip.start(&b);
        goes_on(&b);
        let address = || c.exec(&[], &["ip", "-4", "addr"]).ok().to_owned();
        assert!(address().contains("10.97.3.2/24"));
        trip.checkpoint(&b, &[]).ok();
        trip.restore(&b, &[]).ok();
        assert!(address().contains("10.97.3.2/24") && address().contains("LOOPBACK,UP"), "{}", address());
        c.verb("delete", &["--force"]).ok();
    }

    fn a_restore_in_the_foreground_ends_as_run_does(t) {
        let trip = Trip::real(t)?;
        let b = t.script("while ! [ -e /go ]; do sleep 0.05; done; exit 7");
        let _c = trip.start(&b);
        trip.checkpoint(&b, &[]).ok();
        let images = trip.images().display().to_string();
        let line = b.command_line("restore", &["--image-path", &images]);
        fs::write(b.rootfs().join("go"), "").unwrap();
        let said = trip.run(&line);
        assert_eq!(said.code, 7, "{said}");
        assert!(!t.dir.join("state").join(&b.id).exists());
    }
}

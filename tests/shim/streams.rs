//! Standard streams: fifos, files, a logger, a terminal.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread::{JoinHandle, spawn};

use cofferdam_tests::{Test, own, wait_until};
use containerd_shim_protos::api::{CloseIORequest, ResizePtyRequest};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::stand_in::{StandIn, soon};

/// Makes a fifo.
fn fifo(t: &Test, name: &str) -> PathBuf {
    let path = t.dir.join(name);
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o700), 0).expect("a fifo");
    path
}

/// Reads it to its end.
fn read(path: &Path) -> JoinHandle<String> {
    let path = path.to_owned();
    spawn(move || {
        let mut text = String::new();
        File::open(path).and_then(|mut file| file.read_to_string(&mut text)).expect("what was written");
        text
    })
}

fn string(path: &Path) -> String {
    path.display().to_string()
}

own! {
    fn output_and_errors_arrive_and_end_when_the_process_does(t) {
        let s = StandIn::new(t)?;
        let b = t.script("echo out; echo err >&2");
        let shim = s.shim(&b);
        let (out, err) = (fifo(t, "out"), fifo(t, "err"));
        let (heard, complained) = (read(&out), read(&err));
        let mut wanted = shim.wanted(&b);
        (wanted.stdout, wanted.stderr) = (string(&out), string(&err));
        shim.create(&wanted);
        shim.start("");
        // Before anything is deleted: clients wait for the end of the streams first.
        assert_eq!((heard.join().unwrap(), complained.join().unwrap()), ("out\n".into(), "err\n".into()));
        assert_eq!(shim.wait(""), 0);
        shim.delete("");
        shim.shutdown();
        s.is_clean();
    }

    fn what_a_short_process_says_is_not_lost_when_the_client_begins_to_read_late(t) {
        let s = StandIn::new(t)?;
        let b = t.script("echo early");
        let shim = s.shim(&b);
        let out = fifo(t, "out");
        let late = out.clone();
        let heard = spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(300));
            fs::read_to_string(late).expect("what was written")
        });
        let mut wanted = shim.wanted(&b);
        wanted.stdout = string(&out);
        shim.create(&wanted);
        shim.start("");
        assert_eq!((shim.wait(""), heard.join().unwrap().as_str()), (0, "early\n"));
        shim.delete("");
        shim.shutdown();
        s.is_clean();
    }

    fn a_process_does_not_notice_that_a_client_came_and_went(t) {
        let s = StandIn::new(t)?;
        let b = t.script("read line; echo $line; sleep 0.2; echo more; read line; echo $line");
        let shim = s.shim(&b);
        let (out, input) = (fifo(t, "out"), fifo(t, "in"));
        let mut wanted = shim.wanted(&b);
        (wanted.stdin, wanted.stdout) = (string(&input), string(&out));
        let client = out.clone();
        let first = spawn(move || {
            let mut first = [0; 4];
            File::open(client).and_then(|mut out| out.read_exact(&mut first)).expect("the first line");
            first
        });
        shim.create(&wanted);
        shim.start("");
        OpenOptions::new().write(true).open(&input).unwrap().write_all(b"one\n").unwrap();
        assert_eq!(&first.join().unwrap(), b"one\n");
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(shim.state("").exited_at.as_ref(), None, "it still runs");
        // Open before the process can end: nobody would be there to open it for any more.
        let (mut second, mut rest) = (File::open(&out).unwrap(), String::new());
        OpenOptions::new().write(true).open(&input).unwrap().write_all(b"two\n").unwrap();
        second.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "more\ntwo\n");
        assert_eq!(shim.wait(""), 0);
        shim.delete("");
        shim.shutdown();
        s.is_clean();
    }

    fn input_ends_when_both_client_and_shim_have_closed_it(t) {
        let s = StandIn::new(t)?;
        let mut b = t.bundle();
        b.args(&["cat"]);
        let shim = s.shim(&b);
        let (out, input) = (fifo(t, "out"), fifo(t, "in"));
        let heard = read(&out);
        let mut wanted = shim.wanted(&b);
        (wanted.stdin, wanted.stdout) = (string(&input), string(&out));
        shim.create(&wanted);
        shim.start("");
        OpenOptions::new().write(true).open(&input).unwrap().write_all(b"all of it").unwrap();
        let close = CloseIORequest { id: b.id.clone(), stdin: true, ..Default::default() };
        shim.client.close_io(soon(), &close).unwrap();
        assert_eq!((heard.join().unwrap(), shim.wait("")), ("all of it".into(), 0));
        shim.delete("");
        shim.shutdown();
        s.is_clean();
    }

    fn output_goes_to_a_file_or_to_a_program_of_the_hosts(t) {
        let s = StandIn::new(t)?;
        let b = t.script("sleep 0.1; echo out; echo err >&2; sleep 600");
        let shim = s.shim(&b);
        let logger = t.dir.join("logger");
        let script = "#!/bin/sh\nexec 5>&-\necho \"$CONTAINER_NAMESPACE $CONTAINER_ID $*\" >\"$2\"\ncat <&3 >>\"$2\"; cat <&4 >>\"$2\"\n";
        fs::write(&logger, script).unwrap();
        t.host(&format!("chmod 755 {}", logger.display()));
        let (file, log) = (t.dir.join("deep/er/file"), t.dir.join("log"));
        let mut wanted = shim.wanted(&b);
        wanted.stdout = format!("file://{}", file.display());
        shim.create(&wanted);
        shim.start("");
        wait_until("the file", || fs::read_to_string(&file).is_ok_and(|text| text == "out\nerr\n"));
        shim.exec("logged", &["sh", "-c", "echo out; echo err >&2"], |request| {
            request.stdout = format!("binary://{}?to={}&flag", logger.display(), log.display());
        });
        shim.start("logged");
        assert_eq!(shim.wait("logged"), 0);
        shim.delete("logged");
        let expected = format!("tests logged to {} flag\nout\nerr\n", log.display());
        wait_until("the log", || fs::read_to_string(&log).is_ok_and(|text| text == expected));
        shim.kill("", 9, false).unwrap();
        shim.wait("");
        shim.delete("");
        shim.shutdown();
        s.is_clean();
    }

    fn a_terminal_is_copied_resized_and_hung_up(t) {
        let s = StandIn::new(t)?;
        let b = t.bundle();
        let shim = s.shim(&b);
        shim.create(&shim.wanted(&b));
        shim.start("");
        let (out, input) = (fifo(t, "out"), fifo(t, "in"));
        let heard = read(&out);
        shim.exec("tty", &["sh", "-c", "read x; stty size; echo got-$x; tty"], |request| {
            (request.terminal, request.stdin, request.stdout) = (true, string(&input), string(&out));
        });
        shim.start("tty");
        let size =
            ResizePtyRequest { id: b.id.clone(), exec_id: "tty".into(), width: 77, height: 22, ..Default::default() };
        shim.client.resize_pty(soon(), &size).unwrap();
        OpenOptions::new().write(true).open(&input).unwrap().write_all(b"typed\n").unwrap();
        assert_eq!(shim.wait("tty"), 0);
        shim.delete("tty");
        let heard = heard.join().unwrap().replace('\r', "");
        assert!(heard.contains("22 77\ngot-typed\n/dev/pts/"), "{heard}");
        let refused = ResizePtyRequest { id: b.id.clone(), ..Default::default() };
        assert_eq!(crate::stand_in::code(shim.client.resize_pty(soon(), &refused)), 9);
        shim.kill("", 9, false).unwrap();
        shim.wait("");
        shim.delete("");
        shim.shutdown();
        s.is_clean();
    }
}

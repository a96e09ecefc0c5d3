//! A systemd that answers as a test wants: one D-Bus peer on a socket of the test's own. Used by `main`.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How it behaves.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    /// Grants everything, after so long.
    Willing(Duration),
    /// Takes connections and says nothing.
    Silent,
    /// Knows who we are, and then says nothing.
    Busy,
    /// Takes the call and never ends the job.
    Stuck,
    /// Answers calls for units with this error.
    Refusing(&'static str, &'static str),
    /// Ends jobs with this result.
    Failing(&'static str),
    /// Closes the connection at the first call.
    Leaving,
    /// Answers with bytes that are not D-Bus.
    Babbling,
    /// Does not let us in.
    Strict,
}

/// The peer; it ends with the test.
#[derive(Debug)]
pub(crate) struct Fake {
    path: PathBuf,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Fake {
    pub(crate) fn new(dir: &Path, mood: Mood) -> Self {
        let path = dir.join("bus");
        let listener = UnixListener::bind(&path).expect("socket");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let calls = Arc::clone(&heard);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (mood, calls) = (mood.clone(), Arc::clone(&calls));
                // What a peer does when the other side has gone is of no interest.
                thread::spawn(move || serve(stream, &mood, &calls));
            }
        });
        Self { path, heard }
    }

    /// What `DBUS_SYSTEM_BUS_ADDRESS` must be.
    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.path.display())
    }

    /// The methods that were called, in order.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        self.heard.lock().unwrap().iter().filter_map(|call| member(call)).collect()
    }

    /// Whether a call of this method had these words in it.
    pub(crate) fn said(&self, method: &str, words: &str) -> bool {
        let has = |call: &Vec<u8>| call.windows(words.len()).any(|w| w == words.as_bytes());
        self.heard.lock().unwrap().iter().any(|call| member(call) == Some(method) && has(call))
    }
}

const METHODS: [&str; 8] = [
    "Hello",
    "AddMatch",
    "StartTransientUnit",
    "StopUnit",
    "ResetFailedUnit",
    "SetUnitProperties",
    "AttachProcessesToUnit",
    "Get",
];

fn member(call: &[u8]) -> Option<&'static str> {
    // The name is a header field of its own: its length, the name, NUL.
    let of = |name: &&'static str| {
        let field = [&u32::try_from(name.len()).unwrap().to_le_bytes()[..], name.as_bytes(), &[0]].concat();
        call.windows(field.len()).any(|w| w == field)
    };
    METHODS.into_iter().find(|name| of(name))
}

fn serve(mut stream: UnixStream, mood: &Mood, heard: &Mutex<Vec<Vec<u8>>>) -> std::io::Result<()> {
    if matches!(mood, Mood::Silent) {
        thread::sleep(Duration::from_secs(20));
        return Ok(());
    }
    let mut greeting = Vec::new();
    while !greeting.ends_with(b"BEGIN\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        greeting.push(byte[0]);
    }
    if matches!(mood, Mood::Strict) {
        return stream.write_all(b"REJECTED EXTERNAL\r\nERROR\r\n");
    }
    stream.write_all(b"DATA\r\nOK 1234deadbeef\r\n")?;
    loop {
        let call = receive(&mut stream)?;
        let serial = u32::from_le_bytes(call[8..12].try_into().unwrap());
        let method = member(&call).unwrap_or("?");
        heard.lock().unwrap().push(call);
        if method == "Hello" || method == "AddMatch" {
            stream.write_all(&reply(serial, &[]))?;
            continue;
        }
        match mood {
            Mood::Busy => thread::sleep(Duration::from_secs(20)),
            Mood::Leaving => return Ok(()),
            Mood::Babbling => stream.write_all(&[0xff; 64])?,
            Mood::Refusing(name, words) => stream.write_all(&error(serial, name, words))?,
            _ if !["StartTransientUnit", "StopUnit"].contains(&method) => {
                stream.write_all(&reply(serial, &[]))?;
            }
            Mood::Stuck => stream.write_all(&reply(serial, &[Part::Path("/job/7")]))?,
            Mood::Willing(time) => {
                thread::sleep(*time);
                stream.write_all(&[reply(serial, &[Part::Path("/job/7")]), ended("done")].concat())?;
            }
            // The signal may come before the answer.
            Mood::Failing(result) => {
                stream.write_all(&[ended(result), reply(serial, &[Part::Path("/job/7")])].concat())?;
            }
            Mood::Silent | Mood::Strict => {}
        }
    }
}

fn receive(stream: &mut UnixStream) -> std::io::Result<Vec<u8>> {
    let mut start = [0; 16];
    stream.read_exact(&mut start)?;
    let word = |at: usize| u32::from_le_bytes(start[at..at + 4].try_into().unwrap()) as usize;
    let mut message = start.to_vec();
    message.resize((16 + word(12)).next_multiple_of(8) + word(4), 0);
    stream.read_exact(&mut message[16..])?;
    Ok(message)
}

enum Part<'a> {
    Number(u32),
    Text(&'a str),
    Path(&'a str),
}

fn reply(to: u32, body: &[Part<'_>]) -> Vec<u8> {
    message(2, &[(5, b'u', Part::Number(to))], body)
}

fn error(to: u32, name: &str, words: &str) -> Vec<u8> {
    message(3, &[(4, b's', Part::Text(name)), (5, b'u', Part::Number(to))], &[Part::Text(words)])
}

fn ended(result: &str) -> Vec<u8> {
    let head = [
        (1, b'o', Part::Path("/org/freedesktop/systemd1")),
        (2, b's', Part::Text("org.freedesktop.systemd1.Manager")),
        (3, b's', Part::Text("JobRemoved")),
    ];
    message(4, &head, &[Part::Number(7), Part::Path("/job/7"), Part::Text("a.scope"), Part::Text(result)])
}

fn put(out: &mut Vec<u8>, part: &Part<'_>) {
    out.resize(out.len().next_multiple_of(4), 0);
    match part {
        Part::Number(number) => out.extend(number.to_le_bytes()),
        Part::Text(text) | Part::Path(text) => {
            out.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
            out.extend(text.as_bytes());
            out.push(0);
        }
    }
}

/// As the D-Bus specification has it, little-endian.
fn message(kind: u8, fields: &[(u8, u8, Part<'_>)], body: &[Part<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    body.iter().for_each(|part| put(&mut bytes, part));
    let mut head = vec![b'l', kind, 1, 1];
    head.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
    head.extend(9u32.to_le_bytes());
    head.extend([0; 4]);
    for (code, signature, part) in fields {
        head.resize(head.len().next_multiple_of(8), 0);
        head.extend([*code, 1, *signature, 0]);
        put(&mut head, part);
    }
    if !body.is_empty() {
        let letter = |part: &Part<'_>| match part {
            Part::Number(_) => 'u',
            Part::Text(_) => 's',
            Part::Path(_) => 'o',
        };
        let types: String = body.iter().map(letter).collect();
        head.resize(head.len().next_multiple_of(8), 0);
        head.extend([8, 1, b'g', 0, u8::try_from(types.len()).unwrap()]);
        head.extend(types.as_bytes());
        head.push(0);
    }
    let length = u32::try_from(head.len() - 16).unwrap().to_le_bytes();
    head[12..16].copy_from_slice(&length);
    head.resize(head.len().next_multiple_of(8), 0);
    [head, bytes].concat()
}

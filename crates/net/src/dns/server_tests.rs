//! The name server between a container and a server on the far side, and what the filter lets through then.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use simple_dns::rdata::{A, AAAA, CNAME, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, ResourceRecord, TYPE};

use super::upstream::{read_message, write_message};
use crate::firewall_tests::{ip, world};
use crate::tests::in_new_network;
use crate::traffic::{at, call, nets, serve};
use crate::*;

/// What the far side's server says of a name.
fn known(name: &str) -> Vec<RData<'static>> {
    let v4 = |text: &str| RData::A(A { address: text.parse::<Ipv4Addr>().unwrap().to_bits() });
    let v6 = |text: &str| RData::AAAA(AAAA { address: text.parse::<Ipv6Addr>().unwrap().to_bits() });
    match name.to_ascii_lowercase().as_str() {
        "api.example.com" => vec![v4("203.0.113.9"), v6("2001:db8::9")],
        "www.example.com" => vec![RData::CNAME(CNAME(Name::new_unchecked("api.example.com")))],
        "inner.example.com" => vec![v4("10.9.0.1"), v4("127.0.0.1"), v6("fd00:9::1")],
        "mixed.example.com" => vec![v4("10.9.0.1"), v4("203.0.113.10")],
        "many.example.com" => (0..200).map(|n| v4(&format!("198.51.100.{n}"))).collect(),
        "evil.net" => vec![v4("203.0.113.10")],
        _ => vec![],
    }
}

fn respond(question: &[u8], most: usize) -> Option<Vec<u8>> {
    let packet = Packet::parse(question).unwrap();
    let name = packet.questions[0].qname.to_string();
    if name.starts_with("silent") {
        return None;
    }
    let mut reply = packet.clone().into_reply();
    if name.starts_with("missing") {
        *reply.rcode_mut() = RCODE::NameError;
    }
    let mut owner = name;
    loop {
        let records = known(&owner);
        for data in &records {
            let owner = Name::new(&owner).unwrap().into_owned();
            reply.answers.push(ResourceRecord::new(owner, CLASS::IN, 1, data.clone()));
        }
        match records.first() {
            Some(RData::CNAME(target)) => owner = target.0.to_string(),
            _ => break,
        }
    }
    let bytes = reply.build_bytes_vec_compressed().unwrap();
    if bytes.len() <= most {
        return Some(bytes);
    }
    reply.answers.clear();
    reply.set_flags(PacketFlag::TRUNCATION);
    Some(reply.build_bytes_vec().unwrap())
}

/// A server in that namespace; what it was asked is listed.
fn upstream(namespace: &File, address: &str) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let (udp, tcp) = at(namespace, || {
        let tcp = TcpListener::bind(address).unwrap();
        (UdpSocket::bind(tcp.local_addr().unwrap()).unwrap(), tcp)
    });
    let (local, asked) = (udp.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let note = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut bytes = [0; 1500];
        while let Ok((length, from)) = udp.recv_from(&mut bytes) {
            let question = Packet::parse(&bytes[..length]).unwrap();
            note.lock().unwrap().push(question.questions[0].qname.to_string());
            // What comes from elsewhere, or has another number, is not an answer.
            let mut forged =
                respond(b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x04evil\x03net\0\0\x01\0\x01", 512).unwrap();
            forged[..2].copy_from_slice(&bytes[..2]);
            udp.send_to(&forged, from).unwrap();
            if let Some(answer) = respond(&bytes[..length], 512) {
                udp.send_to(&answer, from).unwrap();
            }
        }
    });
    let note = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in tcp.incoming() {
            let mut stream = stream.unwrap();
            let question = read_message(&mut stream).unwrap();
            note.lock().unwrap().push("by TCP".into());
            let _ = write_message(&mut stream, &respond(&question, 65535).unwrap());
        }
    });
    (local, asked)
}

fn question(name: &str, kind: TYPE) -> Vec<u8> {
    let mut packet = Packet::new_query(77);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(Name::new(name).unwrap(), kind.into(), CLASS::IN.into(), false));
    packet.build_bytes_vec().unwrap()
}

/// The code and the addresses that a program inside is told, and whether the answer was cut.
type Told = (RCODE, Vec<IpAddr>, bool);

fn read(answer: &[u8]) -> Told {
    let packet = Packet::parse(answer).unwrap();
    assert_eq!(packet.id(), 77);
    let address = |record: &ResourceRecord<'_>| match &record.rdata {
        RData::A(a) => IpAddr::from(Ipv4Addr::from_bits(a.address)),
        RData::AAAA(a) => IpAddr::from(Ipv6Addr::from_bits(a.address)),
        other => panic!("{other:?}"),
    };
    let cut = packet.has_flags(PacketFlag::TRUNCATION);
    (packet.rcode(), packet.answers.iter().map(address).collect(), cut)
}

fn resolve(container: &File, name: &str, kind: TYPE) -> Told {
    at(container, || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect((Listening::ADDRESS, 53)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.send(&question(name, kind)).unwrap();
        let mut bytes = [0; 1500];
        let length = socket.recv(&mut bytes).unwrap();
        read(&bytes[..length])
    })
}

fn allow(to: &str, ports: &[u16]) -> Allow {
    let ports = ports.iter().map(|port| (Protocol::Tcp, *port..=*port)).collect();
    Allow { to: to.parse().unwrap(), ports }
}

fn naming(allowed: &[Allow], upstream: SocketAddr) -> Naming {
    Naming { allowed: allowed.to_vec(), upstream: vec![upstream], confined: Some("web".into()) }
}

/// The container may go out, but only where the list says.
fn confined(allowed: &[Allow]) -> Firewall {
    let mut firewall = Firewall::here().unwrap();
    let masquerade = nets(&["10.9.0.2/24", "fd00:9::2/64"]);
    firewall.open("web", &Outward { masquerade, publish: vec![] }).unwrap();
    firewall.confine("web", &[("va", vec![ip("10.9.0.2"), ip("fd00:9::2")])], allowed).unwrap();
    firewall
}

#[test]
fn a_name_is_let_through_when_it_is_asked_for_and_at_its_port_only() {
    in_new_network(|| {
        let world = world();
        let (good, other) = (serve(&world.far, "203.0.113.9:0"), serve(&world.far, "203.0.113.9:0"));
        let (good6, evil) = (serve(&world.far, "[2001:db8::9]:0"), serve(&world.far, "203.0.113.10:0"));
        let list = [
            allow("*.example.com", &[good.port(), good6.port()]),
            allow("unused.example.org", &[evil.port()]),
        ];
        let firewall = confined(&list);
        let (server, asked) = upstream(&world.far, "203.0.113.9:53");
        let running =
            NameServer::new(naming(&list, server), Listening::inside(&world.container).unwrap(), firewall)
                .spawn()
                .unwrap();
        assert_eq!(call(&world.container, good), Err(ErrorKind::ConnectionRefused), "nobody asked yet");
        let told = resolve(&world.container, "WWW.example.com", TYPE::A);
        assert_eq!(told, (RCODE::NoError, vec![good.ip()], false), "the end of the alias");
        assert_eq!(call(&world.container, good), Ok(ip("203.0.113.1")));
        assert_eq!(call(&world.container, other), Err(ErrorKind::ConnectionRefused), "another port");
        assert_eq!(call(&world.container, good6), Err(ErrorKind::ConnectionRefused), "not asked for");
        assert_eq!(resolve(&world.container, "api.example.com", TYPE::AAAA).1, [good6.ip()]);
        assert_eq!(call(&world.container, good6), Ok(ip("2001:db8::1")));
        for name in ["evil.net", "example.com", "evil.net.example.com.evil.net", "api.example.com.evil.net"] {
            assert_eq!(resolve(&world.container, name, TYPE::A), (RCODE::NameError, vec![], false), "{name}");
        }
        assert_eq!(call(&world.container, evil), Err(ErrorKind::ConnectionRefused));
        let names = asked.lock().unwrap().clone();
        assert_eq!(names, ["WWW.example.com", "api.example.com"], "nobody else's names leave the host");
        for kind in [TYPE::HTTPS, TYPE::TXT, TYPE::NS] {
            let told = resolve(&world.container, "api.example.com", kind);
            assert_eq!(told, (RCODE::NoError, vec![], false), "{kind:?}");
        }
        drop(running);
        let gone = at(&world.container, || TcpStream::connect((Listening::ADDRESS, 53)));
        assert_eq!(gone.unwrap_err().kind(), ErrorKind::ConnectionRefused, "it ends when it is dropped");
    });
}

#[test]
fn asking_again_keeps_an_address_reachable() {
    in_new_network(|| {
        let world = world();
        let list = [allow("api.example.com", &[])];
        let mut firewall = confined(&list);
        let good = serve(&world.far, "203.0.113.9:0");
        let mut mean = |seconds| {
            firewall.mean(Some("web"), &[0], &[good.ip()], Duration::from_millis(seconds)).unwrap();
        };
        mean(1000);
        mean(60_000);
        mean(2500);
        let start = Instant::now();
        assert!(call(&world.container, good).is_ok());
        std::thread::sleep(Duration::from_millis(1500));
        assert!(call(&world.container, good).is_ok(), "the second time counts");
        while call(&world.container, good).is_ok() {
            assert!(start.elapsed() < Duration::from_secs(20), "it does not stay");
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(start.elapsed() > Duration::from_millis(2400));
    });
}

#[test]
fn a_name_that_means_a_private_address_is_not_believed_unless_the_list_has_it() {
    in_new_network(|| {
        let world = world();
        let host = serve(&world.here, "10.9.0.1:0");
        let (server, _) = upstream(&world.far, "203.0.113.9:53");
        let verdicts = Arc::new(Mutex::new(Vec::new()));
        let run = |list: &[Allow]| {
            let firewall = confined(list);
            let listening = Listening::inside(&world.container).unwrap();
            let note = Arc::clone(&verdicts);
            let told = move |name: &str, verdict: &Verdict| {
                note.lock().unwrap().push((name.to_owned(), verdict.clone()));
            };
            NameServer::new(naming(list, server), listening, firewall).told(told).spawn().unwrap()
        };
        let running = run(&[allow("*.example.com", &[])]);
        for kind in [TYPE::A, TYPE::AAAA] {
            assert_eq!(resolve(&world.container, "inner.example.com", kind), (RCODE::NoError, vec![], false));
        }
        assert_eq!(call(&world.container, host), Err(ErrorKind::ConnectionRefused));
        let told = resolve(&world.container, "mixed.example.com", TYPE::A);
        assert_eq!(told.1, [ip("203.0.113.10")], "the public one");
        let all = verdicts.lock().unwrap().clone();
        assert_eq!(all[0], ("inner.example.com".to_owned(), Verdict::Private));
        drop(running);
        let _running = run(&[allow("*.example.com", &[]), allow("10.9.0.1", &[1])]);
        assert_eq!(resolve(&world.container, "inner.example.com", TYPE::A).1, [ip("10.9.0.1")]);
        assert!(call(&world.container, host).is_ok());
    });
}

#[test]
fn long_answers_come_by_tcp_on_both_sides() {
    in_new_network(|| {
        let world = world();
        let list = [allow("many.example.com", &[])];
        let firewall = confined(&list);
        let (server, asked) = upstream(&world.far, "[2001:db8::9]:53");
        let listening = Listening::inside(&world.container).unwrap();
        let _running = NameServer::new(naming(&list, server), listening, firewall).spawn().unwrap();
        let (code, addresses, cut) = resolve(&world.container, "many.example.com", TYPE::A);
        assert_eq!((code, addresses.len(), cut), (RCODE::NoError, 0, true));
        assert_eq!(*asked.lock().unwrap(), ["many.example.com", "by TCP"], "over IPv6");
        let both = at(&world.container, || {
            let mut stream = TcpStream::connect((Listening::ADDRESS, 53)).unwrap();
            [0, 1].map(|_| {
                write_message(&mut stream, &question("many.example.com", TYPE::A)).unwrap();
                read(&read_message(&mut stream).unwrap())
            })
        });
        for (code, addresses, cut) in both {
            assert_eq!(
                (code, addresses.len(), cut),
                (RCODE::NoError, 32, false),
                "as many as are let through"
            );
        }
    });
}

#[test]
fn servers_that_fail_are_said_to_and_the_next_one_is_asked() {
    in_new_network(|| {
        let world = world();
        let list = [allow("*.example.com", &[])];
        let firewall = confined(&list);
        let (server, _) = upstream(&world.far, "203.0.113.9:53");
        let nobody = SocketAddr::from(([203, 0, 113, 10], 53));
        let naming = Naming { upstream: vec![nobody, server], ..naming(&list, server) };
        let listening = Listening::inside(&world.container).unwrap();
        let _running = NameServer::new(naming, listening, firewall).spawn().unwrap();
        let start = Instant::now();
        assert_eq!(resolve(&world.container, "api.example.com", TYPE::A).1, [ip("203.0.113.9")]);
        assert!(start.elapsed() < Duration::from_secs(1), "a refusal is not waited for");
        assert_eq!(resolve(&world.container, "missing.example.com", TYPE::A).0, RCODE::NameError);
        let start = Instant::now();
        assert_eq!(resolve(&world.container, "silent.example.com", TYPE::A).0, RCODE::ServerFailure);
        assert!(start.elapsed() < Duration::from_secs(5), "before the program gives up");
    });
}

#[test]
fn a_flood_of_questions_and_connections_is_bounded_and_survived() {
    in_new_network(|| {
        let world = world();
        let list = [allow("*.example.com", &[])];
        let firewall = confined(&list);
        let (server, _) = upstream(&world.far, "203.0.113.9:53");
        let listening = Listening::inside(&world.container).unwrap();
        let _running = NameServer::new(naming(&list, server), listening, firewall).spawn().unwrap();
        let held: Vec<_> = at(&world.container, || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            for n in 0..2000_u32 {
                let bytes = question(&format!("silent{n}.example.com"), TYPE::A);
                socket.send_to(&bytes, (Listening::ADDRESS, 53)).unwrap();
                socket.send_to(&n.to_ne_bytes().repeat(16), (Listening::ADDRESS, 53)).unwrap();
            }
            (0..100).map(|_| TcpStream::connect((Listening::ADDRESS, 53)).unwrap()).collect()
        });
        let threads = std::fs::read_dir("/proc/self/task").unwrap().filter(|task| {
            let path = task.as_ref().unwrap().path().join("comm");
            std::fs::read_to_string(path).is_ok_and(|name| name.trim() == "name")
        });
        assert!(threads.count() <= 80, "of this test and of those beside it");
        drop(held);
        let start = Instant::now();
        let answered = || {
            at(&world.container, || {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
                socket.send_to(&question("api.example.com", TYPE::A), (Listening::ADDRESS, 53)).unwrap();
                socket.recv(&mut [0; 1500]).is_ok()
            })
        };
        while !answered() {
            assert!(start.elapsed() < Duration::from_secs(30));
        }
    });
}

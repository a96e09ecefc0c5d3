//! Messages of the DNS: what is asked, what was found, and the answer to that. RFC 1035, RFC 6891, RFC 8914.
//!
//! Called by the server and by `upstream`. Pure: no socket. All that is read here may be forged; `simple-dns`
//! reads it, and what is written is made anew, so that nothing of a message reaches the other side.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use simple_dns::rdata::{A, AAAA, OPT, OPTCode, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE};

/// The longest datagram that is asked for and given: RFC 9715's, which no network splits.
pub(crate) const DATAGRAM: u16 = 1232;
/// What fits without EDNS.
const CLASSIC: u16 = 512;
/// More aliases in a row than this are a loop or a joke.
const ALIASES: usize = 16;
/// How many addresses of an answer are told and let through.
const ADDRESSES: usize = 32;
/// Extended error 18: "Prohibited".
const PROHIBITED: u16 = 18;

/// What of an answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    V4,
    V6,
    /// Whatever else there is; nothing of it is told.
    Other,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    id: u16,
    /// As it was written.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    qtype: u16,
    recursion: bool,
    /// The longest answer that fits into a datagram, when the question said so.
    edns: Option<u16>,
}

/// What somebody said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Question(Asked),
    /// Not a question that can be answered, but one that can be told so.
    Broken(Vec<u8>),
    /// Nothing to answer to.
    Noise,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// For that many seconds.
    Addresses(Vec<IpAddr>, u32),
    /// There is the name, without such addresses.
    Nothing,
    /// There is no such name.
    Missing,
    /// It did not fit.
    Cut,
    /// The server would not or could not.
    Unwilling,
    /// Not an answer to this question.
    Foreign,
}

/// Reads a question.
pub(crate) fn hear(bytes: &[u8]) -> Heard {
    let &[id_high, id_low, flags, _, ..] = bytes else { return Heard::Noise };
    if flags & 0x80 != 0 || bytes.len() < 12 {
        return Heard::Noise;
    }
    let packet = match counted(bytes).and_then(|()| Packet::parse(bytes).ok()) {
        Some(packet) if packet.opcode() == simple_dns::OPCODE::StandardQuery => packet,
        Some(_) => return Heard::Broken(refusal(id_high, id_low, flags, 4)),
        None => return Heard::Broken(refusal(id_high, id_low, flags, 1)),
    };
    let ([question], true) = (packet.questions.as_slice(), packet.answers.is_empty()) else {
        return Heard::Broken(refusal(id_high, id_low, flags, 1));
    };
    let Some(name) = text(&question.qname) else { return Heard::Broken(refusal(id_high, id_low, flags, 5)) };
    let kind = match (question.qclass, question.qtype) {
        (QCLASS::CLASS(CLASS::IN), QTYPE::TYPE(TYPE::A)) => Kind::V4,
        (QCLASS::CLASS(CLASS::IN), QTYPE::TYPE(TYPE::AAAA)) => Kind::V6,
        _ => Kind::Other,
    };
    let edns = packet.opt().map(|opt| opt.udp_packet_size.clamp(CLASSIC, DATAGRAM));
    let recursion = packet.has_flags(PacketFlag::RECURSION_DESIRED);
    Heard::Question(Asked { id: packet.id(), name, kind, qtype: question.qtype.into(), recursion, edns })
}

/// Records make room for themselves before they are read, so a message may not promise more than it holds:
/// each takes at least five bytes.
fn counted(bytes: &[u8]) -> Option<()> {
    let counts = bytes.get(4..12)?.chunks_exact(2);
    let all: usize =
        counts.filter_map(|n| n.try_into().ok()).map(|n| usize::from(u16::from_be_bytes(n))).sum();
    (all.saturating_mul(5) <= bytes.len()).then_some(())
}

/// A header that says no more than that.
fn refusal(id_high: u8, id_low: u8, flags: u8, code: u8) -> Vec<u8> {
    const ANSWER: u8 = 0x80;
    const OPCODE_AND_RECURSION: u8 = 0x79;
    vec![id_high, id_low, ANSWER | flags & OPCODE_AND_RECURSION, code, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// A name of ordinary characters; no other can be in a list.
fn text(name: &Name<'_>) -> Option<String> {
    let good = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let labels = name.get_labels().iter().map(|label| {
        let bytes: &[u8] = label.as_ref();
        bytes.iter().all(good).then(|| String::from_utf8_lossy(bytes).into_owned())
    });
    Some(labels.collect::<Option<Vec<_>>>()?.join("."))
}

impl Asked {
    /// The same question, with a number of its own, for a server that finds it out.
    pub(crate) fn again(&self, id: u16) -> Option<Vec<u8>> {
        let mut packet = Packet::new_query(id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(self.question()?);
        *packet.opt_mut() = Some(OPT { opt_codes: vec![], udp_packet_size: DATAGRAM, version: 0 });
        packet.build_bytes_vec().ok()
    }

    fn question(&self) -> Option<Question<'_>> {
        let kind = QTYPE::try_from(self.qtype).ok()?;
        Some(Question::new(Name::new(&self.name).ok()?, kind, CLASS::IN.into(), false))
    }

    /// What an answer to [`Self::again`] means.
    pub(crate) fn found(&self, id: u16, answer: &[u8]) -> Found {
        let mut answer = answer.to_vec();
        // What comes after the answers is not looked at, so it cannot be what a message fails by.
        answer.iter_mut().take(12).skip(8).for_each(|byte| *byte = 0);
        let packet = match counted(&answer).and_then(|()| Packet::parse(&answer).ok()) {
            Some(packet) if packet.id() == id && packet.has_flags(PacketFlag::RESPONSE) => packet,
            _ => return Found::Foreign,
        };
        let same = |question: &Question<'_>| {
            u16::from(question.qtype) == self.qtype
                && text(&question.qname).is_some_and(|name| name.eq_ignore_ascii_case(&self.name))
        };
        match packet.questions.as_slice() {
            [question] if same(question) => {}
            // A server that refuses may leave the question out.
            [] if packet.rcode() != RCODE::NoError => {}
            _ => return Found::Foreign,
        }
        match packet.rcode() {
            _ if packet.has_flags(PacketFlag::TRUNCATION) => Found::Cut,
            RCODE::NoError => self.addresses(&packet),
            RCODE::NameError => Found::Missing,
            _ => Found::Unwilling,
        }
    }

    /// The addresses at the end of the aliases.
    fn addresses(&self, packet: &Packet<'_>) -> Found {
        let mut name = self.name.to_ascii_lowercase();
        let mut ttl = u32::MAX;
        for _ in 0..ALIASES {
            let of_name = |record: &&ResourceRecord<'_>| {
                record.class == CLASS::IN
                    && text(&record.name).is_some_and(|owner| owner.eq_ignore_ascii_case(&name))
            };
            let mut alias = None;
            let mut addresses = Vec::new();
            for record in packet.answers.iter().filter(of_name) {
                let address = match (&record.rdata, self.kind) {
                    (RData::A(found), Kind::V4) => IpAddr::from(Ipv4Addr::from_bits(found.address)),
                    (RData::AAAA(found), Kind::V6) => IpAddr::from(Ipv6Addr::from_bits(found.address)),
                    (RData::CNAME(target), _) => {
                        ttl = ttl.min(record.ttl);
                        alias = text(&target.0);
                        continue;
                    }
                    _ => continue,
                };
                ttl = ttl.min(record.ttl);
                if addresses.len() < ADDRESSES && !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            match alias {
                _ if !addresses.is_empty() => return Found::Addresses(addresses, ttl),
                Some(target) => name = target.to_ascii_lowercase(),
                None => return Found::Nothing,
            }
        }
        Found::Nothing
    }

    /// The answer with these addresses.
    pub(crate) fn answer(&self, addresses: &[IpAddr], ttl: u32, datagram: bool) -> Option<Vec<u8>> {
        let mut packet = self.reply(RCODE::NoError, None)?;
        for address in addresses {
            let data = match address {
                IpAddr::V4(address) => RData::A(A { address: address.to_bits() }),
                IpAddr::V6(address) => RData::AAAA(AAAA { address: address.to_bits() }),
            };
            packet.answers.push(ResourceRecord::new(Name::new(&self.name).ok()?, CLASS::IN, ttl, data));
        }
        let bytes = packet.build_bytes_vec_compressed().ok()?;
        if !datagram || bytes.len() <= usize::from(self.edns.unwrap_or(CLASSIC)) {
            return Some(bytes);
        }
        packet.answers.clear();
        packet.set_flags(PacketFlag::TRUNCATION);
        packet.build_bytes_vec().ok()
    }

    /// There is no such name; for this container, when it is prohibited.
    pub(crate) fn missing(&self, prohibited: bool) -> Option<Vec<u8>> {
        let reason = prohibited.then_some(PROHIBITED);
        self.reply(RCODE::NameError, reason)?.build_bytes_vec().ok()
    }

    /// It could not be found out.
    pub(crate) fn failed(&self) -> Option<Vec<u8>> {
        self.reply(RCODE::ServerFailure, None)?.build_bytes_vec().ok()
    }

    fn reply(&self, code: RCODE, reason: Option<u16>) -> Option<Packet<'_>> {
        const EXTENDED_ERROR: u16 = 15;
        let mut packet = Packet::new_reply(self.id);
        packet.set_flags(PacketFlag::RECURSION_AVAILABLE);
        if self.recursion {
            packet.set_flags(PacketFlag::RECURSION_DESIRED);
        }
        *packet.rcode_mut() = code;
        packet.questions.push(self.question()?);
        let reason = reason.map(|n| OPTCode { code: EXTENDED_ERROR, data: n.to_be_bytes().to_vec().into() });
        *packet.opt_mut() = self.edns.map(|_| OPT {
            opt_codes: reason.into_iter().collect(),
            udp_packet_size: DATAGRAM,
            version: 0,
        });
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use simple_dns::rdata::CNAME;

    use super::*;

    /// A question as programs send it.
    fn question(name: &str, kind: TYPE, edns: bool) -> Vec<u8> {
        let mut packet = Packet::new_query(7);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(Question::new(Name::new(name).unwrap(), kind.into(), CLASS::IN.into(), false));
        *packet.opt_mut() = edns.then(|| OPT { opt_codes: vec![], udp_packet_size: 4096, version: 0 });
        packet.build_bytes_vec().unwrap()
    }

    fn asked(name: &str, kind: TYPE) -> Asked {
        match hear(&question(name, kind, true)) {
            Heard::Question(asked) => asked,
            other => panic!("{other:?}"),
        }
    }

    fn record<'a>(name: &'a str, ttl: u32, data: RData<'a>) -> ResourceRecord<'a> {
        ResourceRecord::new(Name::new(name).unwrap(), CLASS::IN, ttl, data)
    }

    fn a(address: &str) -> RData<'static> {
        RData::A(A { address: address.parse::<Ipv4Addr>().unwrap().to_bits() })
    }

    fn alias(name: &str) -> RData<'_> {
        RData::CNAME(CNAME(Name::new(name).unwrap()))
    }

    fn reply(to: &Asked, records: Vec<ResourceRecord<'_>>) -> Vec<u8> {
        let sent = to.again(9).unwrap();
        let mut packet = Packet::parse(&sent).unwrap().into_reply();
        packet.answers = records;
        packet.build_bytes_vec_compressed().unwrap()
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_question_is_read_and_asked_again_with_nothing_of_its_own_but_the_name() {
        let asked = asked("API.example.com", TYPE::A);
        assert_eq!(
            (asked.name.as_str(), asked.kind, asked.edns),
            ("API.example.com", Kind::V4, Some(DATAGRAM))
        );
        let again = asked.again(0x1234).unwrap();
        let sent = Packet::parse(&again).unwrap();
        assert_eq!((sent.id(), sent.questions.len(), sent.opt().unwrap().opt_codes.len()), (0x1234, 1, 0));
        assert_eq!(sent.questions[0].qname.to_string(), "API.example.com");
    }

    #[test]
    fn aliases_are_followed_to_their_addresses_and_others_are_left_out() {
        let asked = asked("www.example.com", TYPE::A);
        let records = vec![
            record("edge.net", 60, a("192.0.2.2")),
            record("WWW.example.com", 20, alias("cdn.example.net")),
            record("cdn.EXAMPLE.net", 300, alias("edge.net")),
            record("edge.net", 90, a("192.0.2.3")),
            record("edge.net", 90, a("192.0.2.3")),
            record("other.net", 1, a("192.0.2.66")),
        ];
        assert_eq!(
            asked.found(9, &reply(&asked, records)),
            Found::Addresses(ips(&["192.0.2.2", "192.0.2.3"]), 20)
        );
    }

    #[test]
    fn aliases_that_lead_nowhere_or_around_are_nothing() {
        let asked = asked("www.example.com", TYPE::A);
        let around = vec![
            record("www.example.com", 20, alias("b.example.com")),
            record("b.example.com", 20, alias("www.example.com")),
        ];
        assert_eq!(asked.found(9, &reply(&asked, around)), Found::Nothing);
        let v6 = RData::AAAA(AAAA { address: 1 });
        assert_eq!(asked.found(9, &reply(&asked, vec![record("www.example.com", 1, v6)])), Found::Nothing);
    }

    #[test]
    fn an_answer_to_something_else_is_none() {
        let asked = asked("www.example.com", TYPE::A);
        let records = || vec![record("www.example.com", 20, a("192.0.2.2"))];
        assert_eq!(asked.found(8, &reply(&asked, records())), Found::Foreign, "another number");
        let other = self::asked("www.example.net", TYPE::A);
        assert_eq!(asked.found(9, &reply(&other, records())), Found::Foreign, "another name");
        let other = self::asked("www.example.com", TYPE::AAAA);
        assert_eq!(asked.found(9, &reply(&other, records())), Found::Foreign, "another type");
        assert_eq!(asked.found(9, &asked.again(9).unwrap()), Found::Foreign, "the question itself");
        assert_eq!(asked.found(9, b"\0\x09\x80"), Found::Foreign);
    }

    #[test]
    fn what_does_not_fit_is_told_to_be_asked_by_tcp() {
        let many: Vec<IpAddr> = (0..32).map(|n| Ipv4Addr::new(192, 0, 2, n).into()).collect();
        let Heard::Question(small) = hear(&question("www.example.com", TYPE::A, false)) else { panic!() };
        let cut = small.answer(&many, 60, true).unwrap();
        let cut = Packet::parse(&cut).unwrap();
        assert!(cut.has_flags(PacketFlag::TRUNCATION) && cut.answers.is_empty());
        let whole = small.answer(&many, 60, false).unwrap();
        assert_eq!(Packet::parse(&whole).unwrap().answers.len(), 32);
        let large = asked("www.example.com", TYPE::A).answer(&many, 60, true).unwrap();
        assert_eq!(Packet::parse(&large).unwrap().answers.len(), 32);
    }

    #[test]
    fn a_refusal_says_that_it_is_one() {
        let refusal = asked("evil.example", TYPE::A).missing(true).unwrap();
        let packet = Packet::parse(&refusal).unwrap();
        assert_eq!((packet.rcode(), packet.id()), (RCODE::NameError, 7));
        let reason = &packet.opt().unwrap().opt_codes[0];
        assert_eq!((reason.code, reason.data.as_ref()), (15, &[0, 18][..]));
    }

    #[test]
    fn what_is_no_question_gets_an_error_or_nothing() {
        assert_eq!(hear(b""), Heard::Noise);
        assert_eq!(hear(&[0; 11]), Heard::Noise);
        let mut answer = question("a.example", TYPE::A, true);
        answer[2] |= 0x80;
        assert_eq!(hear(&answer), Heard::Noise, "an answer");
        let code = |bytes: &[u8]| match hear(bytes) {
            Heard::Broken(answer) => answer[3] & 15,
            other => panic!("{other:?}"),
        };
        let mut update = question("a.example", TYPE::A, true);
        update[2] |= 5 << 3;
        assert_eq!(code(&update), 4, "an update");
        assert_eq!(code(&[0; 12]), 1, "no question");
        let mut promising = question("a.example", TYPE::A, true);
        promising[6..8].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(code(&promising), 1, "records that are not there");
        let around = [&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &[0xc0, 12, 0, 1, 0, 1]].concat();
        assert_eq!(code(&around), 1, "a name that points to itself");
        let label = [&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x0bexample.com\0\0\x01\0\x01"].concat();
        assert_eq!(code(&label), 5, "a dot within a label");
    }

    #[test]
    fn nothing_that_is_sent_ends_the_server() {
        let asked = asked("www.example.com", TYPE::A);
        let good = reply(
            &asked,
            vec![record("www.example.com", 20, alias("b.net")), record("b.net", 1, a("192.0.2.2"))],
        );
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap()
        };
        for _ in 0..50_000 {
            let mut bytes =
                if random() % 4 == 0 { (0..random() % 80).map(|_| 0).collect() } else { good.clone() };
            for _ in 0..=random() % 6 {
                if let Some(byte) = bytes.len().checked_sub(1).map(|last| random() % (last + 1)) {
                    bytes[byte] = u8::try_from(random() % 256).unwrap();
                }
            }
            bytes.truncate(random() % (good.len() * 2));
            if let Heard::Question(heard) = hear(&bytes) {
                assert!(heard.answer(&[], 0, true).is_some() && heard.failed().is_some());
            }
            if let Found::Addresses(addresses, _) = asked.found(9, &bytes) {
                assert!(addresses.len() <= ADDRESSES);
            }
        }
    }
}

//! Sockets that reach places of a list only.
//!
//! Called by `carry_out`. The socket is duplicated out of the caller, and connected, bound or sent through to the
//! address that was read: nothing is looked at twice, so another thread of the caller's can change nothing.

use cofferdam_notify::{Address, Answer, Call, Errno, Message, Request, Result, UnixAddress};

use super::{Context, Done, refuse};
use crate::policy::limits::Place;

/// Why a sendto(2) without an address may go on.
const NO_ADDRESS: &str = "its address is a null pointer in a register, which no other thread can change: it goes to \
                          where the socket was connected";

pub(super) fn reach(allow: &[Place], context: &Context, request: &Request) -> Result<Done> {
    let mut call = request.call()?;
    // Whatever the socket's number stands for by then.
    if matches!(call, Call::SendTo { address: None, .. }) && request.name() == Some("sendto") {
        return Ok(Done { answer: Answer::proceed(NO_ADDRESS), reason: NO_ADDRESS.to_owned() });
    }
    // Messages from the first one on that may not go wait until the caller asks for them again.
    if let Call::SendMessages { messages, .. } = &mut call {
        let refused = |message: &Message| message.address.as_ref().is_some_and(|to| !judge(allow, to).1);
        let first = messages.iter().position(refused).filter(|first| *first > 0);
        messages.truncate(first.unwrap_or(messages.len()));
    }
    let address = match &call {
        Call::Connect { address, .. } | Call::Bind { address, .. } => Some(address),
        // Without an address it goes to where the socket was connected.
        Call::SendTo { address, .. } => address.as_ref(),
        Call::SendMessages { messages, .. } => messages.first().and_then(|first| first.address.as_ref()),
        _ => return Ok(refuse(Errno::ENOSYS, "no call that reaches a place")),
    };
    let (name, allowed) = address.map_or((String::new(), true), |address| judge(allow, address));
    if !allowed {
        return Ok(refuse(Errno::EPERM, format!("{name} is not on the list")));
    }
    let actor = context.actors.for_caller(request)?;
    Ok(Done { answer: actor.perform(&call)?, reason: name })
}

/// What an address is called, and whether it is on the list. Of families that have no places nothing is.
fn judge(allow: &[Place], address: &Address) -> (String, bool) {
    if let Some((ip, port)) = address.destination() {
        let name = std::net::SocketAddr::new(ip, port).to_string();
        return (name, allow.iter().any(|place| place.holds_inet(ip, port)));
    }
    let name = match address.unix() {
        // A file's name may begin as those of abstract ones are written.
        Some(UnixAddress::Path(path)) if path.starts_with(b"@") => {
            String::from_utf8(path).ok().map(|path| format!("./{path}"))
        }
        Some(UnixAddress::Path(path)) => String::from_utf8(path).ok(),
        Some(UnixAddress::Abstract(name)) => String::from_utf8(name).ok().map(|name| format!("@{name}")),
        _ => None,
    };
    match name {
        Some(name) => (format!("unix:{name}"), allow.iter().any(|place| place.holds_unix(&name))),
        None => (format!("an address of family {}", address.family().unwrap_or_default()), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_judged_by_where_its_packets_go() {
        let allow = [Place::parse("192.0.2.1:80").unwrap(), Place::parse("unix:@bus").unwrap()];
        let mapped = [
            &10u16.to_ne_bytes()[..],
            &[0, 80, 0, 0, 0, 0],
            &[0; 10],
            &[0xff, 0xff, 192, 0, 2, 1, 0, 0, 0, 0],
        ];
        assert_eq!(judge(&allow, &Address::new(&mapped.concat())), ("192.0.2.1:80".into(), true));
        let unix = [&1u16.to_ne_bytes()[..], b"\0bus"].concat();
        assert_eq!(judge(&allow, &Address::new(&unix)), ("unix:@bus".into(), true));
        let path = [&1u16.to_ne_bytes()[..], b"@bus\0"].concat();
        assert!(!judge(&allow, &Address::new(&path)).1, "a file called @bus is no abstract name");
        let netlink = Address::new(&16u16.to_ne_bytes());
        assert_eq!(judge(&allow, &netlink), ("an address of family 16".into(), false));
    }
}

//! The network of a sandbox, as flags: what [`super::sandbox`] hands to the library as a document.
//!
//! Pure. Whether addresses and names are any is judged with the flag, so that the error names it.

use std::net::IpAddr;

use cofferdam::net::{
    AllowSpec, Destination, DnsSpec, EgressSpec, HostSpec, InterfaceSpec, NetworkSpec, PortsSpec, PublishSpec,
};
use cofferdam::sandbox::Network;

use crate::failure::Failure;

/// The bridge of all sandboxes, and out of which subnets they get addresses.
const BRIDGE: &str = "cofferdam0";
const POOL: &str = "10.210.0.0/16";
const POOL_V6: &str = "fdcf:da3c:ffe:1::/64";

/// Flags about the network.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkFlags {
    /// Network: none (loopback only), host, private (addresses of its own and a way out), or
    /// bridge=NAME[,pool=SUBNET][,ipv6_pool=SUBNET] (the same, on this bridge) [default: none; private with
    /// one of the other options below]
    #[arg(long, value_name = "NETWORK", value_parser = mode)]
    net: Option<Mode>,
    /// Address inside, instead of one that is free (once for IPv4 and once for IPv6)
    #[arg(long, value_name = "ADDR/PREFIX", value_parser = prefixed)]
    ip: Vec<String>,
    /// Router of the default route, where --ip is none of the pool's
    #[arg(long, value_name = "ADDR")]
    gateway: Vec<IpAddr>,
    /// Publish a port: who connects to the host's gets the sandbox's (may be repeated)
    #[arg(short, long, value_name = "[ADDR:]HOST:INSIDE[/udp]", value_parser = publish)]
    publish: Vec<PublishSpec>,
    /// Let it reach this, and nothing that is not named so: an address, a prefix, a name or *.NAME; at all
    /// ports or at one, or a range FIRST-LAST (may be repeated; `none` for nothing at all)
    #[arg(long, value_name = "HOST[:PORT[/udp]]", value_parser = allow)]
    allow: Vec<Allowed>,
    /// Ask this name server instead of the host's (may be repeated)
    #[arg(long, value_name = "ADDR")]
    dns: Vec<IpAddr>,
    /// Add a name to /etc/hosts (may be repeated)
    #[arg(long, value_name = "NAME:ADDR", value_parser = host)]
    add_host: Vec<HostSpec>,
    /// Hardware address inside
    #[arg(long, value_name = "MAC")]
    mac: Option<cofferdam::net::Mac>,
    /// Largest packet, in bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(68..))]
    mtu: Option<u16>,
}

/// What `--net` says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mode {
    None,
    Host,
    Private { bridge: String, pool: String, ipv6_pool: String, isolated: bool },
}

/// What one `--allow` says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    Nothing,
    This(AllowSpec),
}

impl NetworkFlags {
    /// What the library is asked for. Users who are not root get what a program of theirs can carry.
    pub(crate) fn network(&self, is_root: bool) -> Result<Network, Failure> {
        let private = || Mode::bridge(BRIDGE, true);
        let mode = self.net.clone().unwrap_or_else(|| if self.is_bare() { Mode::None } else { private() });
        match mode {
            Mode::Private { isolated, .. } if !is_root => {
                let fixed =
                    [self.ip.is_empty(), self.gateway.is_empty(), self.mac.is_none(), self.mtu.is_none()];
                if fixed.contains(&false) || !isolated {
                    return Err(Failure::new(
                        "--net bridge=NAME, --ip, --gateway, --mac and --mtu take root: the network of other users is what pasta or slirp4netns makes",
                    ));
                }
                let network =
                    NetworkSpec { user_mode: "auto".into(), masquerade: false, ..self.document(None) };
                Ok(Network::Private(Box::new(network)))
            }
            Mode::Private { bridge, pool, ipv6_pool, isolated } => {
                let interface = self.interface(bridge, [pool, ipv6_pool], isolated)?;
                Ok(Network::Private(Box::new(self.document(Some(interface)))))
            }
            _ if !self.is_bare() => Err(Failure::new(
                "--ip, --gateway, --publish, --allow, --dns, --add-host, --mac and --mtu are about a network of the sandbox's own: --net private or bridge=NAME",
            )),
            Mode::None => Ok(Network::None),
            Mode::Host => Ok(Network::Host),
        }
    }

    /// Whether nothing but `--net` is said.
    fn is_bare(&self) -> bool {
        let lists = [self.ip.len(), self.gateway.len(), self.publish.len(), self.allow.len(), self.dns.len()];
        lists.iter().all(|length| *length == 0)
            && self.add_host.is_empty()
            && self.mac.is_none()
            && self.mtu.is_none()
    }

    fn document(&self, interface: Option<InterfaceSpec>) -> NetworkSpec {
        let listed = self.allow.iter().filter_map(|allowed| match allowed {
            Allowed::This(spec) => Some(spec.clone()),
            Allowed::Nothing => None,
        });
        let loopback = InterfaceSpec { kind: "loopback".into(), ..InterfaceSpec::default() };
        let servers = self.dns.iter().map(ToString::to_string).collect();
        NetworkSpec {
            networks: std::iter::once(loopback).chain(interface).collect(),
            hosts: self.add_host.clone(),
            dns: DnsSpec { servers, ..DnsSpec::default() },
            masquerade: true,
            publish: self.publish.clone(),
            egress: (!self.allow.is_empty()).then(|| EgressSpec { allow: listed.collect() }),
            ..NetworkSpec::default()
        }
    }

    fn interface(
        &self,
        bridge: String,
        [pool, ipv6_pool]: [String; 2],
        isolated: bool,
    ) -> Result<InterfaceSpec, Failure> {
        let of = |v4: bool| {
            let mut fits = self.ip.iter().filter(|ip| ip.contains('.') == v4);
            match (fits.next(), fits.next()) {
                (Some(_), Some(_)) => Err(Failure::new("--ip takes one address of each protocol")),
                (first, _) => Ok(first.cloned().unwrap_or_default()),
            }
        };
        let (address, ipv6_address) = (of(true)?, of(false)?);
        let router = |v4: bool| {
            self.gateway.iter().find(|ip| ip.is_ipv4() == v4).map(ToString::to_string).unwrap_or_default()
        };
        Ok(InterfaceSpec {
            kind: "veth".into(),
            bridge,
            // An address of the caller's choice is not leased.
            pool: if address.is_empty() { pool } else { String::new() },
            ipv6_pool: if ipv6_address.is_empty() { ipv6_pool } else { String::new() },
            address,
            ipv6_address,
            gateway: router(true),
            ipv6_gateway: router(false),
            mac_address: self.mac.map(|mac| mac.to_string()).unwrap_or_default(),
            mtu: self.mtu.unwrap_or(0).into(),
            isolated,
            ..InterfaceSpec::default()
        })
    }
}

impl Mode {
    fn bridge(name: &str, isolated: bool) -> Self {
        Self::Private { bridge: name.into(), pool: POOL.into(), ipv6_pool: POOL_V6.into(), isolated }
    }
}

fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "none" => return Ok(Mode::None),
        "host" => return Ok(Mode::Host),
        "private" => return Ok(Mode::bridge(BRIDGE, true)),
        _ => {}
    }
    let mut words = text.split(',');
    let name = words.next().and_then(|word| word.strip_prefix("bridge=")).filter(|name| !name.is_empty());
    let name = name.ok_or("it is none, host, private or bridge=NAME")?;
    let mut mode = Mode::bridge(name, false);
    for word in words {
        let Mode::Private { pool, ipv6_pool, .. } = &mut mode else { break };
        match word.split_once('=') {
            Some(("pool", subnet)) => subnet.clone_into(pool),
            Some(("ipv6_pool", subnet)) => subnet.clone_into(ipv6_pool),
            _ => return Err(format!("'{word}' is neither pool=SUBNET nor ipv6_pool=SUBNET")),
        }
    }
    Ok(mode)
}

fn prefixed(text: &str) -> Result<String, String> {
    let (address, bits) = text.split_once('/').ok_or("the length of its prefix is missing, such as /24")?;
    let address: IpAddr = address.parse().map_err(|_| format!("'{address}' is not an address"))?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    match bits.parse::<u8>() {
        Ok(bits) if bits <= most => Ok(format!("{address}/{bits}")),
        _ => Err(format!("'{bits}' is not the length of a prefix")),
    }
}

fn port(text: &str) -> Result<i64, String> {
    let port = text.parse::<u16>().ok().filter(|port| *port > 0);
    port.map(i64::from).ok_or_else(|| format!("'{text}' is not a port"))
}

/// A protocol after the last '/', if there is one.
fn protocol(text: &str) -> Result<(&str, String), String> {
    match text.rsplit_once('/') {
        None => Ok((text, String::new())),
        Some((rest, protocol @ ("tcp" | "udp"))) => Ok((rest, protocol.into())),
        Some((_, other)) => Err(format!("'{other}' is neither tcp nor udp")),
    }
}

fn publish(text: &str) -> Result<PublishSpec, String> {
    let (rest, protocol) = protocol(text)?;
    let (rest, inside) = rest.rsplit_once(':').ok_or("the port inside is missing: HOST:INSIDE")?;
    let (address, outside) = rest.rsplit_once(':').unwrap_or(("", rest));
    let address = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
    if !address.is_empty() && address.parse::<IpAddr>().is_err() {
        return Err(format!("'{address}' is not an address"));
    }
    Ok(PublishSpec {
        protocol,
        host_address: address.into(),
        host_port: port(outside)?,
        container_port: port(inside)?,
    })
}

fn allow(text: &str) -> Result<Allowed, String> {
    if text == "none" {
        return Ok(Allowed::Nothing);
    }
    // What is an address, a prefix or a name as a whole has no port; an IPv6 address with one has brackets.
    let (to, rest) = match text.parse::<Destination>() {
        Ok(_) => (text, None),
        Err(_) => match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
            Some((to, "")) => (to, None),
            Some((to, rest)) => (to, Some(rest.strip_prefix(':').ok_or("a ':' and a port follow the ']'")?)),
            None => text.rsplit_once(':').map_or((text, None), |(to, rest)| (to, Some(rest))),
        },
    };
    to.parse::<Destination>()?;
    let to = if to == "*" { String::new() } else { to.to_owned() };
    let Some(rest) = rest else { return Ok(Allowed::This(AllowSpec { to, ..AllowSpec::default() })) };
    let (ports, protocol) = protocol(rest)?;
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    if port(first)? > port(last)? {
        return Err(format!("'{ports}' ends before it begins"));
    }
    Ok(Allowed::This(AllowSpec { to, protocol, ports: vec![PortsSpec::Range(ports.into())] }))
}

fn host(text: &str) -> Result<HostSpec, String> {
    let (name, address) = text.split_once(':').ok_or("it is NAME:ADDR")?;
    let address: IpAddr = address.parse().map_err(|_| format!("'{address}' is not an address"))?;
    Ok(HostSpec { address: address.to_string(), names: vec![name.into()] })
}

#[cfg(test)]
mod tests {
    use cofferdam::net::NetworkPlan;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        flags: NetworkFlags,
    }

    fn network(words: &[&str]) -> Result<Network, String> {
        let line: Line = clap::Parser::try_parse_from([&["x"], words].concat()).map_err(|e| e.to_string())?;
        line.flags.network(true).map_err(|failure| format!("{failure:?}"))
    }

    /// As the library judges it: everything that can be said is something that can be made.
    fn private(words: &[&str]) -> NetworkSpec {
        let Ok(Network::Private(spec)) = network(words) else { panic!("{words:?}") };
        NetworkPlan::new(&spec, &Default::default()).unwrap();
        *spec
    }

    #[test]
    fn nothing_is_reached_unless_it_is_asked_for() {
        assert_eq!(network(&[]), Ok(Network::None));
        assert_eq!(network(&["--net=none"]), Ok(Network::None));
        assert_eq!(network(&["--net=host"]), Ok(Network::Host));
        assert!(network(&["--net=host", "--allow=example.com"]).is_err());
        assert!(network(&["--net=tap"]).is_err() && network(&["--net=bridge="]).is_err());
    }

    #[test]
    fn a_private_network_has_addresses_a_way_out_and_no_neighbours() {
        let spec = private(&["--net=private", "--mtu=1400", "--mac=02:00:00:00:00:07", "--dns=192.0.2.1"]);
        let interface = &spec.networks[1];
        assert_eq!((interface.bridge.as_str(), interface.isolated, spec.masquerade), (BRIDGE, true, true));
        assert_eq!((interface.mtu, interface.mac_address.as_str()), (1400, "02:00:00:00:00:07"));
        assert!(spec.egress.is_none() && spec.dns.servers == ["192.0.2.1"]);
    }

    #[test]
    fn users_without_rights_get_what_a_program_of_theirs_carries() {
        let parse = |words: &[&str]| -> Line { clap::Parser::parse_from([&["x"], words].concat()) };
        let network = |words: &[&str]| parse(words).flags.network(false);
        let Ok(Network::Private(spec)) = network(&["-p=8080:80", "--allow=example.com"]) else { panic!() };
        NetworkPlan::new(&spec, &Default::default()).unwrap();
        assert_eq!((spec.user_mode.as_str(), spec.networks.len(), spec.masquerade), ("auto", 1, false));
        for root in ["--net=bridge=br0", "--ip=192.0.2.1/24", "--mtu=1400"] {
            assert!(network(&[root]).is_err(), "{root}");
        }
    }

    #[test]
    fn a_bridge_of_the_callers_has_its_own_subnets() {
        let spec = private(&["--net=bridge=br7,pool=192.0.2.0/24,ipv6_pool=fd00:7::/64"]);
        let interface = &spec.networks[1];
        assert_eq!((interface.bridge.as_str(), interface.pool.as_str()), ("br7", "192.0.2.0/24"));
        assert_eq!((interface.ipv6_pool.as_str(), interface.isolated), ("fd00:7::/64", false));
        let spec = private(&["--net=bridge=br7", "--ip=192.0.2.9/24", "--gateway=192.0.2.1"]);
        let interface = &spec.networks[1];
        assert_eq!((interface.address.as_str(), interface.pool.as_str()), ("192.0.2.9/24", ""));
        assert!(network(&["--net=bridge=br7,pools=1"]).is_err());
        assert!(network(&["--ip=192.0.2.9"]).is_err() && network(&["--ip=192.0.2.9/33"]).is_err());
    }

    #[test]
    fn an_allow_list_makes_the_network_private_and_refuses_the_rest() {
        let list = [
            "--allow=api.example.com:443",
            "--allow=*.example.org",
            "--allow=192.0.2.0/24:8000-8099/udp",
            "--allow=2001:db8::1",
            "--allow=[2001:db8::]:53/udp",
            "--allow=*:80",
        ];
        let allowed = private(&list).egress.unwrap().allow;
        let said: Vec<_> = allowed.iter().map(|a| (a.to.as_str(), a.protocol.as_str())).collect();
        assert_eq!(
            said,
            [
                ("api.example.com", ""),
                ("*.example.org", ""),
                ("192.0.2.0/24", "udp"),
                ("2001:db8::1", ""),
                ("2001:db8::", "udp"),
                ("", "")
            ]
        );
        let ports: Vec<_> = allowed.iter().map(|a| a.ports.len()).collect();
        assert_eq!(ports, [1, 0, 1, 0, 1, 1]);
        assert!(private(&["--allow=none"]).egress.unwrap().allow.is_empty());
        for bad in ["http://a.com", "a.com:", "a.com:0", "a.com:9-8", "a.com:1/icmp", "10.0.0.300", "a.com:x"]
        {
            assert!(network(&["--allow", bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn ports_are_published_at_all_addresses_or_at_one() {
        let spec = private(&["-p=8080:80", "-p=127.0.0.1:5353:53/udp", "-p=[2001:db8::1]:8443:443"]);
        let said: Vec<_> = spec.publish.iter().map(|p| (p.host_address.as_str(), p.host_port)).collect();
        assert_eq!(said, [("", 8080), ("127.0.0.1", 5353), ("2001:db8::1", 8443)]);
        assert_eq!((spec.publish[1].protocol.as_str(), spec.publish[1].container_port), ("udp", 53));
        for bad in ["80", "x:80", "80:0", "a.com:80:80", "80:80/sctp"] {
            assert!(network(&["--publish", bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_added_with_their_addresses() {
        assert_eq!(private(&["--add-host=db:2001:db8::9"]).hosts[0].address, "2001:db8::9");
        assert!(network(&["--add-host=db"]).is_err());
    }
}

//! The host of a test: a network namespace with a `/run` of its own. Called by the tests of this target.

use cofferdam_tests::{Bundle, Container, Output, Test, Value, json, wait_until};

/// The annotation.
pub(crate) const NETWORK: &str = "/annotations/org.cofferdam.network";

/// A host without any link but loopback.
pub(crate) struct Room<'t> {
    pub(crate) t: &'t Test,
}

impl<'t> Room<'t> {
    pub(crate) fn new(t: &'t Test) -> Self {
        t.network_view();
        // What a new namespace forwards follows the host.
        t.host(
            "mount -t tmpfs tmpfs /run; mkdir -p /run/systemd/resolve; ip link set lo up
             echo 0 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding",
        );
        Self { t }
    }

    /// A bundle with a network of its own, made as this document says.
    pub(crate) fn bundle(&self, network: &Value) -> Bundle<'t> {
        let mut bundle = self.t.bundle();
        bundle.namespace("network").set(NETWORK, network.to_string()).set("/hostname", "box");
        bundle
    }

    /// A web server that says its name.
    pub(crate) fn server(&self, network: &Value, says: &str) -> Container<'t> {
        let mut bundle = self.bundle(network);
        std::fs::write(bundle.rootfs().join("data/index.html"), says).expect("page");
        bundle.args(&["busybox", "httpd", "-f", "-p", "[::]:80", "-h", "/data"]).start()
    }

    /// The names of all links but loopback.
    pub(crate) fn links(&self) -> Vec<String> {
        let text = self.t.host("ip -o link");
        let name = |line: &str| line.split(": ").nth(1)?.split('@').next().map(str::to_owned);
        text.lines().filter_map(name).filter(|name| name != "lo").collect()
    }

    /// The packet filters, as far as somebody here can show them.
    pub(crate) fn filters(&self) -> Vec<String> {
        let text = self.t.host("if command -v nft >/dev/null; then nft list tables; else echo '' ; fi");
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Its network namespace, as links in /proc show it.
    pub(crate) fn namespace(&self) -> std::path::PathBuf {
        self.t.host("readlink /proc/self/ns/net").trim().into()
    }

    /// What the runtime keeps of networks.
    pub(crate) fn records(&self) -> Vec<String> {
        let found = self.t.host("find /run/cofferdam -mindepth 2 2>/dev/null || true");
        found.lines().map(str::to_owned).collect()
    }

    /// No link, no record and no container is left.
    #[track_caller]
    pub(crate) fn is_as_before(&self) {
        self.has_only(&[]);
    }

    /// No link is left but these, nothing else of a network, and no state.
    #[track_caller]
    pub(crate) fn has_only(&self, links: &[&str]) {
        let state = || {
            let all = std::fs::read_dir(self.t.dir.join("state")).into_iter().flatten().flatten();
            all.map(|e| e.path()).collect::<Vec<_>>()
        };
        let mut left = (self.links(), self.records(), state());
        if left.0 != links || !left.1.is_empty() {
            // A namespace goes a little later than its last process.
            wait_until(&format!("nothing to be left of {left:?}"), || {
                left = (self.links(), self.records(), state());
                left.0 == links && left.1.is_empty()
            });
        }
        assert!(left.2.is_empty(), "{left:?}");
    }
}

/// A veth on this bridge, with addresses out of these pools.
pub(crate) fn pooled(bridge: &str, v4: &str, v6: &str) -> Value {
    json!({"networks": [{"type": "veth", "bridge": bridge, "pool": v4, "ipv6_pool": v6}]})
}

/// The address of this protocol that a container's `eth0` has.
#[track_caller]
pub(crate) fn address(container: &Container<'_>, of: &str) -> String {
    let interfaces = container.state()["annotations"]["org.cofferdam.network.interfaces"].clone();
    let text = interfaces.as_str().expect("interfaces in the state");
    let interfaces: Value = serde_json::from_str(text).expect("JSON");
    let all = interfaces[0]["addresses"].as_array().expect("addresses").iter();
    let mut all = all.filter_map(Value::as_str).filter(|address| address.contains(of));
    all.next().and_then(|address| address.split('/').next()).expect("an address of this protocol").to_owned()
}

/// Fetches the page of a web server from inside a container.
pub(crate) fn fetch(from: &Container<'_>, address: &str) -> Output {
    let is_v6 = address.parse::<std::net::Ipv6Addr>().is_ok();
    let host = if is_v6 { format!("[{address}]") } else { address.to_owned() };
    from.exec(
        &[],
        &["busybox", "timeout", "3", "busybox", "wget", "-q", "-O", "-", &format!("http://{host}/")],
    )
}

pub(crate) fn ping(from: &Container<'_>, address: &str) -> Output {
    from.exec(&[], &["busybox", "ping", "-c", "1", "-W", "2", address])
}

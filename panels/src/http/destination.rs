//! Where a panel may be: the check of its address, by name and by number.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, LazyLock};

use futures::future::BoxFuture;
use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{PanelError, ServerSettings};

/// Networks that no panel is asked in unless the operator allows them: this host, private and shared
/// space, link-local (where cloud metadata lives), multicast, reserved, and IPv6 forms that hide an
/// IPv4 address.
static CLOSED: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ]
    .iter()
    .filter_map(|net| net.parse().ok())
    .collect()
});

/// A name that leads only to addresses where no panel may be.
#[derive(Debug, thiserror::Error)]
#[error("{address} lies in a private or special network that the server does not allow")]
pub(crate) struct Closed {
    address: IpAddr,
}

/// # Errors
/// [`Closed`] for an address in a special network that is not among `allowed`.
pub(crate) fn check(address: IpAddr, allowed: &[IpNet]) -> Result<(), Closed> {
    let plain = match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    let listed = |net: &IpNet| net.contains(&address) || net.contains(&plain);
    if CLOSED.iter().any(|net| net.contains(&address)) && !allowed.iter().any(listed) {
        return Err(Closed { address });
    }
    Ok(())
}

/// The panel's address as the settings give it: `https`, no user in it, its port or the panel's own.
///
/// # Errors
/// `Rejected` with code `server_settings` and what would be right.
pub(crate) fn base(settings: &ServerSettings, default_port: u16) -> Result<Url, PanelError> {
    let wrong = |why: &str| {
        let text = format!("the address of server `{}` {why}", settings.name);
        PanelError::refused("server_settings", text)
    };
    let mut url = Url::parse(settings.url.trim())
        .map_err(|_| wrong("cannot be read; it should look like https://panel.example.com"))?;
    if url.scheme() != "https" {
        return Err(wrong("must begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must not hold a user or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("must not hold `?` or `#`"));
    }
    let literal = match url.host() {
        None => return Err(wrong("has no host")),
        Some(url::Host::Domain(_)) => None,
        Some(url::Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
        Some(url::Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
    };
    // A number is never looked up, so it is checked here.
    if let Some(address) = literal {
        check(address, &settings.allow_networks)
            .map_err(|closed| wrong(&format!("is refused: {closed}")))?;
    }
    if url.port().is_none() && !says_443(&settings.url) {
        url.set_port(Some(default_port))
            .map_err(|()| wrong("cannot have a port"))?;
    }
    Ok(url)
}

/// Whether the port 443 was written out; parsing drops it as the scheme's default, but on a panel
/// whose own port is another it means something (WHM behind its `whm.` name).
fn says_443(url: &str) -> bool {
    let rest = url.trim().split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.ends_with(":443")
}

/// Looks a name up once and lets through only addresses that may be connected to; the connection goes
/// to what was checked, so that a second answer of the name server changes nothing.
pub(super) struct CheckedResolver {
    allowed: Arc<Vec<IpNet>>,
    lookup: Lookup,
}

/// Asks the name service once.
type Lookup = fn(String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>>;

fn system(name: String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
    Box::pin(async move {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.collect())
    })
}

impl CheckedResolver {
    pub(super) fn new(allowed: &[IpNet]) -> Self {
        Self {
            allowed: Arc::new(allowed.to_vec()),
            lookup: system,
        }
    }
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = Arc::clone(&self.allowed);
        let found = (self.lookup)(name.as_str().to_owned());
        Box::pin(async move {
            let open = let_through(found.await?, &allowed)?;
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

pub(crate) fn let_through(
    found: Vec<SocketAddr>,
    allowed: &[IpNet],
) -> Result<Vec<SocketAddr>, Closed> {
    let mut refused = None;
    let mut open = Vec::with_capacity(found.len());
    for address in found {
        match check(address.ip(), allowed) {
            Ok(()) => open.push(address),
            Err(closed) => refused = Some(closed),
        }
    }
    match refused {
        Some(closed) if open.is_empty() => Err(closed),
        _ if open.is_empty() => Err(Closed {
            address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }),
        _ => Ok(open),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::http::{client, trust};

    fn settings(url: &str, allow: &[&str]) -> ServerSettings {
        ServerSettings {
            name: "web1".into(),
            url: url.into(),
            user: None,
            secret: "topsecret".into(),
            pins: Vec::new(),
            ca_pem: None,
            allow_networks: allow.iter().map(|net| net.parse().unwrap()).collect(),
            time_zone: chrono_tz::UTC,
            options: Default::default(),
        }
    }

    #[test]
    fn special_networks_are_closed_until_allowed() {
        assert_eq!(CLOSED.len(), 21);
        for closed in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(check(closed.parse().unwrap(), &[]).is_err(), "{closed}");
        }
        for open in ["8.8.8.8", "172.32.0.1", "2a01:4f8::1"] {
            assert!(check(open.parse().unwrap(), &[]).is_ok(), "{open}");
        }
        let allowed = ["127.0.0.0/8".parse().unwrap()];
        assert!(check("127.0.0.1".parse().unwrap(), &allowed).is_ok());
        assert!(check("::ffff:127.0.0.1".parse().unwrap(), &allowed).is_ok());
        assert!(check("10.0.0.1".parse().unwrap(), &allowed).is_err());
    }

    #[test]
    fn a_name_with_both_kinds_of_addresses_leads_to_the_open_one() {
        let found = vec!["127.0.0.1:0".parse().unwrap(), "8.8.8.8:0".parse().unwrap()];
        assert_eq!(
            let_through(found, &[]).unwrap(),
            ["8.8.8.8:0".parse().unwrap()]
        );
        assert!(let_through(vec!["10.0.0.1:0".parse().unwrap()], &[]).is_err());
        assert!(let_through(Vec::new(), &[]).is_err());
    }

    /// A name that leads to one address first, and from then on to another.
    static LOOKUPS: AtomicUsize = AtomicUsize::new(0);

    fn rebound(_: String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        let earlier = LOOKUPS.fetch_add(1, Ordering::SeqCst);
        let address = if earlier == 0 {
            "127.0.0.2:0"
        } else {
            "127.0.0.1:0"
        };
        Box::pin(async move { Ok(vec![address.parse().unwrap()]) })
    }

    #[tokio::test]
    async fn a_connection_goes_to_the_address_that_was_checked_and_no_other() {
        let listen = |address: &str| {
            let listener = std::net::TcpListener::bind(address).unwrap();
            listener.set_nonblocking(true).unwrap();
            listener
        };
        // Only the first address is allowed, and the trap listens on the other's same port.
        let panel = listen("127.0.0.2:0");
        let port = panel.local_addr().unwrap().port();
        let trap = listen(&format!("127.0.0.1:{port}"));
        let settings = settings("https://panel.example", &["127.0.0.2/32"]);
        let resolver = CheckedResolver {
            lookup: rebound,
            ..CheckedResolver::new(&settings.allow_networks)
        };
        let tls = trust::tls_config(&settings).unwrap();
        let asker = client::with_resolver(&settings, tls, client::Idle::Closed, resolver).unwrap();
        let url = format!("https://panel.example:{port}/");
        let first = tokio::spawn(asker.get(&url).send());
        let mut came = panel.accept();
        while came.is_err() {
            tokio::task::yield_now().await;
            came = panel.accept();
        }
        drop(came);
        assert!(first.await.unwrap().is_err(), "there is no TLS");
        assert_eq!(LOOKUPS.load(Ordering::SeqCst), 1);
        let error = asker.get(&url).send().await.unwrap_err();
        assert!(format!("{error:?}").contains("Closed"), "{error:?}");
        assert_eq!(LOOKUPS.load(Ordering::SeqCst), 2);
        assert!(trap.accept().is_err(), "somebody came to 127.0.0.1");
        assert!(panel.accept().is_err(), "nobody came a second time");
    }

    #[test]
    fn the_port_is_the_panels_unless_written() {
        for (url, port) in [
            ("https://panel.example.com", 2087),
            ("https://panel.example.com/", 2087),
            ("https://panel.example.com:443", 443),
            ("https://panel.example.com:443/x", 443),
            ("https://panel.example.com:8443", 8443),
            ("https://[2a01:4f8::443]", 2087),
        ] {
            let base = base(&settings(url, &[]), 2087).unwrap();
            assert_eq!(base.port_or_known_default(), Some(port), "{url}");
        }
    }

    #[test]
    fn addresses_that_are_not_safe_are_refused_with_the_reason() {
        for url in [
            "http://panel.example.com",
            "https://root:pw@panel.example.com",
            "https://panel.example.com?x=1",
            "panel.example.com",
            "https://127.0.0.1",
            "https://[::1]:2087",
            "https://2130706433/",
        ] {
            let error = base(&settings(url, &[]), 2087).unwrap_err();
            assert_eq!(error.code(), "server_settings", "{url}");
        }
        assert!(base(&settings("https://127.0.0.1", &["127.0.0.0/8"]), 443).is_ok());
    }
}

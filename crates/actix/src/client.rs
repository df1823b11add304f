//! Who is at the other end: from the socket, or from a proxy that is trusted to say so.

use std::net::{IpAddr, SocketAddr};

use actix_web::dev::RequestHead;
use actix_web::http::header::HeaderMap;
use ipnet::IpNet;

/// The proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. Nobody else's are, and `X-Forwarded-Host`
/// never is.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads addresses (`10.0.0.1`) and networks (`10.0.0.0/8`).
    ///
    /// # Errors
    /// The first entry that is neither.
    pub fn parse(entries: &[String]) -> Result<Self, String> {
        let parsed = entries.iter().map(|entry| {
            let address = entry.parse::<IpAddr>().map(IpNet::from);
            entry.parse::<IpNet>().or(address).map_err(|_| entry.clone())
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// The client's address and whether it came by https, for a connection that itself is (`tls`) or is not encrypted.
    pub(crate) fn client(&self, head: &RequestHead, tls: bool) -> (Option<IpAddr>, bool) {
        let Some(peer) = head.peer_addr.map(|address| address.ip().to_canonical()) else { return (None, tls) };
        if self.0.is_empty() || !self.trusts(peer) {
            return (Some(peer), tls);
        }
        let secure = last_value(&head.headers, "x-forwarded-proto").map_or(tls, |scheme| scheme.eq_ignore_ascii_case("https"));
        (Some(self.first_untrusted(&head.headers).unwrap_or(peer)), secure)
    }

    /// From right to left, the first address that is not one of our own proxies: whatever stands left of it, the client
    /// may have written itself.
    fn first_untrusted(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let values: Vec<&str> = headers.get_all("x-forwarded-for").filter_map(|value| value.to_str().ok()).collect();
        let mut last = None;
        for entry in values.iter().flat_map(|value| value.split(',')).rev() {
            let address = address(entry.trim())?.to_canonical();
            last = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        last
    }
}

/// An address as proxies write it: alone, or with a port behind.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(with_port)
}

fn last_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(name).last()?.to_str().ok()?.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn seen(peer: &str, headers: &[(&'static str, &'static str)]) -> (Option<IpAddr>, bool) {
        let proxies = TrustedProxies::parse(&["10.0.0.0/8".into(), "::1".into()]).unwrap();
        let mut request = TestRequest::default().peer_addr(format!("{peer}:1").parse().unwrap());
        for header in headers {
            request = request.append_header(*header);
        }
        proxies.client(request.to_http_request().head(), false)
    }

    #[test]
    fn only_a_listed_proxy_is_believed() {
        let told = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "https")];
        assert_eq!(seen("10.1.2.3", &told), (Some("203.0.113.7".parse().unwrap()), true));
        assert_eq!(seen("192.0.2.1", &told), (Some("192.0.2.1".parse().unwrap()), false));
    }

    #[test]
    fn what_a_client_writes_left_of_the_proxies_does_not_count() {
        let told = [("x-forwarded-for", "1.1.1.1, 203.0.113.7, 10.0.0.2"), ("x-forwarded-proto", "https, http")];
        assert_eq!(seen("10.1.2.3", &told), (Some("203.0.113.7".parse().unwrap()), false));
        assert_eq!(seen("10.1.2.3", &[("x-forwarded-for", "203.0.113.7:4711")]), (Some("203.0.113.7".parse().unwrap()), false));
        assert_eq!(seen("10.1.2.3", &[("x-forwarded-for", "nonsense")]), (Some("10.1.2.3".parse().unwrap()), false));
    }

    #[test]
    fn an_entry_that_is_no_address_is_named() {
        assert_eq!(TrustedProxies::parse(&["10.0.0.1".into(), "proxy".into()]).unwrap_err(), "proxy");
    }
}

//! Who is at the other end: from the socket, or from a proxy that is trusted to say so.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::dev::RequestHead;
use actix_web::http::header::HeaderMap;
use ipnet::IpNet;

use crate::forwarded;

/// The proxies whose `X-Forwarded-For` and `X-Forwarded-Proto`, or else `Forwarded`, are believed.
/// Nobody else's are, and a forwarded host never is.
///
/// Where a request has one of the `X-Forwarded-` headers, `Forwarded` is not looked at: a proxy
/// that sets those passes a client's `Forwarded` on as it came.
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
            entry
                .parse::<IpNet>()
                .or(address)
                .map_err(|_| entry.clone())
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0
            .iter()
            .any(|network| network.contains(&address.to_canonical()))
    }

    /// The address of the client that sent a request, where it is known.
    pub fn client_address(&self, request: &HttpRequest) -> Option<IpAddr> {
        let is_tls = request.app_config().secure();
        self.client(request.head(), is_tls).0
    }

    /// The client's address and whether it came by https, for a connection that itself is (`tls`)
    /// or is not encrypted.
    pub(crate) fn client(&self, head: &RequestHead, tls: bool) -> (Option<IpAddr>, bool) {
        let Some(peer) = head.peer_addr.map(|address| address.ip().to_canonical()) else {
            return (None, tls);
        };
        if self.0.is_empty() || !self.trusts(peer) {
            return (Some(peer), tls);
        }
        let (forwarded, secure) = self.forwarded(&head.headers);
        (Some(forwarded.unwrap_or(peer)), secure.unwrap_or(tls))
    }

    /// What the proxies say of the client's address and of https, where they do.
    fn forwarded(&self, headers: &HeaderMap) -> (Option<IpAddr>, Option<bool>) {
        let is_https = |scheme: &str| scheme.eq_ignore_ascii_case("https");
        if headers.contains_key("x-forwarded-for") || headers.contains_key("x-forwarded-proto") {
            let values: Vec<&str> = headers
                .get_all("x-forwarded-for")
                .filter_map(|value| value.to_str().ok())
                .collect();
            let entries = values.iter().flat_map(|value| value.split(',')).rev();
            let client = self.first_untrusted(entries.map(|entry| address(entry.trim())));
            return (
                client,
                last_value(headers, "x-forwarded-proto").map(is_https),
            );
        }
        let values: Option<Vec<&str>> = headers
            .get_all("forwarded")
            .map(|value| value.to_str().ok())
            .collect();
        let Some(steps) = values.and_then(|values| forwarded::steps(values.into_iter())) else {
            return (None, None);
        };
        let secure = steps
            .last()
            .and_then(|step| step.proto.as_deref())
            .map(is_https);
        (
            self.first_untrusted(steps.iter().rev().map(|step| step.client)),
            secure,
        )
    }

    /// Of addresses from right to left, the first that is not one of our own proxies: whatever
    /// stands left of it, the client may have written itself. `None` where what is left of our
    /// proxies is no address.
    fn first_untrusted(&self, from_right: impl Iterator<Item = Option<IpAddr>>) -> Option<IpAddr> {
        let mut last = None;
        for address in from_right {
            let address = address?.to_canonical();
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
    headers
        .get_all(name)
        .last()?
        .to_str()
        .ok()?
        .rsplit(',')
        .next()
        .map(str::trim)
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
        let told = [
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-proto", "https"),
        ];
        assert_eq!(
            seen("10.1.2.3", &told),
            (Some("203.0.113.7".parse().unwrap()), true)
        );
        assert_eq!(
            seen("192.0.2.1", &told),
            (Some("192.0.2.1".parse().unwrap()), false)
        );
    }

    #[test]
    fn what_a_client_writes_left_of_the_proxies_does_not_count() {
        let told = [
            ("x-forwarded-for", "1.1.1.1, 203.0.113.7, 10.0.0.2"),
            ("x-forwarded-proto", "https, http"),
        ];
        assert_eq!(
            seen("10.1.2.3", &told),
            (Some("203.0.113.7".parse().unwrap()), false)
        );
        assert_eq!(
            seen("10.1.2.3", &[("x-forwarded-for", "203.0.113.7:4711")]),
            (Some("203.0.113.7".parse().unwrap()), false)
        );
        assert_eq!(
            seen("10.1.2.3", &[("x-forwarded-for", "nonsense")]),
            (Some("10.1.2.3".parse().unwrap()), false)
        );
    }

    #[test]
    fn the_standard_header_counts_as_the_older_ones_do() {
        let client = |address: &str, secure| (Some(address.parse().unwrap()), secure);
        for (peer, value, expected) in [
            (
                "10.1.2.3",
                "for=203.0.113.7;proto=https",
                client("203.0.113.7", true),
            ),
            (
                "192.0.2.1",
                "for=203.0.113.7;proto=https",
                client("192.0.2.1", false),
            ),
            (
                "10.1.2.3",
                "for=1.1.1.1;proto=https, for=203.0.113.7;proto=http, for=10.0.0.2;proto=https",
                client("203.0.113.7", true),
            ),
            (
                "10.1.2.3",
                "for=203.0.113.7;proto=https, for=10.0.0.2;proto=http",
                client("203.0.113.7", false),
            ),
            (
                "10.1.2.3",
                "for=\"[2001:db8::7]:4711\"",
                client("2001:db8::7", false),
            ),
            (
                "10.1.2.3",
                "for=203.0.113.7, for=_hidden;proto=https",
                client("10.1.2.3", true),
            ),
            ("10.1.2.3", "for=unknown", client("10.1.2.3", false)),
            (
                "10.1.2.3",
                "for=203.0.113.7;proto=https, for=\"",
                client("10.1.2.3", false),
            ),
        ] {
            assert_eq!(
                seen(peer, &[("forwarded", value)]),
                expected,
                "{peer} {value}"
            );
        }
    }

    #[test]
    fn a_proxy_of_the_older_headers_passes_no_standard_one_of_a_client_on() {
        let forged = ("forwarded", "for=1.1.1.1;proto=https");
        let real = Some("203.0.113.7".parse().unwrap());
        assert_eq!(
            seen("10.1.2.3", &[forged, ("x-forwarded-for", "203.0.113.7")]),
            (real, false)
        );
        assert_eq!(
            seen("10.1.2.3", &[forged, ("x-forwarded-proto", "http")]),
            (Some("10.1.2.3".parse().unwrap()), false)
        );
    }

    #[test]
    fn an_entry_that_is_no_address_is_named() {
        assert_eq!(
            TrustedProxies::parse(&["10.0.0.1".into(), "proxy".into()]).unwrap_err(),
            "proxy"
        );
    }
}

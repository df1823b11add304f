//! How single values are read, checked and written. A fault found here gets the place of its value
//! from the reader.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use logout_actix::TrustedProxies;
use logout_core::cors::OriginList;
use logout_core::redirect::RedirectPolicy;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::ser::Serializer;
use url::{Host, ParseError, Position, Url};

/// Reads a text and makes something of it. The check runs inside the visitor, where TOML knows the
/// place of a list's item.
fn text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    check: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    struct Reader<C>(&'static str, C);

    impl<T, C: FnOnce(&str) -> Result<T, String>> Visitor<'_> for Reader<C> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            (self.1)(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Reader(expected, check))
}

/// A list of texts, each of which passes a check.
macro_rules! list_of {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $check:expr) => {
        $(#[$doc])*
        pub(super) fn $name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
            struct Item(String);

            impl<'de> Deserialize<'de> for Item {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    text(deserializer, $expected, |text| $check(text).map(|()| Self(text.to_owned())))
                }
            }

            Ok(Vec::<Item>::deserialize(deserializer)?.into_iter().map(|item| item.0).collect())
        }
    };
}

list_of! {
    /// Addresses and networks of proxies.
    proxies, "an address or a network", |text: &str| {
        TrustedProxies::parse(&[text.to_owned()])
            .map(drop)
            .map_err(|text| format!("`{text}` is no address (10.0.0.1) and no network (10.0.0.0/8)"))
    }
}

list_of! {
    /// Entries of an allow-list of return addresses.
    redirects, "an origin", |text: &str| {
        // The base plays no part in what an entry may be.
        let base = Url::parse("http://localhost/").map_err(|fault| fault.to_string())?;
        RedirectPolicy::new(&base).and_then(|policy| policy.allow(text)).map(drop).map_err(|fault| {
            format!("`{text}` is no origin such as https://www.example.com or https://*.example.org: {fault}")
        })
    }
}

list_of! {
    /// Origins whose pages may read answers; `*` in them stands for one label.
    origins, "an origin", |text: &str| {
        let concrete = Url::parse(&text.replace('*', "any")).ok();
        let origin = concrete.is_some_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.username().is_empty() && &url[Position::BeforePath..] == "/"
        });
        if !origin {
            return Err(format!("`{text}` is no origin such as https://www.example.com"));
        }
        if OriginList::is_open(text) {
            return Err(format!("`{text}` lets in pages of strangers: anybody can register a name there"));
        }
        Ok(())
    }
}

/// A span of time such as `30m`, `12h` or `250ms`.
pub(super) mod duration {
    use super::*;

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        text(
            deserializer,
            "a span of time such as \"30m\", \"12h\" or \"250ms\"",
            |text| {
                let wrong = |_| {
                    format!(
                        "`{text}` is not a span of time; write one such as \"30m\", \"12h\" or \"250ms\""
                    )
                };
                humantime::parse_duration(text).map_err(wrong)
            },
        )
    }

    pub(in super::super) fn serialize<S: Serializer>(
        span: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&written(span))
    }

    /// The span as it can be written in a configuration.
    pub(in super::super) fn written(span: &Duration) -> String {
        // In one unit that fits exactly: `90d`, where humantime would write months, days, hours,
        // minutes and seconds.
        const UNITS: [(u128, &str); 6] = [
            (86_400_000_000_000, "d"),
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
            (1_000, "us"),
        ];
        let nanos = span.as_nanos();
        match UNITS
            .iter()
            .find(|(unit, _)| nanos != 0 && nanos.is_multiple_of(*unit))
        {
            Some((unit, name)) => format!("{}{name}", nanos / unit),
            None => format!("{nanos}ns"),
        }
    }
}

/// A span of time that is not nothing.
pub(super) mod positive_duration {
    use super::*;

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let span = duration::deserialize(deserializer)?;
        if span.is_zero() {
            Err(D::Error::custom("must be longer than nothing"))
        } else {
            Ok(span)
        }
    }

    pub(in super::super) use super::duration::serialize;
}

/// A span of time that may be absent, and is not nothing.
pub(super) fn some_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    positive_duration::deserialize(deserializer).map(Some)
}

/// As [`duration`] writes it.
pub(super) fn optional_duration<S: Serializer>(
    span: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => duration::serialize(span, serializer),
        None => serializer.serialize_none(),
    }
}

/// What is wrong with a port that no address can have.
const PORT: &str = "the port must be a number from 0 to 65535";

/// An address and a port to listen on.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    text(
        deserializer,
        "an address with a port, such as \"127.0.0.1:8080\"",
        |text| {
            if let Ok(address) = text.parse() {
                return Ok(address);
            }
            if text.parse::<IpAddr>().is_ok() {
                let address = if text.contains(':') {
                    format!("[{text}]")
                } else {
                    text.to_owned()
                };
                return Err(format!("has no port; write \"{address}:8080\""));
            }
            let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
            let host = host.trim_start_matches('[').trim_end_matches(']');
            match host.parse::<IpAddr>() {
                Ok(_) => Err(PORT.to_owned()),
                Err(_) if host.is_empty() => Err(format!(
                    "has no address; write \"127.0.0.1:{port}\", or \"0.0.0.0:{port}\" for every interface"
                )),
                Err(_) => Err(format!(
                    "`{host}` is not an address; write \"127.0.0.1:8080\", or \"0.0.0.0:8080\" for every interface"
                )),
            }
        },
    )
}

/// The address of a provider's keys.
pub(super) fn key_set_url<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Url>, D::Error> {
    text(deserializer, "a URL", |text| {
        let url = Url::parse(text).map_err(|fault| {
            format!(
                "is not a URL ({fault}); write one such as \"https://idp.example.com/jwks.json\""
            )
        })?;
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_here) {
            return Err(
                "must begin with https://: keys that come in plain text may be anybody's"
                    .to_owned(),
            );
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err("must hold no user name, password or fragment".to_owned());
        }
        Ok(Some(url))
    })
}

/// The base of URLs: http or https, with nothing behind its path.
pub(super) fn public_url<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Url>, D::Error> {
    text(deserializer, "a URL", |text| {
        let url = web_url(text)?;
        if !url[Position::AfterPath..].is_empty() {
            return Err("must hold no query and no fragment".to_owned());
        }
        Ok(Some(url))
    })
}

/// One address of somebody else: http or https.
pub(super) fn endpoint_url<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Url>, D::Error> {
    text(deserializer, "a URL", |text| {
        let url = web_url(text)?;
        if url.fragment().is_some() {
            return Err("must hold no fragment".to_owned());
        }
        Ok(Some(url))
    })
}

fn web_url(text: &str) -> Result<Url, String> {
    if !text.contains("://") {
        return Err(format!(
            "has no scheme; write \"https://{0}\", or \"http://{0}\" where there is no TLS",
            text.trim_start_matches('/')
        ));
    }
    let url = Url::parse(text).map_err(|fault| match fault {
        ParseError::InvalidPort => PORT.to_owned(),
        fault => {
            format!("is not a URL ({fault}); write one such as \"https://hub.example.com\"")
        }
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with http:// or https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must hold no user name or password".to_owned());
    }
    Ok(url)
}

/// The base path of a platform: empty, or beginning with a slash and not ending with one.
pub(super) fn prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer, "a path", |text| {
        if text.is_empty() {
            return Ok(String::new());
        }
        if !text.starts_with('/') {
            return Err("must begin with a slash (or be empty)".to_owned());
        }
        if text.ends_with('/') {
            return Err("must not end with a slash".to_owned());
        }
        let plain = |segment: &str| {
            let allowed =
                |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte);
            !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed)
        };
        if text.split('/').skip(1).all(plain) {
            Ok(text.to_owned())
        } else {
            Err("must be a plain path: no empty or dotted segments, nothing that a URL would have to encode".to_owned())
        }
    })
}

/// The `Host` of requests, in lower case: a name or an address, with a port where one is needed.
pub(super) fn host<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    text(deserializer, "a host name", |text| {
        let text = text.to_ascii_lowercase();
        let url = Url::parse(&format!("http://{text}/"));
        if url == Err(ParseError::InvalidPort) && !text.contains('/') {
            return Err(PORT.to_owned());
        }
        if url.is_ok_and(|url| {
            url[Position::BeforeHost..Position::AfterPort] == text && url.username().is_empty()
        }) {
            Ok(Some(text))
        } else {
            Err("must be a host name such as cms.example.com, without scheme, path and default port".to_owned())
        }
    })
}

/// The name of a platform: it stands in paths, logs and names of variables.
pub(super) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer, "a name", |text| {
        if is_name(text) {
            Ok(text.to_owned())
        } else {
            Err(
                "must be 1 to 64 letters, digits, hyphens, underscores or dots, the first no dot"
                    .to_owned(),
            )
        }
    })
}

/// The same, where it may be left out.
pub(super) fn some_name<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    name(deserializer).map(Some)
}

/// Whether [`name`] takes it.
pub(super) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('.')
}

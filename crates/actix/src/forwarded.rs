//! The `Forwarded` header (RFC 7239).

use std::net::{IpAddr, Ipv6Addr};

/// How many parameters an element may have, so that the work does not grow faster than the header.
/// RFC 7239 knows four.
const MOST_PARAMETERS: usize = 16;

/// One step on the way of a request, as the proxy that took it says: who sent it, and by which
/// scheme.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Step {
    /// The address of `for`; absent for `unknown`, a hidden name (`_secret`) and where nothing is
    /// said.
    pub(crate) client: Option<IpAddr>,
    /// The scheme of `proto`.
    pub(crate) proto: Option<String>,
}

/// The steps of all `Forwarded` headers, in order; `None` where one of them cannot be read, since
/// what stands in it may have been cut anywhere.
pub(crate) fn steps<'a>(values: impl Iterator<Item = &'a str>) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for value in values {
        for element in split(value, ',')? {
            // RFC 9110, 5.6.1: empty elements of a list count for nothing.
            if !element.trim().is_empty() {
                steps.push(step(element)?);
            }
        }
    }
    Some(steps)
}

fn step(element: &str) -> Option<Step> {
    let mut step = Step::default();
    let mut seen: Vec<String> = Vec::with_capacity(MOST_PARAMETERS);
    for pair in split(element, ';')?
        .into_iter()
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
    {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.to_ascii_lowercase(), unquoted(value)?);
        match name.as_str() {
            "for" => step.client = node(&value),
            "proto" => step.proto = Some(value.to_ascii_lowercase()),
            _ => {}
        }
        // RFC 7239, 4: no parameter occurs twice in an element.
        if seen.len() == MOST_PARAMETERS || seen.contains(&name) {
            return None;
        }
        seen.push(name);
    }
    Some(step)
}

/// The parts between `separator`s outside of quotes; `None` where a quote has no end.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

/// A token, or what a quoted string means.
fn unquoted(value: &str) -> Option<String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let Some(inner) = value.strip_prefix('"') else {
        // Proxies were seen to leave an address unquoted though it has a colon.
        let allowed = |byte: u8| is_token(byte) || b":[]".contains(&byte);
        return (!value.is_empty() && value.bytes().all(allowed)).then(|| value.to_owned());
    };
    let (mut text, mut characters) = (String::new(), inner.chars());
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(text),
            '\\' => text.push(characters.next()?),
            character => text.push(character),
        }
    }
}

/// The address of a node: `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]` or `[2001:db8::1]:80`; ports
/// may be hidden names.
fn node(text: &str) -> Option<IpAddr> {
    let is_port = |port: &str| port.parse::<u16>().is_ok() || port.starts_with('_');
    if let Some(inner) = text.strip_prefix('[') {
        let (address, rest) = inner.split_once(']')?;
        let fits = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return address
            .parse::<Ipv6Addr>()
            .ok()
            .filter(|_| fits)
            .map(IpAddr::from);
    }
    match text.split_once(':') {
        Some((address, port)) if is_port(port) => address.parse().ok(),
        Some(_) => text.parse().ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Option<Vec<(Option<String>, Option<String>)>> {
        let steps = steps(values.iter().copied())?;
        Some(
            steps
                .into_iter()
                .map(|step| (step.client.map(|address| address.to_string()), step.proto))
                .collect(),
        )
    }

    #[test]
    fn every_form_of_a_node_is_read() {
        for (text, address) in [
            ("for=192.0.2.43", Some("192.0.2.43")),
            ("For=\"192.0.2.43:47011\"", Some("192.0.2.43")),
            ("for=192.0.2.43:47011", Some("192.0.2.43")),
            ("for=\"192.0.2.43:_port\"", Some("192.0.2.43")),
            ("FOR=\"[2001:db8:cafe::17]\"", Some("2001:db8:cafe::17")),
            (
                "for=\"[2001:db8:cafe::17]:4711\"",
                Some("2001:db8:cafe::17"),
            ),
            ("for=\"\\[2001:db8::1\\]\"", Some("2001:db8::1")),
            ("for=unknown", None),
            ("for=_hidden", None),
            ("for=\"_SEVKISEK:80\"", None),
            ("for=\"[192.0.2.1]\"", None),
            ("for=\"[2001:db8::1]x\"", None),
            ("by=203.0.113.43", None),
        ] {
            assert_eq!(
                read(&[text]),
                Some(vec![(address.map(str::to_owned), None)]),
                "{text}"
            );
        }
    }

    #[test]
    fn steps_stand_in_order_over_commas_and_headers() {
        let steps = read(&[
            "for=192.0.2.43;proto=https, for=\"[2001:db8::1]\" ; by=\"a,b;c\\\"\"",
            ",",
            "proto=HTTP;for=unknown",
        ]);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            steps,
            Some(vec![
                (text("192.0.2.43"), text("https")),
                (text("2001:db8::1"), None),
                (None, text("http"))
            ])
        );
    }

    #[test]
    fn what_cannot_be_read_says_nothing_at_all() {
        let many = |count: usize| {
            (0..count)
                .map(|number| format!("x{number}=1"))
                .collect::<Vec<_>>()
                .join(";")
        };
        assert!(
            read(&[&many(MOST_PARAMETERS)]).is_some()
                && read(&[&many(MOST_PARAMETERS + 1)]).is_none()
        );
        for text in [
            "for",
            "for=\"1.1.1.1",
            "for=\"1.1.1.1\"x",
            "for=1.1.1.1;for=2.2.2.2",
            "for=",
            "for=a b",
            "for=\"\\",
            "for=1.1.1.1, =",
        ] {
            assert_eq!(read(&["for=192.0.2.1", text]), None, "{text}");
        }
    }
}

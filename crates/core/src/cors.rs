//! Which web pages of other origins may read an endpoint's answers.

use crate::public_suffix::is_public_suffix;

/// A list of origins. An entry is a whole origin; `*` in it matches any run of characters except
/// dots, so `https://*.example.com` matches neither `https://example.com` nor
/// `https://a.b.example.com`.
///
/// Documented for Elvis (docs/vendors/assets.md, "Cross-origin calls"); our choice for the other
/// vendors.
#[derive(Clone, Debug, Default)]
pub struct OriginList(Vec<String>);

impl OriginList {
    /// Whether an entry lets pages in that anybody can put up: what stands behind its last `*` is a
    /// public suffix, or nothing. The hub refuses such an entry at the start.
    pub fn is_open(entry: &str) -> bool {
        let host = entry.split_once("://").map_or(entry, |(_, rest)| rest);
        let host = host.split([':', '/']).next().unwrap_or(host);
        let Some((_, rest)) = host.rsplit_once('*') else {
            return false;
        };
        rest.split_once('.')
            .is_none_or(|(_, suffix)| is_public_suffix(suffix))
    }

    /// The list of these entries, compared in lower case.
    pub fn new(entries: &[String]) -> Self {
        Self(
            entries
                .iter()
                .map(|entry| entry.trim_end_matches('/').to_ascii_lowercase())
                .collect(),
        )
    }

    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `origin`, as the browser sent it, is on the list.
    pub fn allows(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.0.iter().any(|entry| matches(entry, &origin))
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|tail| {
            let run = tail.find('.').unwrap_or(tail.len());
            (0..=run)
                .filter(|at| tail.is_char_boundary(*at))
                .any(|at| matches(rest, &tail[at..]))
        }),
    }
}

/// How a vendor answers a preflight.
#[derive(Clone, Copy, Debug)]
pub struct Preflight {
    /// The status of the answer.
    pub status: u16,
    /// The value of `Access-Control-Allow-Methods`.
    pub methods: &'static str,
    /// The value of `Access-Control-Allow-Headers`.
    pub headers: &'static str,
    /// The value of `Access-Control-Max-Age`, in seconds.
    pub max_age: u32,
}

impl Default for Preflight {
    /// Our choice, for vendors that document nothing.
    fn default() -> Self {
        Self {
            status: 204,
            methods: "GET, POST",
            headers: "authorization, content-type",
            max_age: 600,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_open_where_anybody_can_register_what_it_covers() {
        for (entry, open) in [
            ("https://*.com", true),
            ("https://www.*.co.uk", true),
            ("https://*-app.github.io", true),
            ("https://mysite.*", true),
            ("https://*", true),
            ("https://*.example.com", false),
            ("https://*.mysite.github.io", false),
            ("http://localhost:*", false),
            ("https://*.internal", false),
            ("https://www.example.com", false),
        ] {
            assert_eq!(OriginList::is_open(entry), open, "{entry}");
        }
    }

    #[test]
    fn a_wildcard_matches_one_label_and_not_the_bare_domain() {
        let list = OriginList::new(&[
            "https://*.example.com".into(),
            "http://Localhost:3000/".into(),
        ]);
        for allowed in [
            "https://a.example.com",
            "https://A.Example.com",
            "http://localhost:3000",
        ] {
            assert!(list.allows(allowed), "{allowed}");
        }
        for foreign in [
            "https://example.com",
            "https://a.b.example.com",
            "http://a.example.com",
            "https://a.example.com.evil.test",
            "null",
            "",
        ] {
            assert!(!list.allows(foreign), "{foreign}");
        }
    }
}

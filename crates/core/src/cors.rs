//! Which web pages of other origins may read an endpoint's answers.

/// A list of origins. An entry is a whole origin; `*` in it matches any run of characters except dots, so
/// `https://*.example.com` matches neither `https://example.com` nor `https://a.b.example.com`.
///
/// Documented for Elvis (docs/vendors/assets.md, "Cross-origin calls"); our choice for the other vendors.
#[derive(Clone, Debug, Default)]
pub struct OriginList(Vec<String>);

impl OriginList {
    /// The list of these entries, compared in lower case.
    pub fn new(entries: &[String]) -> Self {
        Self(entries.iter().map(|entry| entry.trim_end_matches('/').to_ascii_lowercase()).collect())
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
            (0..=run).filter(|at| tail.is_char_boundary(*at)).any(|at| matches(rest, &tail[at..]))
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
        Self { status: 204, methods: "GET, POST", headers: "authorization, content-type", max_age: 600 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_matches_one_label_and_not_the_bare_domain() {
        let list = OriginList::new(&["https://*.example.com".into(), "http://Localhost:3000/".into()]);
        for allowed in ["https://a.example.com", "https://A.Example.com", "http://localhost:3000"] {
            assert!(list.allows(allowed), "{allowed}");
        }
        for foreign in
            ["https://example.com", "https://a.b.example.com", "http://a.example.com", "https://a.example.com.evil.test", "null", ""]
        {
            assert!(!list.allows(foreign), "{foreign}");
        }
    }
}

//! Names below which strangers register names of their own (the public suffix list).

/// Whether every subdomain of `host` may belong to somebody else: `com`, `co.uk`, `github.io`. A
/// name that is on no list, such as one of a private network, is the operator's own affair.
pub fn is_public_suffix(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    psl::suffix(host.as_bytes())
        .is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() == host.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_strangers_register_below_are_told_from_others() {
        for (host, is) in [
            ("com", true),
            ("co.uk", true),
            ("CO.UK.", true),
            ("github.io", true),
            ("example.com", false),
            ("mysite.github.io", false),
            ("example.co.uk", false),
            ("internal", false),
            ("localhost", false),
            ("", false),
        ] {
            assert_eq!(is_public_suffix(host), is, "{host}");
        }
    }
}

//! How long an answer may be kept.

use std::time::Duration;

/// How long `Cache-Control` lets its reader keep an answer (RFC 9111, section 5.2.2); `None` where
/// it does not say. `no-store` and `no-cache` are zero, and so is a `max-age` that is no number or
/// given twice (section 4.2.1). `values` are those of all headers of the name.
pub fn max_age<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<Duration> {
    let mut found = None;
    for directive in values.into_iter().flat_map(|value| value.split(',')) {
        let (name, argument) = directive
            .split_once('=')
            .map_or((directive, None), |(name, argument)| (name, Some(argument)));
        let name = name.trim();
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Some(Duration::ZERO);
        }
        if name.eq_ignore_ascii_case("max-age") {
            let seconds = argument
                .map(|argument| argument.trim().trim_matches('"'))
                .filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
                .filter(|_| found.is_none());
            let Some(digits) = seconds else {
                return Some(Duration::ZERO);
            };
            // A number too large for us means "as long as you can".
            found = Some(Duration::from_secs(digits.parse().unwrap_or(u64::MAX)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_by_its_directives() {
        for (values, expected) in [
            (&[][..], None),
            (&[""], None),
            (&["public"], None),
            (&["s-maxage=9"], None),
            (&["max-age=60"], Some(60)),
            (&["public, Max-Age = 60 , must-revalidate"], Some(60)),
            (&["max-age=\"60\""], Some(60)),
            (&["public", "max-age=60"], Some(60)),
            (&["max-age=0"], Some(0)),
            (&["no-store"], Some(0)),
            (&["max-age=60, no-cache"], Some(0)),
            (&["max-age=60", "max-age=90"], Some(0)),
            (&["max-age"], Some(0)),
            (&["max-age=-1"], Some(0)),
            (&["max-age=1.5"], Some(0)),
            (&["max-age=99999999999999999999"], Some(u64::MAX)),
        ] {
            assert_eq!(
                max_age(values.iter().copied()),
                expected.map(Duration::from_secs),
                "{values:?}"
            );
        }
    }
}

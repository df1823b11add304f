//! Cookies whose value is too long for one: the site's sign-in middleware spreads it over several.
//!
//! Observed in source that Microsoft published of such middleware: `name` then says `chunks:2` (or `chunks-2`), and the value
//! stands in `nameC1` and `nameC2`. What `name` says is the same for everybody then, so it is no credential.

use std::borrow::Cow;

/// The values of the cookies called `name`, put together where they are spread; a value whose parts are not all there is none.
pub(crate) fn values<'a>(cookies: &[(&'a str, &'a str)], name: &str) -> impl Iterator<Item = Cow<'a, str>> {
    let own = cookies.iter().filter(move |(known, _)| *known == name);
    own.filter_map(move |(_, value)| match number_of_chunks(value) {
        None => Some(Cow::Borrowed(*value)),
        Some(count) => together(cookies, name, count).map(Cow::Owned),
    })
    .filter(|value| !value.is_empty())
}

/// Whether `cookie` is one of those that the value of `name` is spread over.
pub(crate) fn is_chunk(cookie: &str, name: &str) -> bool {
    let number = cookie.strip_prefix(name).and_then(|rest| rest.strip_prefix('C'));
    number.is_some_and(|number| (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn number_of_chunks(value: &str) -> Option<u16> {
    value.strip_prefix("chunks:").or_else(|| value.strip_prefix("chunks-"))?.parse().ok()
}

fn together(cookies: &[(&str, &str)], name: &str, count: u16) -> Option<String> {
    let part = |number| {
        let chunk = format!("{name}C{number}");
        cookies.iter().find(|(known, _)| *known == chunk).map(|(_, value)| *value)
    };
    (1..=count).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_value_is_put_together_and_an_incomplete_one_is_none() {
        for (cookies, expected) in [
            (vec![("s", "a"), ("t", "x"), ("s", "b")], vec!["a", "b"]),
            (vec![("s", "chunks:2"), ("sC2", "two"), ("sC1", "one")], vec!["onetwo"]),
            (vec![("s", "chunks-1"), ("sC1", "one")], vec!["one"]),
            (vec![("s", "chunks:2"), ("sC1", "one")], vec![]),
            (vec![("s", "chunks:0")], vec![]),
            (vec![("s", "chunks:60000")], vec![]),
            (vec![("s", "chunks:x")], vec!["chunks:x"]),
            (vec![("s", ""), ("S", "a"), ("sC1", "one")], vec![]),
        ] {
            assert_eq!(values(&cookies, "s").collect::<Vec<_>>(), expected, "{cookies:?}");
        }
    }

    #[test]
    fn chunks_are_told_by_their_number() {
        for (cookie, is) in [("sC1", true), ("sC12", true), ("sC", false), ("sCx", false), ("s1", false), ("tC1", false), ("sC1234", false)]
        {
            assert_eq!(is_chunk(cookie, "s"), is, "{cookie}");
        }
    }
}

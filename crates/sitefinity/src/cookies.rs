//! Cookies whose value is too long for one: the site's sign-in middleware spreads it over several.
//!
//! Observed in source that Microsoft published of such middleware: `name` then says `chunks:2` (or `chunks-2`), and the value
//! stands in `nameC1` and `nameC2`. What `name` says is the same for everybody then, so it is no credential.

use std::borrow::Cow;
use std::collections::HashMap;

use logout_core::sign_out::MOST_CREDENTIALS;

/// In how many ways a value may be spread at once: two cookies of one name can come from two paths.
const MOST_SPREADS: usize = 2;

/// The values of the cookies called `name`, put together where they are spread; a value whose parts are not all there is none.
/// Names have no case: ASP.NET's own collection of cookies compares them so (docs/vendors/sitefinity.md).
///
/// The cookies are looked through once. Where they say that the value is spread in more than [`MOST_SPREADS`] ways, more
/// values come out than the flow takes, so that it refuses: to put together some of them would be a partial reading.
pub(crate) fn values<'a>(cookies: &[(&'a str, &'a str)], name: &str) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
    let (mut wholes, mut chunks) = (Vec::new(), HashMap::new());
    for (known, value) in cookies {
        if known.eq_ignore_ascii_case(name) {
            wholes.push(*value);
        } else if let Some(number) = chunk_number(known, name) {
            chunks.entry(number).or_insert(*value);
        }
    }
    let mut counts: Vec<u16> = Vec::new();
    for count in wholes.iter().filter_map(|value| number_of_chunks(value)) {
        if counts.len() <= MOST_SPREADS && !counts.contains(&count) {
            counts.push(count);
        }
    }
    let together = |count: &u16| (1..=*count).map(|number| chunks.get(&number).copied()).collect::<Option<String>>();
    let values: Vec<Cow<'a, str>> = if counts.len() > MOST_SPREADS {
        (0..=MOST_CREDENTIALS).map(|number| Cow::Owned(format!("chunks:{number}"))).collect()
    } else {
        let spread = counts.iter().filter_map(together).map(Cow::Owned);
        wholes.into_iter().filter(|value| number_of_chunks(value).is_none()).map(Cow::Borrowed).chain(spread).collect()
    };
    values.into_iter().filter(|value| !value.is_empty())
}

/// Whether a cookie of this name is `name` itself, or one of those that its value is spread over.
pub(crate) fn belongs(cookie: &str, name: &str) -> bool {
    cookie.eq_ignore_ascii_case(name) || is_chunk(cookie, name)
}

/// Whether `cookie` is one of those that the value of `name` is spread over.
pub(crate) fn is_chunk(cookie: &str, name: &str) -> bool {
    chunk_number(cookie, name).is_some()
}

fn chunk_number(cookie: &str, name: &str) -> Option<u16> {
    let (whole, number) = cookie.split_at_checked(name.len())?;
    let number = number.strip_prefix(['C', 'c']).filter(|_| whole.eq_ignore_ascii_case(name))?;
    let is_plain = (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
    number.parse().ok().filter(|_| is_plain)
}

fn number_of_chunks(value: &str) -> Option<u16> {
    value.strip_prefix("chunks:").or_else(|| value.strip_prefix("chunks-"))?.parse().ok()
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
            (vec![("s", ""), ("S", "a"), ("sC1", "one")], vec!["a"]),
            (vec![("s", "chunks:2"), ("s", "chunks:1"), ("sC1", "a"), ("sC2", "b")], vec!["ab", "a"]),
            (vec![("S", "chunks:2"), ("Sc2", "two"), ("sC1", "one"), ("s", "chunks:2")], vec!["onetwo"]),
        ] {
            assert_eq!(values(&cookies, "s").collect::<Vec<_>>(), expected, "{cookies:?}");
        }
    }

    #[test]
    fn a_value_that_is_spread_in_many_ways_is_more_than_the_flow_takes() {
        let cookies = [("s", "chunks:1"), ("s", "chunks:2"), ("s", "chunks:3"), ("sC1", "a"), ("sC2", "b"), ("sC3", "c")];
        assert!(values(&cookies, "s").count() > MOST_CREDENTIALS);
    }

    #[test]
    fn chunks_are_told_by_their_number() {
        for (cookie, is) in [
            ("sC1", true),
            ("sC12", true),
            ("sC", false),
            ("sCx", false),
            ("s1", false),
            ("tC1", false),
            ("sC1234", false),
            ("Sc1", true),
            ("sC01", false),
        ] {
            assert_eq!(is_chunk(cookie, "s"), is, "{cookie}");
        }
    }
}

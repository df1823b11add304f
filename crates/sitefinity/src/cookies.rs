//! Cookies whose value is too long for one: the site's sign-in middleware spreads it over several.
//!
//! Observed in source that Microsoft published of such middleware: `name` then says `chunks:2` (or
//! `chunks-2`), and the value stands in `nameC1` and `nameC2`. What `name` says is the same for
//! everybody then, so it is no credential.

use std::borrow::Cow;
use std::collections::HashMap;

use logout_core::sign_out::MOST_CREDENTIALS;

/// In how many ways a value may be spread at once: two cookies of one name can come from two paths.
const MOST_SPREADS: usize = 2;

/// Cookies that one value may be put together from, looked through once.
struct Parts<'a> {
    wholes: Vec<&'a str>,
    /// The different values of each part, by its number; one more than the flow takes at most.
    chunks: HashMap<u16, Vec<&'a str>>,
}

impl<'a> Parts<'a> {
    fn of(cookies: &[(&'a str, &'a str)], name: &str) -> Self {
        let mut parts = Self {
            wholes: Vec::new(),
            chunks: HashMap::new(),
        };
        for (known, value) in cookies {
            if known.eq_ignore_ascii_case(name) {
                parts.wholes.push(*value);
            } else if let Some(number) = chunk_number(known, name) {
                let different: &mut Vec<&str> = parts.chunks.entry(number).or_default();
                if different.len() <= MOST_CREDENTIALS && !different.contains(value) {
                    different.push(*value);
                }
            }
        }
        parts
    }

    /// Every value that `count` parts can make: one where each part has one value, none where a
    /// part is missing. An error where there are more than the flow takes.
    fn together(&self, count: u16) -> Result<Vec<String>, TooManyReadings> {
        let Some(parts) = (1..=count)
            .map(|number| self.chunks.get(&number))
            .collect::<Option<Vec<_>>>()
        else {
            return Ok(Vec::new());
        };
        let times = |readings: usize, part: &&Vec<&str>| {
            Some(readings * part.len()).filter(|readings| *readings <= MOST_CREDENTIALS)
        };
        let readings = parts.iter().try_fold(1, times).ok_or(TooManyReadings)?;
        let reading = |mut choice: usize| {
            let mut value = String::new();
            for part in &parts {
                value.push_str(part[choice % part.len()]);
                choice /= part.len();
            }
            value
        };
        Ok((0..readings).map(reading).collect())
    }
}

struct TooManyReadings;

/// The values of the cookies called `name`, put together where they are spread; a value whose parts
/// are not all there is none. Names have no case: ASP.NET's own collection of cookies compares them
/// so (docs/vendors/sitefinity.md).
///
/// Servers disagree on which of two parts of one number counts, so the value is put together in
/// every way.
///
/// The cookies are looked through once. Where they say that the value is spread in more than
/// [`MOST_SPREADS`] ways, or can be put together in more ways than the flow takes credentials, more
/// values come out than the flow takes, so that it refuses: to put together some of them would be a
/// partial reading.
pub(crate) fn values<'a>(
    cookies: &[(&'a str, &'a str)],
    name: &str,
) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
    let parts = Parts::of(cookies, name);
    let mut counts: Vec<u16> = Vec::new();
    for count in parts
        .wholes
        .iter()
        .filter_map(|value| number_of_chunks(value))
    {
        if counts.len() <= MOST_SPREADS && !counts.contains(&count) {
            counts.push(count);
        }
    }
    let spread = match counts.len() {
        0..=MOST_SPREADS => counts
            .iter()
            .map(|count| parts.together(*count))
            .collect::<Result<Vec<_>, _>>(),
        _ => Err(TooManyReadings),
    };
    let values: Vec<Cow<'a, str>> = match spread {
        Ok(spread) => {
            let wholes = parts
                .wholes
                .into_iter()
                .filter(|value| number_of_chunks(value).is_none());
            wholes
                .map(Cow::Borrowed)
                .chain(spread.into_iter().flatten().map(Cow::Owned))
                .collect()
        }
        Err(TooManyReadings) => (0..=MOST_CREDENTIALS)
            .map(|number| Cow::Owned(format!("chunks:{number}")))
            .collect(),
    };
    values.into_iter().filter(|value| !value.is_empty())
}

/// Whether two parts of one number have different values, so that nothing says which value was
/// meant.
pub(crate) fn is_ambiguous(cookies: &[(&str, &str)], name: &str) -> bool {
    Parts::of(cookies, name)
        .chunks
        .values()
        .any(|different| different.len() > 1)
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
    let number = number
        .strip_prefix(['C', 'c'])
        .filter(|_| whole.eq_ignore_ascii_case(name))?;
    let is_plain = (1..=3).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !number.starts_with('0');
    number.parse().ok().filter(|_| is_plain)
}

fn number_of_chunks(value: &str) -> Option<u16> {
    value
        .strip_prefix("chunks:")
        .or_else(|| value.strip_prefix("chunks-"))?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_value_is_put_together_and_an_incomplete_one_is_none() {
        for (cookies, expected) in [
            (vec![("s", "a"), ("t", "x"), ("s", "b")], vec!["a", "b"]),
            (
                vec![("s", "chunks:2"), ("sC2", "two"), ("sC1", "one")],
                vec!["onetwo"],
            ),
            (vec![("s", "chunks-1"), ("sC1", "one")], vec!["one"]),
            (vec![("s", "chunks:2"), ("sC1", "one")], vec![]),
            (vec![("s", "chunks:0")], vec![]),
            (vec![("s", "chunks:60000")], vec![]),
            (vec![("s", "chunks:x")], vec!["chunks:x"]),
            (vec![("s", ""), ("S", "a"), ("sC1", "one")], vec!["a"]),
            (
                vec![
                    ("s", "chunks:2"),
                    ("s", "chunks:1"),
                    ("sC1", "a"),
                    ("sC2", "b"),
                ],
                vec!["ab", "a"],
            ),
            (
                vec![
                    ("S", "chunks:2"),
                    ("Sc2", "two"),
                    ("sC1", "one"),
                    ("s", "chunks:2"),
                ],
                vec!["onetwo"],
            ),
        ] {
            assert_eq!(
                values(&cookies, "s").collect::<Vec<_>>(),
                expected,
                "{cookies:?}"
            );
        }
    }

    #[test]
    fn two_parts_of_one_number_are_read_in_every_way() {
        for (cookies, expected) in [
            (
                vec![("s", "chunks:1"), ("sc1", "a"), ("sC1", "b")],
                vec!["a", "b"],
            ),
            (
                vec![("s", "chunks:1"), ("sC1", "a"), ("sC1", "b")],
                vec!["a", "b"],
            ),
            (
                vec![("s", "chunks:1"), ("sC1", "a"), ("SC1", "a")],
                vec!["a"],
            ),
            (
                vec![
                    ("s", "chunks:2"),
                    ("sC1", "a"),
                    ("sc1", "b"),
                    ("sc2", "c"),
                    ("sC2", "d"),
                ],
                vec!["ac", "bc", "ad", "bd"],
            ),
            (
                vec![("s", "chunks:2"), ("sC1", "a"), ("sC2", "c"), ("sc2", "d")],
                vec!["ac", "ad"],
            ),
        ] {
            assert_eq!(
                values(&cookies, "s").collect::<Vec<_>>(),
                expected,
                "{cookies:?}"
            );
            assert_eq!(
                is_ambiguous(&cookies, "s"),
                expected.len() > 1,
                "{cookies:?}"
            );
        }
    }

    #[test]
    fn a_value_that_can_be_put_together_in_too_many_ways_is_more_than_the_flow_takes() {
        let names: Vec<[String; 2]> = (1..=100)
            .map(|number| [format!("sC{number}"), format!("sc{number}")])
            .collect();
        for (parts, refused) in [(4, false), (5, true), (100, true)] {
            let whole = format!("chunks:{parts}");
            let both = names[..parts]
                .iter()
                .flat_map(|[one, other]| [(one.as_str(), "x"), (other.as_str(), "y")]);
            let cookies: Vec<_> = std::iter::once(("s", whole.as_str())).chain(both).collect();
            assert_eq!(
                values(&cookies, "s").count() > MOST_CREDENTIALS,
                refused,
                "{parts}"
            );
        }
        let many: Vec<String> = (0..200).map(|number| number.to_string()).collect();
        let cookies: Vec<_> = std::iter::once(("s", "chunks:1"))
            .chain(many.iter().map(|value| ("sC1", value.as_str())))
            .collect();
        assert!(values(&cookies, "s").count() > MOST_CREDENTIALS);
    }

    #[test]
    fn a_value_that_is_spread_in_many_ways_is_more_than_the_flow_takes() {
        let cookies = [
            ("s", "chunks:1"),
            ("s", "chunks:2"),
            ("s", "chunks:3"),
            ("sC1", "a"),
            ("sC2", "b"),
            ("sC3", "c"),
        ];
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

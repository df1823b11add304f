//! Parameters of a query string or a form.

use std::borrow::Cow;

/// Decoded parameters in the order they were sent. `+` and `%20` are spaces; nothing is decoded
/// twice.
#[derive(Clone, Debug, Default)]
pub struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    /// Reads a query string or a urlencoded form.
    pub fn read(bytes: &'a [u8]) -> Self {
        if bytes.is_empty() {
            Self::default()
        } else {
            Self(form_urlencoded::parse(bytes).collect())
        }
    }

    /// The parameters in this order.
    pub fn from_pairs(pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>) -> Self {
        Self(pairs)
    }

    /// The first value of `name`.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of `name`.
    pub fn all<'b, 'n>(&'b self, name: &'n str) -> impl Iterator<Item = &'b str> + use<'a, 'b, 'n> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_ref())
    }

    /// The first value of `name`, whose case does not matter.
    pub fn first_ignoring_case(&self, name: &str) -> Option<&str> {
        self.all_ignoring_case(name).next()
    }

    /// All values of `name`, whose case does not matter.
    pub fn all_ignoring_case<'b, 'n>(
        &'b self,
        name: &'n str,
    ) -> impl Iterator<Item = &'b str> + use<'a, 'b, 'n> {
        self.0
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_is_a_space_and_nothing_is_decoded_twice() {
        let parameters = Parameters::read(b"a=x+y%2520z&a=2&B=3");
        assert_eq!(parameters.first("a"), Some("x y%20z"));
        assert_eq!(parameters.all("a").count(), 2);
        assert_eq!(
            (parameters.first("b"), parameters.first_ignoring_case("b")),
            (None, Some("3"))
        );
    }
}

//! The value of a header of an answer.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// The value of a header of an answer. What an adapter says in many answers is prepared once
/// ([`HeaderValue::prepared`]): it is cheap to clone, and servers keep their own form of it.
#[derive(Clone)]
pub struct HeaderValue(Repr);

#[derive(Clone)]
enum Repr {
    Owned(String),
    Prepared(Arc<Prepared>),
    Static(&'static str),
}

struct Prepared {
    text: String,
    is_sendable: bool,
    /// The form that the server sends; its type is the server's.
    sent: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl HeaderValue {
    /// A value that is used again and again.
    pub fn prepared(text: impl Into<String>) -> Self {
        let text = text.into();
        Self(Repr::Prepared(Arc::new(Prepared {
            is_sendable: is_sendable(&text),
            text,
            sent: OnceLock::new(),
        })))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Owned(text) => text,
            Repr::Prepared(prepared) => &prepared.text,
            Repr::Static(text) => text,
        }
    }

    /// The form in which a server sends it, as `make` makes it of the text; of a prepared value
    /// once, at the first call.
    pub fn into_sent<T: Clone + Send + Sync + 'static>(
        self,
        make: impl Fn(Cow<'static, str>) -> T,
    ) -> T {
        match self.0 {
            Repr::Owned(text) => make(Cow::Owned(text)),
            Repr::Static(text) => make(Cow::Borrowed(text)),
            Repr::Prepared(prepared) => {
                let text = || Cow::Owned(prepared.text.clone());
                let sent = prepared.sent.get_or_init(|| Box::new(make(text())));
                // Another server in the same process may have been first.
                sent.downcast_ref::<T>()
                    .cloned()
                    .unwrap_or_else(|| make(text()))
            }
        }
    }

    /// Whether it holds no control characters.
    pub(super) fn is_sendable(&self) -> bool {
        match &self.0 {
            Repr::Owned(text) => is_sendable(text),
            Repr::Prepared(prepared) => prepared.is_sendable,
            Repr::Static(text) => is_sendable(text),
        }
    }
}

fn is_sendable(text: &str) -> bool {
    !text.bytes().any(|byte| byte.is_ascii_control())
}

impl Deref for HeaderValue {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Eq for HeaderValue {}

impl PartialEq for HeaderValue {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl PartialEq<str> for HeaderValue {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for HeaderValue {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl From<String> for HeaderValue {
    fn from(text: String) -> Self {
        Self(Repr::Owned(text))
    }
}

impl From<&'static str> for HeaderValue {
    fn from(text: &'static str) -> Self {
        Self(Repr::Static(text))
    }
}

impl From<HeaderValue> for String {
    fn from(value: HeaderValue) -> Self {
        match value.0 {
            Repr::Owned(text) => text,
            Repr::Prepared(prepared) => prepared.text.clone(),
            Repr::Static(text) => text.to_owned(),
        }
    }
}

impl fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_prepared_value_is_made_for_the_server_once_and_for_another_server_too() {
        let made = Cell::new(0);
        let make = |text: Cow<'static, str>| {
            made.set(made.get() + 1);
            text.into_owned()
        };
        let value = HeaderValue::prepared("a");
        assert_eq!(value.clone().into_sent(make), "a");
        assert_eq!(value.clone().into_sent(make), "a");
        assert_eq!(made.get(), 1);
        assert_eq!(value.into_sent(|text| text.len()), 1);
        assert_eq!(HeaderValue::from("b".to_owned()).into_sent(make), "b");
        assert_eq!(HeaderValue::from("c").into_sent(make), "c");
        assert_eq!(made.get(), 3);
    }

    #[test]
    fn control_characters_are_not_sent_however_a_value_is_made() {
        for text in ["a\r\nb", "\0", "a\u{7f}"] {
            for value in [
                HeaderValue::from(text),
                HeaderValue::from(text.to_owned()),
                HeaderValue::prepared(text),
            ] {
                assert!(!value.is_sendable(), "{text:?}");
            }
        }
        assert!(HeaderValue::prepared("a; b=c").is_sendable());
    }
}

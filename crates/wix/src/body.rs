//! Fields out of a body, JSON or form, in the order they were sent and with their duplicates. Pure.

use logout_core::Request;
use logout_core::json::Members;
use logout_core::sign_out::Refusal;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// What a field holds.
#[derive(Deserialize, PartialEq)]
#[serde(untagged)]
pub(crate) enum Json {
    Null,
    Text(String),
    Object(Fields),
    Other(IgnoredAny),
}

/// Fields in the order they were sent. It has no `Debug`: passwords are among them.
#[derive(Default, Deserialize, PartialEq)]
pub(crate) struct Fields(Members<Json>);

impl Fields {
    /// The fields of a body: a JSON object, also where the type of the body is not given, or a
    /// form. An empty body has none, and neither has one of another type (our choice:
    /// `navigator.sendBeacon` sends plain text along).
    ///
    /// # Errors
    /// The body claims to be JSON and is no JSON object.
    pub(crate) fn read(request: &Request<'_>) -> Result<Self, Refusal> {
        let media_type = request.media_type().to_ascii_lowercase();
        let is_json = media_type.is_empty()
            || media_type == "application/json"
            || media_type.ends_with("+json");
        if !is_json {
            let form = if media_type == "application/x-www-form-urlencoded" {
                request.body()
            } else {
                &[]
            };
            let pairs = form_urlencoded::parse(form)
                .map(|(name, value)| (name.into_owned(), Json::Text(value.into_owned())));
            return Ok(Self(Members(pairs.collect())));
        }
        if request.body().iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        match serde_json::from_slice(request.body()) {
            Ok(Json::Object(fields)) => Ok(fields),
            _ => Err(Refusal::Malformed {
                field: "body",
                rule: "INVALID_JSON",
            }),
        }
    }

    /// The first value of `name`; `None` when it is missing, null or empty.
    ///
    /// # Errors
    /// It is something else than text.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<&str>, Refusal> {
        match self.first(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(Refusal::Malformed {
                field: name,
                rule: "INVALID_TYPE",
            }),
        }
    }

    /// The first value under one of two spellings.
    ///
    /// # Errors
    /// As [`Fields::text`].
    pub(crate) fn either(
        &self,
        name: &'static str,
        other: &'static str,
    ) -> Result<Option<&str>, Refusal> {
        Ok(self.text(name)?.or(self.text(other)?))
    }

    /// Every value of `name` that is not null.
    ///
    /// # Errors
    /// One of them is something else than text.
    pub(crate) fn texts(&self, name: &'static str) -> Result<Vec<&str>, Refusal> {
        let values = self
            .0
            .0
            .iter()
            .filter(|(key, value)| key == name && *value != Json::Null);
        values
            .map(|(_, value)| match value {
                Json::Text(text) => Ok(text.as_str()),
                _ => Err(Refusal::Malformed {
                    field: name,
                    rule: "INVALID_TYPE",
                }),
            })
            .collect()
    }

    /// The object called `name`.
    ///
    /// # Errors
    /// It is something else than an object.
    pub(crate) fn object(&self, name: &'static str) -> Result<Option<&Self>, Refusal> {
        match self.first(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Object(fields)) => Ok(Some(fields)),
            Some(_) => Err(Refusal::Malformed {
                field: name,
                rule: "INVALID_TYPE",
            }),
        }
    }

    fn first(&self, name: &str) -> Option<&Json> {
        self.0
            .0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use logout_core::Method;

    use super::*;

    fn fields(media_type: &str, body: &str) -> Result<Fields, Refusal> {
        let request = Request::new(Method::Post, "/").with_body(body);
        Fields::read(&if media_type.is_empty() {
            request
        } else {
            request.with_header("content-type", media_type)
        })
    }

    #[test]
    fn json_and_form_are_read_and_other_types_are_not() {
        for (media_type, body, a) in [
            ("application/json", r#"{"a":"x","b":{"c":1}}"#, Some("x")),
            (
                "Application/JSON; charset=utf-8",
                r#" {"a":"x"} "#,
                Some("x"),
            ),
            ("application/vnd.api+json", r#"{"a":"x"}"#, Some("x")),
            ("", r#"{"a":"x"}"#, Some("x")),
            ("application/json", r#"{"a":"x","a":"y"}"#, Some("x")),
            ("application/json", r#"{"a":""}"#, None),
            ("application/json", r#"{"a":null}"#, None),
            ("application/json", "{}", None),
            ("application/json", "", None),
            ("application/json", " \r\n", None),
            ("application/x-www-form-urlencoded", "a=x&b=y", Some("x")),
            ("application/x-www-form-urlencoded", "a=", None),
            ("text/plain", r#"{"a":"x"}"#, None),
        ] {
            let read = fields(media_type, body).unwrap_or_default();
            assert_eq!(read.text("a").ok(), Some(a), "{media_type} {body}");
        }
    }

    #[test]
    fn what_is_no_json_object_is_refused_and_never_panics() {
        let deep = "[".repeat(100_000);
        for body in [
            "{",
            "[]",
            "1",
            "null",
            "\"a\"",
            "{\"a\":}",
            "a=b",
            "{\"a\":\"\\ud800\"}",
            deep.as_str(),
        ] {
            assert!(
                fields("application/json", body).err()
                    == Some(Refusal::Malformed {
                        field: "body",
                        rule: "INVALID_JSON"
                    })
            );
        }
    }

    #[test]
    fn a_field_of_another_type_is_refused_by_name() {
        let read = fields(
            "",
            r#"{"a":1,"b":["x"],"c":{"d":"e"},"f":true,"g":1.5,"h":-1,"i":"x","i":null,"i":"y"}"#,
        )
        .unwrap_or_default();
        for name in ["a", "b", "c", "f", "g", "h"] {
            assert_eq!(
                read.text(name),
                Err(Refusal::Malformed {
                    field: name,
                    rule: "INVALID_TYPE"
                })
            );
        }
        assert_eq!(read.texts("i"), Ok(vec!["x", "y"]));
        assert!(read.object("a").is_err() && read.object("z").is_ok_and(|none| none.is_none()));
        assert!(
            read.object("c")
                .is_ok_and(|inner| inner.is_some_and(|inner| inner.text("d") == Ok(Some("e"))))
        );
    }
}

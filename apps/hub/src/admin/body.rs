//! Bodies: one JSON object, read member by member, so that what is wrong can be named.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use logout_actix::{BodyError, read_body};
use logout_core::idp::IdpLogin;
use logout_core::json::unique_object;
use serde_json::{Map, Value};

use super::problem::Problem;

/// The largest body that is read.
const LARGEST: usize = 64 * 1024;
/// How long it may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest name of a person, subject, realm, client or cookie, in bytes.
pub(super) const NAME: usize = logout_core::session::LONGEST_NAME;

/// The members of a JSON object that are still to be read. Members that nobody reads are refused by
/// [`Fields::finish`].
#[derive(Debug)]
pub(super) struct Fields {
    path: &'static str,
    members: Map<String, Value>,
}

impl Fields {
    fn name(&self, field: &str) -> String {
        format!("{}{field}", self.path)
    }

    /// That `field` breaks this rule.
    pub(super) fn wrong(&self, field: &str, rule: &'static str) -> Problem {
        Problem::field(self.name(field), rule)
    }

    /// The value of `field`; `null` is as good as nothing.
    pub(super) fn take(&mut self, field: &str) -> Option<Value> {
        self.members.remove(field).filter(|value| !value.is_null())
    }

    /// Whether `field` is given.
    pub(super) fn has(&self, field: &str) -> bool {
        self.members
            .get(field)
            .is_some_and(|value| !value.is_null())
    }

    /// A text of at least one byte and at most `longest`, without control characters.
    pub(super) fn text(
        &mut self,
        field: &'static str,
        longest: usize,
    ) -> Result<Option<String>, Problem> {
        let Some(value) = self.take(field) else {
            return Ok(None);
        };
        checked(value, longest)
            .map(Some)
            .map_err(|rule| self.wrong(field, rule))
    }

    /// The same, where it has to be given.
    pub(super) fn required(
        &mut self,
        field: &'static str,
        longest: usize,
    ) -> Result<String, Problem> {
        self.text(field, longest)?
            .ok_or_else(|| self.wrong(field, "must be given"))
    }

    /// A name, or an object that has its realm besides: `"alice"`, `{"realm": "Default", "name":
    /// "alice"}`. First the realm.
    pub(super) fn subject(
        &mut self,
        field: &'static str,
        path: &'static str,
    ) -> Result<Option<(Option<String>, String)>, Problem> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::Object(members)) => {
                let mut fields = Self { path, members };
                let subject = (fields.text("realm", NAME)?, fields.required("name", NAME)?);
                fields.finish()?;
                Ok(Some(subject))
            }
            Some(value) => checked(value, NAME)
                .map(|name| Some((None, name)))
                .map_err(|rule| self.wrong(field, rule)),
        }
    }

    /// A login at an identity provider: `{"iss": …, "sub": …, "sid": …}`, the issuer and one of the
    /// others at least.
    pub(super) fn login(
        &mut self,
        field: &'static str,
        path: &'static str,
    ) -> Result<Option<IdpLogin>, Problem> {
        let members = match self.take(field) {
            None => return Ok(None),
            Some(Value::Object(members)) => members,
            Some(_) => return Err(self.wrong(field, "must be an object")),
        };
        let mut fields = Self { path, members };
        let issuer = fields.required("iss", NAME)?;
        let (subject, session) = (fields.text("sub", NAME)?, fields.text("sid", NAME)?);
        fields.finish()?;
        IdpLogin::new(&issuer, subject.as_deref(), session.as_deref())
            .map(Some)
            .ok_or_else(|| self.wrong(field, "must have `sub` or `sid` beside `iss`"))
    }

    /// Refuses what nobody has read.
    pub(super) fn finish(&self) -> Result<(), Problem> {
        match self.members.keys().next() {
            Some(field) => Err(self.wrong(field, "there is no such member")),
            None => Ok(()),
        }
    }
}

/// A text within bounds; else the rule that it breaks.
pub(super) fn checked(value: Value, longest: usize) -> Result<String, &'static str> {
    let Value::String(text) = value else {
        return Err("must be a text");
    };
    if text.trim().is_empty() {
        Err("must not be empty")
    } else if text.len() > longest {
        Err("is too long")
    } else if text.chars().any(char::is_control) {
        Err("must not contain control characters")
    } else {
        Ok(text)
    }
}

impl FromRequest for Fields {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let media_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let is_json = media_type
            .split(';')
            .next()
            .is_some_and(|own| own.trim().eq_ignore_ascii_case("application/json"));
        let payload = payload.take();
        Box::pin(async move {
            if !is_json {
                return Err(Problem::NOT_JSON);
            }
            let body =
                read_body(payload, LARGEST, PATIENCE)
                    .await
                    .map_err(|fault| match fault {
                        BodyError::TooLarge => Problem::BODY_TOO_LARGE,
                        BodyError::TooSlow => Problem::BODY_TOO_SLOW,
                        _ => Problem::BODY_BROKEN,
                    })?;
            let members = unique_object(&body).ok_or(Problem::BODY_BROKEN)?;
            Ok(Self { path: "", members })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields {
            path: "",
            members: unique_object(text.as_bytes()).unwrap(),
        }
    }

    #[test]
    fn texts_have_bounds_and_no_control_characters() {
        let longest = "é".repeat(128);
        assert_eq!(
            fields(&format!(r#"{{"a":"{longest}"}}"#))
                .text("a", NAME)
                .unwrap()
                .as_deref(),
            Some(longest.as_str())
        );
        for text in [
            format!(r#"{{"a":"{longest}x"}}"#),
            r#"{"a":""}"#.into(),
            r#"{"a":" "}"#.into(),
            r#"{"a":"x\n"}"#.into(),
            r#"{"a":1}"#.into(),
        ] {
            assert!(fields(&text).text("a", NAME).is_err(), "{text}");
        }
        assert_eq!(fields(r#"{"a":null}"#).text("a", NAME).unwrap(), None);
    }
}

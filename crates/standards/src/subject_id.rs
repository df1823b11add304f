//! Whom a message is about: subject identifiers (RFC 9493).

use std::sync::Arc;

use logout_core::session::bounded_name;
use serde_json::{Map, Value, json};

/// Why an object names no subject that is understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectIdError {
    /// No object, or without a text for `format`.
    #[error("the subject identifier is not an object with a format")]
    Malformed,
    /// A member of its format is missing, empty, no text, or one too many.
    #[error("the subject identifier does not have exactly the members of its format")]
    Members,
    /// Another format.
    #[error("the format of the subject identifier is not one of email, iss_sub and opaque")]
    Format,
}

/// A subject identifier of a format that is understood (section 3.2). Names are bounded as by
/// [`bounded_name`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SubjectId {
    /// An e-mail address (section 3.2.2).
    Email(Arc<str>),
    /// The subject of an issuer (section 3.2.3).
    IssSub {
        /// `iss`, as it is.
        issuer: String,
        /// `sub`.
        subject: Arc<str>,
    },
    /// A name that its sender and the receiver know (section 3.2.4).
    Opaque(Arc<str>),
}

impl SubjectId {
    /// Reads an identifier.
    ///
    /// # Errors
    /// It is none, or of a format that is not understood. A member too many is refused: who it
    /// narrows down is not known here.
    pub fn read(value: &Value) -> Result<Self, SubjectIdError> {
        let members = value.as_object().ok_or(SubjectIdError::Malformed)?;
        let format = members.get("format").and_then(Value::as_str);
        match format.ok_or(SubjectIdError::Malformed)? {
            "email" => texts(members, ["email"]).map(|[email]| Self::Email(bounded_name(email))),
            "iss_sub" => texts(members, ["iss", "sub"]).map(|[issuer, subject]| Self::IssSub {
                issuer: issuer.to_owned(),
                subject: bounded_name(subject),
            }),
            "opaque" => texts(members, ["id"]).map(|[id]| Self::Opaque(bounded_name(id))),
            _ => Err(SubjectIdError::Format),
        }
    }
}

/// The format in which the hub names a person.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SubjectFormat {
    /// An e-mail address (section 3.2.2).
    Email,
    /// The subject of an issuer (section 3.2.3).
    IssSub,
    /// A name that both know (section 3.2.4).
    #[default]
    Opaque,
}

impl SubjectFormat {
    /// The identifier of `name`, which is a subject of `issuer`.
    pub(crate) fn identifier(self, issuer: &str, name: &str) -> Value {
        match self {
            Self::Email => json!({ "format": "email", "email": name }),
            Self::IssSub => json!({ "format": "iss_sub", "iss": issuer, "sub": name }),
            Self::Opaque => json!({ "format": "opaque", "id": name }),
        }
    }
}

/// The values of exactly these members, beside `format`.
fn texts<'m, const N: usize>(
    members: &'m Map<String, Value>,
    names: [&str; N],
) -> Result<[&'m str; N], SubjectIdError> {
    if members.len() != N + 1 {
        return Err(SubjectIdError::Members);
    }
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let values = names.map(|name| text(name).filter(|text| !text.is_empty()));
    if values.contains(&None) {
        return Err(SubjectIdError::Members);
    }
    Ok(values.map(Option::unwrap_or_default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_has_exactly_the_members_of_its_format() {
        for (value, expected) in [
            (
                json!({ "format": "email", "email": "a@b.example" }),
                Ok(SubjectId::Email("a@b.example".into())),
            ),
            (
                json!({ "format": "iss_sub", "iss": "https://a", "sub": "1" }),
                Ok(SubjectId::IssSub {
                    issuer: "https://a".to_owned(),
                    subject: "1".into(),
                }),
            ),
            (
                json!({ "format": "opaque", "id": "1" }),
                Ok(SubjectId::Opaque("1".into())),
            ),
            (json!({ "format": "opaque" }), Err(SubjectIdError::Members)),
            (
                json!({ "format": "opaque", "id": "" }),
                Err(SubjectIdError::Members),
            ),
            (
                json!({ "format": "opaque", "id": 1 }),
                Err(SubjectIdError::Members),
            ),
            (
                json!({ "format": "opaque", "id": "1", "iss": "a" }),
                Err(SubjectIdError::Members),
            ),
            (
                json!({ "format": "aliases", "identifiers": [] }),
                Err(SubjectIdError::Format),
            ),
            (json!({ "id": "1" }), Err(SubjectIdError::Malformed)),
            (json!({ "format": 1 }), Err(SubjectIdError::Malformed)),
            (json!("opaque"), Err(SubjectIdError::Malformed)),
        ] {
            assert_eq!(SubjectId::read(&value), expected, "{value}");
        }
    }
}

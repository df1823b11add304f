//! `person` of a platform with an upstream: which person is behind a subject.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::document::Document;

/// How the subjects of an upstream are linked to persons.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PersonConfig {
    /// Where the person's name comes from: `subject` or `claim`. Must be given.
    pub from: PersonSource,
    /// Whether the name is lower-cased. Default: false.
    #[serde(default)]
    pub lowercase: bool,
    /// Of `subject`: what stands behind an `@` after every name that has none. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Of `claim`: the claim of the session's token that names the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// Of `claim`: the only algorithm that is accepted, such as `RS256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// Of `claim`: the file with the key that tokens are signed with: a public key as PEM, or the
    /// secret of `HS256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Of `claim`: the cookie that holds the token. Default: the bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
    /// Of `claim`: the issuer that the token must name. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Of `claim`: the audience that the token must name. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Of `claim`: the type (`typ`) that the token must name. Default: none, `JWT` or `at+jwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typ: Option<String>,
}

/// Where a person's name comes from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PersonSource {
    /// A claim of the session's token, which is verified.
    Claim,
    /// The subject's name.
    Subject,
}

impl PersonConfig {
    /// Makes paths absolute and looks whether the keys fit together.
    pub(super) fn checked(mut self, document: &Document) -> Result<Self, &'static str> {
        self.key_file = self.key_file.map(|path| document.resolve(&path));
        let of_claim = [
            self.claim.is_some(),
            self.algorithm.is_some(),
            self.key_file.is_some(),
        ];
        let beside = [
            self.cookie.is_some(),
            self.issuer.is_some(),
            self.audience.is_some(),
            self.typ.is_some(),
        ];
        match self.from {
            PersonSource::Claim if of_claim.contains(&false) => {
                Err("`claim`, `algorithm` and `key_file` must be given with from = \"claim\"")
            }
            PersonSource::Claim if self.domain.is_some() => {
                Err("`domain` goes with from = \"subject\"")
            }
            PersonSource::Subject if of_claim.iter().chain(&beside).any(|given| *given) => Err(
                "`claim`, `algorithm`, `key_file`, `cookie`, `issuer`, `audience` and `typ` go with from = \"claim\"",
            ),
            _ => Ok(self),
        }
    }
}

//! Signed tokens in compact form.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use logout_core::json::unique_object;
use serde_json::{Map, Value};

use crate::algorithm::SignatureAlgorithm;
use crate::public_key::PublicKey;

/// Why a text is no signed token.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// Five parts: a JWE (RFC 7516, section 7.1).
    #[error("the token is encrypted")]
    Encrypted,
    /// The header is no JSON object, names a member twice, or a member has the wrong type.
    #[error("the header of the token is malformed")]
    Header,
    /// Neither three parts nor five.
    #[error("the token is not a JWS in compact form")]
    Malformed,
}

/// The members of a JOSE header that count here (RFC 7515, section 4.1). `jku`, `jwk`, `x5u` and
/// `x5c` are not among them: a token cannot bring its own key.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct JwsHeader {
    /// The algorithm, as the token says it.
    pub alg: String,
    /// The type of the whole token.
    pub typ: Option<String>,
    /// The id of the key.
    pub kid: Option<String>,
    /// Whether there is a `crit`, whatever it says.
    pub is_critical: bool,
}

/// A JWS in compact form (RFC 7515, section 7.1), taken apart. Nothing of it is verified yet.
#[derive(Clone, Debug)]
pub struct CompactJws<'a> {
    header: JwsHeader,
    /// Header and payload, as they are signed.
    message: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> CompactJws<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// It is none, or an encrypted one.
    pub fn parse(token: &'a str) -> Result<Self, JwsError> {
        match token.split('.').count() {
            3 => {}
            5 => return Err(JwsError::Encrypted),
            _ => return Err(JwsError::Malformed),
        }
        let (message, signature) = token.rsplit_once('.').ok_or(JwsError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(JwsError::Malformed)?;
        let header = decode(header).ok_or(JwsError::Header)?;
        Ok(Self {
            header: JwsHeader::of(&header).ok_or(JwsError::Header)?,
            message,
            payload,
            signature,
        })
    }

    /// Its header. The sender wrote it, so it can only make the token refused.
    pub fn header(&self) -> &JwsHeader {
        &self.header
    }

    /// Header and payload, as they are signed.
    pub fn message(&self) -> &'a str {
        self.message
    }

    /// Its payload in base64url.
    pub fn payload(&self) -> &'a str {
        self.payload
    }

    /// Its signature in base64url.
    pub fn signature(&self) -> &'a str {
        self.signature
    }

    /// Whether `key` has signed it by `algorithm`. The header is not asked.
    pub fn is_signed(&self, key: &PublicKey, algorithm: SignatureAlgorithm) -> bool {
        key.verifies(algorithm, self.message, self.signature)
    }

    /// The claims; `None` when they are no JSON object or an object names a member twice.
    pub fn claims(&self) -> Option<Map<String, Value>> {
        decode(self.payload)
    }
}

impl JwsHeader {
    fn of(members: &Map<String, Value>) -> Option<Self> {
        let text = |name| match members.get(name) {
            None => Some(None),
            Some(Value::String(text)) => Some(Some(text.clone())),
            Some(_) => None,
        };
        Some(Self {
            alg: text("alg")??,
            typ: text("typ")?,
            kid: text("kid")?,
            is_critical: members.contains_key("crit"),
        })
    }
}

fn decode(part: &str) -> Option<Map<String, Value>> {
    unique_object(&URL_SAFE_NO_PAD.decode(part).ok()?)
}

/// Whether a `typ` is this media type: its case does not count, and it may leave out
/// `application/` (RFC 7515, section 4.1.9).
pub fn is_same_type(typ: &str, known: &str) -> bool {
    let bare = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.strip_prefix("application/")
            .map(str::to_owned)
            .unwrap_or(text)
    };
    bare(typ) == bare(known)
}

/// Whether `aud`, which is one text or several, names this audience (RFC 7519, section 4.1.3).
pub fn is_audience(aud: &Value, audience: &str) -> bool {
    match aud {
        Value::Array(several) => several.iter().any(|one| one.as_str() == Some(audience)),
        one => one.as_str() == Some(audience),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn the_parts_are_counted() {
        for (text, error) in [
            ("", JwsError::Malformed),
            ("a", JwsError::Malformed),
            ("a.b", JwsError::Malformed),
            ("a.b.c.d", JwsError::Malformed),
            ("a.b.c.d.e", JwsError::Encrypted),
            ("a.b.c.d.e.f", JwsError::Malformed),
            ("..", JwsError::Header),
            ("e30=.e30.", JwsError::Header),
            ("\u{e9}.e30.", JwsError::Header),
        ] {
            assert_eq!(CompactJws::parse(text).err(), Some(error), "{text}");
        }
    }

    #[test]
    fn a_header_is_read_strictly() {
        let text = token(r#"{"alg":"RS256","typ":"JWT","kid":"1","x":{"y":1}}"#);
        let jws = CompactJws::parse(&text).unwrap();
        let header = jws.header();
        assert_eq!((&*header.alg, header.is_critical), ("RS256", false));
        assert_eq!(
            (header.typ.as_deref(), header.kid.as_deref()),
            (Some("JWT"), Some("1"))
        );
        assert_eq!(jws.claims(), Some(Map::new()));
        for header in [
            "{}",
            "[]",
            r#"{"alg":7}"#,
            r#"{"alg":"RS256","alg":"none"}"#,
            r#"{"alg":"RS256","x":1,"x":1}"#,
            r#"{"alg":"RS256","kid":1}"#,
            r#"{"alg":"RS256","kid":null}"#,
            r#"{"alg":"RS256","typ":["JWT"]}"#,
        ] {
            assert_eq!(
                CompactJws::parse(&token(header)).err(),
                Some(JwsError::Header),
                "{header}"
            );
        }
        for crit in ["null", "[]", r#"["b64"]"#] {
            let text = token(&format!(r#"{{"alg":"RS256","crit":{crit}}}"#));
            assert!(CompactJws::parse(&text).unwrap().header().is_critical);
        }
    }

    #[test]
    fn types_are_compared_as_media_types() {
        for typ in ["logout+jwt", "LOGOUT+JWT", "application/logout+jwt"] {
            assert!(is_same_type(typ, "logout+jwt"), "{typ}");
        }
        for typ in ["", "jwt", "text/logout+jwt", "application/", "logout+jwt "] {
            assert!(!is_same_type(typ, "logout+jwt"), "{typ}");
        }
    }
}

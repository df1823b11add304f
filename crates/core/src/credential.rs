//! What a client presents to say who it is: secrets in, digests kept.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

use crate::canonical::CanonicalForm;
use crate::platform_name::PlatformName;
use crate::time::Timestamp;

/// A value whose bearer *is* the user. It never prints itself and is wiped when dropped.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret that somebody else made.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// A fresh 256-bit secret from the operating system, as 43 characters of unpadded base64url.
    ///
    /// # Panics
    /// When the operating system has no randomness to give; nothing safe can be done without it.
    pub fn random() -> Self {
        Self(URL_SAFE_NO_PAD.encode(random_bytes::<32>()))
    }

    /// The secret itself. Every call is a place where it may leak; keep them few.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Bytes from the operating system's random generator.
///
/// # Panics
/// When the operating system has none to give.
#[expect(
    clippy::expect_used,
    reason = "without randomness no session id is safe, so going on would be worse"
)]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has no randomness");
    bytes
}

/// SHA-256 of a secret. Its first characters may be logged (see `Debug`); where a secret is
/// checked, compare with [`SecretDigest::matches`].
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// The digest of a bare secret, such as a CSRF token.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Whether both are of the same secret, in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// Its 32 bytes, as a store keeps them.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest that has these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", URL_SAFE_NO_PAD.encode(&self.0[..6]))
    }
}

/// The name a store knows a credential by.
///
/// The digest covers the platform and the credential's purpose as well as its secret, so that a
/// token of one platform is unknown at another, and a refresh token cannot be presented as an
/// access token.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct CredentialDigest(SecretDigest);

impl CredentialDigest {
    /// The digest of a credential with this canonical form at `platform` for `purpose` (the
    /// adapter's own word, such as `"access"`).
    pub fn of(platform: &PlatformName, purpose: &str, form: &CanonicalForm) -> Self {
        let mut hash = Sha256::new();
        let (meaning, kind) = form.parts();
        for part in [
            Some(platform.as_str().as_bytes()),
            Some(purpose.as_bytes()),
            Some(meaning),
            kind,
        ]
        .into_iter()
        .flatten()
        {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(SecretDigest(hash.finalize().into()))
    }

    /// Its 32 bytes, as a store keeps them.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The digest that has these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(SecretDigest::from_bytes(bytes))
    }
}

/// One credential of a session.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Credential {
    /// What the store finds it by.
    pub digest: CredentialDigest,
    /// When it stops being valid by itself; its tombstone is kept until then.
    pub expires: Timestamp,
    /// Whether a sign-out with it must also prove that it was not forged by another site.
    pub csrf_due: bool,
}

/// What an upstream must be given back, encrypted. Opaque to stores: nothing can be read out of it
/// without the key.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Sealed {
    /// There was no key to encrypt with, so nothing is kept. The upstream can be told by the
    /// subject's name only.
    Nothing,
    /// What a [`crate::ports::Seal`] made; never empty.
    Bytes(Vec<u8>),
}

impl Sealed {
    /// Reads [`Sealed::as_bytes`].
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() {
            Self::Nothing
        } else {
            Self::Bytes(bytes)
        }
    }

    /// Its bytes, as a store keeps them; none for [`Sealed::Nothing`].
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Nothing => &[],
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_bytes().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(format!("{:?}", Secret::new("canary")), "Secret(redacted)");
    }

    #[test]
    fn a_digest_depends_on_platform_purpose_and_secret() {
        let (cms, dam) = (PlatformName::new("cms"), PlatformName::new("dam"));
        let of = |platform, purpose, text| {
            CredentialDigest::of(platform, purpose, &CanonicalForm::of_text(text))
        };
        let digest = of(&cms, "access", "x");
        assert_eq!(digest, of(&cms, "access", "x"));
        let bytes = CredentialDigest::of(&cms, "access", &CanonicalForm::of_bytes("x"));
        for other in [
            of(&dam, "access", "x"),
            of(&cms, "refresh", "x"),
            of(&cms, "access", "y"),
            of(&cms, "acces", "sx"),
            bytes,
        ] {
            assert_ne!(digest, other);
        }
    }

    #[test]
    fn random_secrets_differ_and_have_256_bits() {
        let (one, two) = (Secret::random(), Secret::random());
        assert_ne!(one.reveal(), two.reveal());
        assert_eq!(one.reveal().len(), 43);
    }
}

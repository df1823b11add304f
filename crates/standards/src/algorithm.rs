//! The algorithms that a signature with a public key may have.

use jsonwebtoken::Algorithm;

/// An algorithm of RFC 7518, section 3.1, or RFC 8037, section 3.1, that signs with a private key.
/// There is no variant for `none` and none for HMAC, so no configuration can ask for them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignatureAlgorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
}

/// Why a name is none of a [`SignatureAlgorithm`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AlgorithmError {
    /// HMAC: its verifier can also sign, and the client's secret lies in many places.
    #[error("HMAC is not accepted, because its key would be a secret that clients share")]
    Symmetric,
    /// Not known here, or in another spelling: names are case-sensitive.
    #[error("the algorithm is not one of {}", SignatureAlgorithm::NAMES)]
    Unknown,
    /// `none`, which needs no key.
    #[error("tokens without a signature are not accepted")]
    Unsigned,
}

impl SignatureAlgorithm {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::EdDsa,
        Self::Es256,
        Self::Es384,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
    ];

    /// The one that every OpenID provider must support (OpenID Connect Core 1.0, section 15.1).
    pub const DEFAULT: [Self; 1] = [Self::Rs256];

    const NAMES: &'static str = "EdDSA, ES256, ES384, PS256, PS384, PS512, RS256, RS384, RS512";

    /// Its name in a JOSE header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
        }
    }

    /// The algorithm of this name, in its one spelling.
    ///
    /// # Errors
    /// The name is `none`, one of HMAC, or not known.
    pub fn parse(name: &str) -> Result<Self, AlgorithmError> {
        let known = Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name);
        known.ok_or_else(|| {
            if name.eq_ignore_ascii_case("none") {
                AlgorithmError::Unsigned
            } else if ["HS256", "HS384", "HS512"].contains(&name) {
                AlgorithmError::Symmetric
            } else {
                AlgorithmError::Unknown
            }
        })
    }

    pub(crate) const fn of_jwt(self) -> Algorithm {
        match self {
            Self::EdDsa => Algorithm::EdDSA,
            Self::Es256 => Algorithm::ES256,
            Self::Es384 => Algorithm::ES384,
            Self::Ps256 => Algorithm::PS256,
            Self::Ps384 => Algorithm::PS384,
            Self::Ps512 => Algorithm::PS512,
            Self::Rs256 => Algorithm::RS256,
            Self::Rs384 => Algorithm::RS384,
            Self::Rs512 => Algorithm::RS512,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling_and_the_unsafe_ones_are_refused() {
        for algorithm in SignatureAlgorithm::ALL {
            let name = algorithm.as_str();
            assert_eq!(SignatureAlgorithm::parse(name), Ok(algorithm));
            assert_eq!(
                SignatureAlgorithm::parse(&name.to_lowercase()),
                Err(AlgorithmError::Unknown)
            );
        }
        for (name, error) in [
            ("none", AlgorithmError::Unsigned),
            ("None", AlgorithmError::Unsigned),
            ("HS256", AlgorithmError::Symmetric),
            ("HS384", AlgorithmError::Symmetric),
            ("HS512", AlgorithmError::Symmetric),
            ("ES256K", AlgorithmError::Unknown),
            ("", AlgorithmError::Unknown),
        ] {
            assert_eq!(SignatureAlgorithm::parse(name), Err(error), "{name}");
        }
    }

    #[test]
    fn the_error_lists_every_name() {
        let names = SignatureAlgorithm::ALL.map(SignatureAlgorithm::as_str);
        assert_eq!(SignatureAlgorithm::NAMES, names.join(", "));
    }
}

//! One password, one hash.

use argon2::password_hash::{self, PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use logout_core::credential::{Secret, random_bytes};

/// What OWASP recommends for argon2id (Password Storage Cheat Sheet): 19 MiB, two passes, one lane.
const RECOMMENDED: Params = Params::DEFAULT;

/// Why a text is not accepted as a password hash. None of them repeats the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// Another algorithm's hash.
    #[error("not an argon2 hash")]
    Algorithm,
    /// No PHC string (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`), or one with its salt or hash
    /// missing.
    #[error("not a complete PHC string")]
    Form,
    /// Cost parameters or a version that argon2 cannot have.
    #[error("parameters that argon2 cannot have")]
    Parameters,
}

/// The password could not be hashed: the operating system gave no randomness or no memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the password cannot be hashed")]
pub struct HashingFailed;

/// The argon2id hash of `password` under a fresh salt, with OWASP's recommended costs, as a PHC
/// string. Takes tens of milliseconds and 19 MiB.
///
/// # Errors
/// [`HashingFailed`], which a healthy machine never sees.
pub fn hash_password(password: &Secret) -> Result<String, HashingFailed> {
    hasher()
        .hash_password(password.reveal().as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|_| HashingFailed)
}

/// Reads a PHC string of argon2 that a password can be verified against.
///
/// # Errors
/// The fault, for a start-up error that names the account.
pub fn parse_hash(text: &str) -> Result<PasswordHash, HashError> {
    let hash = PasswordHash::new(text).map_err(|_| HashError::Form)?;
    Algorithm::try_from(hash.algorithm.as_str()).map_err(|_| HashError::Algorithm)?;
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(HashError::Form);
    }
    if let Some(version) = hash.version {
        Version::try_from(version).map_err(|_| HashError::Parameters)?;
    }
    Params::try_from(&hash).map_err(|_| HashError::Parameters)?;
    Ok(hash)
}

/// Whether `password` is the hashed one. `Err`: the work could not be done (no memory for it).
pub(crate) fn verify(password: &Secret, hash: &PasswordHash) -> Result<bool, HashingFailed> {
    match hasher().verify_password(password.reveal().as_bytes(), hash) {
        Ok(()) => Ok(true),
        Err(password_hash::Error::PasswordInvalid) => Ok(false),
        Err(_) => Err(HashingFailed),
    }
}

/// A hash that no password matches, and that costs as much to verify as the costliest of `hashes`.
/// It has a random salt, and its expected output is not the output of any known password.
pub(crate) fn decoy(hashes: &[&PasswordHash]) -> Result<PasswordHash, HashError> {
    let params = hashes
        .iter()
        .filter_map(|hash| Params::try_from(*hash).ok())
        .max_by_key(|params| u64::from(params.m_cost()) * u64::from(params.t_cost()))
        .unwrap_or(RECOMMENDED);
    // Written down instead of worked out: a random output is no known password's, and hashing would
    // hold up every start.
    let encoded = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes);
    let (salt, output) = (
        encoded(&random_bytes::<16>()),
        encoded(&random_bytes::<32>()),
    );
    let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
    parse_hash(&format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${output}"))
}

fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, RECOMMENDED)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A hash with the smallest costs there are, so that tests do not spend their time on it.
    pub(crate) fn cheap_hash(password: &str) -> PasswordHash {
        let params = Params::new(8, 1, 1, None).unwrap();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password(password.as_bytes())
            .unwrap()
    }

    #[test]
    fn a_hash_has_the_recommended_costs_and_verifies_only_its_password() {
        let text = hash_password(&Secret::new("correct horse")).unwrap();
        assert!(
            text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{text}"
        );
        let hash = parse_hash(&text).unwrap();
        assert_eq!(verify(&Secret::new("correct horse"), &hash), Ok(true));
        for wrong in ["correct horse ", "Correct horse", ""] {
            assert_eq!(verify(&Secret::new(wrong), &hash), Ok(false), "{wrong:?}");
        }
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        let password = Secret::new("x");
        assert_ne!(hash_password(&password), hash_password(&password));
    }

    #[test]
    fn only_a_complete_argon2_phc_string_is_a_hash() {
        let whole = cheap_hash("x").to_string();
        assert!(parse_hash(&whole).is_ok());
        let (without_output, _) = whole.rsplit_once('$').unwrap();
        for (text, fault) in [
            ("", HashError::Form),
            ("secret", HashError::Form),
            ("$argon2id$v=19$m=8,t=1,p=1", HashError::Form),
            (without_output, HashError::Form),
            (&whole.replace("argon2id", "scrypt"), HashError::Algorithm),
            (&whole.replace("t=1", "t=0"), HashError::Parameters),
            (&whole.replace("v=19", "v=3"), HashError::Parameters),
        ] {
            assert_eq!(parse_hash(text).err(), Some(fault), "{text}");
        }
    }

    #[test]
    fn the_decoy_costs_as_much_as_the_costliest_hash() {
        let hashes = [
            parse_hash(&cheap_hash("a").to_string().replace("t=1", "t=3")).unwrap(),
            cheap_hash("b"),
        ];
        let params = Params::try_from(&decoy(&[&hashes[0], &hashes[1]]).unwrap()).unwrap();
        assert_eq!((params.m_cost(), params.t_cost()), (8, 3));
        let params = Params::try_from(&decoy(&[]).unwrap()).unwrap();
        assert_eq!(
            (params.m_cost(), params.t_cost(), params.p_cost()),
            (19_456, 2, 1)
        );
    }
}

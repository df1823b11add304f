//! What a token means, whatever its spelling. On whose word: docs/vendors/hcl-dx.md, "Spellings of
//! a token".

use logout_core::canonical::{CanonicalForm, Stray, URL_ALPHABET, base64_forms};

/// Observed in the published source of the application server's decoder: a character outside the
/// alphabet counts as `A`.
const ZERO: Stray = |_| Some('A');

/// Our choice, for decoders in front of the server: they skip such a character.
const SKIPPED: Stray = |_| None;

/// The forms of an LTPA token, which is standard base64.
pub(crate) fn forms(token: &str) -> Vec<CanonicalForm> {
    base64_forms(token.trim(), &[ZERO, SKIPPED, URL_ALPHABET])
}

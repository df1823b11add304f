//! What a credential means, whatever its spelling. On whose word: docs/vendors/assets.md, "Spellings of a credential".

use logout_core::canonical::{CanonicalForm, unquoted};

/// The forms of a token or a session id. A token is a signed JWT and means what it signs. Cookies also come in double
/// quotes, which servlet containers take off.
pub(crate) fn forms(presented: &str) -> Vec<CanonicalForm> {
    let form = |text: &str| CanonicalForm::of_jwt(text).unwrap_or_else(|| CanonicalForm::of_text(text));
    std::iter::once(form(presented)).chain(unquoted(presented).map(form)).collect()
}

/// A token without what a servlet container takes off.
pub(crate) fn bare(presented: &str) -> &str {
    unquoted(presented).unwrap_or(presented)
}

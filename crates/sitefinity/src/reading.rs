//! What a credential means, whatever its spelling. On whose word: docs/vendors/sitefinity.md, "Spellings of a credential".

use logout_core::canonical::{CanonicalForm, URL_ALPHABET, base64_forms, percent_decoded};

/// The forms of a cookie's or a token's value. Observed in source that Microsoft published of the sign-in middleware: a
/// ticket is base64 in the URL alphabet, its decoder takes the other alphabet and white space too, and cookies are
/// percent-decoded. An access token may be a signed JWT instead, which means what it signs.
pub(crate) fn forms(presented: &str) -> Vec<CanonicalForm> {
    let text = presented.trim();
    if let Some(form) = CanonicalForm::of_jwt(text) {
        return vec![form];
    }
    let mut forms = base64_forms(text, &[URL_ALPHABET]);
    for form in percent_decoded(text).iter().flat_map(|decoded| base64_forms(decoded, &[URL_ALPHABET])) {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

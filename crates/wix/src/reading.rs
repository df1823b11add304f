//! What a credential means, whatever its spelling. On whose word: docs/vendors/wix.md, "Spellings
//! of a credential".

use logout_core::canonical::{CanonicalForm, percent_decoded, unquoted};

use crate::authorization::TOKEN_PREFIX;

/// The forms of a token, a ticket or a cookie. An access token is a signed JWT behind its prefix
/// and means what it signs. Cookies also come in double quotes and percent-encoded, which the
/// vendor's clients and servers on Node take.
pub(crate) fn forms(presented: &str) -> Vec<CanonicalForm> {
    let text = presented.trim();
    let inner = unquoted(text).unwrap_or(text);
    let decoded = percent_decoded(inner);
    let others = [
        Some(inner).filter(|inner| *inner != text),
        decoded.as_deref(),
    ];
    let mut forms = vec![form(text)];
    for form in others.into_iter().flatten().map(form) {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

fn form(text: &str) -> CanonicalForm {
    let token = text.strip_prefix(TOKEN_PREFIX).unwrap_or(text);
    CanonicalForm::of_jwt(token).unwrap_or_else(|| CanonicalForm::of_text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_means_what_it_signs_with_and_without_its_prefix() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.e30";
        let kept = forms(&format!("{TOKEN_PREFIX}{jwt}.abc"));
        assert_eq!(kept.len(), 1);
        for spelling in [
            format!("{TOKEN_PREFIX}{jwt}.abd="),
            format!("{jwt}.abc"),
            format!(" {jwt}.x "),
        ] {
            assert_eq!(forms(&spelling), kept, "{spelling}");
        }
    }

    #[test]
    fn a_cookie_is_read_in_quotes_and_percent_encoded_too() {
        let kept = CanonicalForm::of_text("a+b/c");
        assert_eq!(forms("a+b/c"), std::slice::from_ref(&kept));
        for spelling in ["\"a+b/c\"", "a%2Bb%2Fc", "\"a%2Bb%2Fc\""] {
            assert!(
                forms(spelling).contains(&kept) && forms(spelling)[0] != kept,
                "{spelling}"
            );
        }
    }
}

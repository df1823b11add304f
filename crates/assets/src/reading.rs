//! What a credential means, whatever its spelling. On whose word: docs/vendors/assets.md,
//! "Spellings of a credential".

use logout_core::canonical::{CanonicalForm, unquoted};

/// The forms of a token or a session id. A token is a signed JWT and means what it signs. Cookies
/// also come in double quotes, which servlet containers take off.
pub(crate) fn forms(presented: &str) -> Vec<CanonicalForm> {
    let form =
        |text: &str| CanonicalForm::of_jwt(text).unwrap_or_else(|| CanonicalForm::of_text(text));
    std::iter::once(form(presented))
        .chain(unquoted(presented).map(form))
        .collect()
}

/// A token without what a servlet container takes off.
pub(crate) fn bare(presented: &str) -> &str {
    unquoted(presented).unwrap_or(presented)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_es256_signature_of_the_other_sign_is_the_same_token() {
        // s and n - s both verify; neither is looked at.
        let token = |signature: &str| format!("eyJhbGciOiJFUzI1NiJ9.eyJqdGkiOiIxIn0.{signature}");
        assert_eq!(forms(&token("MEQCIA")), forms(&token("MEQCIB")));
        assert_ne!(
            forms("eyJhbGciOiJFUzI1NiJ9.eyJqdGkiOiIxIn0.x"),
            forms("eyJhbGciOiJFUzI1NiJ9.eyJqdGkiOiIyIn0.x")
        );
    }

    #[test]
    fn a_session_id_is_text_and_comes_in_quotes_too() {
        assert_eq!(forms("abc"), [CanonicalForm::of_text("abc")]);
        assert!(forms("\"abc\"").contains(&CanonicalForm::of_text("abc")));
        assert_ne!(forms("abc"), forms("ABC"));
    }
}

//! What a credential means, whatever its spelling. On whose word: docs/vendors/sitefinity.md,
//! "Spellings of a credential".

use logout_core::canonical::{CanonicalForm, URL_ALPHABET, base64_forms, percent_decoded};

/// The forms of a cookie's or a token's value. Observed in source that Microsoft published of the
/// sign-in middleware: a ticket is base64 in the URL alphabet, its decoder takes the other alphabet
/// and white space too, and cookies are percent-decoded. One version of OWIN reads a `+` in a
/// cookie as a space before that, as in a form. An access token may be a signed JWT instead, which
/// means what it signs.
pub(crate) fn forms(presented: &str) -> Vec<CanonicalForm> {
    let text = presented.trim();
    if let Some(form) = CanonicalForm::of_jwt(text) {
        return vec![form];
    }
    let mut forms = base64_forms(text, &[URL_ALPHABET]);
    let spaced = text.contains('+').then(|| text.replace('+', " "));
    let spaced_decoded = spaced.as_deref().and_then(percent_decoded);
    let others = [percent_decoded(text), spaced, spaced_decoded];
    for form in others
        .iter()
        .flatten()
        .flat_map(|other| base64_forms(other, &[URL_ALPHABET]))
    {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_is_a_character_and_white_space_too() {
        // The value in the URL alphabet of 48 bytes, among them those that `+` and `/` stand for.
        let written = format!("{}-_{}", "abcd".repeat(10), "Zyxw9876".repeat(2) + "abcdef");
        let kept = forms(&written).remove(0);
        let (front, back) = written.split_at(12);
        for spelling in [
            format!("{front}++++{back}"),
            format!("+{front}+{back}+++"),
            format!("{front}+%20+{back}"),
            written
                .replace('-', "%2B")
                .replace('_', "%2F")
                .replace("Zyxw", "Z+y+xw"),
            written.replace('-', "+"),
        ] {
            assert!(forms(&spelling).contains(&kept), "{spelling}");
        }
        // The value as the site writes it keeps one form, with a `+` of the other alphabet too.
        assert_eq!(forms(&written).len(), 1);
        assert_eq!(forms(&written.replace('-', "+").replace('_', "/"))[0], kept);
    }
}

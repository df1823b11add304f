//! Identity by meaning: every spelling that a product takes for one credential has one canonical
//! form.
//!
//! An adapter gives the forms, the core alone takes digests of them. A credential is kept under its
//! first form. What is presented is looked up by all of its forms, because decoders disagree on
//! what a stray character means.

use std::borrow::Cow;
use std::fmt::{self, Debug};

use base64::Engine as _;
use base64::alphabet::STANDARD as STANDARD_ALPHABET;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;
use zeroize::Zeroize as _;

use crate::message::Request;
use crate::upstream::UpstreamSession;

/// What a credential means to the product, in bytes. It is as secret as the credential and never
/// prints itself.
#[derive(Clone, Eq, PartialEq)]
pub struct CanonicalForm {
    /// Tells a form that was decoded from one that was not: neither can be mistaken for the other.
    kind: u8,
    bytes: Vec<u8>,
}

impl CanonicalForm {
    /// The form of a value that the product compares as text.
    pub fn of_text(text: &str) -> Self {
        Self {
            kind: b't',
            bytes: text.as_bytes().to_vec(),
        }
    }

    /// The form of a value that the product decodes to these bytes.
    pub fn of_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            kind: b'b',
            bytes: bytes.into(),
        }
    }

    /// The form of a signed JWT: its signing input. A signature can be written in more than one
    /// way, what it signs cannot. `None` for anything else (RFC 7515, section 3.1: three parts, the
    /// first of which names the algorithm).
    pub fn of_jwt(token: &str) -> Option<Self> {
        let token = token.trim();
        let (signing_input, _) = token.rsplit_once('.')?;
        let (header, payload) = signing_input.split_once('.')?;
        let header = URL_SAFE_NO_PAD.decode(header).ok()?;
        let names_algorithm =
            header.starts_with(b"{") && header.windows(5).any(|bytes| bytes == b"\"alg\"");
        (names_algorithm && !payload.contains('.')).then(|| Self {
            kind: b'j',
            bytes: signing_input.as_bytes().to_vec(),
        })
    }

    /// What a digest is taken of: the bytes, and how they came about where that is not by comparing
    /// text.
    pub(crate) fn parts(&self) -> (&[u8], Option<&[u8]>) {
        (
            &self.bytes,
            (self.kind != b't').then_some(std::slice::from_ref(&self.kind)),
        )
    }
}

impl Debug for CanonicalForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CanonicalForm(redacted)")
    }
}

impl Drop for CanonicalForm {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// Reads credentials as the product does.
pub trait CredentialReader: Debug + Send + Sync + 'static {
    /// The canonical forms of what is presented for `purpose` (the adapter's own word, such as
    /// `"access"`), at least one.
    ///
    /// The first is the form of the value as the product itself writes it: it must differ for any
    /// two values that the product tells apart. Further ones are readings of a spelling that the
    /// product never writes and its decoder takes.
    fn canonical_forms(&self, purpose: &str, presented: &str) -> Vec<CanonicalForm>;

    /// What a request presents: the cookies and tokens that a session of this product may be known
    /// by, and the CSRF token that came along. An upstream is asked about it where the hub has
    /// never seen it.
    fn presented(&self, request: &Request<'_>) -> UpstreamSession;

    /// Whether `request` presents two values at a place where the product takes one, so that
    /// nothing says which was meant. A reverse proxy is told to deny it.
    fn contradicts(&self, _request: &Request<'_>) -> bool {
        false
    }
}

/// What a decoder of base64 makes of a character outside the standard alphabet: another character,
/// or nothing.
pub type Stray = fn(char) -> Option<char>;

/// Reads the characters of the URL alphabet as those that they stand for, and skips any other stray
/// one.
pub const URL_ALPHABET: Stray = |stray| match stray {
    '-' => Some('+'),
    '_' => Some('/'),
    _ => None,
};

const STRICT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD_ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD_ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How many bytes a value must hold to count as base64. Random secrets and encrypted tokens hold as
/// many. Of a shorter text nothing tells whether it was meant as base64, and two words could be
/// taken for one.
const LEAST_BYTES: usize = 32;

/// The forms of a value that the product writes in base64, in either alphabet. A value that an
/// encoder could have written has the form of its bytes. Any other one is text first, and then what
/// decoders make of it that treat strays as `readings` say, that ignore the unused bits of the last
/// character, or that take an `A` where padding would be. A value of less than 32 bytes is text.
pub fn base64_forms(value: &str, readings: &[Stray]) -> Vec<CanonicalForm> {
    let mut forms = Vec::with_capacity(1);
    let mut add = |form: CanonicalForm| {
        if !forms.contains(&form) {
            forms.push(form);
        }
    };
    match written_by_encoder(value) {
        Some(bytes) => add(CanonicalForm::of_bytes(bytes)),
        None => add(CanonicalForm::of_text(value)),
    }
    let mut lenient = |characters: &str| {
        // Of what no group of four can hold a decoder keeps what it has.
        for cut in 0..=2 {
            let (kept, filled) = characters.split_at(characters.len() - cut.min(characters.len()));
            let kept = kept
                .get(..kept.len() - usize::from(kept.len() % 4 == 1))
                .unwrap_or_default();
            if filled.bytes().all(|byte| byte == b'A')
                && let Some(bytes) = LENIENT
                    .decode(kept)
                    .ok()
                    .filter(|bytes| bytes.len() >= LEAST_BYTES)
            {
                add(CanonicalForm::of_bytes(bytes));
            }
        }
    };
    let body = value.trim_end_matches('=');
    if body.bytes().all(is_standard) {
        if body.ends_with('A') || written_by_encoder(value).is_none() {
            lenient(body);
        }
    } else {
        for reading in readings {
            let kept = |character: char| {
                if is_standard_char(character) {
                    Some(character)
                } else {
                    reading(character)
                }
            };
            lenient(&body.chars().filter_map(kept).collect::<String>());
        }
    }
    forms
}

/// The bytes of a value that is just as an encoder writes it: one alphabet, no stray characters, no
/// unused bit set.
fn written_by_encoder(value: &str) -> Option<Vec<u8>> {
    let standard = if value.contains(['-', '_']) {
        if value.contains(['+', '/']) {
            return None;
        }
        Cow::Owned(value.replace('-', "+").replace('_', "/"))
    } else {
        Cow::Borrowed(value)
    };
    STRICT
        .decode(&*standard)
        .ok()
        .filter(|bytes| bytes.len() >= LEAST_BYTES)
}

fn is_standard(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

fn is_standard_char(character: char) -> bool {
    u8::try_from(character).is_ok_and(is_standard)
}

/// What stands between the double quotes around a value, for a product that takes cookies in
/// quotes.
pub fn unquoted(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"')
}

/// The value decoded once, for a product that takes cookies percent-encoded; `None` where that
/// changes nothing.
pub fn percent_decoded(value: &str) -> Option<String> {
    value
        .contains('%')
        .then(|| percent_decode_str(value).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    const ZERO: Stray = |_| Some('A');
    const SKIPPED: Stray = |_| None;

    fn forms(value: &str) -> Vec<CanonicalForm> {
        base64_forms(value, &[SKIPPED, ZERO, URL_ALPHABET])
    }

    proptest! {
        #[test]
        fn every_spelling_of_the_same_bytes_shares_the_form_that_is_kept(
            bytes in prop::collection::vec(any::<u8>(), LEAST_BYTES..96), at in 0usize..20, unused in 0u8..16
        ) {
            let written = STANDARD.encode(&bytes);
            let kept = forms(&written).remove(0);
            let bare = written.trim_end_matches('=');
            let mut spellings = vec![
                bare.to_owned(), format!("{bare}="), format!("{bare}=="), written.replace('+', "-").replace('/', "_"),
                written.replacen('=', "A", 1), written.replace('=', "A"), written.replace('A', "!"), written.replace('A', "."),
            ];
            for stray in ['-', '!', '.', ' '] {
                spellings.push(format!("{}{stray}{}", &written[..at], &written[at..]));
            }
            const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let free = match bare.len() % 4 { 2 => 16, 3 => 4, _ => 1 };
            let (front, last) = bare.split_at(bare.len() - 1);
            let value = ALPHABET.iter().position(|known| *known == last.as_bytes()[0]).unwrap();
            let other = ALPHABET[value - value % free + usize::from(unused) % free];
            spellings.push(format!("{front}{}", char::from(other)));
            for spelling in spellings {
                prop_assert!(forms(&spelling).contains(&kept), "{spelling} of {written}");
            }
        }

        #[test]
        fn two_values_are_never_kept_under_one_form(one in "[a-z]{40}[a-d0-9+/=.-]{1,6}", two in "[a-z]{40}[a-d0-9+/=.-]{1,6}") {
            let plain = |text: &str| text.trim_end_matches('=').replace('-', "+").replace('_', "/");
            prop_assert!(forms(&one)[0] != forms(&two)[0] || plain(&one) == plain(&two));
        }
    }

    #[test]
    fn what_an_encoder_wrote_has_one_form() {
        assert_eq!(forms(&STANDARD.encode([7; 64])).len(), 1);
        assert_eq!(forms("token1"), [CanonicalForm::of_text("token1")]);
        let with_unused_bits = format!("{}1", "a".repeat(42));
        assert_eq!(
            forms(&with_unused_bits)[0],
            CanonicalForm::of_text(&with_unused_bits)
        );
    }

    #[test]
    fn a_jwt_is_what_it_signs() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"HS256"}"#);
        let form = |tail: &str| CanonicalForm::of_jwt(&format!("{header}.e30.{tail}"));
        assert!(form("abc").is_some() && form("abc") == form("abd==") && form("abc") == form(""));
        assert_ne!(
            CanonicalForm::of_jwt(&format!("{header}.e31.abc")),
            form("abc")
        );
        for other in [
            "",
            "a.b.c",
            "e30.e30.x",
            &format!("{header}.e30"),
            &format!("{header}.a.b.c.d"),
        ] {
            assert_eq!(CanonicalForm::of_jwt(other), None, "{other}");
        }
    }

    #[test]
    fn a_form_does_not_print_itself() {
        assert_eq!(
            format!("{:?}", CanonicalForm::of_text("canary")),
            "CanonicalForm(redacted)"
        );
    }
}

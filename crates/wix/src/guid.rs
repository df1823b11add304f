//! The 8-4-4-4-12 spelling of 128 bits, which Wix uses for every id.

use logout_core::canonical::CanonicalForm;
use logout_core::credential::{CredentialDigest, random_bytes};
use logout_core::platform::PlatformName;
use logout_core::session::Subject;

/// Whether `text` is a GUID, in either case and without decoration.
pub(crate) fn is_guid(text: &str) -> bool {
    let hyphens = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| {
            if hyphens.contains(&at) {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        })
}

/// A random one.
pub(crate) fn random() -> String {
    let mut bytes: [u8; 16] = random_bytes();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    written(bytes)
}

/// The id of one answer: unique is all it has to be, so the operating system is not asked.
pub(crate) fn of_request() -> String {
    let mut bytes = [0; 16];
    fastrand::fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    written(bytes)
}

/// The id that a subject goes by in Wix's answers: the same one whenever and wherever it is asked
/// for (our choice).
pub(crate) fn of_subject(platform: &PlatformName, subject: &Subject) -> String {
    let name = format!("{}\n{}", subject.realm, subject.name);
    let digest = CredentialDigest::of(platform, "member-id", &CanonicalForm::of_text(&name));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    written(bytes)
}

fn written(mut bytes: [u8; 16]) -> String {
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 0x0f] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_plain_spelling_is_a_guid() {
        for good in [
            "12345678-1234-1234-1234-123456789012",
            "ABCDEF00-abcd-1234-1234-123456789012",
        ] {
            assert!(is_guid(good), "{good}");
        }
        for bad in [
            "",
            "x",
            "12345678123412341234123456789012",
            "{12345678-1234-1234-1234-123456789012}",
            "12345678-1234-1234-1234-12345678901",
            "12345678-1234-1234-1234-12345678901g",
            "12345678-1234-1234-1234-1234567890é",
            "123456781-234-1234-1234-123456789012",
        ] {
            assert!(!is_guid(bad), "{bad}");
        }
    }

    #[test]
    fn ids_are_guids_and_a_subjects_id_stays() {
        let shop = PlatformName::new("shop");
        let id = |realm: &str, name: &str| of_subject(&shop, &Subject::new(realm, name));
        assert!(is_guid(&random()) && is_guid(&id("Default", "alice")));
        assert_eq!(id("Default", "alice"), id("Default", "alice"));
        assert_ne!(id("Default", "alice"), id("LDAP", "alice"));
        assert_ne!(random(), random());
    }
}

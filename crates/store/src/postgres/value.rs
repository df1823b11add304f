//! Single values, between the tables and `logout-core`.

use std::borrow::Cow;
use std::time::Duration;

use logout_core::delivery::AttemptAnswer;
use logout_core::idp::IdpKey;
use logout_core::session::{Person, Subject};
use logout_core::time::Timestamp;
use logout_core::upstream::UpstreamError;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// So far in the future that it makes no difference, and so that adding two of them is still a
/// number.
const FAR: i64 = i64::MAX / 4;

/// An instant as the tables hold it.
pub(super) fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).map_or(FAR, |millis| millis.min(FAR))
}

pub(super) fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or_default())
}

pub(super) fn span(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).map_or(FAR, |millis| millis.min(FAR))
}

pub(super) fn uuid(bytes: &[u8; 16]) -> Uuid {
    Uuid::from_bytes(*bytes)
}

/// Text as PostgreSQL takes it. It knows no NUL, so that stands as `\x01` and `0`, and `\x01` as
/// itself and `1`: two texts that differ still do.
pub(super) fn text(plain: &str) -> String {
    if plain.contains(['\0', '\x01']) {
        plain.replace('\x01', "\x011").replace('\0', "\x010")
    } else {
        plain.to_owned()
    }
}

pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains('\x01') {
        text.replace("\x010", "\0").replace("\x011", "\x01").into()
    } else {
        text.into()
    }
}

/// What something is looked up by: short, however long it is.
fn key(parts: &[&str]) -> i64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest
        .first_chunk()
        .map_or(0, |first| i64::from_be_bytes(*first))
}

pub(super) fn person_key(person: &Person) -> i64 {
    key(&[person.as_str()])
}

pub(super) fn subject_key(subject: &Subject) -> i64 {
    key(&[&subject.realm, &subject.name])
}

/// The beginning of a key.
pub(super) fn idp_key(key: IdpKey) -> i64 {
    key.first_chunk()
        .map_or(0, |first| i64::from_be_bytes(*first))
}

/// The answer to an attempt as one word: a status is its number.
pub(super) fn answer(answer: AttemptAnswer) -> String {
    match answer {
        AttemptAnswer::Error(fault) => fault.as_str().to_owned(),
        AttemptAnswer::Status(status) => status.to_string(),
        AttemptAnswer::Unsealable => "unsealable".to_owned(),
    }
}

pub(super) fn read_answer(word: &str) -> Option<AttemptAnswer> {
    match word {
        "unsealable" => Some(AttemptAnswer::Unsealable),
        word => word
            .parse()
            .map(AttemptAnswer::Status)
            .ok()
            .or_else(|| UpstreamError::parse(word).map(AttemptAnswer::Error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_of_attempts_come_back_as_they_were_written() {
        for one in [
            AttemptAnswer::Error(UpstreamError::Timeout),
            AttemptAnswer::Status(503),
            AttemptAnswer::Unsealable,
        ] {
            assert_eq!(read_answer(&answer(one)), Some(one));
        }
        assert_eq!(read_answer("perhaps"), None);
    }

    #[test]
    fn text_with_a_nul_comes_back_and_stays_apart_from_every_other() {
        let texts = [
            "",
            "alice",
            "\0",
            "\x01",
            "\x010",
            "\x011",
            "a\0b\x01c",
            "\0\x010",
            "\x01\x010\0",
        ];
        for one in texts {
            let written = text(one);
            assert!(!written.contains('\0') && plain(&written) == one, "{one:?}");
            assert!(
                texts
                    .iter()
                    .all(|other| *other == one || text(other) != written),
                "{one:?}"
            );
        }
    }

    #[test]
    fn the_end_of_time_is_a_number_that_others_can_be_added_to() {
        let end = Timestamp::from_millis(u64::MAX);
        assert!(millis(end).checked_add(span(Duration::MAX)).is_some());
        assert!(instant(millis(end)) > Timestamp::from_millis(4_000_000_000_000_000));
        assert_eq!(
            instant(millis(Timestamp::from_millis(7))),
            Timestamp::from_millis(7)
        );
    }
}

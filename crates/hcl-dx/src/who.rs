//! User names, and JSON objects that hold them.

use std::collections::BTreeMap;

use logout_core::json::Members;
use logout_core::session::Subject;
use serde_json::Value;

/// The members of a JSON object; `None` for anything else. Of a member that is there twice the
/// first counts, as everywhere here.
pub(crate) fn members(body: &[u8]) -> Option<BTreeMap<String, Value>> {
    serde_json::from_slice::<Members<_>>(body)
        .ok()
        .map(Members::first_of_each)
}

/// The subject of that name in front of a real portal, where nobody has accounts here. Registries
/// of users compare names without case (our choice, in ASCII only), and what follows the first part
/// of a distinguished name says where that one is unique.
pub(crate) fn subject(realm: Option<&str>, name: &str) -> Subject {
    let (name, rest) = first_of_distinguished(name).unwrap_or((name, ""));
    let realm = realm.filter(|realm| !realm.is_empty()).unwrap_or(rest);
    Subject::new(
        realm.trim().to_ascii_lowercase(),
        name.trim().to_ascii_lowercase(),
    )
}

/// The user's own name out of a distinguished name, and what follows.
pub(crate) fn first_of_distinguished(name: &str) -> Option<(&str, &str)> {
    let (first, others) = name.split_once(',')?;
    let (attribute, value) = first.split_once('=')?;
    let names_user = ["cn", "uid"]
        .iter()
        .any(|known| attribute.trim().eq_ignore_ascii_case(known));
    (names_user && others.contains('=') && !value.contains('\\'))
        .then(|| (value.trim(), others.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_doubled_member_the_first_counts() {
        let members = members(br#"{"a":1,"b":{},"a":"2"}"#).unwrap();
        assert_eq!((members["a"].as_u64(), members.len()), (Some(1), 2));
        for body in ["", "[]", "null", "\"a\"", r#"{"a":1"#, r#"{"a":1}x"#] {
            assert!(super::members(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn the_first_part_of_a_distinguished_name_is_the_name() {
        for (name, first) in [
            ("uid=alice,o=defaultWIMFileBasedRealm", Some("alice")),
            ("CN = alice , ou=people,dc=example", Some("alice")),
            ("uid=alice", None),
            ("uid=alice,example", None),
            (r"uid=a\,b,o=x", None),
            ("o=alice,c=x", None),
            ("alice", None),
        ] {
            assert_eq!(
                first_of_distinguished(name).map(|(name, _)| name),
                first,
                "{name}"
            );
        }
    }

    #[test]
    fn one_name_in_two_registries_is_two_subjects_and_its_case_does_not_count() {
        assert_eq!(
            subject(None, "uid=Alice,o=A"),
            subject(Some("O=a"), "ALICE")
        );
        assert_eq!(subject(None, " Alice "), Subject::new("", "alice"));
        assert_ne!(
            subject(None, "uid=alice,o=a"),
            subject(None, "uid=alice,o=b")
        );
        assert_ne!(subject(None, "Ö"), subject(None, "ö"));
    }
}

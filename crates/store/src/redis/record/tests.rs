use logout_core::credential::Sealed;

use super::*;

pub(in crate::redis) fn full_session() -> Session {
    Session {
        id: SessionId::from_bytes([1; 16]),
        platform: PlatformName::new("cms"),
        sign_on: Some(SsoSessionId::from_bytes([2; 16])),
        subject: Subject::new("Default", "alice"),
        person: Some(Person::new("alice@example.com")),
        account: Some(AccountVersion::from_bytes([6; 8])),
        client: Some(ClientId::new("app")),
        administrator: true,
        credentials: vec![
            Credential {
                digest: CredentialDigest::from_bytes([3; 32]),
                expires: Timestamp::from_millis(300),
                csrf_due: true,
            },
            Credential {
                digest: CredentialDigest::from_bytes([4; 32]),
                expires: Timestamp::from_millis(400),
                csrf_due: false,
            },
        ],
        csrf: Some(SecretDigest::from_bytes([5; 32])),
        opened: Timestamp::from_millis(1),
        seen: Timestamp::from_millis(2),
        idle_timeout: Some(Duration::from_micros(1_500)),
        expires: Timestamp::from_millis(u64::MAX),
        device: Device {
            address: Some(IpAddr::from([127, 0, 0, 1])),
            user_agent: Some("curl".to_owned()),
        },
        sealed: Some(Sealed::new(*b"sealed")),
        idp: None,
    }
}

#[test]
fn a_session_comes_back_as_it_was_written() {
    let bare = Session {
        sign_on: None,
        person: None,
        account: None,
        client: None,
        csrf: None,
        idle_timeout: None,
        device: Device::default(),
        sealed: None,
        credentials: Vec::new(),
        ..full_session()
    };
    for written in [
        full_session(),
        Session {
            idp: IdpLogin::new("https://idp.example", None, Some("1")),
            ..full_session()
        },
        bare,
        Session {
            person: Some(Person::new("")),
            sealed: Some(Sealed::new(*b"")),
            ..full_session()
        },
    ] {
        assert_eq!(
            read_session(written.id, &session(&written).unwrap()),
            Ok(written)
        );
    }
}

#[test]
fn a_session_cut_short_is_damaged_and_one_of_a_later_version_is_refused() {
    let bytes = session(&Session {
        credentials: Vec::new(),
        ..full_session()
    })
    .unwrap();
    let id = full_session().id;
    for length in 0..bytes.len() {
        assert_eq!(
            read_session(id, &bytes[..length]),
            Err(Damaged("session")),
            "cut to {length}"
        );
    }
    let mut newer = bytes;
    newer[0] = IDP_SESSION + 1;
    assert_eq!(
        read_session(id, &newer),
        Err(RecordError::Newer("session", IDP_SESSION + 1))
    );
}

#[test]
fn subjects_whose_parts_run_together_have_different_keys() {
    let key = |platform, realm, name| {
        subject_key(&PlatformName::new(platform), &Subject::new(realm, name))
    };
    assert_ne!(
        key("cms", "Default", "alice"),
        key("cms", "Defaulta", "lice")
    );
    assert_ne!(
        key("cms", "Default", "alice"),
        key("cm", "sDefault", "alice")
    );
}

#[test]
fn a_one_time_value_comes_back_as_it_was_written() {
    let at = Timestamp::from_millis(7);
    assert_eq!(
        read_once(&once(b"value", at)),
        Ok((at, b"value".as_slice()))
    );
    assert_eq!(read_once(&once(b"", at)), Ok((at, b"".as_slice())));
    assert_eq!(read_once(b"short"), Err(Damaged("one-time")));
}

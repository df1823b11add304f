use std::net::IpAddr;
use std::time::Duration;

use logout_core::credential::{Credential, CredentialDigest, Sealed, SecretDigest};
use logout_core::idp::{IdpLogin, TokenId};
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Reach, Reason, Receipt, ReceiptId};
use logout_core::session::{
    AccountVersion, ClientId, Device, Person, Session, SessionId, SsoSessionId, Subject,
};
use logout_core::time::Timestamp;

use super::*;

pub(crate) fn session() -> Session {
    let platform = PlatformName::new("cms");
    Session {
        id: SessionId::from_bytes([1; 16]),
        sign_on: Some(SsoSessionId::from_bytes([2; 16])),
        subject: Subject::new("Default", "alice"),
        person: Some(Person::new("alice@example.com")),
        account: None,
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
        expires: Timestamp::from_millis(500),
        device: Device {
            address: Some(IpAddr::from([127, 0, 0, 1])),
            user_agent: Some("curl".to_owned()),
        },
        sealed: Some(Sealed::new(*b"sealed")),
        platform,
        idp: None,
    }
}

fn with_idp(account: Option<AccountVersion>) -> Session {
    Session {
        account,
        idp: IdpLogin::new("https://idp.example", Some("alice"), Some("1")),
        ..session()
    }
}

fn by_token(receipt: Receipt) -> Receipt {
    let token = Some(TokenId {
        issuer: "https://idp.example".into(),
        jti: "4711".into(),
    });
    Receipt { token, ..receipt }
}

fn receipt_of(session: &Session) -> Receipt {
    Receipt {
        id: ReceiptId::from_bytes([9; 16]),
        at: Timestamp::from_millis(7),
        reason: Reason::User,
        platform: Some(PlatformName::new("cms")),
        reach: Reach::SignOn,
        sessions: vec![EndedSession::from(session)],
        token: None,
    }
}

#[test]
fn a_session_comes_back_as_it_was_written() {
    let full = session();
    let bare = Session {
        sign_on: None,
        person: None,
        client: None,
        csrf: None,
        idle_timeout: None,
        device: Device::default(),
        sealed: None,
        ..session()
    };
    let of_account = Session {
        account: Some(AccountVersion::from_bytes([6; 8])),
        ..session()
    };
    let of_idp = with_idp(None);
    let of_both = with_idp(of_account.account);
    for session in [full, bare, of_account, of_idp, of_both] {
        let bytes = SessionRecord::of(&session).to_bytes().unwrap();
        let record = SessionRecord::read(&bytes).unwrap();
        assert_eq!(record.to_session(session.id, session.seen), session);
        assert_eq!(record.to_ended(session.id), EndedSession::from(&session));
        assert_eq!(
            record.ends_by(Timestamp::from_millis(50)),
            session.ends_by(Timestamp::from_millis(50))
        );
    }
}

/// A record that was written by the first version of this shape; it must be readable for ever.
#[test]
fn a_session_written_by_version_two_is_still_read() {
    let mut written = vec![2];
    written.extend_from_slice(b"\x03cms\x01");
    written.extend_from_slice(&[2; 16]);
    written.extend_from_slice(b"\x07Default\x05alice\x01\x11alice@example.com\x01\x03app\x01\x02");
    written.extend_from_slice(&[3; 32]);
    written.extend_from_slice(b"\xac\x02\x01");
    written.extend_from_slice(&[4; 32]);
    written.extend_from_slice(b"\x90\x03\x00\x01");
    written.extend_from_slice(&[5; 32]);
    written.extend_from_slice(
        b"\x01\x02\x01\x00\xe0\xc6\x5b\xf4\x03\x01\x00\x7f\x00\x00\x01\x01\x04curl\x01\x06sealed",
    );
    let session = session();
    assert_eq!(SessionRecord::of(&session).to_bytes().unwrap(), written);
    assert_eq!(
        SessionRecord::read(&written)
            .unwrap()
            .to_session(session.id, session.seen),
        session
    );
}

#[test]
fn a_receipt_comes_back_as_it_was_written() {
    let receipt = receipt_of(&session());
    for receipt in [receipt.clone(), by_token(receipt)] {
        assert_eq!(
            read_receipt(receipt.id, &super::receipt(&receipt).unwrap()).unwrap(),
            receipt
        );
    }
}

#[test]
fn an_unknown_version_is_told_apart_and_nothing_panics_on_damage() {
    let session = session();
    type Read = fn(&[u8]) -> Option<RecordError>;
    let of_account = Session {
        account: Some(AccountVersion::from_bytes([6; 8])),
        ..session.clone()
    };
    let read_any = |bytes: &[u8]| read_receipt(ReceiptId::from_bytes([0; 16]), bytes).err();
    let records: [(&str, Vec<u8>, Read); 5] = [
        ("receipt", receipt(&receipt_of(&session)).unwrap(), read_any),
        (
            "receipt",
            receipt(&by_token(receipt_of(&session))).unwrap(),
            read_any,
        ),
        (
            "session",
            SessionRecord::of(&with_idp(None)).to_bytes().unwrap(),
            |bytes| SessionRecord::read(bytes).err(),
        ),
        (
            "session",
            SessionRecord::of(&session).to_bytes().unwrap(),
            |bytes| SessionRecord::read(bytes).err(),
        ),
        (
            "session",
            SessionRecord::of(&of_account).to_bytes().unwrap(),
            |bytes| SessionRecord::read(bytes).err(),
        ),
    ];
    for (what, bytes, read) in records {
        let mut newer = bytes.clone();
        newer[0] = 77;
        assert_eq!(
            read(&newer),
            Some(RecordError::UnknownVersion { what, version: 77 })
        );
        for length in 0..bytes.len() {
            assert_eq!(
                read(&bytes[..length]),
                Some(RecordError::Damaged(what)),
                "{what} cut to {length}"
            );
        }
    }
}

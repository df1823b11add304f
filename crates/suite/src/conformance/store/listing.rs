//! Receipts and sessions, as they are read and listed.

use std::collections::BTreeSet;

use super::{NOW, Store, after, end, ids_of, listed, open, order, order_at, session};
use logout_core::idp::{IdpLogin, TokenId};
use logout_core::platform::PlatformName;
use logout_core::receipt::{EndedSession, Reach, Reason};
use logout_core::session::{Person, Session, SessionId, SsoSessionId, Subject};
use logout_core::store::{EndOrder, EndTarget, Lookup, SessionFilter};

/// Word for word.
pub async fn a_receipt_says_what_was_asked_and_what_ended(store: Store) {
    for (reason, reach) in [
        (Reason::Administrator, Reach::Person),
        (Reason::Expiry, Reach::SignOn),
        (Reason::User, Reach::Subject),
        (Reason::User, Reach::Session),
    ] {
        let session = open(&store, session("cms", "alice")).await;
        let platform = Some(session.platform.clone());
        let order = EndOrder {
            reason,
            reach,
            platform,
            ..order(vec![EndTarget::Session(session.id)])
        };
        store.end(order.clone()).await.expect("the store answers");
        let expected = order.receipt_for(vec![EndedSession::from(&session)]);
        assert_eq!(store.receipt(order.receipt).await, Ok(Some(expected)));
    }
}

/// Of a sign-out that an identity provider's token ordered.
pub async fn a_receipt_names_the_token_that_ordered_it(store: Store) {
    let session = open(&store, session("cms", "alice")).await;
    let order = EndOrder {
        reason: Reason::IdentityProvider,
        token: Some(TokenId {
            issuer: "https://idp.example".into(),
            jti: "4711\0".into(),
        }),
        ..order(vec![
            EndTarget::Session(session.id),
            EndTarget::Subject(session.platform.clone(), session.subject.clone()),
        ])
    };
    store.end(order.clone()).await.expect("the store answers");
    let expected = order.receipt_for(vec![EndedSession::from(&session)]);
    assert_eq!(
        store.receipt(order.receipt).await,
        Ok(Some(expected.clone()))
    );
    let page = store.receipts(None, 10).await.expect("the store answers");
    assert!(page.items.contains(&expected));
}

/// A stranger who sends rubbish fills no disk.
pub async fn nothing_is_written_when_nothing_ended(store: Store) {
    let ended = open(&store, session("cms", "alice")).await;
    end(&store, EndTarget::Session(ended.id)).await;
    let before = store.receipts(None, 10).await.expect("the store answers");
    let targets = [
        EndTarget::Expired(SessionId::at(NOW)),
        EndTarget::Person(Person::new("nobody")),
        EndTarget::Platform(PlatformName::new("nowhere")),
        EndTarget::Session(ended.id),
        EndTarget::SignOn(SsoSessionId::random()),
        EndTarget::Subject(PlatformName::new("cms"), Subject::new("Default", "nobody")),
    ];
    for target in targets {
        let order = order(vec![target]);
        assert_eq!(store.end(order.clone()).await, Ok(Vec::new()));
        assert_eq!(store.receipt(order.receipt).await, Ok(None));
    }
    assert_eq!(store.end(order(Vec::new())).await, Ok(Vec::new()));
    assert_eq!(store.receipts(None, 10).await, Ok(before));
}

/// The console's list.
pub async fn receipts_come_newest_first_in_pages(store: Store) {
    let mut written = Vec::new();
    for second in 0..25 {
        let session = open(&store, session("cms", "alice")).await;
        let order = order_at(after(second), vec![EndTarget::Session(session.id)]);
        store.end(order.clone()).await.expect("the store answers");
        written.insert(0, order.receipt);
    }
    let (mut read, mut before) = (Vec::new(), None);
    for _ in 0..3 {
        let page = store.receipts(before, 10).await.expect("the store answers");
        assert!(page.items.len() <= 10);
        read.extend(page.items.iter().map(|receipt| receipt.id));
        before = page.next;
        assert_eq!(before.is_some(), read.len() < 25);
    }
    assert_eq!(read, written);
}

/// Each once, in the order of ids, the dead ones left out.
pub async fn sessions_are_listed_in_pages_without_gaps_or_repeats(store: Store) {
    let mut expected = BTreeSet::new();
    for index in 0..25 {
        let session = open(&store, session("cms", "alice")).await;
        match index % 5 {
            0 => drop(end(&store, EndTarget::Session(session.id)).await),
            _ => drop(expected.insert(session.id)),
        }
    }
    open(
        &store,
        Session {
            expires: NOW,
            ..session("cms", "alice")
        },
    )
    .await;
    for filter in [
        SessionFilter::default(),
        SessionFilter {
            person: Some(Person::new("alice@example.com")),
            ..Default::default()
        },
    ] {
        let (mut read, mut after) = (Vec::new(), None);
        for _ in 0..3 {
            let page = store
                .sessions(&filter, after, 8, NOW)
                .await
                .expect("the store answers");
            read.extend(page.items.iter().map(|session| session.id));
            after = page.next;
            assert_eq!(after.is_some(), read.len() < 20);
            if after.is_none() {
                break;
            }
        }
        assert_eq!(read, expected.iter().copied().collect::<Vec<_>>());
    }
}

/// All that is given must match.
pub async fn sessions_are_filtered_by_person_platform_and_subject(store: Store) {
    let alice_cms = open(&store, session("cms", "alice")).await;
    let alice_dam = open(&store, session("dam", "alice")).await;
    let bob_cms = open(&store, session("cms", "bob")).await;
    let person = Some(Person::new("alice@example.com"));
    let platform = Some(PlatformName::new("cms"));
    let subject = Some(Subject::new("Default", "bob"));
    let none = SessionFilter::default;
    for (filter, expected) in [
        (none(), vec![&alice_cms, &alice_dam, &bob_cms]),
        (
            SessionFilter {
                person: person.clone(),
                ..none()
            },
            vec![&alice_cms, &alice_dam],
        ),
        (
            SessionFilter {
                platform: platform.clone(),
                ..none()
            },
            vec![&alice_cms, &bob_cms],
        ),
        (
            SessionFilter {
                subject: subject.clone(),
                ..none()
            },
            vec![&bob_cms],
        ),
        (
            SessionFilter {
                person: person.clone(),
                platform: platform.clone(),
                ..none()
            },
            vec![&alice_cms],
        ),
        (
            SessionFilter {
                platform,
                subject: subject.clone(),
                ..none()
            },
            vec![&bob_cms],
        ),
        (
            SessionFilter {
                person,
                subject,
                ..none()
            },
            vec![],
        ),
        (
            SessionFilter {
                platform: Some(PlatformName::new("shop")),
                ..none()
            },
            vec![],
        ),
    ] {
        assert_eq!(
            listed(&store, &filter, NOW).await,
            ids_of(expected),
            "{filter:?}"
        );
    }
}

/// By `(iss, sid)` and by `(iss, sub)`, never across issuers; what has ended is not listed.
pub async fn sessions_are_listed_by_their_login_at_an_identity_provider(store: Store) {
    let login = |issuer: &str, sub: Option<&str>, sid: Option<&str>| {
        IdpLogin::new(issuer, sub, sid).expect("it is named")
    };
    let [ours, theirs] = ["https://a.example", "https://b.example"];
    let of = async |name: &str, idp| {
        let new = Session {
            idp: Some(idp),
            ..session("cms", name)
        };
        open(&store, new).await
    };
    let first = of("first", login(ours, Some("x"), Some("1"))).await;
    let second = of("second", login(ours, Some("x"), Some("2"))).await;
    let subject_only = of("third", login(ours, Some("x"), None)).await;
    let session_only = of("fourth", login(ours, None, Some("1"))).await;
    let other = of("fifth", login(theirs, Some("x"), Some("1"))).await;
    let ended = of("sixth", login(ours, Some("x"), Some("1"))).await;
    end(&store, EndTarget::Session(ended.id)).await;
    open(&store, session("cms", "seventh")).await;
    let by = async |idp, platform: Option<&str>| {
        let filter = SessionFilter {
            idp: Some(idp),
            platform: platform.map(PlatformName::new),
            ..SessionFilter::default()
        };
        listed(&store, &filter, NOW).await
    };
    for (idp, expected) in [
        (
            login(ours, Some("x"), None),
            vec![&first, &second, &subject_only],
        ),
        (login(ours, None, Some("1")), vec![&first, &session_only]),
        (login(ours, Some("x"), Some("1")), vec![&first]),
        (login(theirs, Some("x"), None), vec![&other]),
        (login(ours, Some("1"), None), vec![]),
        (login(ours, None, Some("x")), vec![]),
        (login("https://c.example", Some("x"), Some("1")), vec![]),
    ] {
        assert_eq!(by(idp.clone(), None).await, ids_of(expected), "{idp:?}");
    }
    let idp = login(ours, None, Some("1"));
    assert_eq!(by(idp, Some("dam")).await, ids_of(vec![]));
    let found = store.find(&first.credentials[0].digest, NOW).await;
    assert!(matches!(found, Ok(Lookup::Live(session, _)) if session.idp == first.idp));
}

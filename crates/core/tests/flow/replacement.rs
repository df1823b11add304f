//! Sessions that are opened in place of others.

use std::sync::Arc;

use futures_executor::block_on;
use logout_core::SessionAuthority;
use logout_core::platform::Platform;
use logout_core::receipt::{Reach, Reason};
use logout_core::session::{Session, SsoSessionId};
use logout_core::store::{Join, Lookup, OpenOutcome};
use logout_suite::testing::AsText;

use crate::{World, open, session};

#[test]
fn a_session_that_is_opened_in_place_of_others_ends_them() {
    for (ends, left) in [
        (true, vec!["cms/alice", "cms/bob"]),
        (
            false,
            vec!["cms/alice", "cms/alice", "cms/alice", "cms/bob"],
        ),
    ] {
        let world = World::new();
        let mut platform = Platform::new("cms", "https://site.example/".parse().unwrap());
        platform.end_previous = ends;
        let cms =
            SessionAuthority::new(Arc::new(platform), Arc::new(AsText), world.services.clone());
        let sign_on = Some(SsoSessionId::random());
        open(
            &cms,
            Session {
                sign_on,
                ..session(&cms, "alice", "a1")
            },
        );
        open(
            &cms,
            Session {
                sign_on,
                ..session(&cms, "alice", "a2")
            },
        );
        open(&cms, session(&cms, "bob", "b"));
        let cookies = [("session", "a1"), ("session", "unknown"), ("other", "b")];
        let opened =
            block_on(cms.open_in_place_of(session(&cms, "alice", "a3"), Join::Always, &cookies))
                .unwrap();
        assert_eq!(opened, OpenOutcome::Opened);
        assert_eq!(world.alive(), left, "{ends}");
        let receipts = block_on(world.services.store.receipts(None, 10))
            .unwrap()
            .items;
        let told: Vec<_> = receipts
            .iter()
            .map(|receipt| (receipt.reason, receipt.sessions.len()))
            .collect();
        assert_eq!(
            told,
            if ends {
                vec![(Reason::Replaced, 2)]
            } else {
                vec![]
            }
        );
    }
}

#[test]
fn a_session_that_is_not_opened_takes_no_place_and_one_of_the_same_login_keeps_its_siblings() {
    let world = World::new();
    let cms = world.platform("cms", Reach::Session);
    let sign_on = Some(SsoSessionId::random());
    open(
        &cms,
        Session {
            sign_on,
            ..session(&cms, "alice", "parent")
        },
    );
    open(
        &cms,
        Session {
            sign_on,
            ..session(&cms, "alice", "site")
        },
    );
    let joining = |name: &str, secret: &str, sign_on| Session {
        sign_on,
        ..session(&cms, name, secret)
    };
    let cookies = [("session", "site")];
    let refused = block_on(cms.open_in_place_of(
        joining("bob", "b", Some(SsoSessionId::random())),
        Join::IfLive,
        &cookies,
    ))
    .unwrap();
    assert_eq!(
        (refused, world.alive().len()),
        (OpenOutcome::SignOnEnded, 2)
    );
    block_on(cms.open_in_place_of(joining("alice", "next", sign_on), Join::IfLive, &cookies))
        .unwrap();
    let lives = |secret: &str| {
        matches!(
            block_on(cms.look_up("session", secret)),
            Ok(Lookup::Live(..))
        )
    };
    assert_eq!(["parent", "site", "next"].map(lives), [true, false, true]);
}

//! Tokens of stand-ins that are revoked while the engine is of no use. RFC 7009, section 2.2.1:
//! after 503 the client must assume that the token still exists, and may try again.

use logout_tests::front::{Login, VENDORS, wait_until};
use logout_tests::http::{Answer, Request};
use logout_tests::hub::TestHub;
use logout_tests::logins::WIX_APP;

use crate::Engine;
use crate::faults::ready;
use crate::hubs::{alice, hubs, stand_ins};

fn revoke(session: &Login, hub: &TestHub) -> Answer {
    let header = &session.header.1;
    let token = header
        .split_once(['=', ' '])
        .map_or(header.as_str(), |it| it.1);
    let mut form = vec![("token", token)];
    form.extend((session.vendor == "wix").then_some(("client_id", WIX_APP)));
    let request = Request::post(&format!("/revoke/{}", session.vendor)).form(&form);
    request.send(hub.address())
}

/// 503 and when to try again.
fn assert_unavailable(session: &Login, answer: &Answer) {
    let vendor = session.vendor;
    assert_eq!(answer.status, 503, "{vendor}: {}", answer.text());
    assert_eq!(
        answer.json()["error"],
        "temporarily_unavailable",
        "{vendor}"
    );
    assert_eq!(answer.header("retry-after"), Some("5"), "{vendor}");
}

fn assert_revoked_at_last(sessions: &[Login], hubs: &[TestHub; 2]) {
    wait_until("both are ready again", || {
        hubs.iter().all(|hub| ready(hub) == 200)
    });
    for session in sessions {
        let answer = revoke(session, &hubs[1]);
        assert_eq!((answer.status, answer.text().as_str()), (200, ""));
        let is_dead = hubs.iter().all(|hub| !session.is_alive(hub));
        assert!(is_dead, "{}", session.vendor);
    }
}

pub(crate) fn a_token_that_is_revoked_while_the_engine_is_down_lives_until_it_is_back<E: Engine>() {
    let mut engine = E::start();
    let hubs: [TestHub; 2] = hubs(&engine, &stand_ins());
    let sessions = VENDORS.map(|vendor| alice(&hubs[0], vendor));
    engine.kill();
    for session in &sessions {
        assert_unavailable(session, &revoke(session, &hubs[0]));
    }
    engine.restart();
    wait_until("both are ready again", || {
        hubs.iter().all(|hub| ready(hub) == 200)
    });
    for session in &sessions {
        assert!(session.is_alive(&hubs[1]), "{}", session.vendor);
    }
    assert_revoked_at_last(&sessions, &hubs);
}

/// What was asked for may be carried out later.
pub(crate) fn a_token_that_is_revoked_while_the_engine_hangs_is_dead_at_last<E: Engine>() {
    let engine = E::start();
    let hubs: [TestHub; 2] = hubs(&engine, &stand_ins());
    let session = alice(&hubs[0], "wix");
    engine.pause(true);
    let answer = revoke(&session, &hubs[0]);
    engine.pause(false);
    assert_unavailable(&session, &answer);
    assert_revoked_at_last(&[session], &hubs);
}

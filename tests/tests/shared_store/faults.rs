//! An engine that is there and of no use.

use logout_tests::http::{Answer, Request};
use logout_tests::hub::TestHub;

use crate::Engine;
use crate::hubs::{alice, hubs, stand_ins};
use logout_tests::front::{Login, VENDORS, wait_until};

pub(crate) fn ready(hub: &TestHub) -> u16 {
    Request::get("/readyz").send(hub.admin_address()).status
}

/// Asks for all of it at once, so that nobody waits for one patience after the other.
pub(crate) fn sign_out_at_once(sessions: &[Login], hub: &TestHub) -> Vec<Answer> {
    let address = hub.address();
    let asking: Vec<_> = sessions
        .iter()
        .map(|session| {
            let request = session.sign_out();
            std::thread::spawn(move || request.send(address))
        })
        .collect();
    asking
        .into_iter()
        .map(|asking| asking.join().unwrap())
        .collect()
}

/// 503 in the vendor's words, and the cookie stays.
pub(crate) fn all_unavailable(sessions: &[Login], answers: &[Answer]) {
    for (session, answer) in sessions.iter().zip(answers) {
        assert_eq!(answer.status, 503, "{}: {}", session.vendor, answer.text());
        assert!(
            answer.headers_named("set-cookie").next().is_none(),
            "{} clears a cookie",
            session.vendor
        );
    }
}

/// Whatever became of the orders before, each session is alive at all hubs or at none, and can be
/// ended.
pub(crate) fn all_can_be_ended(sessions: &[Login], hubs: &[&TestHub]) {
    for session in sessions {
        let is_alive = session.is_alive(hubs[0]);
        assert!(
            hubs.iter().all(|hub| session.is_alive(hub) == is_alive),
            "{}",
            session.vendor
        );
        let answer = session.sign_out().send(hubs[0].address());
        assert!(
            !is_alive || answer.status < 400,
            "{}: {} {}",
            session.vendor,
            answer.status,
            answer.text()
        );
        assert!(
            hubs.iter().all(|hub| !session.is_alive(hub)),
            "{}",
            session.vendor
        );
    }
}

/// And is told apart from one that is well.
pub(crate) fn while_the_engine_hangs_nothing_is_claimed_and_then_all_goes_on<E: Engine>() {
    let engine = E::start();
    let [hub, other]: [TestHub; 2] = hubs(&engine, &stand_ins());
    let sessions = VENDORS.map(|vendor| alice(&hub, vendor));
    let ended = alice(&hub, "hcl-dx");
    assert_eq!(ended.sign_out().send(hub.address()).status, 200);
    assert_eq!((ready(&hub), ready(&other)), (200, 200));
    engine.pause(true);
    let answers = sign_out_at_once(&sessions, &hub);
    let are_ready = (ready(&hub), ready(&other));
    engine.pause(false);
    all_unavailable(&sessions, &answers);
    assert_eq!(are_ready, (503, 503));
    wait_until("both are ready again", || {
        ready(&hub) == 200 && ready(&other) == 200
    });
    assert!(
        !ended.is_alive(&hub) && !ended.is_alive(&other),
        "what was acknowledged stays so"
    );
    all_can_be_ended(&sessions, &[&other, &hub]);
}

/// Though it can be read from.
pub(crate) fn while_the_engine_takes_no_writes_nothing_is_claimed_and_then_all_goes_on<
    E: Engine,
>() {
    let engine = E::start();
    let [hub, other]: [TestHub; 2] = hubs(&engine, &stand_ins());
    let sessions = VENDORS.map(|vendor| alice(&hub, vendor));
    engine.read_only(true);
    wait_until("neither is ready", || {
        ready(&hub) == 503 && ready(&other) == 503
    });
    all_unavailable(&sessions, &sign_out_at_once(&sessions, &hub));
    engine.read_only(false);
    wait_until("both are ready again", || {
        ready(&hub) == 200 && ready(&other) == 200
    });
    for session in &sessions {
        assert!(
            session.is_alive(&hub),
            "{}: nothing was carried out",
            session.vendor
        );
    }
    all_can_be_ended(&sessions, &[&hub, &other]);
}

//! Hubs on a primary with a synchronous standby.

use std::time::{Duration, Instant};

use logout_tests::hub::TestHub;

use crate::faults::{all_can_be_ended, all_unavailable, ready, sign_out_at_once};
use crate::hubs::{alice, stand_ins};
use crate::pair::{Commits, Pair};
use logout_tests::front::{VENDORS, wait_until};

fn two_hubs(pair: &Pair) -> [TestHub; 2] {
    std::array::from_fn(|_| TestHub::on_store(&pair.url(), &stand_ins()).unwrap())
}

pub(crate) fn promoted() {
    let mut pair = Pair::start(Commits::Synchronous);
    let [hub, other] = two_hubs(&pair);
    let ended = VENDORS.map(|vendor| alice(&hub, vendor));
    let sessions = VENDORS.map(|vendor| alice(&hub, vendor));
    // So far behind that a sign-out which did not wait would be lost.
    pair.way.delay(Duration::from_millis(200));
    for answer in sign_out_at_once(&ended, &hub) {
        assert!(answer.status < 400, "{} {}", answer.status, answer.text());
    }
    pair.lose_primary();
    all_unavailable(&sessions, &sign_out_at_once(&sessions, &hub));
    assert_eq!((ready(&hub), ready(&other)), (503, 503));
    pair.promote();
    wait_until("both are ready again", || {
        ready(&hub) == 200 && ready(&other) == 200
    });
    for session in &ended {
        assert!(
            !session.is_alive(&hub) && !session.is_alive(&other),
            "{}: what was acknowledged stays so",
            session.vendor
        );
    }
    for session in &sessions {
        assert!(
            session.is_alive(&hub),
            "{}: what was opened is there",
            session.vendor
        );
    }
    all_can_be_ended(&sessions, &[&hub, &other]);
    assert!(alice(&other, "assets").is_alive(&hub));
}

pub(crate) fn standby_gone() {
    let pair = Pair::start(Commits::Synchronous);
    let [hub, other] = two_hubs(&pair);
    let sessions = VENDORS.map(|vendor| alice(&hub, vendor));
    pair.standby.pause(true);
    let began = Instant::now();
    let answers = sign_out_at_once(&sessions, &hub);
    let waited = began.elapsed();
    let (are_ready, were_alive) = (
        (ready(&hub), ready(&other)),
        sessions.iter().all(|session| session.is_alive(&other)),
    );
    pair.standby.pause(false);
    all_unavailable(&sessions, &answers);
    assert!(waited < Duration::from_secs(15), "waited {waited:?}");
    assert_eq!(are_ready, (503, 503));
    assert!(were_alive, "what may be gone with the primary is not shown");
    wait_until("both are ready again", || {
        ready(&hub) == 200 && ready(&other) == 200
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    wait_until("what was under way is done", || {
        pair.primary.sql("postgres", waiting).as_deref() == Ok("0")
    });
    all_can_be_ended(&sessions, &[&other, &hub]);
}

//! What the deliveries of a receipt cost the server.

use futures_executor::block_on;
use libtest_mimic::Trial;
use logout_core::credential::Sealed;
use logout_core::outbox::Outbox as _;
use logout_core::session::Session;
use logout_core::store::{EndTarget, Join, OpenOutcome, SessionStore as _};

use crate::server::Server;
use crate::sessions::{NOW, order, session_of};
use crate::{connect, named};

pub(crate) fn trials() -> Vec<Trial> {
    macro_rules! cases {
        ($($case:ident)+) => { vec![$((stringify!($case), $case as fn()),)+] };
    }
    named(
        "receipts",
        cases! {
            the_deliveries_of_a_thousand_sessions_are_one_command
            deliveries_that_are_spread_over_buckets_are_one_command_for_each
        },
    )
}

/// Ends `count` sessions of each of `persons` persons in one order, and reads their deliveries; how
/// many commands that took.
fn commands(buckets: u16, persons: u32, count: u32) -> u64 {
    let server = Server::start(&[]);
    let store = connect(&format!("{}?buckets={buckets}", server.url()));
    let mut targets = Vec::new();
    for number in 0..persons * count {
        let session = Session {
            sealed: Some(Sealed::new(*b"sealed")),
            ..session_of(number, number / count)
        };
        assert_eq!(
            block_on(store.open(session.clone(), Join::Always, NOW)),
            Ok(OpenOutcome::Opened)
        );
        targets.push(EndTarget::Session(session.id));
    }
    let mut order = order(1, targets[0].clone());
    order.targets = targets;
    let ended = block_on(store.end(order)).expect("it answers");
    let asked: Vec<_> = ended.iter().collect();
    assert!(server.ask("CONFIG RESETSTAT").contains("OK"));
    let found = block_on(store.deliveries_of(&asked)).expect("it answers");
    let stats = server.ask("INFO commandstats");
    assert!(found.iter().zip(&asked).all(|(delivery, session)| {
        delivery
            .as_ref()
            .is_some_and(|own| own.session == session.id)
    }));
    assert_eq!(
        asked.len(),
        usize::try_from(persons * count).expect("it fits")
    );
    // Those that are sent by whoever counts.
    let ours = |line: &&str| {
        line.starts_with("cmdstat_")
            && !line.starts_with("cmdstat_config")
            && !line.starts_with("cmdstat_info")
    };
    let calls = |line: &str| {
        line.split_once("calls=")
            .and_then(|(_, rest)| rest.split(',').next()?.parse::<u64>().ok())
    };
    stats.lines().filter(ours).filter_map(calls).sum()
}

fn the_deliveries_of_a_thousand_sessions_are_one_command() {
    assert_eq!(commands(1, 1, 1_000), 1);
}

/// And never more than there are buckets.
fn deliveries_that_are_spread_over_buckets_are_one_command_for_each() {
    // The person's bucket, and the subject's.
    assert!((1..=2).contains(&commands(16, 1, 200)));
    assert!((2..=16).contains(&commands(16, 100, 3)));
}

//! Sign-outs that concern relying parties: how often they visit the store, what becomes of those
//! that fail on the way, and of several at once.

use logout_suite::testing::BreakableStore;

use super::*;

/// A hub with these relying parties, on a store that fails on demand.
fn breakable(names: &[&str]) -> (World, Arc<BreakableStore>) {
    let (mut world, store) = (World::new(), Arc::new(BreakableStore::default()));
    world.services.store = store.clone();
    let chosen = parties().into_iter();
    world.services.relying_parties = chosen
        .filter(|party| names.contains(&party.name.as_str()))
        .collect();
    (world, store)
}

#[test]
fn a_plain_sign_out_is_one_visit_to_the_store_unless_it_reaches_the_person() {
    for (reach, names, visits) in [
        (Reach::Session, &["wiki"][..], 1),
        (Reach::SignOn, &["wiki"], 1),
        (Reach::Subject, &["wiki"], 1),
        (Reach::Person, &[], 1),
        // The credential, the subject's sessions, the person's, the relying party's, which is
        // opened, and the end.
        (Reach::Person, &["wiki"], 6),
    ] {
        let (world, store) = breakable(names);
        world.log_in("cms", "alice", "a1", (None, None));
        store.break_after(visits - 1);
        let failed = world.sign_out("a1", reach);
        assert!(failed.is_err(), "{reach:?} {names:?} {failed:?}");
        let (world, store) = breakable(names);
        world.log_in("cms", "alice", "a1", (None, None));
        store.break_after(visits);
        let ended = world.sign_out("a1", reach).unwrap();
        assert_eq!(
            ended.len(),
            if visits == 1 { 1 } else { 2 },
            "{reach:?} {names:?}"
        );
    }
}

#[test]
fn wherever_a_store_fails_the_next_sign_out_tells_once() {
    let mut left_over = 0;
    for answers in 0.. {
        let (world, store) = breakable(&["wiki", "crm", "strict"]);
        world.log_all_in();
        store.break_after(answers);
        let first = world.sign_out("a1", Reach::Person);
        store.set_broken(false);
        if first.is_ok() {
            assert!(answers > 6, "{answers}");
            break;
        }
        assert_eq!(world.receipts(), [], "{answers}");
        let of_hub = ["cms/alice", "cms/bob", "dam/alice"];
        let opened = world.alive().len() - of_hub.len();
        left_over = left_over.max(opened);
        world.clock.advance(Duration::from_secs(60));
        // However it is ordered, and by whom.
        let ended = match answers % 3 {
            0 => world.sign_out("a1", Reach::Person).unwrap(),
            1 => world.end(Reason::Administrator, &["alice"]).unwrap(),
            _ => world.by_token(Some("x"), None, Reach::Person),
        };
        let expected = ["crm x", "strict x 1", "strict x 2", "wiki alice"];
        assert_eq!(told(&ended), expected, "{answers}");
        assert_eq!(world.alive(), ["cms/bob"], "{answers}");
    }
    assert_eq!(left_over, 4);
}

/// A sign-out that has failed, with `wiki`'s session left over.
fn failed() -> (World, Arc<BreakableStore>) {
    let (world, store) = breakable(&["wiki"]);
    world.log_in("cms", "alice", "a1", (None, None));
    store.break_after(5);
    world.sign_out("a1", Reach::Person).unwrap_err();
    store.set_broken(false);
    assert_eq!(world.alive(), ["cms/alice", "wiki/alice"]);
    (world, store)
}

#[test]
fn what_no_sign_out_takes_along_is_told_by_its_expiry() {
    let (world, _store) = failed();
    // The session goes by itself, and leaves what the person is owed.
    assert_eq!(
        told(&world.sign_out("a1", Reach::Session).unwrap()),
        [""; 0]
    );
    world.expire();
    assert_eq!(world.alive(), ["wiki/alice"]);
    world.clock.advance(DAY);
    world.expire();
    let receipts = world.receipts();
    assert_eq!(receipts[0].reason, Reason::Expiry);
    assert_eq!(told(&receipts[0].sessions), ["wiki alice"]);
    assert_eq!(world.alive(), [""; 0]);
}

/// The platform's session outlives the one at the relying party. A sign-out that comes then is
/// another one, with a delivery of its own.
#[test]
fn after_that_expiry_the_next_sign_out_has_a_delivery_of_its_own() {
    let (world, store) = breakable(&["wiki"]);
    let cms = world.platform("cms", Reach::Session);
    let mut new = session(&cms, "alice", "a1");
    (new.idle_timeout, new.expires) = (None, new.opened.plus(30 * DAY));
    new.credentials[0].expires = new.expires;
    open(&cms, new);
    store.break_after(5);
    world.sign_out("a1", Reach::Person).unwrap_err();
    store.set_broken(false);
    world.clock.advance(DAY);
    world.expire();
    let expired = world.receipts()[0].sessions.clone();
    assert_eq!(told(&expired), ["wiki alice"]);
    world.clock.advance(Duration::from_secs(60));
    let ended = world.sign_out("a1", Reach::Person).unwrap();
    assert_eq!(told(&ended), ["wiki alice"]);
    let ids = |ended: &[EndedSession]| {
        let of_wiki = ended.iter().find(|one| one.platform.as_str() == "wiki");
        of_wiki.unwrap().id
    };
    assert_ne!(ids(&expired), ids(&ended));
}

#[test]
fn of_many_orders_at_once_one_tells() {
    for round in 0..100 {
        let world = world();
        world.log_all_in();
        let ended: Vec<Vec<EndedSession>> = std::thread::scope(|scope| {
            let orders: Vec<_> = (0..8)
                .map(|number| {
                    let world = &world;
                    scope.spawn(move || match number % 3 {
                        0 => world.sign_out("a1", Reach::Person).unwrap(),
                        1 => world.end(Reason::Administrator, &["alice"]).unwrap(),
                        _ => world.end(Reason::User, &["alice", "bob"]).unwrap(),
                    })
                })
                .collect();
            orders
                .into_iter()
                .map(|order| order.join().unwrap())
                .collect()
        });
        // One that only browsers are sent to has no delivery, and may stand in two receipts.
        let deliveries = ended.concat().into_iter().filter(|one| one.upstream);
        let mut expected = of_all();
        expected.retain(|told| !told.starts_with("page"));
        assert_eq!(told(&deliveries.collect::<Vec<_>>()), expected, "{round}");
        assert_eq!(world.alive(), [""; 0], "{round}");
    }
}

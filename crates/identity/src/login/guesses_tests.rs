use std::num::NonZeroUsize;

use futures_executor::block_on;
use logout_store::MemoryStore;
use logout_suite::testing::{BreakableStore, ManualClock};

use super::*;

const WINDOW: Duration = Duration::from_secs(15 * 60);

struct World {
    store: Arc<dyn SessionStore>,
    clock: Arc<ManualClock>,
    limits: LoginLimits,
}

impl World {
    /// Three guesses for an address and an account, six for an address, four for an account.
    fn new() -> Self {
        let number = |count| NonZeroUsize::new(count).unwrap();
        let limits = LoginLimits {
            window: WINDOW,
            guesses: number(3),
            guesses_per_address: number(6),
            guesses_per_account: number(4),
            ..LoginLimits::default()
        };
        Self {
            store: Arc::new(MemoryStore::new()),
            clock: Arc::default(),
            limits,
        }
    }

    fn hub(&self) -> Guesses {
        Guesses::new(self.limits, self.store.clone(), self.clock.clone())
    }
}

fn origin(address: u8, name: &str) -> Origin {
    Origin {
        address: AddressGroup::V4([192, 0, 2, address]),
        name: name.to_owned(),
    }
}

/// Tries a wrong password.
fn guess(hub: &Guesses, address: u8, name: &str) -> bool {
    match block_on(hub.take(&origin(address, name))) {
        Ok(_) => true,
        Err(LoginError::TooMany { retry_after }) => {
            assert!(
                retry_after > Duration::ZERO && retry_after <= WINDOW,
                "{retry_after:?}"
            );
            false
        }
        Err(error) => panic!("{error}"),
    }
}

/// Tries the right one.
fn log_in(hub: &Guesses, address: u8, name: &str) -> bool {
    let taken = block_on(hub.take(&origin(address, name)));
    taken.map(|taken| block_on(hub.give_back(taken))).is_ok()
}

#[test]
fn an_address_has_so_many_wrong_passwords_for_an_account_and_others_go_on() {
    let hub = World::new().hub();
    assert_eq!(
        [1, 2, 3, 4].map(|_| guess(&hub, 1, "alice")),
        [true, true, true, false]
    );
    assert!(
        !log_in(&hub, 1, "alice"),
        "the right one is not looked at either"
    );
    assert!(log_in(&hub, 2, "alice") && log_in(&hub, 1, "bob"));
}

#[test]
fn an_address_has_so_many_wrong_passwords_altogether() {
    let hub = World::new().hub();
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    assert_eq!(
        names.map(|name| guess(&hub, 1, name)),
        [true, true, true, true, true, true, false]
    );
    assert!(!log_in(&hub, 1, "bob") && log_in(&hub, 2, "bob"));
}

#[test]
fn an_account_that_many_addresses_guess_at_stays_open_to_its_owner() {
    let hub = World::new().hub();
    assert_eq!(
        [1, 2, 3, 4].map(|address| guess(&hub, address, "alice")),
        [true; 4]
    );
    // From here on each address has one, which those four have had.
    assert_eq!(
        [1, 2, 5, 5].map(|address| guess(&hub, address, "alice")),
        [false, false, true, false]
    );
    for _ in 0..20 {
        assert!(
            log_in(&hub, 9, "alice"),
            "whoever knows the password uses nothing up"
        );
    }
}

#[test]
fn right_passwords_use_nothing_up() {
    let hub = World::new().hub();
    for _ in 0..50 {
        assert!(log_in(&hub, 1, "alice"));
    }
    assert_eq!(
        [1, 2, 3, 4].map(|_| guess(&hub, 1, "alice")),
        [true, true, true, false]
    );
}

#[test]
fn hubs_on_one_store_count_together() {
    let world = World::new();
    let hubs = [world.hub(), world.hub()];
    assert_eq!(
        [0, 1, 0, 1, 0].map(|at| guess(&hubs[at], 1, "alice")),
        [true, true, true, false, false]
    );
    assert!(
        !guess(&world.hub(), 1, "alice"),
        "a hub that has just started knows it too"
    );
}

#[test]
fn when_the_window_is_over_the_account_is_open_again() {
    let mut world = World::new();
    world.limits.guesses_per_account = NonZeroUsize::MAX;
    let hub = world.hub();
    while guess(&hub, 1, "alice") {}
    let Err(LoginError::TooMany { retry_after }) = block_on(hub.take(&origin(1, "alice"))) else {
        panic!("it is full")
    };
    world.clock.advance(retry_after - Duration::from_millis(1));
    assert!(!log_in(&hub, 1, "alice"));
    world.clock.advance(Duration::from_millis(1));
    assert!(log_in(&hub, 1, "alice"));
    assert_eq!(
        [1, 2, 3, 4].map(|_| guess(&hub, 1, "alice")),
        [true, true, true, false]
    );
}

#[test]
fn of_many_at_once_no_more_are_looked_at_than_may_be_wrong() {
    let hub = World::new().hub();
    let alice = origin(1, "alice");
    let taken = block_on(join_all((0..20).map(|_| hub.take(&alice))));
    assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 3);
}

#[test]
fn whoever_has_no_known_address_is_counted_by_account_only() {
    let hub = World::new().hub();
    let nobody = |name: &str| Origin {
        address: AddressGroup::Unknown,
        name: name.to_owned(),
    };
    for number in 0..30 {
        assert!(block_on(hub.take(&nobody(&number.to_string()))).is_ok());
    }
    assert_eq!(
        [1, 2, 3, 4].map(|_| block_on(hub.take(&nobody("alice"))).is_ok()),
        [true, true, true, false]
    );
}

#[test]
fn whoever_goes_on_guessing_costs_the_store_nothing() {
    let store = Arc::new(BreakableStore::default());
    let hub = World {
        store: store.clone(),
        ..World::new()
    }
    .hub();
    while guess(&hub, 1, "alice") {}
    store.set_broken(true);
    assert!(!guess(&hub, 1, "alice"), "nothing was asked");
}

#[test]
fn a_store_that_does_not_answer_looks_at_no_password() {
    let store = Arc::new(BreakableStore::default());
    let hub = World {
        store: store.clone(),
        ..World::new()
    }
    .hub();
    store.set_broken(true);
    assert_eq!(
        block_on(hub.take(&origin(1, "alice"))).err(),
        Some(LoginError::Unavailable)
    );
    store.set_broken(false);
    assert!(log_in(&hub, 1, "alice"));
}

#[test]
fn what_is_remembered_is_bounded() {
    let hub = World::new().hub();
    for number in 0..4_000 {
        drop(block_on(hub.take(&Origin {
            address: AddressGroup::Unknown,
            name: number.to_string(),
        })));
    }
    assert!(hub.free.lock().unwrap().len() <= REMEMBERED);
}

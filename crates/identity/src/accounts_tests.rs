use std::num::NonZeroUsize;

use logout_store::MemoryStore;
use logout_suite::testing::ManualClock;

use super::*;
use crate::password::tests::cheap_hash;

fn account(realm: &str, name: &str, email: Option<&str>, password: &str) -> PasswordAccount {
    PasswordAccount {
        account: Account {
            realm: realm.into(),
            name: name.into(),
            person: None,
            email: email.map(str::to_owned),
            display_name: name.into(),
            groups: Vec::new(),
            administrator: false,
            version: None,
        },
        password_hash: Secret::new(cheap_hash(password).to_string()),
    }
}

fn listed(accounts: Vec<PasswordAccount>) -> Result<PasswordAccounts, AccountError> {
    PasswordAccounts::new(
        accounts,
        Arc::new(MemoryStore::new()),
        Arc::new(ManualClock::default()),
    )
}

/// One account, one hash at a time, and one login that may wait for each address.
fn narrow() -> PasswordAccounts {
    const ONE: NonZeroUsize = NonZeroUsize::MIN;
    let limits = LoginLimits {
        at_once: ONE,
        waiting_per_address: ONE,
        ..LoginLimits::default()
    };
    let alice = vec![account("Default", "alice", None, "one")];
    PasswordAccounts::limited(
        alice,
        limits,
        Arc::new(MemoryStore::new()),
        Arc::new(ManualClock::default()),
    )
    .unwrap()
}

/// A login from this address.
fn attempt<'a>(address: u8, name: &'a str, password: &'a Secret) -> LoginAttempt<'a> {
    LoginAttempt {
        realm: None,
        name,
        or_name: None,
        password,
        address: Some([192, 0, 2, address].into()),
    }
}

async fn log_in(
    accounts: &PasswordAccounts,
    address: u8,
    name: &str,
    password: &str,
) -> Result<bool, LoginError> {
    accounts
        .verify(attempt(address, name, &Secret::new(password)))
        .await
        .map(|account| account.is_some())
}

fn accounts() -> PasswordAccounts {
    listed(vec![
        account("Default", "Alice", Some("alice@example.com"), "one"),
        account("Default", "bob", None, "two"),
        account("Partners", "alice", Some("alice@partner.example"), "three"),
        // Its address is somebody else's name.
        account("Default", "carol", Some("bob"), "four"),
    ])
    .unwrap()
}

async fn verified(realm: Option<&str>, name: &str, password: &str) -> Option<(String, String)> {
    let password = Secret::new(password);
    let attempt = LoginAttempt {
        realm,
        ..attempt(1, name, &password)
    };
    accounts()
        .verify(attempt)
        .await
        .unwrap()
        .map(|account| (account.realm, account.name))
}

fn is(realm: &str, name: &str) -> Option<(String, String)> {
    Some((realm.to_owned(), name.to_owned()))
}

#[tokio::test]
async fn the_right_password_opens_the_account_whatever_the_case_of_the_name() {
    for name in ["Alice", "alice", "ALICE", "Alice@Example.com"] {
        assert_eq!(
            verified(Some("Default"), name, "one").await,
            is("Default", "Alice"),
            "{name}"
        );
        assert_eq!(
            verified(Some("dEFAULT"), name, "one").await,
            is("Default", "Alice"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_wrong_password_an_unknown_name_and_another_realm_are_all_nobody() {
    for (realm, name, password) in [
        (Some("Default"), "alice", "One"),
        (Some("Default"), "alice", ""),
        (Some("Default"), "alice", "three"),
        (Some("Default"), "mallory", "one"),
        (Some("Nowhere"), "alice", "one"),
        (None, "", "one"),
    ] {
        assert_eq!(
            verified(realm, name, password).await,
            None,
            "{realm:?} {name} {password}"
        );
    }
}

#[tokio::test]
async fn without_a_realm_every_realm_is_searched() {
    assert_eq!(verified(None, "alice", "one").await, is("Default", "Alice"));
    assert_eq!(
        verified(None, "alice", "three").await,
        is("Partners", "alice")
    );
    assert_eq!(
        verified(None, "alice@partner.example", "three").await,
        is("Partners", "alice")
    );
}

#[tokio::test]
async fn a_name_counts_before_an_address_that_reads_the_same() {
    assert_eq!(
        verified(Some("Default"), "bob", "two").await,
        is("Default", "bob")
    );
    assert_eq!(
        verified(Some("Default"), "bob", "four").await,
        is("Default", "carol")
    );
}

#[test]
fn an_account_is_found_by_name_only() {
    let accounts = accounts();
    assert_eq!(
        accounts
            .find("Default", "ALICE")
            .map(|account| account.name),
        Some("Alice".to_owned())
    );
    assert_eq!(
        accounts.find("Default", "bob").map(|account| account.name),
        Some("bob".to_owned())
    );
    for (realm, name) in [
        ("Default", "alice@example.com"),
        ("Other", "alice"),
        ("Partners", "bob"),
    ] {
        assert_eq!(accounts.find(realm, name), None, "{realm} {name}");
    }
}

#[test]
fn every_login_costs_the_same_number_of_hashes() {
    let accounts = accounts();
    assert_eq!((accounts.rounds.in_realm, accounts.rounds.anywhere), (2, 2));
    let nobody = listed(Vec::new()).unwrap();
    assert_eq!((nobody.rounds.in_realm, nobody.rounds.anywhere), (1, 1));
}

async fn is_pending(login: &mut (impl Future + Unpin)) -> bool {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *login).poll(cx).is_pending())
    })
    .await
}

/// Takes the only slot, as a login from another address does that is being looked at.
async fn hold(accounts: &PasswordAccounts) -> impl Drop + use<> {
    let password = Secret::new("");
    accounts
        .slots
        .acquire(Origin::of(&attempt(99, "somebody", &password)))
        .await
        .unwrap()
}

#[tokio::test]
async fn more_logins_than_may_wait_are_refused_at_once_and_use_up_no_guess() {
    let accounts = narrow();
    let held = hold(&accounts).await;
    let mut waiting = Box::pin(log_in(&accounts, 1, "alice", "one"));
    assert!(is_pending(&mut waiting).await);
    for _ in 0..200 {
        assert!(matches!(
            log_in(&accounts, 1, "alice", "two").await,
            Err(LoginError::TooMany { .. })
        ));
    }
    drop(held);
    assert_eq!(waiting.await, Ok(true));
    assert_eq!(log_in(&accounts, 1, "alice", "one").await, Ok(true));
}

#[tokio::test]
async fn a_login_that_waits_gets_its_turn_and_one_that_went_away_gives_it_up() {
    let accounts = narrow();
    let held = hold(&accounts).await;
    let mut gone = Box::pin(log_in(&accounts, 1, "alice", "two"));
    let mut stays = Box::pin(log_in(&accounts, 2, "alice", "one"));
    assert!(is_pending(&mut gone).await && is_pending(&mut stays).await);
    drop(gone);
    drop(held);
    assert_eq!(stays.await, Ok(true));
}

#[tokio::test]
async fn many_right_logins_at_once_are_all_let_in() {
    let accounts = Arc::new(accounts());
    let logins = (0..30).map(|_| {
        let accounts = accounts.clone();
        tokio::spawn(async move { log_in(&accounts, 1, "alice", "one").await })
    });
    for login in logins.collect::<Vec<_>>() {
        assert_eq!(login.await.unwrap(), Ok(true));
    }
}

#[tokio::test]
async fn known_and_unknown_names_are_refused_after_as_many_guesses() {
    let accounts = accounts();
    for (address, name) in [(1, "alice"), (2, "mallory"), (3, "alice@example.com")] {
        for _ in 0..10 {
            assert_eq!(
                log_in(&accounts, address, name, "wrong").await,
                Ok(false),
                "{name}"
            );
        }
        assert!(
            matches!(
                log_in(&accounts, address, name, "one").await,
                Err(LoginError::TooMany { .. })
            ),
            "{name}"
        );
        assert_eq!(
            log_in(&accounts, 9, "alice", "one").await,
            Ok(true),
            "from elsewhere"
        );
    }
}

#[tokio::test]
async fn two_spellings_of_a_name_are_one_guess() {
    let accounts = accounts();
    let (wrong, right) = (Secret::new("wrong"), Secret::new("one"));
    let spelled = |password| LoginAttempt {
        or_name: Some("alice"),
        ..attempt(1, "uid=alice,o=example", password)
    };
    for _ in 0..9 {
        assert_eq!(
            accounts
                .verify(spelled(&wrong))
                .await
                .map(|account| account.is_some()),
            Ok(false)
        );
    }
    assert_eq!(
        accounts
            .verify(spelled(&right))
            .await
            .map(|account| account.map(|account| account.name)),
        Ok(Some("Alice".to_owned()))
    );
    assert_eq!(log_in(&accounts, 1, "alice", "wrong").await, Ok(false));
    assert!(matches!(
        accounts.verify(spelled(&right)).await,
        Err(LoginError::TooMany { .. })
    ));
}

#[test]
fn a_name_may_stand_once_in_a_realm() {
    let twice = vec![
        account("Default", "alice", None, "x"),
        account("Default", "Alice", None, "y"),
    ];
    let fault = listed(twice).err();
    assert_eq!(
        fault,
        Some(AccountError::Duplicate {
            realm: "Default".into(),
            name: "Alice".into()
        })
    );
}

#[test]
fn a_hash_that_is_none_is_named_but_not_shown() {
    let mut broken = account("Default", "alice", None, "x");
    broken.password_hash = Secret::new("canary");
    let fault = listed(vec![broken.clone()]).err().unwrap();
    assert_eq!(
        fault.to_string(),
        "the password hash of account alice in realm Default: not a complete PHC string"
    );
    assert!(!format!("{broken:?}{fault:?}").contains("canary"));
}

#[tokio::test]
async fn an_account_made_in_code_logs_in_with_its_password_and_no_other() {
    let alice = PasswordAccount::with_password(Account::new("alice"), &Secret::new("one")).unwrap();
    let version = Some(AccountVersion::of("Default", "alice", &alice.password_hash));
    let accounts = listed(vec![alice]).unwrap();
    assert_eq!(
        accounts.versions().collect::<Vec<_>>(),
        version.into_iter().collect::<Vec<_>>()
    );
    for (password, verified) in [
        (
            "one",
            Some(Account {
                version,
                ..Account::new("alice")
            }),
        ),
        ("two", None),
    ] {
        assert_eq!(
            accounts
                .verify(attempt(1, "alice", &Secret::new(password)).in_realm("Default"))
                .await,
            Ok(verified),
            "{password}"
        );
    }
}

#[test]
fn an_account_is_known_by_its_name_and_its_address_in_any_realm() {
    for known in [
        "Alice",
        "ALICE@example.com",
        "alice@partner.example",
        "bob",
        "carol",
    ] {
        assert!(accounts().is_known(known), "{known}");
    }
    for unknown in ["", "dora", "alice@", "example.com"] {
        assert!(!accounts().is_known(unknown), "{unknown}");
    }
}

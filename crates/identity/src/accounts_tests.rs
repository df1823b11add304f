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
        },
        password_hash: Secret::new(cheap_hash(password).to_string()),
    }
}

fn accounts() -> PasswordAccounts {
    PasswordAccounts::new(vec![
        account("Default", "Alice", Some("alice@example.com"), "one"),
        account("Default", "bob", None, "two"),
        account("Partners", "alice", Some("alice@partner.example"), "three"),
        // Its address is somebody else's name.
        account("Default", "carol", Some("bob"), "four"),
    ])
    .unwrap()
}

async fn verified(realm: Option<&str>, name: &str, password: &str) -> Option<(String, String)> {
    accounts().verify(realm, name, &Secret::new(password)).await.unwrap().map(|account| (account.realm, account.name))
}

fn is(realm: &str, name: &str) -> Option<(String, String)> {
    Some((realm.to_owned(), name.to_owned()))
}

#[tokio::test]
async fn the_right_password_opens_the_account_whatever_the_case_of_the_name() {
    for name in ["Alice", "alice", "ALICE", "Alice@Example.com"] {
        assert_eq!(verified(Some("Default"), name, "one").await, is("Default", "Alice"), "{name}");
        assert_eq!(verified(Some("dEFAULT"), name, "one").await, is("Default", "Alice"), "{name}");
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
        assert_eq!(verified(realm, name, password).await, None, "{realm:?} {name} {password}");
    }
}

#[tokio::test]
async fn without_a_realm_every_realm_is_searched() {
    assert_eq!(verified(None, "alice", "one").await, is("Default", "Alice"));
    assert_eq!(verified(None, "alice", "three").await, is("Partners", "alice"));
    assert_eq!(verified(None, "alice@partner.example", "three").await, is("Partners", "alice"));
}

#[tokio::test]
async fn a_name_counts_before_an_address_that_reads_the_same() {
    assert_eq!(verified(Some("Default"), "bob", "two").await, is("Default", "bob"));
    assert_eq!(verified(Some("Default"), "bob", "four").await, is("Default", "carol"));
}

#[test]
fn an_account_is_found_by_name_only() {
    let accounts = accounts();
    assert_eq!(accounts.find("Default", "ALICE").map(|account| account.name), Some("Alice".to_owned()));
    assert_eq!(accounts.find("Default", "bob").map(|account| account.name), Some("bob".to_owned()));
    for (realm, name) in [("Default", "alice@example.com"), ("Other", "alice"), ("Partners", "bob")] {
        assert_eq!(accounts.find(realm, name), None, "{realm} {name}");
    }
}

#[test]
fn every_login_costs_the_same_number_of_hashes() {
    let accounts = accounts();
    assert_eq!((accounts.rounds.in_realm, accounts.rounds.anywhere), (2, 2));
    let nobody = PasswordAccounts::new(Vec::new()).unwrap();
    assert_eq!((nobody.rounds.in_realm, nobody.rounds.anywhere), (1, 1));
}

#[tokio::test]
async fn more_logins_than_may_wait_are_refused_at_once() {
    let accounts = PasswordAccounts::with_slots(vec![account("Default", "alice", None, "one")], 1, 1).unwrap();
    let held = Arc::clone(&accounts.admitted).acquire_many_owned(2).await.unwrap();
    let password = Secret::new("one");
    assert!(accounts.verify(None, "alice", &password).await.is_err());
    drop(held);
    assert!(accounts.verify(None, "alice", &password).await.unwrap().is_some());
}

#[tokio::test]
async fn a_login_that_waits_for_a_slot_gets_it() {
    let accounts = PasswordAccounts::with_slots(vec![account("Default", "alice", None, "one")], 1, 1).unwrap();
    let held = Arc::clone(&accounts.running).acquire_owned().await.unwrap();
    let password = Secret::new("one");
    let mut login = Box::pin(accounts.verify(None, "alice", &password));
    let pending = std::future::poll_fn(|cx| std::task::Poll::Ready(login.as_mut().poll(cx).is_pending())).await;
    assert!(pending);
    drop(held);
    assert!(login.await.unwrap().is_some());
}

#[test]
fn a_name_may_stand_once_in_a_realm() {
    let twice = vec![account("Default", "alice", None, "x"), account("Default", "Alice", None, "y")];
    let fault = PasswordAccounts::new(twice).err();
    assert_eq!(fault, Some(AccountFault::Duplicate { realm: "Default".into(), name: "Alice".into() }));
}

#[test]
fn a_hash_that_is_none_is_named_but_not_shown() {
    let mut broken = account("Default", "alice", None, "x");
    broken.password_hash = Secret::new("canary");
    let fault = PasswordAccounts::new(vec![broken.clone()]).err().unwrap();
    assert_eq!(fault.to_string(), "the password hash of account alice in realm Default: not a complete PHC string");
    assert!(!format!("{broken:?}{fault:?}").contains("canary"));
}

#[tokio::test]
async fn an_account_made_in_code_logs_in_with_its_password_and_no_other() {
    let alice = PasswordAccount::with_password(Account::new("alice"), &Secret::new("one")).unwrap();
    let accounts = PasswordAccounts::new(vec![alice]).unwrap();
    for (password, verified) in [("one", Some(Account::new("alice"))), ("two", None)] {
        assert_eq!(accounts.verify(Some("Default"), "alice", &Secret::new(password)).await.unwrap(), verified, "{password}");
    }
}

#[test]
fn an_account_is_known_by_its_name_and_its_address_in_any_realm() {
    for known in ["Alice", "ALICE@example.com", "alice@partner.example", "bob", "carol"] {
        assert!(accounts().is_known(known), "{known}");
    }
    for unknown in ["", "dora", "alice@", "example.com"] {
        assert!(!accounts().is_known(unknown), "{unknown}");
    }
}

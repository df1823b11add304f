//! Accounts from a configured list.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use argon2::PasswordHash;
use async_trait::async_trait;
use logout_core::credential::Secret;
use logout_core::login::{LoginAttempt, LoginError};
use logout_core::ports::{Account, Accounts, Clock};
use logout_core::session::AccountVersion;
use logout_core::store::SessionStore;

use crate::login::{Guesses, HashingSlots, LoginLimits, Origin};
use crate::password::{HashError, HashingFailed, decoy, hash_password, parse_hash, verify};

/// An account and the hash of its password.
#[derive(Clone)]
pub struct PasswordAccount {
    /// Who it is. Its version is filled in by [`PasswordAccounts`].
    pub account: Account,
    /// The argon2 hash, as a PHC string.
    pub password_hash: Secret,
}

impl PasswordAccount {
    /// An account with this password, for accounts that are made in code. Hashes it: tens of
    /// milliseconds and 19 MiB.
    ///
    /// # Errors
    /// [`HashingFailed`], which a healthy machine never sees.
    pub fn with_password(account: Account, password: &Secret) -> Result<Self, HashingFailed> {
        Ok(Self {
            account,
            password_hash: Secret::new(hash_password(password)?),
        })
    }
}

impl fmt::Debug for PasswordAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordAccount")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// Why a list of accounts is not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// Two accounts of one realm have the same name, ASCII case aside.
    #[error("the account {name} exists twice in realm {realm}")]
    Duplicate {
        /// The realm.
        realm: String,
        /// The name.
        name: String,
    },
    /// The hash of an account is none.
    #[error("the password hash of account {name} in realm {realm}: {fault}")]
    Hash {
        /// The realm.
        realm: String,
        /// The name.
        name: String,
        /// What is wrong with it.
        fault: HashError,
    },
    /// No decoy hash could be made: the operating system gave no randomness or no memory.
    #[error("passwords cannot be hashed on this machine")]
    Hashing,
}

/// Verifies names and passwords against a list that does not change.
///
/// - Realms, names and mail addresses are compared without regard to ASCII case. A name counts
///   before a mail address, an earlier account before a later one.
/// - The argon2 work runs on the runtime's blocking threads, on at most as many at once as there
///   are cores. A bounded number may wait, each address and each account in its turn; more are
///   refused at once, so that a flood of logins neither piles up memory nor keeps others from
///   logging in.
/// - Wrong passwords are counted in the store, for each address, each account, and both
///   ([`LoginLimits`]).
/// - Every call does the same number of hashes of the same cost, whether the name exists or not.
///   Where the configured hashes differ in cost, unknown names cost what the costliest does.
pub struct PasswordAccounts {
    entries: Vec<Entry>,
    /// Lower-cased names and addresses to indexes into `entries`: names first, then addresses, each
    /// in configured order.
    by_login: HashMap<String, Vec<usize>>,
    /// How many accounts at most answer to one login within one realm, and over all realms.
    rounds: Rounds,
    decoy: Arc<PasswordHash>,
    slots: HashingSlots,
    guesses: Guesses,
}

struct Entry {
    account: Account,
    hash: Arc<PasswordHash>,
}

#[derive(Clone, Copy, Debug)]
struct Rounds {
    in_realm: usize,
    anywhere: usize,
}

impl PasswordAccounts {
    /// The accounts of this list. Wrong passwords are counted in `store`, together with all who
    /// share it, by this `clock`.
    ///
    /// # Errors
    /// A duplicate name or a hash that is none.
    pub fn new(
        accounts: Vec<PasswordAccount>,
        store: Arc<dyn SessionStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AccountError> {
        Self::limited(accounts, LoginLimits::default(), store, clock)
    }

    /// The same, within limits other than the default ones.
    ///
    /// # Errors
    /// As [`PasswordAccounts::new`].
    pub fn limited(
        accounts: Vec<PasswordAccount>,
        limits: LoginLimits,
        store: Arc<dyn SessionStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AccountError> {
        let mut entries: Vec<Entry> = Vec::with_capacity(accounts.len());
        let mut names = HashSet::new();
        for PasswordAccount {
            account,
            password_hash,
        } in accounts
        {
            let (realm, name) = (account.realm.clone(), account.name.clone());
            if !names.insert((realm.to_ascii_lowercase(), name.to_ascii_lowercase())) {
                return Err(AccountError::Duplicate { realm, name });
            }
            let version = Some(AccountVersion::of(&realm, &name, &password_hash));
            let hash = parse_hash(password_hash.reveal()).map_err(|fault| AccountError::Hash {
                realm,
                name,
                fault,
            })?;
            entries.push(Entry {
                account: Account { version, ..account },
                hash: Arc::new(hash),
            });
        }
        let by_login = index(&entries);
        let hashes: Vec<&PasswordHash> = entries.iter().map(|entry| entry.hash.as_ref()).collect();
        Ok(Self {
            rounds: Rounds::over(&entries, &by_login),
            decoy: Arc::new(decoy(&hashes).map_err(|_| AccountError::Hashing)?),
            by_login,
            entries,
            slots: HashingSlots::new(&limits),
            guesses: Guesses::new(limits, store, clock),
        })
    }

    /// The version of each account, in no order.
    pub fn versions(&self) -> impl Iterator<Item = AccountVersion> {
        self.entries
            .iter()
            .filter_map(|entry| entry.account.version)
    }

    /// The accounts that answer to `login`, best first.
    fn candidates<'a>(
        &'a self,
        realm: Option<&'a str>,
        login: &str,
    ) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let indexes = self
            .by_login
            .get(&login.to_ascii_lowercase())
            .map_or(&[][..], Vec::as_slice);
        indexes
            .iter()
            .map(|at| &self.entries[*at])
            .filter(move |entry| {
                realm.is_none_or(|realm| entry.account.realm.eq_ignore_ascii_case(realm))
            })
    }
}

#[async_trait]
impl Accounts for PasswordAccounts {
    async fn verify(&self, attempt: LoginAttempt<'_>) -> Result<Option<Account>, LoginError> {
        let origin = Origin::of(&attempt);
        let slot = self.slots.acquire(origin.clone()).await?;
        let guess = self.guesses.take(&origin).await?;
        let (mut candidates, mut hashes) = (Vec::new(), Vec::new());
        for name in [Some(attempt.name), attempt.or_name].into_iter().flatten() {
            let known: Vec<_> = self.candidates(attempt.realm, name).collect();
            let rounds = if attempt.realm.is_some() {
                self.rounds.in_realm
            } else {
                self.rounds.anywhere
            };
            hashes.extend(known.iter().map(|entry| Arc::clone(&entry.hash)));
            hashes.extend((known.len()..rounds).map(|_| Arc::clone(&self.decoy)));
            candidates.extend(known.iter().copied().map(Some));
            candidates.resize(hashes.len(), None);
        }
        let password = attempt.password.clone();
        // The slot goes along: a caller that goes away does not stop the work, and must not free
        // it.
        let work = tokio::task::spawn_blocking(move || {
            let matches: Result<Vec<bool>, _> =
                hashes.iter().map(|hash| verify(&password, hash)).collect();
            (matches, slot)
        });
        let (matches, _slot) = match work.await {
            Ok((Ok(matches), slot)) => (matches, slot),
            failed => {
                let fault =
                    failed.map_or_else(|fault| fault.to_string(), |_| HashingFailed.to_string());
                log::error!("a login could not be verified: {fault}");
                self.guesses.give_back(guess).await;
                return Err(LoginError::Unavailable);
            }
        };
        let right = candidates
            .into_iter()
            .zip(matches)
            .find_map(|(entry, matches)| entry.filter(|_| matches));
        if right.is_some() {
            self.guesses.give_back(guess).await;
        }
        Ok(right.map(|entry| entry.account.clone()))
    }

    fn is_known(&self, name: &str) -> bool {
        self.candidates(None, name).next().is_some()
    }

    fn find(&self, realm: &str, name: &str) -> Option<Account> {
        self.candidates(Some(realm), name)
            .find(|entry| entry.account.name.eq_ignore_ascii_case(name))
            .map(|entry| entry.account.clone())
    }
}

impl fmt::Debug for PasswordAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordAccounts")
            .field("accounts", &self.entries.len())
            .finish_non_exhaustive()
    }
}

impl Rounds {
    fn over(entries: &[Entry], by_login: &HashMap<String, Vec<usize>>) -> Self {
        let per_realm = |indexes: &Vec<usize>| {
            let mut counts: HashMap<String, usize> = HashMap::new();
            for at in indexes {
                *counts
                    .entry(entries[*at].account.realm.to_ascii_lowercase())
                    .or_default() += 1;
            }
            counts.into_values().max().unwrap_or(0)
        };
        // At least one, so that an empty list takes as long to say no as any other.
        Self {
            in_realm: by_login.values().map(per_realm).max().unwrap_or(0).max(1),
            anywhere: by_login.values().map(Vec::len).max().unwrap_or(0).max(1),
        }
    }
}

fn index(entries: &[Entry]) -> HashMap<String, Vec<usize>> {
    let mut by_login: HashMap<String, Vec<usize>> = HashMap::new();
    let names = entries
        .iter()
        .enumerate()
        .map(|(at, entry)| (at, &entry.account.name));
    let addresses = entries
        .iter()
        .enumerate()
        .filter_map(|(at, entry)| Some((at, entry.account.email.as_ref()?)));
    for (at, login) in names.chain(addresses) {
        let indexes = by_login.entry(login.to_ascii_lowercase()).or_default();
        if !indexes.contains(&at) {
            indexes.push(at);
        }
    }
    by_login
}

#[cfg(test)]
#[path = "accounts_tests.rs"]
mod tests;

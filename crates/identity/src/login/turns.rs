//! Whose turn it is: fair over addresses, and over accounts. Pure.
//!
//! Start-time fair queueing: a login is served in the round that comes next for its address. An
//! address has one login in each round, however many it sends. An account that several addresses
//! want has one of those addresses in each round, so that many addresses that guess at one account
//! hold up that account, and no other.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;

use super::limits::LoginLimits;
use super::origin::{AddressGroup, Origin};

/// Logins that wait, in the order of their turns. Keeps nothing of who neither waits nor is served.
#[derive(Debug)]
pub(super) struct Turns<T> {
    /// By round, and within a round in the order of arrival.
    waiting: BTreeMap<(u64, u64), (Origin, T)>,
    addresses: HashMap<AddressGroup, Flow>,
    accounts: HashMap<String, Flow>,
    /// How many logins of this address and account wait or are served.
    pairs: HashMap<Origin, usize>,
    round: u64,
    arrivals: u64,
    per_address: NonZeroUsize,
    most: NonZeroUsize,
}

/// What an address or an account has here.
#[derive(Debug, Default)]
struct Flow {
    waiting: usize,
    served: usize,
    /// The round after the last one that it has a login in.
    next: u64,
}

impl<T> Turns<T> {
    pub(super) fn new(limits: &LoginLimits) -> Self {
        Self {
            waiting: BTreeMap::new(),
            addresses: HashMap::new(),
            accounts: HashMap::new(),
            pairs: HashMap::new(),
            round: 0,
            arrivals: 0,
            per_address: limits.waiting_per_address,
            most: limits.waiting,
        }
    }

    /// Whether no more logins of this address may wait.
    pub(super) fn is_full_for(&self, address: &AddressGroup) -> bool {
        self.addresses
            .get(address)
            .is_some_and(|flow| flow.waiting >= self.per_address.get())
    }

    /// Lets a login wait.
    ///
    /// # Errors
    /// The login that there is no room for: this one, or in its place the one whose turn is the
    /// farthest off.
    pub(super) fn push(&mut self, origin: Origin, login: T) -> Result<(), T> {
        if self.is_full_for(&origin.address) {
            return Err(login);
        }
        let address_next = self
            .addresses
            .get(&origin.address)
            .map_or(0, |flow| flow.next);
        let account_next = self.accounts.get(&origin.name).map_or(0, |flow| flow.next);
        let comes_new = !self.pairs.contains_key(&origin);
        let round = self
            .round
            .max(address_next)
            .max(if comes_new { account_next } else { 0 });
        let mut outcome = Ok(());
        if self.waiting.len() >= self.most.get() {
            match self.waiting.last_entry() {
                Some(last) if last.key().0 > round => {
                    let (other, login) = last.remove();
                    self.leave(&other, |flow| flow.waiting -= 1);
                    outcome = Err(login);
                }
                _ => return Err(login),
            }
        }
        let address = self.addresses.entry(origin.address).or_default();
        (address.waiting, address.next) = (address.waiting + 1, round + 1);
        let account = self.accounts.entry(origin.name.clone()).or_default();
        account.waiting += 1;
        if comes_new {
            account.next = round + 1;
        }
        *self.pairs.entry(origin.clone()).or_default() += 1;
        self.arrivals += 1;
        self.waiting.insert((round, self.arrivals), (origin, login));
        outcome
    }

    /// The login whose turn it is. Tell [`Turns::served`] when it is done.
    pub(super) fn pop(&mut self) -> Option<(Origin, T)> {
        let ((round, _), (origin, login)) = self.waiting.pop_first()?;
        self.round = round;
        let flows = [
            self.addresses.get_mut(&origin.address),
            self.accounts.get_mut(&origin.name),
        ];
        for flow in flows.into_iter().flatten() {
            (flow.waiting, flow.served) = (flow.waiting - 1, flow.served + 1);
        }
        Some((origin, login))
    }

    pub(super) fn served(&mut self, origin: &Origin) {
        self.leave(origin, |flow| flow.served -= 1);
    }

    fn leave(&mut self, origin: &Origin, change: impl Fn(&mut Flow)) {
        fn forget<K: Eq + std::hash::Hash>(
            flows: &mut HashMap<K, Flow>,
            key: &K,
            change: impl Fn(&mut Flow),
        ) {
            let Some(flow) = flows.get_mut(key) else {
                return;
            };
            change(flow);
            if flow.waiting + flow.served == 0 {
                flows.remove(key);
            }
        }
        forget(&mut self.addresses, &origin.address, &change);
        forget(&mut self.accounts, &origin.name, &change);
        if let Some(count) = self.pairs.get_mut(origin) {
            *count -= 1;
            if *count == 0 {
                self.pairs.remove(origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(per_address: usize, most: usize) -> Turns<u32> {
        let number = |count| NonZeroUsize::new(count).unwrap();
        Turns::new(&LoginLimits {
            waiting_per_address: number(per_address),
            waiting: number(most),
            ..LoginLimits::default()
        })
    }

    fn origin(address: u8, name: &str) -> Origin {
        Origin {
            address: AddressGroup::V4([192, 0, 2, address]),
            name: name.to_owned(),
        }
    }

    /// Everything in the order in which it is served, one after the other.
    fn order(turns: &mut Turns<u32>) -> Vec<u32> {
        std::iter::from_fn(|| {
            let (origin, login) = turns.pop()?;
            turns.served(&origin);
            Some(login)
        })
        .collect()
    }

    #[test]
    fn an_address_that_sends_many_waits_behind_one_that_sends_one() {
        for names in [["alice"; 5], ["a", "b", "c", "d", "e"]] {
            let mut turns = turns(16, 256);
            for (number, name) in (0..).zip(names) {
                assert_eq!(turns.push(origin(1, name), number), Ok(()));
            }
            // One of them is being served.
            let (first, _) = turns.pop().unwrap();
            assert_eq!(turns.push(origin(2, "bob"), 100), Ok(()));
            assert_eq!(turns.push(origin(3, "carol"), 101), Ok(()));
            turns.served(&first);
            assert_eq!(order(&mut turns)[..2], [100, 101], "{names:?}");
        }
    }

    #[test]
    fn one_address_that_guesses_at_an_account_does_not_hold_up_the_account() {
        let mut turns = turns(16, 256);
        for number in 0..16 {
            assert_eq!(turns.push(origin(1, "alice"), number), Ok(()));
        }
        assert_eq!(turns.push(origin(2, "alice"), 100), Ok(()));
        assert!(order(&mut turns)[..3].contains(&100));
    }

    #[test]
    fn many_addresses_that_guess_at_one_account_hold_up_no_other() {
        let mut turns = turns(16, 256);
        for number in 0..100 {
            assert_eq!(turns.push(origin(number, "alice"), number.into()), Ok(()));
        }
        turns.pop().unwrap();
        assert_eq!(turns.push(origin(200, "bob"), 200), Ok(()));
        assert_eq!(turns.push(origin(201, "alice"), 201), Ok(()));
        let order = order(&mut turns);
        assert_eq!(
            (order[0], order.last()),
            (200, Some(&201)),
            "the account's own owner waits, and is served"
        );
    }

    #[test]
    fn every_address_that_waits_is_served_once_in_each_round() {
        let mut turns = turns(16, 256);
        for login in 0..12 {
            for address in 0..=u8::try_from(login % 3).unwrap() {
                assert_eq!(
                    turns.push(
                        origin(address, &format!("{address}")),
                        login * 10 + u32::from(address)
                    ),
                    Ok(())
                );
            }
        }
        let by_address: Vec<u32> = order(&mut turns)
            .into_iter()
            .map(|login| login % 10)
            .collect();
        assert_eq!(by_address[..12], [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
        assert_eq!(by_address.len(), 24);
    }

    #[test]
    fn an_address_has_so_many_that_wait_and_is_told_at_once() {
        let mut turns = turns(2, 256);
        assert_eq!(
            (turns.push(origin(1, "a"), 1), turns.push(origin(1, "b"), 2)),
            (Ok(()), Ok(()))
        );
        assert!(
            turns.is_full_for(&origin(1, "").address) && !turns.is_full_for(&origin(2, "").address)
        );
        assert_eq!(turns.push(origin(1, "c"), 3), Err(3));
        turns.pop().unwrap();
        assert_eq!(
            turns.push(origin(1, "c"), 4),
            Ok(()),
            "one that is being served does not wait"
        );
    }

    #[test]
    fn where_there_is_no_room_the_one_who_sent_most_gives_way() {
        let mut turns = turns(3, 3);
        for number in 0..3 {
            assert_eq!(turns.push(origin(1, "alice"), number), Ok(()));
        }
        assert_eq!(
            turns.push(origin(2, "bob"), 10),
            Err(2),
            "the last one of the other address"
        );
        assert_eq!(turns.push(origin(3, "carol"), 11), Err(1));
        assert_eq!(
            turns.push(origin(3, "carol"), 12),
            Err(12),
            "nobody waits for longer"
        );
        assert_eq!(order(&mut turns), [0, 10, 11]);
    }

    #[test]
    fn nothing_is_kept_of_who_has_gone() {
        let mut turns = turns(2, 3);
        for number in 0..50 {
            let _ = turns.push(origin(number, &format!("{number}")), u32::from(number));
        }
        assert!(
            turns.waiting.len() == 3
                && turns.addresses.len() == 3
                && turns.accounts.len() == 3
                && turns.pairs.len() == 3
        );
        order(&mut turns);
        assert!(
            turns.waiting.is_empty()
                && turns.addresses.is_empty()
                && turns.accounts.is_empty()
                && turns.pairs.is_empty()
        );
    }
}

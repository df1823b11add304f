//! The sessions that should be live, to be compared with those of the store.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use fastrand::Rng;

use crate::process::BoxError;

/// Sessions by their numbers: opened in their order, signed out from anywhere among them.
pub(super) struct Live {
    opened: u32,
    free: Vec<u32>,
    random: Rng,
}

impl Live {
    /// None yet.
    pub(super) fn new() -> Self {
        Self {
            opened: 0,
            free: Vec::new(),
            random: Rng::with_seed(1),
        }
    }

    /// As many more as make `size` live ones: their numbers.
    pub(super) fn open_up_to(&mut self, size: usize) -> Result<Range<u32>, BoxError> {
        let more = u32::try_from(size.saturating_sub(self.free.len()))?;
        let opened = self.opened..self.opened.checked_add(more).ok_or("too many sessions")?;
        self.free.extend(opened.clone());
        self.opened = opened.end;
        Ok(opened)
    }

    /// Takes some out, from anywhere.
    pub(super) fn take(&mut self, count: usize) -> Vec<u32> {
        let count = count.min(self.free.len());
        (0..count)
            .map(|_| self.free.swap_remove(self.random.usize(..self.free.len())))
            .collect()
    }

    /// These were taken and have not ended.
    pub(super) fn put_back(&mut self, numbers: &[u32]) {
        self.free.extend(numbers);
    }

    /// The census that the store has to show.
    pub(super) fn census(&self) -> Census {
        self.free.iter().copied().map(u64::from).collect()
    }
}

/// How many sessions there are, and a sum over which ones: two censuses agree on other sessions
/// with a probability of one in 2^64.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Census {
    pub(super) count: u64,
    sum: u64,
}

impl FromIterator<u64> for Census {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        numbers
            .into_iter()
            .fold(Self::default(), |so_far, number| Self {
                count: so_far.count + 1,
                sum: so_far.sum.wrapping_add(scrambled(number)),
            })
    }
}

impl std::ops::AddAssign for Census {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.count, self.sum)
    }
}

impl FromStr for Census {
    type Err = BoxError;

    fn from_str(text: &str) -> Result<Self, BoxError> {
        let (count, sum) = text.split_once(' ').ok_or("a census has two numbers")?;
        Ok(Self {
            count: count.parse()?,
            sum: sum.parse()?,
        })
    }
}

/// SplitMix64's last steps.
fn scrambled(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;

//! Whether there is memory for another session.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use logout_core::store::StoreUnavailable;

/// The share of the memory from which on new sessions are refused, in percent. The rest is for what
/// the process needs besides, and for the system's cache of files.
const SHARE: u64 = 80;
/// How many sessions are opened between two looks at the memory: some 300 kB.
const LOOKS: u32 = 1_024;

#[derive(Debug)]
pub(super) struct Room {
    /// What the process may use, in bytes, where the system says it.
    most: Option<u64>,
    asked: AtomicU32,
    is_full: AtomicBool,
}

impl Room {
    /// The room of this process: the machine's memory, or less where its control group has a limit.
    pub(super) fn of_process() -> Self {
        let machine = line(&read("/proc/meminfo"), "MemTotal:").map(|kib| kib * 1_024);
        let group = read("/sys/fs/cgroup/memory.max").trim().parse().ok();
        let most = machine.into_iter().chain(group).min();
        Self::new(most.map(|bytes: u64| bytes / 100 * SHARE))
    }

    fn new(most: Option<u64>) -> Self {
        Self {
            most,
            asked: AtomicU32::new(0),
            is_full: AtomicBool::new(false),
        }
    }

    /// Refuses another session where there is no room for it.
    pub(super) fn check(&self) -> Result<(), StoreUnavailable> {
        let Some(most) = self.most else {
            return Ok(());
        };
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        // A full store looks each time, so that it goes on as soon as there is room.
        if asked.is_multiple_of(LOOKS) || self.is_full.load(Ordering::Relaxed) {
            let used = line(&read("/proc/self/status"), "VmRSS:").map(|kib| kib * 1_024);
            let is_full = used.is_some_and(|used| used > most);
            if is_full && !self.is_full.load(Ordering::Relaxed) {
                log::error!(
                    "no room for more sessions: the process uses more than {} MiB of memory; give \
                     it more, or use a PostgreSQL store",
                    most >> 20
                );
            }
            self.is_full.store(is_full, Ordering::Relaxed);
        }
        if self.is_full.load(Ordering::Relaxed) {
            return Err(StoreUnavailable);
        }
        Ok(())
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The number behind `name` at the beginning of a line.
fn line(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn another_session_is_refused_where_the_process_uses_too_much() {
        let full = Room::new(Some(1));
        assert_eq!(full.check(), Err(StoreUnavailable));
        assert_eq!(full.check(), Err(StoreUnavailable));
        assert_eq!(Room::of_process().check(), Ok(()));
        assert_eq!(Room::new(None).check(), Ok(()));
    }

    #[test]
    fn numbers_are_read_behind_their_names() {
        let text = "MemTotal:       24680 kB\nMemFree:  7 kB\n";
        assert_eq!(line(text, "MemFree:"), Some(7));
        assert_eq!(line(text, "MemAvailable:"), None);
    }
}

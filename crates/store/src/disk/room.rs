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
    /// The room of this process: the machine's memory, or less where its control group, or one that
    /// this is in, has a limit.
    pub(super) fn of_process() -> Self {
        let machine = line(&read("/proc/meminfo"), "MemTotal:").map(|kib| kib * 1_024);
        let groups = limits_of(&read("/proc/self/cgroup"));
        let limits = groups
            .iter()
            .filter_map(|file| read(file).trim().parse().ok());
        let most = machine.into_iter().chain(limits).min();
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

/// The files with the limits of a process's control group and of those that this is in, from the
/// process's list of groups. Only version 2 has one group for all resources, `0::`.
fn limits_of(groups: &str) -> Vec<String> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let own = own.unwrap_or_default().trim_end_matches('/');
    let ends = own.match_indices('/').map(|(end, _)| end);
    ends.chain([own.len()])
        .map(|end| format!("/sys/fs/cgroup{}/memory.max", &own[..end]))
        .collect()
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
    fn the_limits_of_all_groups_count() {
        for (groups, files) in [
            (
                "1:cpu:/a\n0::/system.slice/hub.service\n",
                vec!["", "/system.slice", "/system.slice/hub.service"],
            ),
            ("0::/\n", vec![""]),
            ("", vec![""]),
        ] {
            let files = files.iter();
            let expected: Vec<String> = files
                .map(|group| format!("/sys/fs/cgroup{group}/memory.max"))
                .collect();
            assert_eq!(limits_of(groups), expected, "{groups}");
        }
    }

    #[test]
    fn numbers_are_read_behind_their_names() {
        let text = "MemTotal:       24680 kB\nMemFree:  7 kB\n";
        assert_eq!(line(text, "MemFree:"), Some(7));
        assert_eq!(line(text, "MemAvailable:"), None);
    }
}

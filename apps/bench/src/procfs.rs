//! CPU time and memory of processes, as Linux accounts for them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::process::BoxError;

/// CPU time by the name of the thread that used it. Threads of a pool share a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage(BTreeMap<String, Duration>);

impl Usage {
    /// All that the live threads of a process have used so far.
    pub(crate) fn of(process: u32) -> Result<Self, BoxError> {
        let mut usage = Self::default();
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            let thread = thread?.path();
            // A thread may end while it is read.
            if let (Ok(name), Ok(used)) =
                (fs::read_to_string(thread.join("comm")), cpu_time(&thread))
            {
                *usage.0.entry(pool(name.trim())).or_default() += used;
            }
        }
        Ok(usage)
    }

    /// The same of a process and its children.
    pub(crate) fn with_children(process: u32) -> Result<Self, BoxError> {
        let mut usage = Self::of(process)?;
        for entry in fs::read_dir("/proc")?.flatten() {
            let pid = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            if let Some(pid) = pid
                && parent(&entry.path()) == Some(process)
                && let Ok(child) = Self::of(pid)
            {
                usage.add(&child);
            }
        }
        Ok(usage)
    }

    /// The difference to an earlier reading.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let used = self.0.iter().map(|(name, now)| {
            let then = before.0.get(name).copied().unwrap_or_default();
            (name.clone(), now.saturating_sub(then))
        });
        Self(used.collect())
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (name, used) in &other.0 {
            *self.0.entry(name.clone()).or_default() += *used;
        }
    }

    pub(crate) fn total(&self) -> Duration {
        self.0.values().sum()
    }

    /// Microseconds for each of `answers`, by thread: `worker=12.31;writer=4.00`. Threads below a
    /// hundredth of a microsecond are left out.
    pub(crate) fn each(&self, answers: u64) -> String {
        let each = |(name, used): (&String, &Duration)| {
            let micros = micros_each(*used, answers);
            (micros >= 0.01).then(|| format!("{name}={micros:.2}"))
        };
        self.0.iter().filter_map(each).collect::<Vec<_>>().join(";")
    }
}

/// Microseconds for each of `answers`.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
pub(crate) fn micros_each(used: Duration, answers: u64) -> f64 {
    used.as_secs_f64() * 1e6 / answers.max(1) as f64
}

/// Bytes of a process that are in memory.
pub(crate) fn memory(process: u32) -> Result<u64, BoxError> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .ok_or("no size in memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}

/// From the scheduler, in nanoseconds, or else in ticks of 10 ms.
fn cpu_time(thread: &Path) -> Result<Duration, BoxError> {
    if let Ok(schedstat) = fs::read_to_string(thread.join("schedstat"))
        && let Some(nanos) = schedstat.split(' ').next()
    {
        return Ok(Duration::from_nanos(nanos.parse()?));
    }
    let fields = stat(thread).ok_or("no CPU time")?;
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok());
    let used = ticks(11).zip(ticks(12)).ok_or("no CPU time")?;
    Ok(Duration::from_millis((used.0 + used.1) * 10))
}

fn parent(process: &Path) -> Option<u32> {
    stat(process)?.get(1)?.parse().ok()
}

/// The fields behind the name, which may hold spaces and parentheses.
fn stat(folder: &Path) -> Option<Vec<String>> {
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

/// The name without a thread's number in its pool and without separators of the CSV.
fn pool(thread: &str) -> String {
    let name = thread.trim_end_matches(|each: char| each.is_ascii_digit());
    let name = name.trim_end_matches(['-', '#', ':', '_', ' ']);
    let name = if name.is_empty() { thread } else { name };
    name.replace([',', ';', '=', '|'], "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_a_pool_share_a_name() {
        for (thread, name) in [
            ("store-writer", "store-writer"),
            ("fjall-worker-0", "fjall-worker"),
            ("actix-rt|system", "actix-rt/system"),
            ("12", "12"),
        ] {
            assert_eq!(pool(thread), name);
        }
    }

    #[test]
    fn a_thread_that_works_is_seen_by_its_name() {
        let before = Usage::of(std::process::id()).unwrap();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let busy = std::thread::Builder::new().name("busy-3".to_owned());
        let busy = busy
            .spawn(move || {
                let started = std::time::Instant::now();
                while started.elapsed() < Duration::from_millis(60) {}
                ready.send(()).unwrap();
                let _ = stopped.recv();
            })
            .unwrap();
        is_ready.recv().unwrap();
        let used = Usage::of(std::process::id()).unwrap().since(&before);
        assert!(used.0["busy"] > Duration::ZERO, "{used:?}");
        assert!(used.total() >= used.0["busy"]);
        drop(stop);
        busy.join().unwrap();
    }

    #[test]
    fn each_thread_says_its_share_of_an_answer() {
        let usage = Usage(BTreeMap::from([
            ("idle".to_owned(), Duration::from_nanos(9)),
            ("writer".to_owned(), Duration::from_millis(4)),
        ]));
        assert_eq!(usage.each(1_000), "writer=4.00");
    }
}

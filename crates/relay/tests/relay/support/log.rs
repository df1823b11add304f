//! Everything that anybody logs in this process, from `trace` on.

use std::sync::{Mutex, Once, PoisonError};

use log::kv::{self, Key, Value, VisitSource};
use log::{LevelFilter, Log, Metadata, Record};

static INSTALL: Once = Once::new();
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Recorder;

struct Pairs(String);

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        self.0.push_str(&format!(" {key}={value}"));
        Ok(())
    }
}

impl Log for Recorder {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mut pairs = Pairs(String::new());
        record.key_values().visit(&mut pairs).unwrap();
        let line = format!(
            "{} {} {}{}",
            record.level(),
            record.target(),
            record.args(),
            pairs.0
        );
        LINES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
    }

    fn flush(&self) {}
}

/// Begins to record.
pub(crate) fn record() {
    INSTALL.call_once(|| {
        log::set_logger(&Recorder).unwrap();
        log::set_max_level(LevelFilter::Trace);
    });
}

/// The lines so far that speak of `platform`, which no other test may use.
pub(crate) fn of(platform: &str) -> Vec<String> {
    let name = format!(" platform={platform}");
    let speaks = |line: &&String| {
        line.split_once(&name)
            .is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with(' '))
    };
    LINES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .filter(speaks)
        .cloned()
        .collect()
}

/// All lines so far.
pub(crate) fn all() -> Vec<String> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

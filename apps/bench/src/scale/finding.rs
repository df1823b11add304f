//! What was found of one store at one size, as a line of JSON.

use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::process::BoxError;
use crate::report::Side;

/// Medians over the turns.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Finding {
    pub(super) store: String,
    /// How many sessions were live.
    pub(super) sessions: u64,
    pub(super) vendor: String,
    pub(super) connections: usize,
    pub(super) workers: usize,
    pub(super) turns: usize,
    pub(super) requests: usize,
    pub(super) hub: Figures,
    pub(super) bare: Figures,
    /// Over one connection.
    pub(super) hub_alone: Figures,
    pub(super) bare_alone: Figures,
    /// Transactions a second of one statement for each sign-out, beside PostgreSQL.
    pub(super) pgbench: Option<f64>,
    pub(super) load_seconds: f64,
    /// Bytes of the hub's process.
    pub(super) hub_memory: Growth,
    /// Bytes of memory, as the store's server says.
    pub(super) engine_memory: Option<Growth>,
    /// Bytes on disk, once loading has settled.
    pub(super) disk: Option<Growth>,
    /// Of the latter, each table with its indexes.
    pub(super) tables: Vec<(String, u64)>,
    pub(super) restart: Option<Restart>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Figures {
    pub(super) rate: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) cpu_micros: f64,
}

impl From<&Side> for Figures {
    fn from(side: &Side) -> Self {
        Self {
            rate: side.rate(),
            p50_ms: side.millis(0.5),
            p99_ms: side.millis(0.99),
            cpu_micros: side.cpu_micros(),
        }
    }
}

/// Bytes before and after the sessions were loaded.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Growth {
    pub(super) empty: u64,
    pub(super) loaded: u64,
}

impl Growth {
    /// Bytes that each of `sessions` has added.
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    pub(super) fn each(self, sessions: u64) -> f64 {
        self.loaded.saturating_sub(self.empty) as f64 / sessions as f64
    }
}

/// Seconds from a start until a sign-out was answered; of the engine, until it answered at all.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Restart {
    /// The hub, after it was stopped.
    pub(super) stopped: f64,
    /// The hub, after it was killed.
    pub(super) killed: f64,
    /// The store's own server, after it was stopped.
    pub(super) engine: Option<f64>,
}

impl Finding {
    /// Adds it as a line at the end of a file.
    pub(super) fn append(&self, file: &Path) -> Result<(), BoxError> {
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)?;
        Ok(writeln!(file, "{}", serde_json::to_string(self)?)?)
    }

    /// Those of a file: of several about the same store and size the last, in the order of stores
    /// and sizes.
    pub(super) fn read(file: &Path) -> Result<Vec<Self>, BoxError> {
        let text = std::fs::read_to_string(file)?;
        let mut findings = Vec::<Self>::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let finding: Self = serde_json::from_str(line)?;
            findings.retain(|known| {
                (&known.store, known.sessions) != (&finding.store, finding.sessions)
            });
            findings.push(finding);
        }
        findings
            .sort_by(|one, other| (&one.store, one.sessions).cmp(&(&other.store, other.sessions)));
        Ok(findings)
    }
}

#[cfg(test)]
#[path = "finding_tests.rs"]
pub(super) mod tests;

//! One turn, or one other event, as a row of a CSV file.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::process::BoxError;

/// The store of the bare app.
pub(crate) const BARE: &str = "bare";

/// The columns in their order. `docs/performance.md` says what they mean.
const COLUMNS: [&str; 25] = [
    "mode",
    "vendor",
    "store",
    "sessions",
    "workers",
    "connections",
    "turn",
    "seconds",
    "answers",
    "rate",
    "ratio",
    "p50_ms",
    "p99_ms",
    "p999_ms",
    "max_ms",
    "server_us",
    "engine_us",
    "client_us",
    "threads",
    "hub_empty",
    "hub_loaded",
    "engine_empty",
    "engine_loaded",
    "disk_empty",
    "disk_loaded",
];

/// The event that a row tells of.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// The hub started over an empty store and listened.
    #[default]
    Start,
    /// The sessions were loaded.
    Load,
    /// A turn in which each connection sends its next request when the last is answered.
    Closed,
    /// A turn at a fixed rate.
    Open,
    /// The hub was stopped and started, and has answered a sign-out.
    Stopped,
    /// The same after `kill -9`.
    Killed,
    /// The store's own server was stopped and started, and has answered.
    Engine,
}

/// One row. Of columns that an event does not have nothing is written.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) mode: Mode,
    pub(crate) vendor: String,
    pub(crate) store: String,
    pub(crate) sessions: u64,
    pub(crate) workers: usize,
    pub(crate) connections: Option<usize>,
    pub(crate) turn: Option<usize>,
    pub(crate) seconds: f64,
    pub(crate) answers: Option<u64>,
    pub(crate) rate: Option<f64>,
    /// Of the rate to the bare app's in the same turn.
    pub(crate) ratio: Option<f64>,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) p999_ms: Option<f64>,
    pub(crate) max_ms: Option<f64>,
    /// CPU for each answer, in microseconds: of the hub or the bare app, of the store's own
    /// server, and of the load generator.
    pub(crate) server_us: Option<f64>,
    pub(crate) engine_us: Option<f64>,
    pub(crate) client_us: Option<f64>,
    /// The part of each thread of `server_us`, as `name=12.31;other=0.40`.
    pub(crate) threads: Option<String>,
    /// Bytes before and after the sessions were loaded: of the hub's process, of the store's own
    /// server as it says itself, and on disk.
    pub(crate) hub_empty: Option<u64>,
    pub(crate) hub_loaded: Option<u64>,
    pub(crate) engine_empty: Option<u64>,
    pub(crate) engine_loaded: Option<u64>,
    pub(crate) disk_empty: Option<u64>,
    pub(crate) disk_loaded: Option<u64>,
}

impl Row {
    /// An event that took so long, and nothing else.
    pub(crate) fn new(
        mode: Mode,
        (vendor, store): (&str, &str),
        (sessions, workers): (usize, usize),
        seconds: f64,
    ) -> Self {
        Self {
            mode,
            vendor: vendor.to_owned(),
            store: store.to_owned(),
            sessions: sessions as u64,
            workers,
            seconds,
            ..Self::default()
        }
    }

    fn to_line(&self) -> Result<String, BoxError> {
        let Value::Object(cells) = serde_json::to_value(self)? else {
            return Err("a row has columns".into());
        };
        let cell = |column: &&str| match cells.get(*column) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            // Figures of four decimals are finer than any two turns agree.
            Some(figure) if figure.is_f64() => {
                let text = format!("{:.4}", figure.as_f64().unwrap_or_default());
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            Some(other) => other.to_string(),
        };
        Ok(COLUMNS.iter().map(cell).collect::<Vec<_>>().join(","))
    }

    fn from_line(columns: &[&str], line: &str) -> Result<Self, BoxError> {
        let cell = |(column, text): (&&str, &str)| {
            let figure = serde_json::from_str::<serde_json::Number>(text);
            let value = match figure {
                _ if text.is_empty() => Value::Null,
                Ok(figure) => Value::Number(figure),
                Err(_) => Value::String(text.to_owned()),
            };
            ((*column).to_owned(), value)
        };
        let cells: Map<String, Value> = columns.iter().zip(line.split(',')).map(cell).collect();
        Ok(serde_json::from_value(Value::Object(cells))?)
    }
}

/// The rows of a measurement, each of which is in the file as soon as it is known.
pub(crate) struct Rows {
    file: Option<File>,
    rows: Vec<Row>,
}

impl Rows {
    /// None yet. A file that exists is replaced.
    pub(crate) fn new(file: Option<&Path>) -> Result<Self, BoxError> {
        let mut file = file.map(File::create).transpose()?;
        if let Some(file) = &mut file {
            writeln!(file, "{}", COLUMNS.join(","))?;
        }
        Ok(Self {
            file,
            rows: Vec::new(),
        })
    }

    pub(crate) fn push(&mut self, row: Row) -> Result<(), BoxError> {
        if let Some(file) = &mut self.file {
            writeln!(file, "{}", row.to_line()?)?;
        }
        self.rows.push(row);
        Ok(())
    }

    pub(crate) fn all(&self) -> &[Row] {
        &self.rows
    }

    /// Those of a file.
    pub(crate) fn read(file: &Path) -> Result<Vec<Row>, BoxError> {
        let text = std::fs::read_to_string(file)?;
        let mut lines = text.lines();
        let columns: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        lines.map(|line| Row::from_line(&columns, line)).collect()
    }
}

#[cfg(test)]
#[path = "row_tests.rs"]
pub(super) mod tests;

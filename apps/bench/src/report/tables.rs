//! The rows as tables, in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::row::{BARE, Mode, Row};
use super::{grouped, median, range};

/// The widest that the list of threads may be, so that its table fits 120 columns.
const THREADS: usize = 68;

/// Turns of one server in one setting, in their order.
struct Case<'a> {
    turns: Vec<&'a Row>,
    /// Those of the bare app in the same setting.
    bare: Vec<&'a Row>,
}

impl<'a> Case<'a> {
    /// All cases of a mode, in the order in which they were measured.
    fn all(rows: &'a [Row], mode: Mode) -> Vec<Self> {
        let mut cases = Vec::<Self>::new();
        let setting = |row: &'a Row| (&row.vendor, row.sessions, row.workers, row.connections);
        for row in rows.iter().filter(|row| row.mode == mode) {
            let same = |case: &&mut Self| {
                let first = case.turns[0];
                setting(first) == setting(row) && first.store == row.store
            };
            match cases.iter_mut().find(same) {
                Some(case) => case.turns.push(row),
                None => cases.push(Self {
                    turns: vec![row],
                    bare: rows
                        .iter()
                        .filter(|bare| {
                            bare.mode == mode && bare.store == BARE && setting(bare) == setting(row)
                        })
                        .collect(),
                }),
            }
        }
        cases
    }

    fn is_bare(&self) -> bool {
        self.turns[0].store == BARE
    }

    /// How many times the bare app's median this one is; empty for the bare app.
    fn times_bare(&self, figure: Figure) -> String {
        let times = median(figures(&self.turns, figure)) / median(figures(&self.bare, figure));
        if self.is_bare() || times.is_nan() {
            String::new()
        } else {
            format!("{times:.1}")
        }
    }

    /// The columns that say which case it is.
    fn name(&self) -> Vec<String> {
        let row = self.turns[0];
        vec![
            row.vendor.clone(),
            row.store.clone(),
            grouped(row.sessions),
            row.workers.to_string(),
            row.connections
                .map_or_else(String::new, |count| count.to_string()),
        ]
    }
}

const NAME: [&str; 5] = ["vendor", "store", "sessions", "w", "c"];

/// A figure of a row.
type Figure = fn(&Row) -> Option<f64>;

fn figures(turns: &[&Row], figure: Figure) -> impl Iterator<Item = f64> {
    turns.iter().filter_map(move |row| figure(row))
}

/// The median with so many decimals; empty where there is none.
fn middle(turns: &[&Row], decimals: usize, figure: Figure) -> String {
    let middle = median(figures(turns, figure));
    if middle.is_nan() {
        String::new()
    } else {
        format!("{middle:.decimals$}")
    }
}

/// All tables, each with a line that says what it shows.
pub(super) fn of(rows: &[Row]) -> String {
    let mut text = String::new();
    let closed = Case::all(rows, Mode::Closed);
    rates(&mut text, &closed);
    cpu(&mut text, &closed);
    open_loop(&mut text, &Case::all(rows, Mode::Open));
    memory(&mut text, &Case::all(rows, Mode::Load));
    restarts(&mut text, rows);
    text
}

fn hubs<'a>(cases: &'a [Case<'a>]) -> impl Iterator<Item = &'a Case<'a>> {
    cases.iter().filter(|case| !case.is_bare())
}

fn rates(text: &mut String, cases: &[Case<'_>]) {
    let turns = cases.first().map_or(0, |case| case.turns.len());
    let seconds = |case: &Case<'_>| range(figures(&case.turns, |row| Some(row.seconds))).0;
    let shortest = range(cases.iter().map(seconds)).0;
    let about = format!(
        "Closed loop: {turns} turns of at least {shortest:.1} s, w workers, c connections. Medians, \
         and the range of the\nratio of rates within a turn; p99 x: ratio to the bare app's p99. The \
         bare app gives the vendor's answer."
    );
    let heads = "bare/s|hub/s|ratio|range|p50 ms|p99 ms|p99 x";
    table(text, &about, heads, hubs(cases), |case| {
        let (least, most) = range(figures(&case.turns, |row| row.ratio));
        vec![
            middle(&case.bare, 0, |row| row.rate),
            middle(&case.turns, 0, |row| row.rate),
            middle(&case.turns, 2, |row| row.ratio),
            format!("{least:.2}–{most:.2}"),
            middle(&case.turns, 2, |row| row.p50_ms),
            middle(&case.turns, 2, |row| row.p99_ms),
            case.times_bare(|row| row.p99_ms),
        ]
    });
}

fn cpu(text: &mut String, cases: &[Case<'_>]) {
    let about = "CPU of each process in microseconds a sign-out. Engine: the store's own server.";
    let heads = "bare|its client|hub|engine|client|hub − bare";
    table(text, about, heads, hubs(cases), |case| {
        let server: Figure = |row| row.server_us;
        let above = median(figures(&case.turns, server)) - median(figures(&case.bare, server));
        vec![
            middle(&case.bare, 1, server),
            middle(&case.bare, 1, |row| row.client_us),
            middle(&case.turns, 1, server),
            middle(&case.turns, 1, |row| row.engine_us),
            middle(&case.turns, 1, |row| row.client_us),
            format!("{above:.1}"),
        ]
    });
    let about = "CPU of the hub's threads in microseconds a sign-out. Below 0.1 they are left out.";
    table(text, about, "threads", hubs(cases), |case| {
        vec![threads(&case.turns)]
    });
}

/// The median of each thread over the turns, the busiest first.
fn threads(turns: &[&Row]) -> String {
    let mut threads = BTreeMap::<&str, Vec<f64>>::new();
    for row in turns {
        for part in row.threads.as_deref().unwrap_or_default().split(';') {
            if let Some((name, micros)) = part.split_once('=') {
                let micros = micros.parse().unwrap_or_default();
                threads.entry(name).or_default().push(micros);
            }
        }
    }
    let mut medians: Vec<(&str, f64)> = threads
        .into_iter()
        .map(|(name, micros)| (name, median(micros.into_iter())))
        .filter(|(_, micros)| *micros >= 0.1)
        .collect();
    medians.sort_by(|one, other| other.1.total_cmp(&one.1));
    let mut text = String::new();
    for (name, micros) in medians {
        let part = format!("{name} {micros:.1}");
        if text.len() + part.len() + 2 > THREADS {
            return text + " …";
        }
        text += if text.is_empty() { "" } else { ", " };
        text += &part;
    }
    text
}

fn open_loop(text: &mut String, cases: &[Case<'_>]) {
    let about = "Open loop: requests at a fixed rate, latency from the time when each was due. \
                 Medians over the turns,\nthe maximum of all, and (x) ratios to the bare app.";
    let heads = "rate/s|p50 ms|p99 ms|p99.9 ms|max ms|p99 x|p99.9 x";
    table(text, about, heads, cases, |case| {
        vec![
            middle(&case.turns, 0, |row| row.rate),
            middle(&case.turns, 2, |row| row.p50_ms),
            middle(&case.turns, 2, |row| row.p99_ms),
            middle(&case.turns, 2, |row| row.p999_ms),
            format!("{:.2}", range(figures(&case.turns, |row| row.max_ms)).1),
            case.times_bare(|row| row.p99_ms),
            case.times_bare(|row| row.p999_ms),
        ]
    });
}

fn memory(text: &mut String, cases: &[Case<'_>]) {
    let about = "Memory and disk after loading, and the bytes that each session has added (B). Of \
                 few sessions the process\nitself is larger.";
    let heads = "loaded/s|hub MiB|hub B|engine MiB|engine B|disk MiB|disk B";
    table(text, about, heads, cases, |case| {
        let row = case.turns[0];
        let mut line = vec![middle(&case.turns, 0, |row| row.rate)];
        for (empty, loaded) in [
            (row.hub_empty, row.hub_loaded),
            (row.engine_empty, row.engine_loaded),
            (row.disk_empty, row.disk_loaded),
        ] {
            let each = |(empty, loaded): (u64, u64)| {
                (loaded.saturating_sub(empty) / row.sessions.max(1)).to_string()
            };
            line.push(loaded.map_or_else(String::new, |loaded| (loaded >> 20).to_string()));
            line.push(empty.zip(loaded).map_or_else(String::new, each));
        }
        line
    });
}

fn restarts(text: &mut String, rows: &[Row]) {
    let about = "Seconds from the start of a process until the hub listens over an empty store, \
                 has answered a sign-out\nafter a stop or `kill -9`, or the store's own server answers.";
    let heads = "empty|after stop|after kill|engine";
    table(text, about, heads, &Case::all(rows, Mode::Start), |case| {
        let setting = |row: &Row| {
            (
                row.vendor.clone(),
                row.store.clone(),
                row.sessions,
                row.workers,
            )
        };
        let seconds = |mode: Mode| {
            let mut rows = rows.iter().filter(|row| row.mode == mode);
            let row = rows.find(|row| setting(row) == setting(case.turns[0]));
            row.map_or_else(String::new, |row| format!("{:.3}", row.seconds))
        };
        let modes = [Mode::Start, Mode::Stopped, Mode::Killed, Mode::Engine];
        modes.map(seconds).to_vec()
    });
}

/// A table with a line for each case, whose columns are as wide as their cells. Columns that would
/// be empty are left out, as is the whole of a table without lines.
fn table<'a>(
    text: &mut String,
    about: &str,
    heads: &str,
    cases: impl IntoIterator<Item = &'a Case<'a>>,
    figures: impl Fn(&Case<'a>) -> Vec<String>,
) {
    let heads: Vec<String> = NAME
        .into_iter()
        .chain(heads.split('|'))
        .map(str::to_owned)
        .collect();
    let line = |case: &'a Case<'a>| [case.name(), figures(case)].concat();
    let lines: Vec<Vec<String>> = cases.into_iter().map(line).collect();
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "{about}\n");
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        let widest = cells.max().unwrap_or(0);
        (widest > 0).then(|| widest.max(heads[column].chars().count()))
    };
    let widths: Vec<Option<usize>> = (0..heads.len()).map(width).collect();
    let mut write = |cells: &[String]| {
        for (cell, (head, width)) in cells.iter().zip(heads.iter().zip(&widths)) {
            let Some(width) = width else {
                continue;
            };
            // Names to the left, figures to the right. Writing into a string does not fail.
            let _ = match head.as_str() {
                "vendor" | "store" | "threads" => write!(text, "| {cell:<width$} "),
                _ => write!(text, "| {cell:>width$} "),
            };
        }
        text.push_str("|\n");
    };
    let rules: Vec<String> = widths
        .iter()
        .map(|width| "-".repeat(width.unwrap_or(0)))
        .collect();
    write(&heads);
    write(&rules);
    lines.iter().for_each(|line| write(line));
    text.push('\n');
}

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;

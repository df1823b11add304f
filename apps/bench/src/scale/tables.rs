//! The findings as tables, in Markdown.

use std::fmt::Write as _;

use super::finding::{Finding, Restart};

/// All of them, with a line before each that says what it shows.
pub(super) fn of(findings: &[Finding]) -> String {
    let Some(first) = findings.first() else {
        return String::new();
    };
    let mut text = format!(
        "{}, {} connections, {} turns of {} sign-outs, {} worker threads a server; medians over the turns; exactly these sessions ended.\n\n",
        first.vendor, first.connections, first.turns, first.requests, first.workers
    );
    table(
        &mut text,
        &[
            "store",
            "live sessions",
            "bare /s",
            "p99 ms",
            "hub /s",
            "p50 ms",
            "p99 ms",
            "CPU µs",
            "**ratio of rates**",
            "ratio of p99",
            "pgbench /s",
            "times pgbench",
        ],
        findings,
        |finding| {
            let (hub, bare) = (&finding.hub, &finding.bare);
            vec![
                finding.store.clone(),
                grouped(finding.sessions),
                format!("{:.0}", bare.rate),
                format!("{:.2}", bare.p99_ms),
                format!("{:.0}", hub.rate),
                format!("{:.2}", hub.p50_ms),
                format!("{:.2}", hub.p99_ms),
                format!("{:.1}", hub.cpu_micros),
                format!("**{:.2}**", hub.rate / bare.rate),
                format!("{:.1}", hub.p99_ms / bare.p99_ms),
                optional(finding.pgbench, |rate| format!("{rate:.0}")),
                optional(finding.pgbench, |rate| format!("{:.1}", hub.rate / rate)),
            ]
        },
    );
    text += "Time of a sign-out, and how many times that of the smallest size: alone over one connection, and among the others (the inverse of the rate; \
             beside the bare app, the inverse of the ratio).\n\n";
    table(
        &mut text,
        &[
            "store",
            "live sessions",
            "alone, p50 ms",
            "bare, alone",
            "**alone, times**",
            "**among others, times**",
            "beside the bare app, times",
        ],
        findings,
        |finding| {
            let smallest = findings
                .iter()
                .find(|other| other.store == finding.store)
                .unwrap_or(finding);
            let share = |finding: &Finding| finding.hub.rate / finding.bare.rate;
            vec![
                finding.store.clone(),
                grouped(finding.sessions),
                format!("{:.3}", finding.hub_alone.p50_ms),
                format!("{:.3}", finding.bare_alone.p50_ms),
                format!(
                    "**{:.2}**",
                    finding.hub_alone.p50_ms / smallest.hub_alone.p50_ms
                ),
                format!("**{:.2}**", smallest.hub.rate / finding.hub.rate),
                format!("{:.2}", share(smallest) / share(finding)),
            ]
        },
    );
    text += "What live sessions take, once loading has settled. Of fewer than 100,000 nothing is said: the program is larger than those.\n\n";
    let large: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.sessions >= 100_000)
        .collect();
    table(
        &mut text,
        &[
            "store",
            "live sessions",
            "hub's memory, MiB",
            "bytes each",
            "store's own memory, MiB",
            "bytes each",
            "disk, MiB",
            "bytes each",
        ],
        large.clone(),
        |finding| {
            let mut row = vec![finding.store.clone(), grouped(finding.sessions)];
            for growth in [
                Some(finding.hub_memory),
                finding.engine_memory,
                finding.disk,
            ] {
                row.push(optional(growth, |growth| {
                    format!("{} → {}", mib(growth.empty), mib(growth.loaded))
                }));
                row.push(optional(growth, |growth| {
                    format!("{:.0}", growth.each(finding.sessions))
                }));
            }
            row
        },
    );
    let with_tables: Vec<&Finding> = large
        .into_iter()
        .filter(|finding| !finding.tables.is_empty())
        .collect();
    if !with_tables.is_empty() {
        text += "Of that, tables with their indexes.\n\n";
        table(
            &mut text,
            &[
                "store",
                "live sessions",
                "table: MiB, bytes for each session",
            ],
            with_tables,
            |finding| {
                #[expect(clippy::cast_precision_loss, reason = "a mean")]
                let one = |(name, bytes): &(String, u64)| {
                    format!(
                        "`{name}`: {}, {:.0}",
                        mib(*bytes),
                        *bytes as f64 / finding.sessions as f64
                    )
                };
                vec![
                    finding.store.clone(),
                    grouped(finding.sessions),
                    finding
                        .tables
                        .iter()
                        .map(one)
                        .collect::<Vec<_>>()
                        .join("; "),
                ]
            },
        );
    }
    text += "Loading, and seconds from a start until a sign-out was answered.\n\n";
    table(
        &mut text,
        &[
            "store",
            "live sessions",
            "loaded in, s",
            "sessions /s",
            "hub, after a stop",
            "hub, after `kill -9`",
            "the store's own server",
        ],
        findings,
        |finding| {
            let seconds = |figure: fn(&Restart) -> Option<f64>| {
                optional(finding.restart.as_ref().and_then(figure), |seconds| {
                    format!("{seconds:.2}")
                })
            };
            #[expect(clippy::cast_precision_loss, reason = "a rate")]
            let rate = finding.sessions as f64 / finding.load_seconds;
            vec![
                finding.store.clone(),
                grouped(finding.sessions),
                format!("{:.1}", finding.load_seconds),
                format!("{rate:.0}"),
                seconds(|restart| Some(restart.stopped)),
                seconds(|restart| Some(restart.killed)),
                seconds(|restart| restart.engine),
            ]
        },
    );
    text
}

/// A table with a row for each finding. Columns that would be empty are left out.
fn table<'a>(
    text: &mut String,
    heads: &[&str],
    findings: impl IntoIterator<Item = &'a Finding>,
    row: impl Fn(&Finding) -> Vec<String>,
) {
    let rows: Vec<Vec<String>> = findings.into_iter().map(row).collect();
    if rows.is_empty() {
        text.push_str("(none)\n\n");
        return;
    }
    let used: Vec<usize> = (0..heads.len())
        .filter(|column| rows.iter().any(|row| !row[*column].is_empty()))
        .collect();
    let mut line = |cell: &dyn Fn(usize) -> String| {
        let cells: Vec<String> = used.iter().map(|column| cell(*column)).collect();
        // Writing into a string does not fail.
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    line(&|column| heads[column].to_owned());
    line(&|_| "---".to_owned());
    for row in &rows {
        line(&|column| row[column].clone());
    }
    text.push('\n');
}

fn optional<T>(figure: Option<T>, shown: impl FnOnce(T) -> String) -> String {
    figure.map_or_else(String::new, shown)
}

/// With a comma between thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let ends = (1..=digits.len()).filter(|end| (digits.len() - end).is_multiple_of(3));
    let mut begin = 0;
    let groups = ends.map(|end| &digits[std::mem::replace(&mut begin, end)..end]);
    groups.collect::<Vec<_>>().join(",")
}

const fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;

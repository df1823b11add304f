use super::super::row::tests::{load, turn};
use super::*;

fn rows() -> Vec<Row> {
    let mut rows = vec![load("memory"), load("redis")];
    for number in 1..=3 {
        rows.push(turn(Mode::Closed, BARE, number, 100_000.0));
        let rate = 30_000.0 + 1_000.0 * f64::from(u8::try_from(number).unwrap());
        rows.push(turn(Mode::Closed, "redis", number, rate));
        rows.push(turn(Mode::Open, BARE, number, 50_000.0));
        rows.push(turn(Mode::Open, "redis", number, 16_000.0));
    }
    for (mode, seconds) in [
        (Mode::Start, 0.02),
        (Mode::Stopped, 0.5),
        (Mode::Killed, 0.75),
    ] {
        rows.push(Row::new(mode, ("hcl-dx", "redis"), (1_000_000, 1), seconds));
    }
    rows
}

/// Without the spaces that make columns as wide as their cells.
fn lines(rows: &[Row]) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    of(rows).lines().map(words).collect()
}

#[test]
fn medians_and_ranges_stand_beside_the_bare_app() {
    let lines = lines(&rows());
    for line in [
        "| hcl-dx | redis | 1,000,000 | 1 | 64 | 100000 | 32000 | 0.32 | 0.31–0.33 | 1.25 | 2.50 \
         | 1.0 |",
        "| hcl-dx | redis | 1,000,000 | 1 | 64 | 20.5 | 8.1 | 20.5 | 18.2 | 8.1 | 0.0 |",
        "| hcl-dx | redis | 1,000,000 | 1 | 64 | actix-rt/system 17.0, store-writer 3.5 |",
        "| hcl-dx | bare | 1,000,000 | 1 | 64 | 50000 | 1.25 | 2.50 | 4.50 | 9.00 | | |",
        "| hcl-dx | redis | 1,000,000 | 1 | 64 | 16000 | 1.25 | 2.50 | 4.50 | 9.00 | 1.0 | 1.0 |",
        "| hcl-dx | redis | 1,000,000 | 1 | 50000 | 306 | 300 | 381 | 400 |",
        "| hcl-dx | redis | 1,000,000 | 1 | 0.020 | 0.500 | 0.750 |",
    ] {
        assert!(lines.iter().any(|seen| seen == line), "{line}\n{lines:#?}");
    }
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    let mut wide = rows();
    for row in &mut wide {
        row.vendor = "sitefinity".to_owned();
        row.sessions = 10_000_000;
        row.connections = row.connections.map(|_| 256);
        if row.store == "redis" {
            row.store = "postgres".to_owned();
        }
        let long = (0..9).map(|index| format!("a-long-thread-{index}-name=12.50"));
        row.threads = Some(long.collect::<Vec<_>>().join(";"));
    }
    for line in of(&wide).lines() {
        assert!(line.chars().count() <= 120, "{line}");
    }
}

#[test]
fn nothing_makes_no_tables() {
    assert_eq!(of(&[]), "");
}

use super::*;

/// A turn with 64 connections and one worker, of one million sessions.
pub(in super::super) fn turn(mode: Mode, store: &str, turn: usize, rate: f64) -> Row {
    Row {
        connections: Some(64),
        turn: Some(turn),
        answers: Some(20_000),
        rate: Some(rate),
        ratio: (mode == Mode::Closed && store != BARE).then_some(rate / 100_000.0),
        p50_ms: Some(1.25),
        p99_ms: Some(2.5),
        p999_ms: Some(4.5),
        max_ms: Some(9.0),
        server_us: Some(20.5),
        engine_us: (store == "redis").then_some(18.25),
        client_us: Some(8.125),
        threads: Some("store-writer=3.50;actix-rt/system=17.00".to_owned()),
        ..Row::new(mode, ("hcl-dx", store), (1_000_000, 1), 2.0)
    }
}

pub(in super::super) fn load(store: &str) -> Row {
    Row {
        answers: Some(1_000_000),
        rate: Some(50_000.0),
        hub_empty: Some(20 << 20),
        hub_loaded: Some((20 << 20) + 300_000_000),
        disk_empty: (store != "memory").then_some(0),
        disk_loaded: (store != "memory").then_some(400_000_000),
        ..Row::new(Mode::Load, ("hcl-dx", store), (1_000_000, 1), 20.0)
    }
}

#[test]
fn rows_of_a_file_are_read_as_they_were_written() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let written = [
        load("memory"),
        turn(Mode::Closed, BARE, 1, 100_000.0),
        turn(Mode::Closed, "redis", 1, 33_333.25),
        Row::new(Mode::Killed, ("wix", "redis"), (10, 2), 0.125),
    ];
    let mut rows = Rows::new(Some(file.path())).unwrap();
    for row in &written {
        rows.push(row.clone()).unwrap();
    }
    let expected: Vec<Row> = written
        .into_iter()
        .map(|row| Row {
            ratio: row.ratio.map(|ratio| (ratio * 1e4).round() / 1e4),
            ..row
        })
        .collect();
    assert_eq!(Rows::read(file.path()).unwrap(), expected);
}

#[test]
fn every_figure_of_a_row_has_a_column() {
    let Value::Object(cells) = serde_json::to_value(load("redis")).unwrap() else {
        panic!("a row has columns")
    };
    let mut columns = COLUMNS.to_vec();
    columns.sort_unstable();
    assert_eq!(
        cells.keys().map(String::as_str).collect::<Vec<_>>(),
        columns
    );
}

use super::*;

/// One of these sessions, twice as slow for each tenfold.
pub(in super::super) fn finding(store: &str, sessions: u64) -> Finding {
    let times = 2_f64.powi(i32::try_from(sessions.ilog10()).unwrap() - 4);
    let figures = |rate: f64| Figures {
        rate,
        p50_ms: 1_000.0 / rate,
        p99_ms: 4_000.0 / rate,
        cpu_micros: 20.0,
    };
    Finding {
        store: store.to_owned(),
        sessions,
        vendor: "hcl-dx".to_owned(),
        connections: 64,
        workers: 2,
        turns: 3,
        requests: 40_000,
        hub: figures(40_000.0 / times),
        bare: figures(160_000.0),
        hub_alone: figures(5_000.0 / times),
        bare_alone: figures(20_000.0),
        pgbench: (store == "postgres").then_some(8_000.0),
        load_seconds: 4.0,
        hub_memory: Growth {
            empty: 10 << 20,
            loaded: (10 << 20) + sessions * 100,
        },
        engine_memory: None,
        disk: Some(Growth {
            empty: 0,
            loaded: sessions * 300,
        }),
        tables: if store == "postgres" {
            vec![("logout_sessions".to_owned(), sessions * 200)]
        } else {
            Vec::new()
        },
        restart: (store != "memory").then_some(Restart {
            stopped: 0.5,
            killed: 0.75,
            engine: None,
        }),
    }
}

#[test]
fn what_was_written_is_read_again_and_the_last_one_counts() {
    let file = tempfile::NamedTempFile::new().unwrap();
    finding("redis", 10_000).append(file.path()).unwrap();
    finding("fjall", 1_000_000).append(file.path()).unwrap();
    finding("fjall", 10_000).append(file.path()).unwrap();
    Finding {
        load_seconds: 9.0,
        ..finding("redis", 10_000)
    }
    .append(file.path())
    .unwrap();
    let read = Finding::read(file.path()).unwrap();
    let found: Vec<_> = read
        .iter()
        .map(|finding| {
            (
                finding.store.as_str(),
                finding.sessions,
                finding.load_seconds,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("fjall", 10_000, 4.0),
            ("fjall", 1_000_000, 4.0),
            ("redis", 10_000, 9.0)
        ]
    );
}

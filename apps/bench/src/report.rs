//! Starts both servers, loads them in turns, and prints what came out.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use logout_core::ports::Clock as _;
use logout_hub::SystemClock;
use tempfile::TempDir;
use tokio::task::LocalSet;

use crate::Plan;
use crate::client::{Turn, load};
use crate::engine::{Console, Engine};
use crate::pgbench::{self, Part};
use crate::process::{BoxError, Server};

/// What several turns of one server showed.
#[derive(Default)]
pub(crate) struct Side {
    pub(crate) turns: Vec<Turn>,
    pub(crate) cpu: Duration,
    pub(crate) answers: usize,
}

impl Side {
    fn median(&self, figure: impl Fn(&Turn) -> f64) -> f64 {
        median(self.turns.iter().map(figure))
    }

    pub(crate) fn rate(&self) -> f64 {
        self.median(|turn| turn.rate)
    }

    pub(crate) fn millis(&self, share: f64) -> f64 {
        self.median(|turn| turn.percentile(share).as_secs_f64() * 1e3)
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    pub(crate) fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.answers.max(1) as f64
    }
}

/// The middle one, the upper of two; not a number where there are none.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn run(plan: &Plan) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    println!(
        "{} turns of {} sign-outs each, {} worker(s); medians over the turns",
        plan.turns, plan.requests, plan.workers
    );
    print!(
        "{:<11} {:<8} {:>5} | {:>9} {:>7} {:>7} {:>7} | {:>9} {:>7} {:>7} {:>7} | {:>6} {:>6}",
        "vendor",
        "store",
        "conns",
        "bare/s",
        "p50 ms",
        "p99 ms",
        "cpu µs",
        "hub/s",
        "p50 ms",
        "p99 ms",
        "cpu µs",
        "rate",
        "p99"
    );
    let is_postgres = |store: &String| store.starts_with("postgres");
    println!(
        "{}",
        if plan.stores.iter().any(is_postgres) {
            format!(" | {:>9} {:>6}", "pgbench/s", "times")
        } else {
            String::new()
        }
    );
    for store in &plan.stores {
        let engine = Engine::start(store, plan.data.as_deref())?;
        for vendor in &plan.vendors {
            for connections in &plan.connections {
                let Outcome { bare, hub, pgbench } = LocalSet::new()
                    .block_on(&runtime, measure(plan, vendor, &engine, *connections))?;
                print!(
                    "{vendor:<11} {:<8} {connections:>5} | {:>9.0} {:>7.2} {:>7.2} {:>7.1} | {:>9.0} {:>7.2} {:>7.2} {:>7.1} | {:>6.2} {:>6.1}",
                    engine.name,
                    bare.rate(),
                    bare.millis(0.5),
                    bare.millis(0.99),
                    bare.cpu_micros(),
                    hub.rate(),
                    hub.millis(0.5),
                    hub.millis(0.99),
                    hub.cpu_micros(),
                    hub.rate() / bare.rate(),
                    hub.millis(0.99) / bare.millis(0.99),
                );
                let beside = |single: f64| format!(" | {single:>9.0} {:>6.1}", hub.rate() / single);
                println!("{}", pgbench.map_or_else(String::new, beside));
            }
        }
    }
    Ok(())
}

/// What the turns of one row showed.
struct Outcome {
    bare: Side,
    hub: Side,
    /// Transactions a second.
    pgbench: Option<f64>,
}

async fn measure(
    plan: &Plan,
    vendor: &str,
    engine: &Engine,
    connections: usize,
) -> Result<Outcome, BoxError> {
    let console = pgbench_for(engine, connections)?;
    // As many as pgbench's clients can share out evenly.
    let (requests, stride) = console.map_or((plan.requests, 1), |_| {
        (pgbench::even(plan.requests, connections), 2)
    });
    // One turn more than is measured: the first warms both up.
    let sessions = requests * (plan.turns + 1);
    let epoch = SystemClock.now().as_millis() - (sessions * stride) as u64;
    let folder = plan
        .data
        .as_ref()
        .map_or_else(TempDir::new, TempDir::new_in)?;
    let hub = [
        ("--sessions", sessions.to_string()),
        ("--stride", stride.to_string()),
        ("--epoch", epoch.to_string()),
    ];
    let mut hub_server = subject(vendor, &engine.store, plan.workers, folder.path(), &hub)?;
    let bare_server = bare_app(plan.workers)?;
    let lines = std::fs::read_to_string(folder.path().join("requests.txt"))?;
    let lines: Vec<Vec<u8>> = lines
        .lines()
        .map(|line| line.replace('~', "\r\n").into_bytes())
        .collect();
    let (mut bare, mut hub, mut singles) = (Side::default(), Side::default(), Vec::new());
    for (turn, part) in lines.chunks(requests).enumerate() {
        let part = Arc::new(part.to_vec());
        for (server, side) in [(&bare_server, &mut bare), (&hub_server, &mut hub)] {
            let before = server.cpu()?;
            let outcome = load(server.address()?, part.clone(), connections).await?;
            if turn > 0 {
                side.cpu += server.cpu()?.saturating_sub(before);
                side.answers += outcome.latencies.len();
                side.turns.push(outcome);
            }
        }
        if let Some(console) = console {
            let part = Part {
                epoch,
                start: turn * requests * stride + 1,
                stride,
            };
            let rate = pgbench::run(console, part, requests, connections, folder.path())?;
            if turn > 0 {
                singles.push(rate);
            }
        }
    }
    let live: usize = hub_server.ask("live")?.parse()?;
    if live != 0 {
        return Err(format!(
            "{vendor} on {}: {live} of {} sessions were not ended",
            engine.name,
            sessions * stride
        )
        .into());
    }
    Ok(Outcome {
        bare,
        hub,
        pgbench: console.map(|_| median(singles.into_iter())),
    })
}

/// pgbench, where it can be put beside a hub on this store; where it cannot, a line says why.
pub(crate) fn pgbench_for(engine: &Engine, clients: usize) -> Result<Option<&Console>, BoxError> {
    /// What the hub keeps for itself, and whoever looks at the server meanwhile.
    const OTHERS: usize = 20;
    let Some(console) = engine.console() else {
        return Ok(None);
    };
    if !console.is_installed() {
        eprintln!("pgbench is not installed, so that nothing stands beside PostgreSQL");
        return Ok(None);
    }
    let room = pgbench::room(console)?;
    if room < clients + OTHERS {
        eprintln!(
            "the server takes {room} more clients, which is too few for pgbench with {clients}"
        );
        return Ok(None);
    }
    Ok(Some(console))
}

/// A bare app: it answers a fixed 302.
pub(crate) fn bare_app(workers: usize) -> Result<Server, BoxError> {
    subject("bare", "memory", workers, &std::env::temp_dir(), &[])
}

fn subject(
    kind: &str,
    store: &str,
    workers: usize,
    folder: &Path,
    more: &[(&str, String)],
) -> Result<Server, BoxError> {
    let common = [
        ("--store", store.to_owned()),
        ("--workers", workers.to_string()),
        ("--folder", folder.display().to_string()),
    ];
    let options = common
        .iter()
        .chain(more)
        .flat_map(|(name, value)| [(*name).to_owned(), value.clone()]);
    Server::start(
        ["subject".to_owned(), kind.to_owned()]
            .into_iter()
            .chain(options),
    )
}

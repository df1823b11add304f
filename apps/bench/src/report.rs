//! Starts both servers, loads them in turns, and prints what came out.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::LocalSet;

use crate::Plan;
use crate::client::{Turn, load};
use crate::process::{Fault, Server};

/// What several turns of one server showed.
#[derive(Default)]
struct Side {
    turns: Vec<Turn>,
    cpu: Duration,
    answers: usize,
}

impl Side {
    fn median(&self, figure: impl Fn(&Turn) -> f64) -> f64 {
        median(self.turns.iter().map(figure))
    }

    fn rate(&self) -> f64 {
        self.median(|turn| turn.rate)
    }

    fn millis(&self, share: f64) -> f64 {
        self.median(|turn| turn.percentile(share).as_secs_f64() * 1e3)
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.answers.max(1) as f64
    }
}

/// The middle one, the upper of two; not a number where there are none.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn run(plan: &Plan) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{} turns of {} sign-outs each, {} worker(s); medians over the turns", plan.turns, plan.requests, plan.workers);
    println!(
        "{:<11} {:<8} {:>5} | {:>9} {:>7} {:>7} {:>7} | {:>9} {:>7} {:>7} {:>7} | {:>6} {:>6}",
        "vendor", "store", "conns", "bare/s", "p50 ms", "p99 ms", "cpu µs", "hub/s", "p50 ms", "p99 ms", "cpu µs", "rate", "p99"
    );
    for store in &plan.stores {
        for vendor in &plan.vendors {
            for connections in &plan.connections {
                // Of a URL no more than its scheme: the rest may hold a password.
                let name = store.split(':').next().unwrap_or_default();
                let (bare, hub) = LocalSet::new().block_on(&runtime, measure(plan, vendor, store, *connections))?;
                println!(
                    "{vendor:<11} {name:<8} {connections:>5} | {:>9.0} {:>7.2} {:>7.2} {:>7.1} | {:>9.0} {:>7.2} {:>7.2} {:>7.1} | {:>6.2} {:>6.1}",
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
            }
        }
    }
    Ok(())
}

async fn measure(plan: &Plan, vendor: &str, store: &str, connections: usize) -> Result<(Side, Side), Fault> {
    // One turn more than is measured: the first warms both up.
    let sessions = plan.requests * (plan.turns + 1);
    let folder = plan.data.as_ref().map_or_else(TempDir::new, TempDir::new_in)?;
    let mut hub_server = subject(vendor, store, sessions, plan.workers, folder.path())?;
    let bare_server = subject("bare", store, 0, plan.workers, folder.path())?;
    let requests = std::fs::read_to_string(folder.path().join("requests.txt"))?;
    let requests: Vec<Vec<u8>> = requests.lines().map(|line| line.replace('~', "\r\n").into_bytes()).collect();
    let (mut bare, mut hub) = (Side::default(), Side::default());
    for (turn, part) in requests.chunks(plan.requests).enumerate() {
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
    }
    let live: usize = hub_server.ask("live")?.parse()?;
    if live != 0 {
        let name = store.split(':').next().unwrap_or_default();
        return Err(format!("{vendor} on {name}: {live} of {sessions} sessions were not ended").into());
    }
    Ok((bare, hub))
}

fn subject(kind: &str, store: &str, sessions: usize, workers: usize, folder: &Path) -> Result<Server, Fault> {
    let figures = [("--store", store.to_owned()), ("--sessions", sessions.to_string()), ("--workers", workers.to_string())];
    let figures = figures.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
    let arguments = ["subject".to_owned(), kind.to_owned()].into_iter().chain(figures);
    Server::start(arguments.chain(["--folder".to_owned(), folder.display().to_string()]))
}

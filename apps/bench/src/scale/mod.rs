//! Sign-outs over the number of live sessions: how fast, how large, how long a restart takes, for
//! each store.

mod finding;
pub(crate) mod hub;
mod live;
mod measure;
mod plot;
mod session;
mod tables;

use std::path::PathBuf;

use clap::Args;
use tokio::task::LocalSet;

use crate::pgbench;
use crate::process::BoxError;
use crate::report::bare_app;
use finding::Finding;
use live::Aside;

/// What is measured over the number of live sessions.
#[derive(Args, Clone, Debug)]
pub(crate) struct Scale {
    /// Stores to measure: `memory`, `fjall`, the URL of an empty PostgreSQL database or Redis
    /// server (which is emptied again), or `postgres` or `redis` for a server that is started for
    /// it.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "memory,fjall,postgres,redis"
    )]
    stores: Vec<String>,
    /// How many sessions are live.
    #[arg(long, value_delimiter = ',', default_value = "10000,1000000,10000000")]
    sizes: Vec<usize>,
    /// The largest size for stores that keep all sessions in memory, about 1 KiB each.
    #[arg(long, default_value_t = 2_000_000)]
    most_in_memory: usize,
    /// Sign-outs in one turn; each ends another session.
    #[arg(long, default_value_t = 40_000)]
    requests: usize,
    /// Turns of each, one after the other.
    #[arg(long, default_value_t = 3)]
    turns: usize,
    /// Connections that are kept busy at once.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Worker threads of each server.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Whose sign-out.
    #[arg(long, default_value = "hcl-dx", value_parser = session::VENDORS)]
    vendor: String,
    /// Where fjall, and servers that are started, keep their files; a folder of the system's for
    /// temporary files by default, which may be in memory.
    #[arg(long)]
    data: Option<PathBuf>,
    /// A file to add what was found to, a line of JSON for each store and size.
    #[arg(long)]
    out: Option<PathBuf>,
    /// A file for a plot of it.
    #[arg(long)]
    plot: Option<PathBuf>,
}

/// Tables and plot of what was found before.
#[derive(Args, Clone, Debug)]
pub(crate) struct Plot {
    /// What `scale --out` has written.
    findings: PathBuf,
    /// A file for the plot.
    #[arg(long)]
    svg: Option<PathBuf>,
}

impl Scale {
    pub(crate) fn run(&self) -> Result<(), BoxError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let bare = bare_app(self.workers)?;
        let mut findings = Vec::new();
        for store in &self.stores {
            for size in &self.sizes {
                // Its URL, which may hold a password, is not for everybody to read.
                let scheme = store.split([':', '+']).next().unwrap_or_default();
                if *size > self.most_in_memory && ["memory", "redis", "rediss"].contains(&scheme) {
                    eprintln!(
                        "{scheme}: {size} sessions are left out, they would all be in memory (--most-in-memory)"
                    );
                    continue;
                }
                let found =
                    LocalSet::new().block_on(&runtime, measure::measure(self, store, *size, &bare));
                let finding =
                    found.map_err(|fault| format!("{scheme}, {size} sessions: {fault}"))?;
                if let Some(out) = &self.out {
                    finding.append(out)?;
                }
                findings.push(finding);
            }
        }
        show(&findings, self.plot.as_deref())
    }

    /// Which sessions are pgbench's: in each turn as many as a turn has sign-outs, half of all at
    /// most, as many for each client.
    fn aside(&self, size: usize) -> Result<Aside, BoxError> {
        let runs = self.turns + 1;
        let count = pgbench::even(self.requests.min(size / (2 * runs)), self.connections);
        if count == 0 {
            return Err(format!(
                "{size} sessions are too few for {runs} turns of pgbench with {} clients",
                self.connections
            )
            .into());
        }
        Ok(Aside {
            count: count.try_into()?,
            stride: (size / count).try_into()?,
            runs: runs.try_into()?,
            done: 0,
        })
    }
}

impl Plot {
    pub(crate) fn run(&self) -> Result<(), BoxError> {
        show(&Finding::read(&self.findings)?, self.svg.as_deref())
    }
}

fn show(findings: &[Finding], svg: Option<&std::path::Path>) -> Result<(), BoxError> {
    print!("{}", tables::of(findings));
    svg.map_or(Ok(()), |svg| plot::draw(findings, svg))
}

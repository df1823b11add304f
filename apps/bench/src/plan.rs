//! The options of a measurement.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Command};

use crate::dialect::VENDORS;
use crate::stores::{EMBEDDED, MEMORY, scheme};

/// What is measured.
#[derive(Args, Clone, Debug)]
pub(crate) struct Plan {
    /// Vendors whose sign-outs are measured.
    #[arg(long, value_delimiter = ',', default_values_t = VENDORS.map(str::to_owned))]
    pub(crate) vendors: Vec<String>,
    /// Stores: `memory`, the embedded store by its name, the URL of an empty PostgreSQL database or
    /// Redis server (which is emptied again), or `postgres` or `redis` for a server that is started
    /// for the measurement.
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = [MEMORY.to_owned(), EMBEDDED.to_owned()]
    )]
    pub(crate) stores: Vec<String>,
    /// How many sessions are live.
    #[arg(long, value_delimiter = ',', default_value = "100000")]
    pub(crate) sizes: Vec<usize>,
    /// The largest size for `memory` and Redis, which keep all sessions in memory.
    #[arg(long, default_value_t = 2_000_000)]
    pub(crate) most_in_memory: usize,
    /// Worker threads of each server.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    pub(crate) workers: Vec<usize>,
    /// Connections.
    #[arg(long, value_delimiter = ',', default_value = "64,256")]
    pub(crate) connections: Vec<usize>,
    /// Turns of each server, one after the other.
    #[arg(long, default_value_t = 5)]
    pub(crate) turns: usize,
    /// For how long a turn loads its server, at least.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "2s")]
    pub(crate) turn: Duration,
    /// The rate of the open loop, as a share of each server's median rate in the closed loop. 0
    /// leaves the open loop out.
    #[arg(long, default_value_t = 0.5)]
    pub(crate) load: f64,
    /// The rate of the open loop for every server, in requests a second, instead of a share.
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// Also measure how long restarts take.
    #[arg(long)]
    pub(crate) restarts: bool,
    /// Where the embedded store, and servers that are started, keep their files. By default the
    /// system's folder for temporary files, which may be in memory.
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// A file for all turns, one line each, as CSV.
    #[arg(long)]
    pub(crate) csv: Option<PathBuf>,
    /// A file for a plot of the ratios, as SVG.
    #[arg(long)]
    pub(crate) plot: Option<PathBuf>,
}

impl Plan {
    /// The stores that can hold so many sessions.
    pub(crate) fn stores_for(&self, size: usize) -> Vec<&str> {
        let stores = self.stores.iter().map(String::as_str);
        stores
            .filter(|store| {
                let in_memory = [MEMORY, "redis", "rediss"].contains(&scheme(store));
                let left_out = in_memory && size > self.most_in_memory;
                if left_out {
                    eprintln!(
                        "{}: {size} sessions are left out (--most-in-memory)",
                        scheme(store)
                    );
                }
                !left_out
            })
            .collect()
    }
}

/// Gives the subcommand `scale` its own defaults: all stores, three sizes, one connection beside
/// many.
pub(crate) fn with_scale_defaults(command: Command) -> Command {
    command.mut_subcommand("scale", |scale| {
        scale
            .mut_arg("vendors", |arg| arg.default_value("hcl-dx"))
            .mut_arg("stores", |arg| {
                arg.default_values([MEMORY, EMBEDDED, "postgres", "redis"])
            })
            .mut_arg("sizes", |arg| arg.default_value("10000,1000000,10000000"))
            .mut_arg("connections", |arg| arg.default_value("1,64"))
            .mut_arg("turn", |arg| arg.default_value("10s"))
    })
}

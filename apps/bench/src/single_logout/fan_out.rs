//! One sign-out that ends four sessions at four platforms, beside one that ends the only session
//! there is.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;

use super::pair::{Common, Kind, Pair};
use crate::client::{Load, Turn};
use crate::dialect::VENDORS;
use crate::process::{BoxError, block_on};
use crate::report::median;
use crate::requests::Requests;

/// What is measured of the fan-out.
#[derive(Args, Clone, Debug)]
pub(crate) struct FanOut {
    /// Sign-outs in one turn; each ends another person's sessions.
    #[arg(long, default_value_t = 5_000)]
    requests: usize,
    /// Turns of each hub, one after the other.
    #[arg(long, default_value_t = 3)]
    turns: usize,
    /// Connections that are kept busy at once.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Worker threads of each server.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// How many deliveries are under way to one upstream at most.
    #[arg(long, default_value_t = 16)]
    in_flight: usize,
    /// How long the deliveries of one turn may take until all are confirmed, in seconds.
    #[arg(long, default_value_t = 120)]
    patience: u64,
    /// Where the embedded store keeps its files; a folder of the system's for temporary files by
    /// default, which may be in memory.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// One hub's turns.
struct Side {
    kind: Kind,
    pair: Pair,
    turns: Vec<Turn>,
    /// Of each turn, deliveries a second from its first sign-out to its last confirmation.
    deliveries: Vec<f64>,
    /// Processor time of the hub for each session that ended, its delivery included, in
    /// microseconds.
    cpu: Vec<f64>,
}

impl Side {
    /// How many sessions a sign-out ends.
    fn fan(&self) -> usize {
        if self.kind.everywhere {
            VENDORS.len()
        } else {
            1
        }
    }

    fn ended_rate(&self) -> f64 {
        self.rate() * precise(self.fan())
    }

    fn rate(&self) -> f64 {
        median(self.turns.iter().map(Turn::rate))
    }

    fn millis(&self, share: f64) -> f64 {
        median(self.turns.iter().map(|turn| turn.millis(share)))
    }

    /// The requests of one turn: of a person with sessions everywhere, one of these, at the
    /// platforms in turn.
    fn requests(&self, turn: usize, count: usize) -> Requests {
        let persons = turn * count..(turn + 1) * count;
        let line = |person: usize| {
            if self.kind.everywhere {
                person * VENDORS.len() + person % VENDORS.len()
            } else {
                person
            }
        };
        self.pair.requests.select(persons.map(line))
    }
}

impl FanOut {
    pub(crate) fn run(&self) -> Result<(), BoxError> {
        block_on(self.measure())
    }

    fn kinds() -> Vec<Kind> {
        let single = Kind {
            name: "one session, no upstream".to_owned(),
            reach: "session",
            everywhere: false,
            wait: None,
            verify: false,
        };
        let mut kinds = vec![single];
        for (wait, verify) in [("0ms", true), ("0ms", false), ("10s", true), ("10s", false)] {
            let name = format!(
                "four, wait {wait}, {}",
                if verify { "verified" } else { "not verified" }
            );
            kinds.push(Kind {
                name,
                reach: "person",
                everywhere: true,
                wait: Some(wait.to_owned()),
                verify,
            });
        }
        kinds
    }

    async fn measure(&self) -> Result<(), BoxError> {
        // One turn more than is measured: the first warms all up.
        let persons = self.requests * (self.turns + 1);
        let common = Common {
            persons,
            workers: self.workers,
            in_flight: self.in_flight,
            data: self.data.clone(),
        };
        let start = |kind: Kind| {
            let pair = Pair::start(&kind, &common, None)?;
            Ok::<_, BoxError>(Side {
                kind,
                pair,
                turns: Vec::new(),
                deliveries: Vec::new(),
                cpu: Vec::new(),
            })
        };
        let mut sides = Self::kinds()
            .into_iter()
            .map(start)
            .collect::<Result<Vec<_>, _>>()?;
        for turn in 0..=self.turns {
            for side in &mut sides {
                self.turn(side, turn).await?;
            }
        }
        for side in &mut sides {
            self.check(side, persons)?;
        }
        self.print(&sides);
        Ok(())
    }

    async fn turn(&self, side: &mut Side, turn: usize) -> Result<(), BoxError> {
        let requests = Rc::new(side.requests(turn, self.requests));
        let ended = requests.len() * side.fan();
        let before = side.pair.hub.cpu()?;
        let started = Instant::now();
        let load = Load {
            address: side.pair.hub.address()?,
            requests,
            connections: self.connections,
            expected: None,
        };
        let outcome = load.closed(None, false).await?;
        if side.kind.wait.is_some() {
            side.pair
                .confirmed(ended, Duration::from_secs(self.patience))
                .map_err(|fault| format!("{}: {fault}", side.kind.name))?;
            let deliveries = precise(ended) / started.elapsed().as_secs_f64();
            side.pair.seconds()?;
            if turn > 0 {
                side.deliveries.push(deliveries);
            }
        }
        if turn > 0 {
            side.cpu.push(
                side.pair.hub.cpu()?.saturating_sub(before).as_secs_f64() * 1e6 / precise(ended),
            );
            side.turns.push(outcome);
        }
        Ok(())
    }

    /// Fails unless every session is over, at the hub and where there are instances at these.
    fn check(&self, side: &mut Side, persons: usize) -> Result<(), BoxError> {
        let live = side.pair.live()?;
        if live != 0 {
            return Err(format!("{}: {live} sessions were not ended", side.kind.name).into());
        }
        if side.kind.wait.is_some() {
            for vendor in VENDORS {
                side.pair
                    .check_told(vendor, persons, side.kind.verify)
                    .map_err(|fault| format!("{}: {fault}", side.kind.name))?;
            }
        }
        Ok(())
    }

    fn print(&self, sides: &[Side]) {
        println!(
            "{} turns of {} sign-outs each, {} connections, {} worker(s) a server; medians over the turns; everything ended and confirmed",
            self.turns, self.requests, self.connections, self.workers
        );
        println!(
            "{:<30} | {:>9} {:>8} {:>8} | {:>9} {:>6} | {:>12} {:>12}",
            "", "signout/s", "p50 ms", "p99 ms", "ended/s", "ratio", "deliveries/s", "cpu µs/ended"
        );
        let single = sides.first().map_or(f64::NAN, Side::ended_rate);
        for side in sides {
            let deliveries = if side.deliveries.is_empty() {
                "-".to_owned()
            } else {
                format!("{:.0}", median(side.deliveries.iter().copied()))
            };
            println!(
                "{:<30} | {:>9.0} {:>8.2} {:>8.2} | {:>9.0} {:>6.2} | {deliveries:>12} {:>12.1}",
                side.kind.name,
                side.rate(),
                side.millis(0.5),
                side.millis(0.99),
                side.ended_rate(),
                side.ended_rate() / single,
                median(side.cpu.iter().copied()),
            );
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count that goes into a rate")]
fn precise(count: usize) -> f64 {
    count as f64
}

//! Many sign-outs at four platforms at once, while one of the instances is dead.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use clap::Args;

use super::pair::{Common, Kind, Pair};
use crate::client::{Load, Turn};
use crate::dialect::VENDORS;
use crate::process::{BoxError, block_on};
use crate::report::median;

/// What is measured of the storm.
#[derive(Args, Clone, Debug)]
pub(crate) struct Storm {
    /// Sign-outs in one turn, a quarter of them at each platform.
    #[arg(long, default_value_t = 10_000)]
    requests: usize,
    /// Turns of each case, one after the other; each with a hub of its own.
    #[arg(long, default_value_t = 3)]
    turns: usize,
    /// Sign-outs a second, a quarter of them at each platform, whatever becomes of those before.
    #[arg(long, default_value_t = 1_500)]
    rate: u32,
    /// Sign-outs at each living platform beforehand, so that nothing is done for the first time.
    #[arg(long, default_value_t = 250)]
    warm_up: usize,
    /// Whose instance is dead.
    #[arg(long, default_value = "hcl-dx")]
    dead: String,
    /// What `single_logout.wait` is.
    #[arg(long, value_delimiter = ',', default_value = "0ms,500ms")]
    waits: Vec<String>,
    /// Worker threads of each server.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// How many deliveries are under way to one upstream at most.
    #[arg(long, default_value_t = 16)]
    in_flight: usize,
    /// How long the deliveries of one turn may take until all that can be are confirmed, in
    /// seconds.
    #[arg(long, default_value_t = 120)]
    patience: u64,
    /// Where the embedded store keeps its files; a folder of the system's for temporary files by
    /// default, which may be in memory.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// What the fourth instance is like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fourth {
    /// It takes connections and never answers.
    Hanging,
    /// Its platform has no sign-outs at all.
    Idle,
    /// It answers like the others.
    Living,
    /// It takes no connections.
    Refusing,
}

impl Fourth {
    /// Those without a dead one first: the others are compared to them.
    const ALL: [Self; 4] = [Self::Living, Self::Idle, Self::Hanging, Self::Refusing];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Hanging => "hanging",
            Self::Idle => "idle",
            Self::Living => "living",
            Self::Refusing => "refusing",
        }
    }

    const fn is_dead(self) -> bool {
        matches!(self, Self::Hanging | Self::Refusing)
    }
}

/// What a living platform showed in the turns of one case: 99 of 100 stayed below, in milliseconds.
#[derive(Default)]
struct Living {
    replies: Vec<f64>,
    deliveries: Vec<f64>,
}

/// What the turns of one case showed.
#[derive(Default)]
struct Case {
    living: BTreeMap<&'static str, Living>,
    /// Processor time of the hub for each sign-out, its delivery included, in microseconds.
    cpu: Vec<f64>,
}

impl Storm {
    pub(crate) fn run(&self) -> Result<(), BoxError> {
        block_on(self.measure())
    }

    async fn measure(&self) -> Result<(), BoxError> {
        println!(
            "{} turns of {} sign-outs each, {} a second, a quarter at each platform, {} worker(s) a server; medians over the turns: of the p99, of its ratio within a turn, of the hub's processor time a sign-out",
            self.turns, self.requests, self.rate, self.workers
        );
        println!(
            "{:<6} {:<9} {:<11} | {:>8} {:>9} {:>9} | {:>11} {:>9} {:>9} | {:>8}",
            "wait",
            self.dead,
            "platform",
            "reply ms",
            "/ living",
            "/ idle",
            "delivery ms",
            "/ living",
            "/ idle",
            "hub µs"
        );
        for wait in &self.waits {
            let mut cases: Vec<Case> = Fourth::ALL.iter().map(|_| Case::default()).collect();
            for turn in 0..self.turns {
                let mut order: Vec<_> = Fourth::ALL.iter().zip(&mut cases).collect();
                // There and back again, so that whatever gets slower with time is nobody's
                // disadvantage.
                if turn % 2 == 1 {
                    order.reverse();
                }
                for (fourth, case) in order {
                    self.turn(wait, *fourth, case).await.map_err(|fault| {
                        format!("wait {wait}, {} {}: {fault}", self.dead, fourth.as_str())
                    })?;
                }
            }
            self.print(wait, &cases);
        }
        Ok(())
    }

    async fn turn(&self, wait: &str, fourth: Fourth, case: &mut Case) -> Result<(), BoxError> {
        // Nobody takes connections where nobody listens any more; those that nobody accepts hang.
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let _hangs = (fourth == Fourth::Hanging).then_some(listener);
        let mut pair = self.start(
            wait,
            fourth.is_dead().then_some((self.dead.as_str(), address)),
        )?;
        let each = self.requests / VENDORS.len();
        let living = |vendor: &&&str| **vendor != self.dead.as_str();
        let first: Vec<&str> = VENDORS.iter().filter(living).copied().collect();
        sign_out(&pair, &first, 0..self.warm_up, self.rate).await?;
        pair.confirmed(
            self.warm_up * (VENDORS.len() - 1),
            Duration::from_secs(self.patience),
        )?;
        pair.seconds()?;

        let asked: Vec<&str> = VENDORS
            .iter()
            .filter(|vendor| living(vendor) || fourth != Fourth::Idle)
            .copied()
            .collect();
        let rate = self.rate / u32::try_from(VENDORS.len())? * u32::try_from(asked.len())?;
        let before = pair.hub.cpu()?;
        let persons = self.warm_up..self.warm_up + each;
        let turns = sign_out(&pair, &asked, persons, rate).await?;
        let answering = if fourth == Fourth::Living {
            VENDORS.len()
        } else {
            VENDORS.len() - 1
        };
        pair.confirmed(each * answering, Duration::from_secs(self.patience))?;
        let used = pair.hub.cpu()?.saturating_sub(before);
        case.cpu
            .push(used.as_secs_f64() * 1e6 / f64::from(u32::try_from(each * asked.len())?));
        let seconds = pair.seconds()?;
        self.check(&mut pair, fourth, each)?;

        for (vendor, turn) in asked
            .iter()
            .zip(turns)
            .filter(|(vendor, _)| **vendor != self.dead)
        {
            let mut nanos: Vec<u64> = Vec::new();
            for seconds in seconds.get(*vendor).into_iter().flatten() {
                nanos.push(u64::try_from(Duration::from_secs_f64(*seconds).as_nanos())?);
            }
            if nanos.len() != each || turn.latencies.len() != each {
                return Err(format!(
                    "{vendor}: {} confirmations and {} answers instead of {each}",
                    nanos.len(),
                    turn.latencies.len()
                )
                .into());
            }
            let figures = case.living.entry(*vendor).or_default();
            figures.replies.push(turn.millis(0.99));
            figures.deliveries.push(Turn::new(0.0, nanos).millis(0.99));
        }
        Ok(())
    }

    fn start(&self, wait: &str, moved: Option<(&str, SocketAddr)>) -> Result<Pair, BoxError> {
        let persons = self.requests / VENDORS.len() + self.warm_up;
        let common = Common {
            persons,
            workers: self.workers,
            in_flight: self.in_flight,
            data: self.data.clone(),
        };
        let kind = Kind {
            name: String::new(),
            reach: "session",
            everywhere: true,
            wait: Some(wait.to_owned()),
            verify: true,
        };
        Pair::start(&kind, &common, moved)
    }

    /// Fails unless what was signed out is over and told, and of the dead instance's sessions none
    /// is forgotten.
    fn check(&self, pair: &mut Pair, fourth: Fourth, each: usize) -> Result<(), BoxError> {
        for vendor in VENDORS.iter().filter(|vendor| **vendor != self.dead) {
            pair.check_told(vendor, each + self.warm_up, true)?;
        }
        let (live, tally) = (pair.live()?, pair.tally()?);
        let of_fourth = tally.get(self.dead.as_str()).map_or((0, 0, 0), |tally| {
            (tally.confirmed, tally.pending, tally.given_up)
        });
        let expected = match fourth {
            Fourth::Hanging | Fourth::Refusing => (self.warm_up, (0, each, 0)),
            Fourth::Idle => (self.warm_up + each, (0, 0, 0)),
            Fourth::Living => (self.warm_up, (each, 0, 0)),
        };
        if (live, of_fourth) == expected {
            Ok(())
        } else {
            Err(format!("{live} live, {of_fourth:?} instead of {expected:?}").into())
        }
    }

    fn print(&self, wait: &str, cases: &[Case]) {
        for (fourth, case) in Fourth::ALL.iter().zip(cases) {
            for vendor in VENDORS.iter().filter(|vendor| **vendor != self.dead) {
                let turns = |case: &Case, pick: Pick| {
                    case.living
                        .get(vendor)
                        .map(pick)
                        .cloned()
                        .unwrap_or_default()
                };
                // Turn by turn: what other work there is changes from minute to minute.
                let beside = |other: usize, pick: Pick| {
                    let others = cases
                        .get(other)
                        .map(|case| turns(case, pick))
                        .unwrap_or_default();
                    median(
                        turns(case, pick)
                            .into_iter()
                            .zip(others)
                            .map(|(value, other)| value / other),
                    )
                };
                let figures = |pick: Pick| {
                    (
                        median(turns(case, pick).into_iter()),
                        beside(0, pick),
                        beside(1, pick),
                    )
                };
                let (replies, deliveries) = (
                    figures(|living| &living.replies),
                    figures(|living| &living.deliveries),
                );
                println!(
                    "{wait:<6} {:<9} {vendor:<11} | {:>8.2} {:>9.2} {:>9.2} | {:>11.0} {:>9.2} {:>9.2} | {:>8.0}",
                    fourth.as_str(),
                    replies.0,
                    replies.1,
                    replies.2,
                    deliveries.0,
                    deliveries.1,
                    deliveries.2,
                    median(case.cpu.iter().copied()),
                );
            }
        }
    }
}

/// One of the figures of a living platform.
type Pick = fn(&Living) -> &Vec<f64>;

/// Sign-outs of these persons at these vendors in turn, at a fixed rate over all. Brings the
/// latencies by vendor, counted from the time when each request was due.
async fn sign_out(
    pair: &Pair,
    vendors: &[&str],
    persons: Range<usize>,
    rate: u32,
) -> Result<Vec<Turn>, BoxError> {
    /// More than are busy at once, while a quarter waits half a second for a dead instance.
    const CONNECTIONS: usize = 800;
    let places = VENDORS
        .iter()
        .enumerate()
        .filter(|(_, vendor)| vendors.contains(vendor));
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    let of_person = |person| {
        places
            .iter()
            .map(move |place| person * VENDORS.len() + place)
    };
    let requests = pair.requests.select(persons.flat_map(of_person));
    let count = requests.len();
    let load = Load {
        address: pair.hub.address()?,
        requests: Rc::new(requests),
        connections: CONNECTIONS,
        expected: None,
    };
    let nanos = load.open(f64::from(rate), count).await?;
    let of_vendor = |place| nanos.iter().skip(place).step_by(vendors.len()).copied();
    let turns = (0..vendors.len()).map(|place| Turn::new(0.0, of_vendor(place).collect()));
    Ok(turns.collect())
}

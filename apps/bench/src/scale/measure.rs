//! One store with so many live sessions: loaded, measured beside the bare app, counted, restarted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use logout_core::ports::Clock as _;
use logout_hub::SystemClock;
use tempfile::TempDir;

use super::Scale;
use super::finding::{Figures, Finding, Growth, Restart};
use super::hub::ScaleHub;
use super::live::{Aside, Census, Live};
use super::session::request;
use crate::client::{Turn, load};
use crate::engine::{Console, Engine};
use crate::pgbench::{self, Part};
use crate::process::{BoxError, Server};
use crate::report::{Side, median, pgbench_for};

/// A hub over a store, and what should be live there. The folder goes last.
struct Run<'a> {
    plan: &'a Scale,
    size: usize,
    hub: Option<Server>,
    live: Live,
    role: ScaleHub,
    folder: TempDir,
}

/// What several turns showed: both servers with many connections and with one, and pgbench.
#[derive(Default)]
struct Turns {
    hub: Side,
    bare: Side,
    hub_alone: Side,
    bare_alone: Side,
    singles: Vec<f64>,
}

pub(super) async fn measure(
    plan: &Scale,
    store: &str,
    size: usize,
    bare: &Server,
) -> Result<Finding, BoxError> {
    let mut engine = Engine::start(store, plan.data.as_deref())?;
    engine.expect_empty()?;
    let console = pgbench_for(&engine, plan.connections)?;
    let aside = console.map_or(Ok(Aside::default()), |_| plan.aside(size))?;
    let mut run = Run::start(plan, &engine, size, Live::new(aside))?;
    let folder = run.folder.path().to_owned();
    let (hub_empty, engine_empty, disk_empty) = (
        run.hub()?.memory()?,
        engine.memory()?,
        engine.disk(&folder)?,
    );

    let loading = Instant::now();
    run.top_up(size)?;
    let load_seconds = loading.elapsed().as_secs_f64();
    engine.settle(&folder)?;
    eprintln!(
        "{}: {size} sessions loaded in {load_seconds:.0} s",
        engine.name
    );
    let grown = |empty: Option<u64>, loaded: Option<u64>| {
        empty
            .zip(loaded)
            .map(|(empty, loaded)| Growth { empty, loaded })
    };
    let hub_memory = Growth {
        empty: hub_empty,
        loaded: run.hub()?.memory()?,
    };
    let (engine_memory, disk) = (
        grown(engine_empty, engine.memory()?),
        grown(disk_empty, engine.disk(&folder)?),
    );
    let tables = engine.tables()?;
    run.expect_counted()?;

    let mut turns = Turns::default();
    for turn in 0..=plan.turns {
        let seen = run.turn(bare, console, aside).await?;
        // The first warms all up.
        if turn > 0 {
            turns.take(seen);
        }
    }
    let restart = if engine.name == "memory" {
        None
    } else {
        Some(run.restarts(&mut engine).await?)
    };
    run.expect_counted()?;
    drop(run);
    let store = engine.name.clone();
    engine.leave()?;
    Ok(Finding {
        store,
        sessions: size as u64,
        vendor: plan.vendor.clone(),
        connections: plan.connections,
        workers: plan.workers,
        turns: plan.turns,
        requests: plan.requests,
        hub: Figures::from(&turns.hub),
        bare: Figures::from(&turns.bare),
        hub_alone: Figures::from(&turns.hub_alone),
        bare_alone: Figures::from(&turns.bare_alone),
        pgbench: (!turns.singles.is_empty()).then(|| median(turns.singles.into_iter())),
        load_seconds,
        hub_memory,
        engine_memory,
        disk,
        tables,
        restart,
    })
}

impl<'a> Run<'a> {
    fn start(plan: &'a Scale, engine: &Engine, size: usize, live: Live) -> Result<Self, BoxError> {
        let folder = plan
            .data
            .as_ref()
            .map_or_else(TempDir::new, TempDir::new_in)?;
        let role = ScaleHub {
            vendor: plan.vendor.clone(),
            store: engine.store.clone(),
            // So that nobody has a session from the future.
            epoch: SystemClock.now().as_millis() - size as u64,
            workers: plan.workers,
            folder: folder.path().to_owned(),
        };
        let hub = Some(Server::start(role.arguments())?);
        Ok(Self {
            plan,
            size,
            hub,
            live,
            role,
            folder,
        })
    }

    fn hub(&mut self) -> Result<&mut Server, BoxError> {
        Ok(self.hub.as_mut().ok_or("the hub is down")?)
    }

    fn top_up(&mut self, size: usize) -> Result<(), BoxError> {
        let numbers = self.live.open_up_to(size)?;
        self.hub()?
            .ask(&format!("open {} {}", numbers.start, numbers.end))
            .and_then(|answer| match answer.as_str() {
                "opened" => Ok(()),
                _ => Err("the hub could not open its sessions".into()),
            })
    }

    fn requests(&mut self, count: usize) -> Result<Arc<Vec<Vec<u8>>>, BoxError> {
        let numbers = self.live.take(count);
        let requests = numbers
            .into_iter()
            .map(|number| request(&self.plan.vendor, u64::from(number)));
        Ok(Arc::new(requests.collect::<Result<_, _>>()?))
    }

    /// Sign-outs beside the bare app, in rounds between which the store is filled up, so that an
    /// eighth more or less than `size` are live.
    async fn turn(
        &mut self,
        bare: &Server,
        console: Option<&Console>,
        aside: Aside,
    ) -> Result<Turns, BoxError> {
        let mut turns = Turns::default();
        let round = self.plan.requests.min(self.size / 4).max(1);
        let rounds = self.plan.requests.div_ceil(round);
        self.rounds(
            bare,
            (rounds, round, self.plan.connections),
            [&mut turns.bare, &mut turns.hub],
        )
        .await?;
        self.rounds(
            bare,
            (1, round.min(1_000), 1),
            [&mut turns.bare_alone, &mut turns.hub_alone],
        )
        .await?;
        if let Some(console) = console {
            let part = Part {
                epoch: self.role.epoch,
                start: self.live.runs_ended(),
                stride: aside.stride as usize,
            };
            turns.singles.push(pgbench::run(
                console,
                part,
                aside.count as usize,
                self.plan.connections,
                self.folder.path(),
            )?);
            self.live.run_ended();
        }
        Ok(turns)
    }

    async fn rounds(
        &mut self,
        bare: &Server,
        (rounds, round, connections): (usize, usize, usize),
        sides: [&mut Side; 2],
    ) -> Result<(), BoxError> {
        let mut turns = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            self.top_up(self.size + round / 2)?;
            let requests = self.requests(round)?;
            for (place, server) in [bare, self.hub()?].into_iter().enumerate() {
                let before = server.cpu()?;
                let seen = load(server.address()?, requests.clone(), connections).await?;
                sides[place].cpu += server.cpu()?.saturating_sub(before);
                sides[place].answers += seen.latencies.len();
                turns[place].push(seen);
            }
        }
        for (side, turns) in sides.into_iter().zip(turns) {
            side.turns.push(Turn::joined(turns));
        }
        Ok(())
    }

    /// Fails unless exactly those sessions are live that should be.
    fn expect_counted(&mut self) -> Result<(), BoxError> {
        let (expected, counted) = (
            self.live.census(),
            self.hub()?.ask("census")?.parse::<Census>()?,
        );
        let (should, are) = (expected.count, counted.count);
        if expected == counted {
            Ok(())
        } else {
            Err(format!("{should} sessions should be live, and {are} are, or others").into())
        }
    }

    async fn restarts(&mut self, engine: &mut Engine) -> Result<Restart, BoxError> {
        drop(self.hub.take());
        let stopped = self.until_it_answers().await?;
        self.hub.take().ok_or("the hub is down")?.kill()?;
        let killed = self.until_it_answers().await?;
        drop(self.hub.take());
        let engine = engine.restart()?.map(|took| took.as_secs_f64());
        self.until_it_answers().await?;
        Ok(Restart {
            stopped: stopped.as_secs_f64(),
            killed: killed.as_secs_f64(),
            engine,
        })
    }

    /// Starts the hub, and says how long it took until it had signed somebody out.
    async fn until_it_answers(&mut self) -> Result<Duration, BoxError> {
        let request = self.requests(1)?;
        let started = Instant::now();
        let hub = self.hub.insert(Server::start(self.role.arguments())?);
        load(hub.address()?, request, 1).await?;
        Ok(started.elapsed())
    }
}

impl Turns {
    fn take(&mut self, other: Self) {
        for (side, seen) in [
            (&mut self.hub, other.hub),
            (&mut self.bare, other.bare),
            (&mut self.hub_alone, other.hub_alone),
            (&mut self.bare_alone, other.bare_alone),
        ] {
            side.cpu += seen.cpu;
            side.answers += seen.answers;
            side.turns.extend(seen.turns);
        }
        self.singles.extend(other.singles);
    }
}

//! A hub over one store, and the sessions that should be live there.

use std::rc::Rc;
use std::time::{Duration, Instant};

use logout_core::ports::Clock as _;
use logout_hub::SystemClock;
use tempfile::TempDir;

use super::live::{Census, Live};
use super::{Pace, Seen, Setting, Spent, at_a_rate};
use crate::answer::Answer;
use crate::client::{Expected, Load};
use crate::engine::Engine;
use crate::hub::HubRole;
use crate::plan::Plan;
use crate::process::{BoxError, Server};
use crate::procfs;
use crate::report::{Mode, Row, Rows};
use crate::requests::Requests;
use crate::stores::MEMORY;

/// The most requests that are made at once, some hundred bytes each.
const MOST: usize = 500_000;
/// The rate of a server before its first turn.
const FIRST_RATE: f64 = 50_000.0;

/// A hub, its store and its sessions. The folder goes last.
pub(super) struct Subject<'a> {
    plan: &'a Plan,
    setting: Setting<'a>,
    hub: Option<Server>,
    pub(super) engine: Engine,
    live: Live,
    role: HubRole,
    /// The latest sign-outs.
    pub(super) requests: Rc<Requests>,
    /// Sign-outs a second in the latest closed loop.
    rate: f64,
    _folder: TempDir,
}

impl<'a> Subject<'a> {
    /// Starts the store's server where it has one, and the hub, and loads the sessions.
    pub(super) fn start(
        plan: &'a Plan,
        setting: Setting<'a>,
        store: &str,
        rows: &mut Rows,
    ) -> Result<Self, BoxError> {
        let engine = Engine::start(store, plan.data.as_deref())?;
        engine.expect_empty()?;
        let folder = plan
            .data
            .as_ref()
            .map_or_else(TempDir::new, TempDir::new_in)?;
        let role = HubRole {
            vendor: setting.vendor.to_owned(),
            store: engine.store.clone(),
            // So that no session is from the future.
            epoch: SystemClock.now().as_millis() - setting.sessions as u64,
            workers: setting.workers,
            folder: folder.path().to_owned(),
        };
        let started = Instant::now();
        let hub = Server::with_options("hub", &role.options())?;
        let row = setting.row(Mode::Start, engine.name, started.elapsed().as_secs_f64());
        rows.push(row)?;
        let mut subject = Self {
            plan,
            setting,
            hub: Some(hub),
            engine,
            live: Live::new(),
            role,
            requests: Rc::default(),
            rate: FIRST_RATE,
            _folder: folder,
        };
        subject.load(rows)?;
        Ok(subject)
    }

    fn hub(&mut self) -> Result<&mut Server, BoxError> {
        Ok(self.hub.as_mut().ok_or("the hub is down")?)
    }

    fn sizes(&mut self) -> Result<[Option<u64>; 3], BoxError> {
        Ok([
            Some(procfs::memory(self.hub()?.id())?),
            self.engine.memory()?,
            self.engine.disk(&self.role.folder)?,
        ])
    }

    fn load(&mut self, rows: &mut Rows) -> Result<(), BoxError> {
        let name = self.engine.name;
        eprintln!("{name}: loading {} sessions", self.setting.sessions);
        let [hub_empty, engine_empty, disk_empty] = self.sizes()?;
        let loading = Instant::now();
        self.top_up(self.setting.sessions)?;
        let seconds = loading.elapsed().as_secs_f64();
        self.engine.settle(&self.role.folder)?;
        let [hub_loaded, engine_loaded, disk_loaded] = self.sizes()?;
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rate = self.setting.sessions as f64 / seconds;
        rows.push(Row {
            answers: Some(self.setting.sessions as u64),
            rate: Some(rate),
            hub_empty,
            hub_loaded,
            engine_empty,
            engine_loaded,
            disk_empty,
            disk_loaded,
            ..self.setting.row(Mode::Load, name, seconds)
        })?;
        self.expect_counted()
    }

    fn ask(&mut self, question: &str) -> Result<(), BoxError> {
        match self.hub()?.ask(question)?.as_str() {
            "done" => Ok(()),
            _ => Err(format!("the hub could not do this: {question}").into()),
        }
    }

    /// Opens sessions until so many are live.
    fn top_up(&mut self, size: usize) -> Result<(), BoxError> {
        let numbers = self.live.open_up_to(size)?;
        self.ask(&format!("open {} {}", numbers.start, numbers.end))
    }

    /// The sign-outs of these sessions.
    fn sign_outs(&mut self, numbers: &[u32]) -> Result<Rc<Requests>, BoxError> {
        let lines: Vec<String> = numbers.iter().map(u32::to_string).collect();
        std::fs::write(self.role.numbers_file(), lines.join("\n"))?;
        self.ask("requests")?;
        self.requests = Rc::new(Requests::read(&self.role.requests_file())?);
        if self.requests.len() == numbers.len() {
            Ok(self.requests.clone())
        } else {
            Err("the hub has not made all requests".into())
        }
    }

    /// The answer to one sign-out, and its bytes.
    pub(super) async fn fetch(&mut self) -> Result<(Answer, Vec<u8>), BoxError> {
        let numbers = self.live.take(1);
        let requests = self.sign_outs(&numbers)?;
        let request = requests.get(0, false).ok_or("no session is left")?;
        Answer::fetch(self.hub()?.address()?, request).await
    }

    /// Sign-outs for so long, in rounds between which the store is filled up: a quarter more or
    /// less than the size are live. The time between rounds counts nowhere.
    pub(super) async fn turn(
        &mut self,
        pace: Pace,
        connections: usize,
        limit: Duration,
        expected: Expected,
    ) -> Result<Seen, BoxError> {
        let mut seen = Seen::default();
        loop {
            let left = limit.as_secs_f64() - seen.seconds;
            if left <= 0.0 {
                return Ok(seen);
            }
            let wanted = match pace {
                // A little more than in the round before, so that the time runs out first.
                Pace::Closed => count(self.rate * left * 1.3) + connections,
                Pace::Open(rate) => count(rate * left),
            };
            let round = wanted.clamp(1, MOST.min(self.setting.sessions / 2).max(1));
            self.top_up(self.setting.sessions + round / 2)?;
            let numbers = self.live.take(round);
            let load = Load {
                requests: self.sign_outs(&numbers)?,
                address: self.hub()?.address()?,
                connections,
                expected: Some(expected),
            };
            let before = self.spent()?;
            let turn = match pace {
                Pace::Closed => {
                    let turn = load
                        .closed(Some(Duration::from_secs_f64(left)), false)
                        .await?;
                    self.rate = turn.rate();
                    turn
                }
                Pace::Open(rate) => at_a_rate(&load, rate, round).await?,
            };
            let spent = self.spent()?.since(&before);
            self.live.put_back(&numbers[turn.latencies.len()..]);
            seen.add(turn, &spent);
        }
    }

    fn spent(&mut self) -> Result<Spent, BoxError> {
        let engine = self.engine.cpu()?;
        Spent::so_far(self.hub()?, engine)
    }

    /// Fails unless exactly those sessions are live that should be.
    fn expect_counted(&mut self) -> Result<(), BoxError> {
        let counted: Census = self.hub()?.ask("census")?.parse()?;
        let expected = self.live.census();
        let (name, should, are) = (self.engine.name, expected.count, counted.count);
        if expected == counted {
            Ok(())
        } else {
            let fault =
                format!("{name}: {should} sessions should be live, and {are} are, or others");
            Err(fault.into())
        }
    }

    /// Counts the live sessions, and measures restarts where the plan says so.
    pub(super) async fn finish(mut self, rows: &mut Rows) -> Result<(), BoxError> {
        self.expect_counted()?;
        if self.plan.restarts && self.engine.name != MEMORY {
            self.restarts(rows).await?;
            self.expect_counted()?;
        }
        drop(self.hub.take());
        self.engine.leave()
    }

    async fn restarts(&mut self, rows: &mut Rows) -> Result<(), BoxError> {
        for mode in [Mode::Stopped, Mode::Killed, Mode::Engine] {
            if mode == Mode::Engine && !self.engine.is_own_server() {
                continue;
            }
            // The hub has to sign the request's token before it goes.
            let numbers = self.live.take(1);
            let requests = self.sign_outs(&numbers)?;
            let hub = self.hub.take().ok_or("the hub is down")?;
            if mode == Mode::Killed {
                hub.kill()?;
            } else {
                drop(hub);
            }
            let engine = if mode == Mode::Engine {
                self.engine.restart()?
            } else {
                None
            };
            let started = Instant::now();
            let hub = Server::with_options("hub", &self.role.options())?;
            let load = Load {
                requests,
                address: self.hub.insert(hub).address()?,
                connections: 1,
                expected: None,
            };
            load.closed(None, false).await?;
            let took = engine.unwrap_or_else(|| started.elapsed());
            let name = self.engine.name;
            rows.push(self.setting.row(mode, name, took.as_secs_f64()))?;
        }
        Ok(())
    }
}

/// A count from a rate and a time.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count that is never negative"
)]
pub(super) fn count(figure: f64) -> usize {
    figure.ceil() as usize
}

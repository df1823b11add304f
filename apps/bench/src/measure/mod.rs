//! Sign-outs of hubs over several stores, in turns with a bare app that gives the same answers.

mod live;
mod subject;

use std::rc::Rc;
use std::time::Duration;

pub(crate) use live::Census;
use tempfile::TempDir;

use crate::answer::Answer;
use crate::client::{Expected, Load, Turn};
use crate::plan::Plan;
use crate::process::{BoxError, Server, block_on};
use crate::procfs::{Usage, micros_each};
use crate::report::{BARE, Mode, Row, Rows, median, show};
use crate::requests::Requests;
use subject::Subject;

/// The first load of each server is no longer than this and is not counted.
const WARM_UP: Duration = Duration::from_secs(1);

/// The part of the settings that servers are started with.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    vendor: &'a str,
    sessions: usize,
    workers: usize,
}

impl Setting<'_> {
    fn row(self, mode: Mode, store: &str, seconds: f64) -> Row {
        let load = (self.sessions, self.workers);
        Row::new(mode, (self.vendor, store), load, seconds)
    }
}

/// How to load a server.
#[derive(Clone, Copy)]
pub(super) enum Pace {
    /// Each connection sends its next request when the last is answered.
    Closed,
    /// Requests a second.
    Open(f64),
}

/// What one turn of a server has shown.
#[derive(Default)]
pub(super) struct Seen {
    seconds: f64,
    latencies: Vec<u64>,
    server: Usage,
    engine: Option<Duration>,
    client: Duration,
}

impl Seen {
    fn add(&mut self, turn: Turn, spent: &Spent) {
        self.seconds += turn.seconds;
        self.latencies.extend(turn.latencies);
        self.server.add(&spent.server);
        self.client += spent.client;
        if let Some(engine) = spent.engine {
            *self.engine.get_or_insert_default() += engine;
        }
    }

    fn row(self, row: Row, connections: usize, turn: usize) -> Row {
        let answers = self.latencies.len() as u64;
        let figures = Turn::new(self.seconds, self.latencies);
        Row {
            connections: Some(connections),
            turn: Some(turn),
            seconds: self.seconds,
            answers: Some(answers),
            rate: Some(figures.rate()),
            p50_ms: Some(figures.millis(0.5)),
            p99_ms: Some(figures.millis(0.99)),
            p999_ms: Some(figures.millis(0.999)),
            max_ms: Some(figures.millis(1.0)),
            server_us: Some(micros_each(self.server.total(), answers)),
            engine_us: self.engine.map(|engine| micros_each(engine, answers)),
            client_us: Some(micros_each(self.client, answers)),
            threads: Some(self.server.each(answers)),
            ..row
        }
    }
}

/// CPU time of the processes that take part.
pub(super) struct Spent {
    server: Usage,
    engine: Option<Duration>,
    client: Duration,
}

impl Spent {
    fn so_far(server: &Server, engine: Option<Duration>) -> Result<Self, BoxError> {
        Ok(Self {
            server: Usage::of(server.id())?,
            engine,
            client: Usage::of(std::process::id())?.total(),
        })
    }

    fn since(&self, before: &Self) -> Self {
        let engine = self.engine.zip(before.engine);
        Self {
            server: self.server.since(&before.server),
            engine: engine.map(|(now, before)| now.saturating_sub(before)),
            client: self.client.saturating_sub(before.client),
        }
    }
}

/// Measures what the plan says, and prints the tables.
pub(crate) fn run(plan: &Plan) -> Result<(), BoxError> {
    let mut rows = Rows::new(plan.csv.as_deref())?;
    for &sessions in &plan.sizes {
        for &workers in &plan.workers {
            for vendor in &plan.vendors {
                let setting = Setting {
                    vendor,
                    sessions,
                    workers,
                };
                block_on(measure(plan, setting, &mut rows))
                    .map_err(|fault| format!("{vendor}, {sessions} sessions: {fault}"))?;
            }
        }
    }
    show(rows.all(), plan.plot.as_deref())
}

/// One bare app and a hub for each store, in turns.
async fn measure(plan: &Plan, setting: Setting<'_>, rows: &mut Rows) -> Result<(), BoxError> {
    let mut subjects = Vec::new();
    let mut bare = None;
    for store in plan.stores_for(setting.sessions) {
        let mut subject = Subject::start(plan, setting, store, rows)?;
        let (answer, bytes) = subject.fetch().await?;
        match &bare {
            None => bare = Some(BareApp::start(setting, answer, &bytes).await?),
            Some(bare) => bare.answer.expect_shape_of(&answer)?,
        }
        subjects.push(subject);
    }
    let Some(mut bare) = bare else {
        return Ok(());
    };
    let expected = Expected::from(&bare.answer);
    for subject in &mut subjects {
        subject
            .turn(Pace::Closed, plan.connections[0], WARM_UP, expected)
            .await?;
    }
    bare.requests = subjects[0].requests.clone();
    bare.turn(Pace::Closed, plan.connections[0], WARM_UP)
        .await?;

    for turn in 1..=plan.turns {
        for &connections in &plan.connections {
            progress(setting, "closed loop", connections, turn);
            bare.requests = subjects[0].requests.clone();
            let seen = bare.turn(Pace::Closed, connections, plan.turn).await?;
            let yardstick = seen.row(setting.row(Mode::Closed, BARE, 0.0), connections, turn);
            let bare_rate = yardstick.rate;
            rows.push(yardstick)?;
            for subject in &mut subjects {
                let pace = Pace::Closed;
                let seen = subject.turn(pace, connections, plan.turn, expected).await?;
                let row = setting.row(Mode::Closed, subject.engine.name, 0.0);
                let row = seen.row(row, connections, turn);
                let ratio = row.rate.zip(bare_rate).map(|(hub, bare)| hub / bare);
                rows.push(Row { ratio, ..row })?;
            }
        }
    }
    if plan.load > 0.0 || plan.rate.is_some() {
        open_loop(plan, setting, (&bare, &mut subjects), rows).await?;
    }
    for subject in subjects {
        subject.finish(rows).await?;
    }
    Ok(())
}

/// As many turns at a fixed rate, each server at its own, which follows from its turns before.
async fn open_loop(
    plan: &Plan,
    setting: Setting<'_>,
    (bare, subjects): (&BareApp, &mut [Subject<'_>]),
    rows: &mut Rows,
) -> Result<(), BoxError> {
    let expected = Expected::from(&bare.answer);
    for turn in 1..=plan.turns {
        for &connections in &plan.connections {
            progress(setting, "open loop", connections, turn);
            let pace = |store: &str, rows: &Rows| {
                let closed = setting.row(Mode::Closed, store, 0.0);
                let same = rows.all().iter().filter(|row| {
                    (row.mode, &row.vendor, &row.store)
                        == (closed.mode, &closed.vendor, &closed.store)
                        && (row.sessions, row.workers) == (closed.sessions, closed.workers)
                        && row.connections == Some(connections)
                });
                let median = median(same.filter_map(|row| row.rate));
                Pace::Open(plan.rate.unwrap_or(median * plan.load))
            };
            let row = |store| setting.row(Mode::Open, store, 0.0);
            let seen = bare.turn(pace(BARE, rows), connections, plan.turn).await?;
            rows.push(seen.row(row(BARE), connections, turn))?;
            for subject in &mut *subjects {
                let store = subject.engine.name;
                let pace = pace(store, rows);
                let seen = subject.turn(pace, connections, plan.turn, expected).await?;
                rows.push(seen.row(row(store), connections, turn))?;
            }
        }
    }
    Ok(())
}

fn progress(setting: Setting<'_>, phase: &str, connections: usize, turn: usize) {
    let Setting {
        vendor,
        sessions,
        workers,
    } = setting;
    eprintln!(
        "{vendor}, {sessions} sessions, {workers} worker(s), {connections} connections: {phase}, \
         turn {turn}"
    );
}

/// The bare app. The folder goes last.
struct BareApp {
    server: Server,
    answer: Answer,
    requests: Rc<Requests>,
    _folder: TempDir,
}

impl BareApp {
    /// One that gives the answer with these bytes.
    async fn start(setting: Setting<'_>, answer: Answer, bytes: &[u8]) -> Result<Self, BoxError> {
        let folder = TempDir::new()?;
        let file = folder.path().join("answer");
        std::fs::write(&file, bytes)?;
        let options = [
            ("--answer", file.display().to_string()),
            ("--workers", setting.workers.to_string()),
        ];
        let server = Server::with_options("bare", &options)?;
        let request = b"GET / HTTP/1.1\r\nhost: bench\r\n\r\n";
        let (own, _) = Answer::fetch(server.address()?, request).await?;
        own.expect_equal(&answer)?;
        Ok(Self {
            server,
            answer,
            requests: Rc::default(),
            _folder: folder,
        })
    }

    async fn turn(
        &self,
        pace: Pace,
        connections: usize,
        limit: Duration,
    ) -> Result<Seen, BoxError> {
        let load = Load {
            address: self.server.address()?,
            requests: self.requests.clone(),
            connections,
            expected: Some(Expected::from(&self.answer)),
        };
        let before = Spent::so_far(&self.server, None)?;
        let turn = match pace {
            Pace::Closed => load.closed(Some(limit), true).await?,
            Pace::Open(rate) => {
                let count = subject::count(rate * limit.as_secs_f64());
                at_a_rate(&load, rate, count).await?
            }
        };
        let spent = Spent::so_far(&self.server, None)?.since(&before);
        let mut seen = Seen::default();
        seen.add(turn, &spent);
        Ok(seen)
    }
}

async fn at_a_rate(load: &Load, rate: f64, count: usize) -> Result<Turn, BoxError> {
    let started = std::time::Instant::now();
    let latencies = load.open(rate, count).await?;
    Ok(Turn::new(started.elapsed().as_secs_f64(), latencies))
}

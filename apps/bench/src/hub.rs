//! A hub with one platform, over as many sessions as it is told to open.

use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use futures_util::stream::{self, StreamExt as _};
use logout_core::outbox::Store;
use logout_core::ports::Clock as _;
use logout_core::store::{SessionFilter, SessionStore};
use logout_core::transfer::{Record, Transfer};
use logout_hub::config::Config;
use logout_hub::{COMPILED, Hub, Options, SystemClock};

use crate::dialect::platform_toml;
use crate::measure::Census;
use crate::process::{BoxError, announce, answer};
use crate::session::{PLATFORM, Sessions, number};
use crate::stores;

/// How many sessions are opened at once, and how many such parts are under way.
const PART: usize = 1_000;
const IMPORTING: usize = 3;
/// How many sessions are listed at once.
const PAGE: usize = 10_000;

/// Which hub to be.
#[derive(Args, Clone, Debug)]
pub(crate) struct HubRole {
    #[arg(long)]
    pub(crate) vendor: String,
    /// `memory`, the embedded store's name, or a URL.
    #[arg(long)]
    pub(crate) store: String,
    /// When the first session was opened, in milliseconds since the Unix epoch.
    #[arg(long)]
    pub(crate) epoch: u64,
    #[arg(long)]
    pub(crate) workers: usize,
    /// A folder for the store, the tokens and the lists of requests.
    #[arg(long)]
    pub(crate) folder: PathBuf,
}

/// Starts a hub in this process.
pub(crate) async fn start(
    configuration: &str,
    folder: &Path,
    store: Option<Arc<dyn Store>>,
) -> Result<Hub, BoxError> {
    let file = folder.join("bench.toml");
    let config = Config::parse(configuration, &file, Vec::new(), &COMPILED)?;
    let options = Options {
        clock: Arc::new(SystemClock),
        listener: None,
        names_people: false,
        store,
    };
    Ok(Hub::start(config, options).await?)
}

/// A hub with one platform of this vendor, that leaves its store to itself.
pub(crate) fn configuration(vendor: &str, workers: usize) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = {workers}\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"memory:\"\n\
         [sessions]\nsweep_interval = \"24h\"\n{}",
        platform_toml(vendor, PLATFORM)
    )
}

impl HubRole {
    /// The same, as options of the command line.
    pub(crate) fn options(&self) -> [(&'static str, String); 5] {
        [
            ("--vendor", self.vendor.clone()),
            ("--store", self.store.clone()),
            ("--epoch", self.epoch.to_string()),
            ("--workers", self.workers.to_string()),
            ("--folder", self.folder.display().to_string()),
        ]
    }

    /// Where the hub finds the numbers of the sessions that it writes requests for.
    pub(crate) fn numbers_file(&self) -> PathBuf {
        self.folder.join("numbers")
    }

    /// Where it writes these requests.
    pub(crate) fn requests_file(&self) -> PathBuf {
        self.folder.join("requests")
    }

    /// Serves until standard input ends. Answers `open FROM TO` once the sessions of these numbers
    /// are live, `requests` once the sign-outs of the listed sessions are written, and `census`
    /// with the sessions that are live.
    pub(crate) fn run(&self) -> Result<(), BoxError> {
        actix_web::rt::System::new().block_on(self.serve())
    }

    async fn serve(&self) -> Result<(), BoxError> {
        let opened = stores::open(&self.store, &self.folder)?;
        let configuration = configuration(&self.vendor, self.workers);
        let hub = start(&configuration, &self.folder, Some(opened.store)).await?;
        announce(&[hub.address])?;
        let sessions = &Sessions {
            vendor: &self.vendor,
            epoch: self.epoch,
            tokens: &*hub.services.tokens,
        };
        let (store, transfer) = (&*hub.services.store, &*opened.transfer);
        answer(async |question| {
            let words: Vec<&str> = question.split(' ').collect();
            match words.as_slice() {
                ["open", from, to] => open(sessions, transfer, from.parse()?..to.parse()?).await?,
                ["requests"] => self.write_requests(sessions)?,
                ["census"] => return Ok(self.census(store).await?.to_string()),
                _ => return Err(format!("no such question: {question}").into()),
            }
            Ok("done".to_owned())
        })
        .await?;
        hub.stop().await;
        Ok(())
    }

    fn write_requests(&self, sessions: &Sessions<'_>) -> Result<(), BoxError> {
        let mut requests = BufWriter::new(std::fs::File::create(self.requests_file())?);
        for number in std::fs::read_to_string(self.numbers_file())?.lines() {
            requests.write_all(sessions.request(number.parse()?)?.as_bytes())?;
        }
        Ok(requests.flush()?)
    }

    async fn census(&self, store: &dyn SessionStore) -> Result<Census, BoxError> {
        let (mut census, mut after) = (Census::default(), None);
        loop {
            let page = store
                .sessions(&SessionFilter::default(), after, PAGE, SystemClock.now())
                .await?;
            let numbers = page
                .items
                .iter()
                .map(|session| number(self.epoch, session.id));
            census += numbers
                .collect::<Option<Census>>()
                .ok_or("a session is live that the benchmark has not opened")?;
            after = page.next;
            if after.is_none() {
                return Ok(census);
            }
        }
    }
}

/// Takes sessions in as `copy-store` would. A login for each would take PostgreSQL half an hour for
/// ten million, one transaction each.
async fn open(
    sessions: &Sessions<'_>,
    store: &dyn Transfer,
    numbers: Range<u64>,
) -> Result<(), BoxError> {
    let now = SystemClock.now();
    let parts = numbers.clone().step_by(PART).map(async |from| {
        let part = from..numbers.end.min(from + PART as u64);
        let records = part.map(|number| sessions.session(number).map(Record::Session));
        let records = records.collect::<Result<_, BoxError>>()?;
        Ok::<_, BoxError>(store.import(records, now).await?)
    });
    let mut importing = std::pin::pin!(stream::iter(parts).buffer_unordered(IMPORTING));
    while let Some(imported) = importing.next().await {
        imported?;
    }
    Ok(())
}

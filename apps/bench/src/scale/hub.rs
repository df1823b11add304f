//! A hub over many sessions, which are opened when it is told to.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use futures_util::stream::{self, StreamExt as _};
use logout_core::outbox::Store;
use logout_core::ports::Clock as _;
use logout_core::store::{Join, OpenOutcome, SessionFilter, SessionStore};
use logout_core::transfer::{Record, Transfer};
use logout_hub::config::Config;
use logout_hub::{COMPILED, Hub, Options, SystemClock};
use logout_store::{FjallStore, PostgresStore};

use super::live::Census;
use super::session::session;
use crate::process::{BoxError, announce, answer};
use crate::session_id;
use crate::subject::{LOADING, configuration};

/// From how many sessions on a store that lies on a disk takes them in in bulk.
const IN_BULK: u64 = 500_000;
/// How many at once, and how many such parts are under way.
const PART: usize = 5_000;
const IMPORTING: usize = 3;

/// Which hub to be.
#[derive(Args, Clone, Debug)]
pub(crate) struct ScaleHub {
    #[arg(long)]
    pub(super) vendor: String,
    #[arg(long)]
    pub(super) store: String,
    /// When the first session was opened, in milliseconds since the Unix epoch.
    #[arg(long)]
    pub(super) epoch: u64,
    #[arg(long)]
    pub(super) workers: usize,
    /// A folder for the store and the tokens.
    #[arg(long)]
    pub(super) folder: PathBuf,
}

impl ScaleHub {
    /// What makes this program the hub.
    pub(super) fn arguments(&self) -> impl Iterator<Item = String> {
        let named = [
            ("--vendor", self.vendor.clone()),
            ("--store", self.store.clone()),
            ("--epoch", self.epoch.to_string()),
            ("--workers", self.workers.to_string()),
            ("--folder", self.folder.display().to_string()),
        ];
        ["scale-hub".to_owned()].into_iter().chain(
            named
                .into_iter()
                .flat_map(|(name, value)| [name.to_owned(), value]),
        )
    }

    /// Serves until standard input ends. Answers `open FROM TO` once the sessions of these numbers
    /// are live, and `census` with which sessions are.
    pub(crate) fn run(&self) -> Result<(), BoxError> {
        actix_web::rt::System::new().block_on(self.serve())
    }

    async fn serve(&self) -> Result<(), BoxError> {
        let configuration = configuration(&self.vendor, &self.store, self.workers);
        let config = Config::parse(
            &configuration,
            &self.folder.join("bench.toml"),
            Vec::new(),
            &COMPILED,
        )?;
        // Open already, because a second instance could not open it to load it.
        let embedded = self
            .store
            .starts_with("fjall")
            .then(|| FjallStore::open(&self.folder.join("store")))
            .transpose()?
            .map(Arc::new);
        let store = embedded.clone().map(|store| store as Arc<dyn Store>);
        let options = Options {
            clock: Arc::new(SystemClock),
            listener: None,
            names_people: false,
            store,
        };
        let hub = Hub::start(config, options).await?;
        let embedded = embedded.as_deref();
        announce(&[hub.address])?;
        let replies = |question: String| {
            let store = hub.ports.store.clone();
            async move {
                let words: Vec<&str> = question.split(' ').collect();
                match words.as_slice() {
                    ["open", from, to] => self
                        .open(&*store, embedded, from.parse()?..to.parse()?)
                        .await
                        .map(|()| "opened".to_owned()),
                    ["census"] => Ok(self.census(&*store).await?.to_string()),
                    _ => Err(format!("no such question: {question}").into()),
                }
            }
        };
        answer(replies).await?;
        hub.stop().await;
        Ok(())
    }

    async fn open(
        &self,
        store: &dyn SessionStore,
        embedded: Option<&FjallStore>,
        numbers: Range<u64>,
    ) -> Result<(), BoxError> {
        // One by one they would take half an hour: each login is a transaction of its own there.
        if numbers.end - numbers.start >= IN_BULK {
            if let Some(store) = embedded {
                return self.import(store, numbers).await;
            }
            if self.store.starts_with("postgres") {
                return self
                    .import(&PostgresStore::connect(&self.store)?, numbers)
                    .await;
            }
        }
        let now = SystemClock.now();
        let opening = stream::iter(numbers).map(async |number| {
            let opened = store
                .open(
                    session(&self.vendor, self.epoch, number)?,
                    Join::Always,
                    now,
                )
                .await?;
            if opened == OpenOutcome::Opened {
                Ok(())
            } else {
                Err(BoxError::from("a session was not opened"))
            }
        });
        let mut opening = std::pin::pin!(opening.buffer_unordered(LOADING));
        while let Some(opened) = opening.next().await {
            opened?;
        }
        Ok(())
    }

    /// As `copy-store` would take them in from another store.
    async fn import(&self, store: &dyn Transfer, numbers: Range<u64>) -> Result<(), BoxError> {
        let now = SystemClock.now();
        let parts = numbers.clone().step_by(PART).map(async |from| {
            let part = from..numbers.end.min(from + PART as u64);
            let records =
                part.map(|number| session(&self.vendor, self.epoch, number).map(Record::Session));
            Ok::<_, BoxError>(
                store
                    .import(records.collect::<Result<_, BoxError>>()?, now)
                    .await?,
            )
        });
        let mut importing = std::pin::pin!(stream::iter(parts).buffer_unordered(IMPORTING));
        while let Some(imported) = importing.next().await {
            imported?;
        }
        Ok(())
    }

    async fn census(&self, store: &dyn SessionStore) -> Result<Census, BoxError> {
        let (mut census, mut after) = (Census::default(), None);
        loop {
            let page = store
                .sessions(&SessionFilter::default(), after, 10_000, SystemClock.now())
                .await?;
            let numbers = page
                .items
                .iter()
                .map(|session| session_id::number(self.epoch, session.id));
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

//! A hub in front of real instances, or of none, with sessions loaded straight into its durable
//! store.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use futures_util::stream::{self, StreamExt as _};
use logout_core::credential::Secret;
use logout_core::delivery::{DeliveryState, Verification};
use logout_core::outbox::{DeliveryFilter, Store};
use logout_core::platform::PlatformName;
use logout_core::ports::Clock as _;
use logout_core::session::{Session, SessionId};
use logout_core::store::{Join, SessionFilter, SessionStore};
use logout_core::upstream::UpstreamSession;
use logout_hub::{Hub, SystemClock};
use serde::{Deserialize, Serialize};

use super::confirmations::Confirmations;
use super::upstream::RETURN_ADDRESS;
use crate::dialect::{VENDORS, platform_toml, sign_out, stand_in_secret};
use crate::hub;
use crate::process::{BoxError, announce, answer};
use crate::session::login;
use crate::stores::{self, EMBEDDED};

/// How many sessions are opened at once.
const LOADING: usize = 512;

/// Which hub to be.
#[derive(Args, Debug)]
pub(crate) struct HubSubject {
    /// How many persons to load.
    #[arg(long)]
    persons: usize,
    /// A session at each platform for every person, instead of one session, at the platforms in
    /// turn.
    #[arg(long)]
    everywhere: bool,
    /// The platforms' reach.
    #[arg(long)]
    reach: String,
    /// Where the upstreams are, in the order of the vendors; stand-ins without.
    #[arg(long, value_delimiter = ',')]
    upstreams: Vec<SocketAddr>,
    /// How long a sign-out waits for confirmations.
    #[arg(long, default_value = "0ms")]
    wait: String,
    /// Whether the old credential is presented once more after a confirmation.
    #[arg(long)]
    verify: bool,
    /// How many deliveries are under way to one upstream at most.
    #[arg(long)]
    in_flight: usize,
    /// Worker threads.
    #[arg(long)]
    workers: usize,
    /// A folder for the store, the keys, the tokens and the list of requests.
    #[arg(long)]
    folder: PathBuf,
}

/// What the outbox holds for one platform.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Tally {
    pub(crate) confirmed: usize,
    pub(crate) given_up: usize,
    pub(crate) pending: usize,
    /// Of the confirmed ones: the probe said that the credential opens nothing any more.
    pub(crate) dead: usize,
    /// Of the confirmed ones: nobody asked a probe.
    pub(crate) unverified: usize,
    /// Tries in all.
    pub(crate) attempts: u64,
}

impl HubSubject {
    /// Serves until standard input ends. Answers `live` with the number of live sessions,
    /// `confirmed N MS` with the number of confirmations since it was last asked for `seconds`,
    /// once those are N or MS have passed, `seconds` with how long each of them took, and `tally`
    /// with what the outbox holds.
    pub(crate) fn run(&self) -> Result<(), BoxError> {
        actix_web::rt::System::new().block_on(self.serve())
    }

    async fn serve(&self) -> Result<(), BoxError> {
        let confirmations = Confirmations::install()?;
        let store = stores::open(EMBEDDED, &self.folder)?.store;
        let configuration = self.configuration();
        let hub = hub::start(&configuration, &self.folder, Some(store.clone())).await?;
        self.load(&hub).await?;
        announce(&[hub.address])?;
        answer(async |question| {
            let words: Vec<&str> = question.split(' ').collect();
            match words.as_slice() {
                ["live"] => Ok(live_sessions(&*store).await?.to_string()),
                ["confirmed", count, limit] => {
                    let limit = Duration::from_millis(limit.parse()?);
                    Ok(confirmations.reach(count.parse()?, limit).await.to_string())
                }
                ["seconds"] => Ok(serde_json::to_string(&confirmations.take())?),
                ["tally"] => Ok(serde_json::to_string(&tally(&*store).await?)?),
                _ => Err(format!("no such question: {question}").into()),
            }
        })
        .await?;
        hub.stop().await;
        Ok(())
    }

    fn configuration(&self) -> String {
        let mut text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nworkers = {}\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"memory:\"\n\
             [sessions]\nsweep_interval = \"1h\"\n[redirects]\nallow = [\"{RETURN_ADDRESS}\"]\n\
             [single_logout]\nwait = \"{}\"\nverify = {}\nmax_in_flight = {}\n",
            self.workers, self.wait, self.verify, self.in_flight
        );
        for (index, vendor) in VENDORS.iter().enumerate() {
            let upstream = self.upstreams.get(index);
            let upstream =
                upstream.map_or_else(String::new, |at| format!("upstream = \"http://{at}\"\n"));
            // Before the tables that belong to the platform.
            text += &platform_toml(vendor, vendor).replacen(
                "[[platform]]\n",
                &format!("[[platform]]\nreach = \"{}\"\n{upstream}", self.reach),
                1,
            );
        }
        text
    }

    /// Opens the sessions, many at a time, and writes one request per session into `requests`: one
    /// person's after the other's, and those of a person in the order of the vendors.
    async fn load(&self, hub: &Hub) -> Result<(), BoxError> {
        let mut requests = BufWriter::new(std::fs::File::create(self.folder.join("requests"))?);
        let mut sessions = Vec::new();
        for person in 0..self.persons {
            let own = person % VENDORS.len();
            for vendor in VENDORS
                .iter()
                .enumerate()
                .filter(|(index, _)| self.everywhere || *index == own)
                .map(|(_, vendor)| vendor)
            {
                let (session, request) = self.session(hub, vendor, person)?;
                requests.write_all(request.as_bytes())?;
                sessions.push(session);
            }
        }
        requests.flush()?;
        let now = SystemClock.now();
        let mut opening = stream::iter(sessions)
            .map(|session| hub.services.store.open(session, Join::Always, now))
            .buffer_unordered(LOADING);
        while let Some(outcome) = opening.next().await {
            outcome?;
        }
        Ok(())
    }

    fn session(
        &self,
        hub: &Hub,
        vendor: &str,
        person: usize,
    ) -> Result<(Session, String), BoxError> {
        let (platform, now) = (PlatformName::new(vendor), SystemClock.now());
        let expires = now.plus(Duration::from_secs(12 * 60 * 60));
        let number = person as u64;
        let has_upstream = !self.upstreams.is_empty();
        let secret = if has_upstream {
            upstream_secret(vendor, person)
        } else {
            let tokens = &*hub.services.tokens;
            stand_in_secret(tokens, vendor, &platform, number, (now, expires))?
        };
        let (_, request) = sign_out(vendor, &secret)?;
        let id = SessionId::at(now);
        let known_by = || UpstreamSession {
            cookies: cookie(vendor)
                .map(|name| (name.to_owned(), Secret::new(&secret)))
                .into_iter()
                .collect(),
            bearer: cookie(vendor).is_none().then(|| Secret::new(&secret)),
            ..UpstreamSession::default()
        };
        let sealed = has_upstream.then(|| {
            Ok::<_, BoxError>(
                hub.services
                    .seal
                    .as_ref()
                    .ok_or("no key")?
                    .seal(id, &known_by().to_bytes()),
            )
        });
        let session = Session {
            id,
            idle_timeout: (!has_upstream).then_some(Duration::from_secs(30 * 60)),
            sealed: sealed.transpose()?,
            ..login(vendor, platform, number, &secret, (now, expires))?
        };
        Ok((session, request))
    }
}

/// The cookie that a session of this vendor is known by; none where that is a token.
fn cookie(vendor: &str) -> Option<&'static str> {
    match vendor {
        "sitefinity" => Some(".AspNet.Cookies"),
        "hcl-dx" => Some("LtpaToken2"),
        _ => None,
    }
}

/// As long as such things are; ends in the person's number, by which the upstream knows it again.
fn upstream_secret(vendor: &str, person: usize) -> String {
    let filler = "Qm".repeat(120);
    let prefix = if vendor == "wix" { "OauthNG.JWS." } else { "" };
    format!("{prefix}eyJhbGciOiJIUzI1NiJ9.{filler}{person:044}.{person:043}")
}

/// How many sessions are live.
async fn live_sessions(store: &dyn SessionStore) -> Result<usize, BoxError> {
    let (mut live, mut after) = (0, None);
    loop {
        let page = store
            .sessions(&SessionFilter::default(), after, 10_000, SystemClock.now())
            .await?;
        live += page.items.len();
        after = page.next;
        if after.is_none() {
            return Ok(live);
        }
    }
}

/// Reads the whole outbox, settled deliveries included.
async fn tally(store: &dyn Store) -> Result<BTreeMap<String, Tally>, BoxError> {
    let (mut tallies, mut after) = (BTreeMap::<String, Tally>::new(), None);
    loop {
        let page = store
            .deliveries(&DeliveryFilter::default(), after, 10_000)
            .await?;
        for delivery in page.items {
            let tally = tallies.entry(delivery.platform.to_string()).or_default();
            tally.attempts += u64::from(delivery.attempts);
            match delivery.state {
                DeliveryState::Confirmed => tally.confirmed += 1,
                DeliveryState::GivenUp => tally.given_up += 1,
                DeliveryState::Pending => tally.pending += 1,
            }
            match delivery.verified {
                Some(Verification::Dead) => tally.dead += 1,
                None => tally.unverified += usize::from(delivery.state == DeliveryState::Confirmed),
                Some(Verification::Outlived | Verification::Unknown) => {}
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(tallies);
        }
    }
}

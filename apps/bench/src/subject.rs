//! The servers that are measured: the hub with sessions loaded straight into its store, or the bare
//! app.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use clap::Args;
use futures_util::stream::{self, StreamExt as _};
use logout_core::authority::Services;
use logout_core::credential::Credential;
use logout_core::platform::PlatformName;
use logout_core::ports::{Clock as _, TokenClaims};
use logout_core::session::{ClientId, Device, Person, Session, SsoSessionId, Subject as Who};
use logout_core::store::{Join, SessionFilter};
use logout_hub::config::Config;
use logout_hub::{COMPILED, Hub, Options, SystemClock};

use crate::dialect::{CLIENT, digest, sign_out};
use crate::process::{BoxError, announce, answer};
use crate::session_id;

/// How many sessions are opened at once while loading.
pub(crate) const LOADING: usize = 512;

type Outcome = Result<(), BoxError>;

/// Which server to be.
#[derive(Args, Debug)]
pub(crate) struct Subject {
    /// `bare`, or the vendor whose sign-out is measured.
    kind: String,
    /// The hub's store.
    #[arg(long, default_value = "memory")]
    store: String,
    /// How many sessions to load that the requests sign out.
    #[arg(long, default_value_t = 0)]
    sessions: usize,
    /// Which of the sessions are those: every such one, the first included. The others are for
    /// somebody else to end.
    #[arg(long, default_value_t = 1)]
    stride: usize,
    /// When the first session was opened, in milliseconds since the Unix epoch, for the ids.
    #[arg(long, default_value_t = 0)]
    epoch: u64,
    /// Worker threads.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// A folder for the store, the admin token and the list of requests.
    #[arg(long)]
    folder: PathBuf,
}

impl Subject {
    /// Serves until standard input ends. Prints its address once it listens; answers each line on
    /// standard input with the number of live sessions.
    pub(crate) fn run(&self) -> Outcome {
        actix_web::rt::System::new().block_on(async {
            if self.kind == "bare" {
                self.bare().await
            } else {
                self.hub().await
            }
        })
    }

    async fn bare(&self) -> Outcome {
        let page = || async {
            HttpResponse::Found()
                .insert_header(("location", "/"))
                .insert_header(("set-cookie", "session=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"))
                .finish()
        };
        let server = HttpServer::new(move || App::new().default_service(web::to(page)))
            .workers(self.workers)
            .bind(("127.0.0.1", 0))?;
        let address = server.addrs()[0];
        let server = server.disable_signals().run();
        actix_web::rt::spawn(server);
        announce(&[address])?;
        answer(|_| async { Ok("0".to_owned()) }).await
    }

    async fn hub(&self) -> Outcome {
        let config = Config::parse(
            &configuration(&self.kind, &self.store, self.workers),
            &self.folder.join("bench.toml"),
            Vec::new(),
            &COMPILED,
        )?;
        let options = Options {
            clock: Arc::new(SystemClock),
            listener: None,
            names_people: false,
            store: None,
        };
        let hub = Hub::start(config, options).await?;
        self.load(&hub).await?;
        announce(&[hub.address])?;
        let ports = hub.ports.clone();
        answer(move |_| {
            let ports = ports.clone();
            async move { Ok(live_sessions(&ports).await?.to_string()) }
        })
        .await
    }

    /// Opens the sessions, many at a time, and writes one request for each that is to be signed out
    /// into `requests.txt`, each on a line, with its line breaks escaped.
    async fn load(&self, hub: &Hub) -> Outcome {
        let mut requests = BufWriter::new(std::fs::File::create(self.folder.join("requests.txt"))?);
        let mut opened = Vec::with_capacity(self.sessions * self.stride);
        for index in 0..self.sessions * self.stride {
            let (session, request) = self.session(hub, index)?;
            if index % self.stride == 0 {
                requests.write_all(request.replace("\r\n", "~").as_bytes())?;
                requests.write_all(b"\n")?;
            }
            opened.push(session);
        }
        requests.flush()?;
        let now = SystemClock.now();
        let mut opening = stream::iter(opened)
            .map(|session| hub.ports.store.open(session, Join::Always, now))
            .buffer_unordered(LOADING);
        while let Some(outcome) = opening.next().await {
            outcome?;
        }
        Ok(())
    }

    fn session(&self, hub: &Hub, index: usize) -> Result<(Session, String), BoxError> {
        let platform = PlatformName::new("bench");
        let now = SystemClock.now();
        let expires = now.plus(Duration::from_secs(12 * 60 * 60));
        let name = format!("user{index}");
        let token = |audience: &str, vendor: &[(&str, &str)]| {
            let claims = TokenClaims {
                iss: "bench".to_owned(),
                aud: audience.to_owned(),
                sub: name.clone(),
                jti: format!("{index:043}"),
                iat: now.as_secs(),
                exp: expires.as_secs(),
                vendor: vendor
                    .iter()
                    .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                    .collect(),
            };
            hub.ports
                .tokens
                .mint(&claims)
                .map(|token| token.reveal().to_owned())
        };
        let secret = match self.kind.as_str() {
            "assets" => token("authToken", &[("reqCsrf", "false")])?,
            "wix" => format!("OauthNG.JWS.{}", token("access", &[("client_id", CLIENT)])?),
            // As an encoder could have written it: a whole number of groups.
            _ => format!("{index:044}"),
        };
        let (purpose, request) = sign_out(&self.kind, &secret)?;
        let session = Session {
            id: session_id::of(self.epoch, index as u64),
            sign_on: (self.kind == "sitefinity").then(SsoSessionId::random),
            subject: Who::new("default", &name),
            person: Some(Person::new(format!("{name}@example.com"))),
            account: None,
            client: (self.kind == "wix").then(|| ClientId::new(CLIENT)),
            administrator: false,
            credentials: vec![Credential {
                digest: digest(&self.kind, &platform, purpose, &secret)?,
                expires,
                csrf_due: false,
            }],
            csrf: None,
            opened: now,
            seen: now,
            idle_timeout: Some(Duration::from_secs(30 * 60)),
            expires,
            device: Device {
                address: Some([127, 0, 0, 1].into()),
                user_agent: Some("Mozilla/5.0 (X11; Linux x86_64) bench".to_owned()),
            },
            sealed: None,
            platform,
        };
        Ok((session, request))
    }
}

/// A hub with one platform of this vendor, that leaves its store to itself.
pub(crate) fn configuration(vendor: &str, store: &str, workers: usize) -> String {
    let vendor = match vendor {
        "wix" => format!(
            "vendor = \"wix\"\n[[platform.app]]\nclient_id = \"{CLIENT}\"\nredirect_domains = [\"app.example\"]\n"
        ),
        other => format!("vendor = \"{other}\"\n"),
    };
    let store = match store {
        "memory" => "memory:".to_owned(),
        shared if shared.contains("://") => shared.to_owned(),
        embedded => format!("{embedded}:store"),
    };
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = {workers}\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"{store}\"\n\
         [sessions]\nsweep_interval = \"24h\"\n[[platform]]\nname = \"bench\"\n{vendor}"
    )
}

/// How many sessions are live.
pub(crate) async fn live_sessions(ports: &Services) -> Result<usize, BoxError> {
    let (mut live, mut after) = (0, None);
    loop {
        let page = ports
            .store
            .sessions(&SessionFilter::default(), after, 10_000, SystemClock.now())
            .await?;
        live += page.items.len();
        after = page.next;
        if after.is_none() {
            return Ok(live);
        }
    }
}

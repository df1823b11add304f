//! The commands that ask a running hub's admin listener.
//!
//! Standard output is JSON, one object a line: a listing has a line for each item, however many
//! pages it takes. Status 0, or 1 with the reason on standard error.

mod error;
mod health;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use logout_core::credential::Secret;
use reqwest::{Client, Method, Response, redirect};
use serde_json::Value;
use url::Url;

use self::error::ClientError;
use crate::config::without_newline;

pub use self::health::{CheckHealthArgs, check_health};

/// How long an answer may take, besides what it was asked to wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many items are asked for at once; also the most that the hub gives.
const PAGE: usize = 1_000;

/// Which hub, and the way in.
#[derive(Args, Clone, Debug)]
pub struct HubArgs {
    /// The address of its admin listener.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "LOGOUT_HUB_ADMIN",
        default_value = "http://127.0.0.1:8081"
    )]
    pub admin: Url,
    /// The file that holds its admin token.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "LOGOUT_HUB_TOKEN_FILE",
        default_value = "admin.token"
    )]
    pub token_file: PathBuf,
}

/// `sessions`.
#[derive(Args, Clone, Debug)]
pub struct SessionsArgs {
    /// Which hub.
    #[command(flatten)]
    pub hub: HubArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: SessionsCommand,
}

/// What can be done with sessions.
#[derive(Clone, Debug, Subcommand)]
pub enum SessionsCommand {
    /// List live sessions.
    List {
        /// Of this person.
        #[arg(long)]
        person: Option<String>,
        /// At this platform.
        #[arg(long)]
        platform: Option<String>,
        /// Of subjects in this realm.
        #[arg(long)]
        realm: Option<String>,
        /// Of subjects with this name.
        #[arg(long)]
        subject: Option<String>,
        /// How many at most [default: all].
        #[arg(long)]
        limit: Option<usize>,
    },
    /// End one.
    End {
        /// Its id.
        id: String,
    },
}

/// `receipts`.
#[derive(Args, Clone, Debug)]
pub struct ReceiptsArgs {
    /// Which hub.
    #[command(flatten)]
    pub hub: HubArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: ReceiptsCommand,
}

/// What can be done with receipts.
#[derive(Clone, Debug, Subcommand)]
pub enum ReceiptsCommand {
    /// List receipts, newest first.
    List {
        /// How many at most [default: all].
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Show one.
    Show {
        /// Its id.
        id: String,
        /// Wait until every upstream is told, but no longer than this, such as 5s; a minute at
        /// most.
        #[arg(long, value_name = "SPAN", value_parser = humantime::parse_duration)]
        wait: Option<Duration>,
        /// As a signed token, to be archived.
        #[arg(long)]
        jwt: bool,
    },
}

/// `deliveries`.
#[derive(Args, Clone, Debug)]
pub struct DeliveriesArgs {
    /// Which hub.
    #[command(flatten)]
    pub hub: HubArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: DeliveriesCommand,
}

/// What can be done with deliveries.
#[derive(Clone, Debug, Subcommand)]
pub enum DeliveriesCommand {
    /// List what is or was to be told to upstreams.
    List {
        /// To the upstream of this platform.
        #[arg(long)]
        platform: Option<String>,
        /// In this state: pending, confirmed, given-up.
        #[arg(long)]
        state: Option<String>,
        /// How many at most [default: all].
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Have one tried now that waits or was given up.
    Retry {
        /// Its id, which is that of its session.
        id: String,
    },
}

/// Runs `sessions`.
pub fn sessions(args: &SessionsArgs) -> ExitCode {
    run(&args.hub, async |hub| match &args.command {
        SessionsCommand::List {
            person,
            platform,
            realm,
            subject,
            limit,
        } => {
            let filter = [
                ("person", person),
                ("platform", platform),
                ("realm", realm),
                ("subject", subject),
            ];
            hub.list("sessions", "after", &filter, *limit).await
        }
        SessionsCommand::End { id } => {
            hub.print(
                hub.send(Method::DELETE, &["sessions", id], &[], PATIENCE)
                    .await?,
            )
            .await
        }
    })
}

/// Runs `receipts`.
pub fn receipts(args: &ReceiptsArgs) -> ExitCode {
    run(&args.hub, async |hub| match &args.command {
        ReceiptsCommand::List { limit } => hub.list("receipts", "before", &[], *limit).await,
        ReceiptsCommand::Show { id, wait, jwt } => {
            let name = if *jwt {
                format!("{id}.jwt")
            } else {
                id.clone()
            };
            let query = wait.map(|wait| ("wait", humantime::format_duration(wait).to_string()));
            let patience = PATIENCE + wait.unwrap_or_default();
            hub.print(
                hub.send(
                    Method::GET,
                    &["receipts", &name],
                    query.as_slice(),
                    patience,
                )
                .await?,
            )
            .await
        }
    })
}

/// Runs `deliveries`.
pub fn deliveries(args: &DeliveriesArgs) -> ExitCode {
    run(&args.hub, async |hub| match &args.command {
        DeliveriesCommand::List {
            platform,
            state,
            limit,
        } => {
            hub.list(
                "deliveries",
                "after",
                &[("platform", platform), ("state", state)],
                *limit,
            )
            .await
        }
        DeliveriesCommand::Retry { id } => {
            hub.print(
                hub.send(Method::POST, &["deliveries", id, "retry"], &[], PATIENCE)
                    .await?,
            )
            .await
        }
    })
}

fn run(hub: &HubArgs, ask: impl AsyncFnOnce(&Hub) -> Result<(), ClientError>) -> ExitCode {
    finish(async { ask(&Hub::open(hub)?).await })
}

fn finish(work: impl Future<Output = Result<(), ClientError>>) -> ExitCode {
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ClientError::Output)
        .and_then(|runtime| runtime.block_on(work));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let _ = writeln!(io::stderr(), "{fault}");
            ExitCode::FAILURE
        }
    }
}

/// A client whose requests, with the token in them, go to the address that was named and nowhere
/// else.
fn client() -> reqwest::Result<Client> {
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .build()
}

/// The answer, or what its problem document says.
async fn successful(answer: Response) -> Result<Response, ClientError> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status().as_u16();
    let problem: Value = serde_json::from_str(&answer.text().await?).unwrap_or_default();
    let said: Vec<&str> = ["title", "field", "detail"]
        .iter()
        .filter_map(|member| problem[member].as_str())
        .collect();
    Err(if said.is_empty() {
        ClientError::Strange
    } else {
        ClientError::Refused(status, said.join(": "))
    })
}

/// A hub's admin API.
struct Hub {
    client: Client,
    base: Url,
    token: Secret,
}

impl Hub {
    fn open(args: &HubArgs) -> Result<Self, ClientError> {
        let token = std::fs::read_to_string(&args.token_file).map(Secret::new);
        let token = token.map_err(|fault| ClientError::Token(args.token_file.clone(), fault))?;
        Ok(Self {
            client: client()?,
            base: args.admin.clone(),
            token: Secret::new(without_newline(token.reveal())),
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        patience: Duration,
    ) -> Result<Response, ClientError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| ClientError::Strange)?
            .pop_if_empty()
            .push("api")
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let answer = self
            .client
            .request(method, url)
            .bearer_auth(self.token.reveal())
            .timeout(patience)
            .send()
            .await?;
        successful(answer).await
    }

    /// Prints an answer as it is.
    async fn print(&self, answer: Response) -> Result<(), ClientError> {
        let text = answer.text().await?;
        // A JSON body ends with a newline, a token does not.
        let line = text.trim_end_matches('\n');
        writeln!(io::stdout(), "{line}").map_err(ClientError::Output)
    }

    /// Prints the items of a listing that match, page by page.
    async fn list(
        &self,
        what: &str,
        cursor: &str,
        filter: &[(&str, &Option<String>)],
        limit: Option<usize>,
    ) -> Result<(), ClientError> {
        let given = filter
            .iter()
            .filter_map(|(name, value)| Some((*name, value.as_ref()?.clone())));
        let filter: Vec<_> = given.collect();
        let (mut left, mut next) = (limit.unwrap_or(usize::MAX), None::<String>);
        while left > 0 {
            let mut query = filter.clone();
            query.push(("limit", left.min(PAGE).to_string()));
            query.extend(next.map(|next| (cursor, next)));
            let answer = self
                .send(Method::GET, &[what], &query, PATIENCE)
                .await?
                .text()
                .await?;
            let page: Value = serde_json::from_str(&answer).map_err(|_| ClientError::Strange)?;
            let items = page[what].as_array().ok_or(ClientError::Strange)?;
            for item in items {
                writeln!(io::stdout(), "{item}").map_err(ClientError::Output)?;
            }
            left = left.saturating_sub(items.len());
            next = page["next"].as_str().map(str::to_owned);
            if next.is_none() {
                break;
            }
        }
        Ok(())
    }
}

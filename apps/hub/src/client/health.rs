//! `check-health`: asks whether a hub works, for supervisors that have no HTTP client at hand.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use url::Url;

use super::{ClientError, client, finish, successful};

/// How long an answer may take. The probes in `deploy/` allow a second more, so that they hear the
/// reason.
const PATIENCE: Duration = Duration::from_secs(5);

/// The options of `check-health`.
#[derive(Args, Clone, Debug)]
pub struct CheckHealthArgs {
    /// The address of the hub's admin listener.
    #[arg(
        long,
        value_name = "URL",
        env = "LOGOUT_HUB_ADMIN",
        default_value = "http://127.0.0.1:8081"
    )]
    pub admin: Url,
    /// Ask only whether the process answers, not whether its store does.
    #[arg(long)]
    pub live: bool,
}

/// Runs `check-health`: status 0 and the hub's answer on standard output, or 1 and the reason on
/// standard error. Takes at most five seconds, and no token.
pub fn check_health(args: &CheckHealthArgs) -> ExitCode {
    let (path, word) = if args.live {
        ("healthz", "ok")
    } else {
        ("readyz", "ready")
    };
    finish(async {
        let mut url = args.admin.clone();
        url.path_segments_mut()
            .map_err(|()| ClientError::Strange)?
            .pop_if_empty()
            .push(path);
        let answer = client()?.get(url).timeout(PATIENCE).send().await?;
        let text = successful(answer).await?.text().await?;
        // Another server may have the address.
        let status: Value = serde_json::from_str(&text).unwrap_or_default();
        if status["status"] != word {
            return Err(ClientError::Strange);
        }
        writeln!(io::stdout(), "{}", text.trim_end()).map_err(ClientError::Output)
    })
}

//! A Sitefinity site to sign out of, in an app of your own. `cargo run -p logout-actix --example
//! sitefinity [PORT]`

use std::io::Write as _;
use std::{net::TcpListener, sync::Arc};

use actix_web::{App, HttpServer, get};
use logout_actix::{Mount, MountedPlatform};
use logout_core::authority::{Services, SessionAuthority};
use logout_core::{credential::Secret, platform::Platform, ports::Account};
use logout_identity::{JwtTokens, PasswordAccount, PasswordAccounts, SystemClock};
use logout_sitefinity::{SitefinityConfig, SitefinityProvider};
use logout_store::MemoryStore;

#[get("/about")]
async fn about() -> &'static str {
    "An app of its own, with a Sitefinity site to sign out of."
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args()
        .nth(1)
        .map_or(Ok(8080), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let base = format!("http://{}/", listener.local_addr()?);

    let alice = PasswordAccount::with_password(Account::new("alice"), &Secret::new("wonderland"))?;
    let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(SystemClock));
    let accounts = Arc::new(PasswordAccounts::new(
        vec![alice],
        store.clone(),
        clock.clone(),
    )?);
    let tokens = Arc::new(JwtTokens::load(&*store, &*clock).await?);

    let platform = Platform::new("cms", base.parse()?);
    let provider = Arc::new(SitefinityProvider::new(
        SitefinityConfig::default(),
        &platform,
    )?);
    let sessions = SessionAuthority::new(
        Arc::new(platform),
        provider.clone(),
        Services::of_stand_ins(accounts, clock, store, tokens),
    );
    let mount = Mount::new(vec![MountedPlatform::new(provider, sessions)])?;

    writeln!(std::io::stdout(), "{base}")?;
    let app = move || App::new().configure(mount.clone().routes()).service(about);
    Ok(HttpServer::new(app).listen(listener)?.run().await?)
}

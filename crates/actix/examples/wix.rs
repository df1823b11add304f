//! A Wix Headless site to sign out of, in an app of your own. `cargo run -p logout-actix --example
//! wix [PORT]`

use std::io::Write as _;
use std::{net::TcpListener, sync::Arc};

use actix_web::{App, HttpServer, get};
use logout_actix::{Mount, MountedPlatform};
use logout_core::{
    SessionAuthority, authority::Services, credential::Secret, platform::Platform, ports::Account,
};
use logout_identity::{JwtTokens, PasswordAccount, PasswordAccounts, SystemClock};
use logout_store::MemoryStore;
use logout_wix::{App as OAuthApp, WixConfig, WixProvider};

#[get("/about")]
async fn about() -> &'static str {
    "An app of its own, with a Wix site to sign out of."
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

    let platform = Platform::new("shop", base.parse()?);
    let mut config = WixConfig::default();
    config.apps.push(OAuthApp {
        client_id: "12345678-1234-1234-1234-123456789012".to_owned(),
        redirect_uris: vec![base.clone()],
        ..OAuthApp::default()
    });
    let provider = Arc::new(WixProvider::new(config, &platform)?);
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

//! A hub in a process of its own, with a provider that a test plays and the portal of
//! [`crate::scene`].

use std::path::Path;
use std::process::Command;

use logout_core::ports::Clock as _;
use logout_core::time::Timestamp;
use logout_identity::SystemClock;
use logout_tests::http::{Answer, Request};
use logout_tests::idp::{TestIdp, send_token};
use logout_tests::server::{self, Server};
use logout_tests::stores::StoreKind;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scene::{OP, portal, registration};

/// Its folder, and how it is spoken to while it runs.
pub(crate) struct HubProcess {
    folder: TempDir,
    pub(crate) idp: TestIdp,
}

impl HubProcess {
    /// One on an empty store, which does not run yet. Further lines are for its `[server]`.
    pub(crate) fn on(store: StoreKind, server: &str) -> Self {
        Self::with(store, server, "")
    }

    /// The same with further lines for its `[single_logout]`, and the tables behind them.
    pub(crate) fn with(store: StoreKind, server: &str, more: &str) -> Self {
        let (folder, idp) = (tempfile::tempdir().unwrap(), TestIdp::start());
        let listeners = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n{server}\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [store]\nurl = \"{}\"\n[single_logout]\nwait = \"0ms\"\n{more}\n",
            store.empty()
        );
        let configuration = format!(
            "{listeners}{}{}",
            idp.table(OP, ""),
            portal("reach = \"session\"")
        );
        std::fs::write(folder.path().join("hub.toml"), configuration).unwrap();
        Self { folder, idp }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it.
    pub(crate) fn serve(&self) -> Server {
        Server::serve(self.folder())
    }

    /// Starts it with a log of this level.
    pub(crate) fn serve_with_log(&self, level: &str) -> Server {
        let mut command = Command::new(server::binary());
        command.args(["serve", "--config", "hub.toml"]);
        Server::start(command.env("RUST_LOG", level), self.folder())
    }

    /// The admin API's token.
    pub(crate) fn admin_token(&self) -> String {
        let token = std::fs::read_to_string(self.folder().join("admin.token")).unwrap();
        token.trim().to_owned()
    }

    pub(crate) fn admin(&self, server: &Server, request: Request) -> Answer {
        request
            .header("Authorization", &format!("Bearer {}", self.admin_token()))
            .send(server.admin_address())
    }

    /// Registers a session that came from this login at the provider.
    pub(crate) fn register_login(&self, server: &Server, cookie: &str, names: &Value) {
        let mut login = names.clone();
        login["iss"] = self.idp.issuer().into();
        let body = registration(cookie, &json!({ "idp": login }));
        let answer = self.admin(server, Request::post("/api/sessions").json(&body));
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    /// Whether a proxy that asks lets the cookie pass.
    pub(crate) fn is_alive(&self, server: &Server, cookie: &str) -> bool {
        let request = Request::get("/check/portal")
            .header("Cookie", &format!("LtpaToken2={cookie}"))
            .header("Logout-Check-Token", &self.admin_token());
        let answer = request.send(server.admin_address());
        match answer.status {
            204 => true,
            401 => false,
            status => panic!("{status} {}", answer.text()),
        }
    }

    /// How many receipts the token of this name has.
    pub(crate) fn receipts_of(&self, server: &Server, jti: &Value) -> usize {
        let receipts = server
            .admin("/api/receipts?limit=1000", self.folder())
            .json();
        let receipts = receipts["receipts"].as_array().unwrap();
        let of_token = |receipt: &&Value| receipt["token"]["jti"] == *jti;
        receipts.iter().filter(of_token).count()
    }

    pub(crate) fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    pub(crate) fn send(&self, server: &Server, token: &str) -> Answer {
        send_token(server.address(), OP, token)
    }
}

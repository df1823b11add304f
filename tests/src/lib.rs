//! What the tests share: a client that sends bytes as they are written, the contract files' grammar
//! and runner, hubs in this process and in others, and real clients: curl, the vendors' npm
//! packages, a browser.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop"
)]

pub mod browser;
pub mod contract;
pub mod curl;
pub mod demo;
pub mod disk;
pub mod front;
pub mod http;
pub mod hub;
pub mod idp;
pub mod lemonldap;
pub mod logins;
pub mod node;
pub mod oidc_provider;
pub mod process;
pub mod proxy;
pub mod real_relying_party;
pub mod relying_party;
pub mod repository;
pub mod secret_file;
pub mod server;
pub mod signing_key;
pub mod skip;
pub mod stores;
pub mod tls;
pub mod upstream;
pub mod visitor;

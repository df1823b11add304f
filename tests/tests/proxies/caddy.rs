//! Caddy: `forward_auth`.

use std::path::Path;
use std::process::Command;

use logout_tests::proxy;
use logout_tests::skip::Need;

use crate::scene::Proxy;

pub(crate) const PROXY: Proxy = Proxy {
    name: "caddy",
    need: Need::Caddy,
    files: &["Caddyfile"],
    command,
};

fn command(folder: &Path) -> Command {
    let mut command = Command::new(proxy::program("caddy").unwrap());
    command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
    // It keeps certificates and its last configuration there.
    command
        .env("XDG_DATA_HOME", folder)
        .env("XDG_CONFIG_HOME", folder)
        .env("HOME", folder);
    command
}

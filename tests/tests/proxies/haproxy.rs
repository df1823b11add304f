//! HAProxy, which has no request for authorization of its own: a Lua action.

use std::path::Path;
use std::process::Command;

use logout_tests::skip::Need;

use crate::scene::Proxy;

pub(crate) const PROXY: Proxy = Proxy {
    name: "haproxy",
    need: Need::Haproxy,
    files: &["haproxy.cfg", "check.lua"],
    command,
};

fn command(_: &Path) -> Command {
    let mut command = Command::new("haproxy");
    command.args(["-f", "haproxy.cfg", "-db"]);
    command
}

//! Envoy: `ext_authz`.

use std::path::Path;
use std::process::Command;

use logout_tests::proxy;
use logout_tests::skip::Need;

use crate::scene::Proxy;

pub(crate) const PROXY: Proxy = Proxy {
    name: "envoy",
    need: Need::Envoy,
    files: &["envoy.yaml"],
    command,
};

fn command(_: &Path) -> Command {
    let mut command = Command::new(proxy::program("envoy").unwrap());
    // Several run at once on this machine, and none is to take over another's sockets.
    command.args([
        "-c",
        "envoy.yaml",
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "--log-level",
        "warning",
    ]);
    command
}

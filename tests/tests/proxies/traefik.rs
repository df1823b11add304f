//! Traefik: `forwardAuth`.

use std::path::Path;
use std::process::Command;

use logout_tests::proxy;
use logout_tests::skip::Need;

use crate::scene::Proxy;

pub(crate) const PROXY: Proxy = Proxy {
    name: "traefik",
    need: Need::Traefik,
    files: &["traefik.yaml", "dynamic.yaml"],
    command,
};

fn command(_: &Path) -> Command {
    let mut command = Command::new(proxy::program("traefik").unwrap());
    command.args(["--configFile=traefik.yaml"]);
    command
}

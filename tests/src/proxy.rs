//! Where the reverse proxies are that tests start.

use std::path::{Path, PathBuf};

use crate::process;

/// Where Debian keeps Apache's modules.
pub const APACHE_MODULES: &str = "/usr/lib/apache2/modules";

/// The files that Apache's example needs, of Debian's packages `apache2-bin` and `lua-socket`.
const APACHE_FILES: [&str; 2] = [
    "/usr/lib/apache2/modules/mod_lua.so",
    "/usr/share/lua/5.3/socket.lua",
];

/// The program of the proxy of this name: the pinned one of `tests/proxies/requirements.txt`, else
/// the one in the path.
///
/// # Errors
/// There is neither.
pub fn program(name: &str) -> Result<PathBuf, String> {
    let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join("proxies/programs");
    // The package's own script for Envoy would need Python, and a path to itself.
    let pinned = if name == "envoy" {
        pinned.join("envoy/_bin/envoy")
    } else {
        pinned.join("bin").join(name)
    };
    let found = if pinned.is_file() {
        Some(pinned)
    } else {
        process::find(name)
    };
    found.ok_or_else(|| {
        let command = "pip install --require-hashes --target tests/proxies/programs -r tests/proxies/requirements.txt";
        format!("{name} is not installed; run `{command}`")
    })
}

/// Why Apache's example cannot run here; `None` when it can.
pub(crate) fn apache_missing() -> Option<String> {
    APACHE_FILES
        .iter()
        .find(|file| !Path::new(file).is_file())
        .map(|file| format!("there is no {file}"))
}

//! Apache, which has no request for authorization of its own: a Lua hook.

use std::fs;
use std::path::Path;
use std::process::Command;

use logout_tests::proxy::APACHE_MODULES;
use logout_tests::skip::Need;

use crate::scene::Proxy;

pub(crate) const PROXY: Proxy = Proxy {
    name: "apache",
    need: Need::Apache,
    files: &["portal.conf", "check.lua"],
    command,
};

const MODULES: [&str; 6] = [
    "mpm_event",
    "authz_core",
    "headers",
    "lua",
    "proxy",
    "proxy_http",
];

/// The example is a site; around it stands what lets Apache run in a folder of its own.
fn command(folder: &Path) -> Command {
    let modules: String = MODULES
        .map(|name| format!("LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so\n"))
        .concat();
    // Started as root, Apache serves as the user of Debian's package.
    let user = "<IfModule !unixd_module>\nLoadModule unixd_module";
    let whole = format!(
        "ServerRoot {root}\nServerName localhost\n{modules}{user} {APACHE_MODULES}/mod_unixd.so\n</IfModule>\n\
         User www-data\nGroup www-data\nPidFile apache.pid\nErrorLog /dev/stderr\nDefaultRuntimeDir {root}\nInclude portal.conf\n",
        root = folder.display()
    );
    fs::write(folder.join("apache.conf"), whole).unwrap();
    let mut command = Command::new("apache2");
    command
        .arg("-f")
        .arg(folder.join("apache.conf"))
        .arg("-DFOREGROUND");
    command
}

//! nginx: `auth_request`.

use std::fs;
use std::path::Path;
use std::process::Command;

use logout_tests::skip::Need;

use crate::scene::Proxy;

pub(crate) const PROXY: Proxy = Proxy {
    name: "nginx",
    need: Need::Nginx,
    files: &["portal.conf"],
    command,
};

/// The example is a server of its own; around it stands what lets nginx run in a folder of its own.
fn command(folder: &Path) -> Command {
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = kinds
        .map(|kind| format!("{kind}_temp_path {kind};\n"))
        .concat();
    let whole = format!(
        "daemon off;\nmaster_process off;\nworker_processes 1;\npid nginx.pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}include portal.conf;\n}}\n"
    );
    fs::write(folder.join("nginx.conf"), whole).unwrap();
    let mut command = Command::new("nginx");
    command
        .arg("-p")
        .arg(folder)
        .args(["-c", "nginx.conf", "-e", "stderr"]);
    command
}

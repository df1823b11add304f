//! Apache with mod_auth_openidc, which Debian packages.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::oidc_provider::SECRET;
use crate::process::Running;
use crate::proxy::APACHE_MODULES;
use crate::real_relying_party::Settings;
use crate::secret_file::set_mode;

/// The module itself.
pub(crate) const MODULE: &str = "/usr/lib/apache2/modules/mod_auth_openidc.so";

const MODULES: [&str; 6] = [
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_user",
    "headers",
    "auth_openidc",
];

/// The version of the module in a log that it has begun.
pub(super) fn version(log: &str) -> String {
    let rest = log.split("mod_auth_openidc-").nth(1).expect("a version");
    let version = rest.split(|part: char| part != '.' && !part.is_ascii_digit());
    version.into_iter().next().unwrap_or_default().to_owned()
}

/// Starts it with all of its files in `folder`. Sessions are files as well, so that they outlive
/// it.
pub(super) fn start(folder: &Path, log: &Path, settings: &Settings<'_>) -> Running {
    let (pages, cache) = (folder.join("pages"), folder.join("cache"));
    for (made, mode) in [(folder, 0o755), (&pages, 0o755), (&cache, 0o777)] {
        fs::create_dir_all(made).unwrap();
        // Started as root, Apache serves as the user of Debian's package.
        set_mode(made, mode);
    }
    fs::write(pages.join("page"), "in").unwrap();
    // Plain HTTP is refused in the file of configuration, and taken from a document.
    let provider = settings.provider.to_string();
    fs::write(pages.join("provider"), provider).unwrap();
    let file = folder.join("apache.conf");
    fs::write(&file, configuration(folder, settings)).unwrap();
    let log = fs::File::create(log).unwrap();
    let mut command = Command::new("apache2");
    // In one process, so that nothing is left of it when that is killed.
    command
        .arg("-X")
        .arg("-f")
        .arg(&file)
        .env_remove("http_proxy")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    Running(command.spawn().unwrap())
}

fn configuration(folder: &Path, settings: &Settings<'_>) -> String {
    let modules: String = MODULES
        .map(|name| format!("LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so\n"))
        .concat();
    let folder = folder.display();
    let Settings {
        address, client, ..
    } = settings;
    format!(
        r#"ServerRoot {folder}
ServerName 127.0.0.1
Listen {address}
{modules}<IfModule !unixd_module>
LoadModule unixd_module {APACHE_MODULES}/mod_unixd.so
</IfModule>
User www-data
Group www-data
PidFile apache.pid
DefaultRuntimeDir {folder}
Mutex file:{folder}
ErrorLog /dev/stderr
LogLevel warn auth_openidc:info
DocumentRoot {folder}/pages
OIDCProviderMetadataURL http://{address}/provider
OIDCProviderTokenEndpointAuth client_secret_basic
OIDCClientID {id}
OIDCClientSecret {SECRET}
OIDCRedirectURI {redirect_uri}
OIDCCryptoPassphrase for-tests-only-0123456789
OIDCScope openid
OIDCSessionType server-cache
OIDCCacheType file
OIDCCacheDir {folder}/cache
<Location />
AuthType openid-connect
Require valid-user
Header set Login-Sub "%{{OIDC_CLAIM_sub}}e"
Header set Login-Sid "%{{OIDC_CLAIM_sid}}e"
</Location>
<Location /provider>
AuthType none
Require all granted
</Location>
"#,
        id = client.id,
        redirect_uri = client.redirect_uri,
    )
}

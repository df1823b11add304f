//! Everything that would keep a hub from serving a configuration, found without serving it.

use std::sync::Arc;

use logout_core::authority::Services;
use logout_core::ports::Clock;
use logout_core::store::SessionStore;
use logout_identity::{JwtTokens, PasswordAccounts, SealKeys, SystemClock};
use logout_store::MemoryStore;

use super::open::public_url;
use crate::config::{Config, ConfigError, Draft, check_token};
use crate::idp::{Receiver, Sender};
use crate::platforms::Platforms;
use crate::start_error::StartError;
use crate::{stores, tls};

/// Opens the configured store and closes it again, which makes its tables ready.
///
/// # Errors
/// The store cannot be opened.
pub fn open_store(config: &Config) -> Result<(), StartError> {
    Ok(stores::open(&config.store).map(drop)?)
}

/// Everything that would keep a hub from serving a configuration, besides what the configuration
/// itself was found to be wrong with: in the vendors' own keys, between platforms, and in the files
/// of keys and tokens. No store is opened and nothing is written.
pub fn check(draft: &Draft) -> Vec<ConfigError> {
    let config = draft.config();
    let mut errors = secret_files(config);
    errors.extend(Receiver::problems(config));
    errors.extend(Sender::problems(config));
    if let Ok(url) = public_url(config, config.server.listen)
        && let Ok(services) = services_in_memory(config)
    {
        errors.extend(Platforms::problems(config, &url, &services));
    }
    errors
}

/// What is wrong with the files of `[server]` and `[admin]` that hold keys and tokens. Those that
/// are not there yet are made.
fn secret_files(config: &Config) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    if let Some(Err(faults)) = config.server.tls.as_ref().map(tls::server_config) {
        errors.extend(
            faults
                .iter()
                .map(|fault| config.error(&["server", "tls", fault.key()], fault)),
        );
    }
    for (key, file) in [
        ("token_file", &config.admin.token_file),
        ("check_token_file", &config.admin.check_token_file),
    ] {
        if let Err(fault) = check_token(file) {
            errors.push(config.error(&["admin", key], fault));
        }
    }
    let file = &config.server.seal_key_file;
    if file.exists()
        && config.tells_others()
        && let Err(fault) = SealKeys::load(file)
    {
        errors.push(config.error(&["server", "seal_key_file"], fault));
    }
    errors
}

/// The services of platforms, without accounts and over an empty store.
fn services_in_memory(config: &Config) -> Result<Services, StartError> {
    let store: Arc<dyn SessionStore> = Arc::new(MemoryStore::new());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let tokens = actix_web::rt::System::new().block_on(JwtTokens::load(&*store, &*clock))?;
    let accounts = PasswordAccounts::limited(
        Vec::new(),
        config.login.limits(),
        store.clone(),
        clock.clone(),
    )?;
    Ok(Services::of_stand_ins(
        Arc::new(accounts),
        clock,
        store,
        Arc::new(tokens),
    ))
}

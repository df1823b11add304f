//! The command line: what can be asked for, and the commands that need no server. Those that ask
//! one are [`crate::client`]'s.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use logout_core::credential::Secret;

use crate::client::{CheckHealthArgs, DeliveriesArgs, ReceiptsArgs, SessionsArgs};
use crate::config::{
    Compiled, Config, ConfigError, ConfigErrors, Draft, environment, without_newline,
};
use crate::copy_store::CopyStoreArgs;
use crate::exit;
use crate::shell_help::{CompletionsArgs, ManPagesArgs};
use crate::version;

/// The exit status when the configuration, or what was typed, is wrong; that of clap's own errors
/// too.
const WRONG: u8 = 2;

/// The longest password that is read, in bytes.
const LONGEST_PASSWORD: u64 = 64 * 1024;

/// One sign-out for every platform you run.
#[derive(Debug, Parser)]
#[command(name = "logout-hub", version, long_version = version::long(), about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a hub in front of a stand-in of every vendor, with sample accounts and without a
    /// configuration.
    Demo(DemoArgs),
    /// Serve the platforms of a configuration.
    Serve(ServeArgs),
    /// Say whether a configuration is right, and what is wrong with it.
    CheckConfig(ConfigArgs),
    /// Print the effective configuration, with defaults and the environment's overrides, secrets
    /// masked.
    PrintConfig(ConfigArgs),
    /// Make the tables of the configured store, or bring them up to date.
    Migrate(ConfigArgs),
    /// Move what one store holds to another, and compare both.
    CopyStore(CopyStoreArgs),
    /// Read a password from standard input, or ask for it on a terminal, and print its argon2id
    /// hash.
    HashPassword,
    /// Ask a running hub whether it works.
    CheckHealth(CheckHealthArgs),
    /// Live sessions of a running hub.
    Sessions(SessionsArgs),
    /// Sign-outs of a running hub, and what has become of them.
    Receipts(ReceiptsArgs),
    /// What a running hub has to tell upstreams.
    Deliveries(DeliveriesArgs),
    /// Print a script by which a shell completes commands and options.
    Completions(CompletionsArgs),
    /// Write a manual page for the program and for each of its commands.
    ManPages(ManPagesArgs),
}

/// The options of `demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// The address to serve at; port 0 picks a free one [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// The address of the admin API [default: a free port of 127.0.0.1, named in the output].
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<SocketAddr>,
    /// Where to keep sessions [default: a new folder among the temporary files, named in the
    /// output].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// The options of `serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// The configuration to serve.
    #[command(flatten)]
    pub configuration: ConfigArgs,
    /// The address to serve at, whatever the configuration says; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
}

/// Which configuration.
#[derive(Args, Clone, Debug)]
pub struct ConfigArgs {
    /// The configuration file.
    #[arg(long = "config", value_name = "FILE")]
    pub file: PathBuf,
}

impl ServeArgs {
    /// The configuration under this process's environment and these options. `check` finds what is
    /// wrong beyond the text, as for [`check_config`].
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(
        &self,
        compiled: &Compiled<'_>,
        check: impl FnOnce(&Draft) -> Vec<ConfigError>,
    ) -> Result<Config, ConfigErrors> {
        let draft = self.configuration.draft(compiled)?;
        let errors = check(&draft);
        let mut config = draft.finish(errors)?;
        if let Some(listen) = self.listen {
            config.server.listen = listen;
        }
        Ok(config)
    }
}

impl ConfigArgs {
    /// The configuration under this process's environment.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(&self, compiled: &Compiled<'_>) -> Result<Config, ConfigErrors> {
        Config::load(&self.file, environment::of_process(), compiled)
    }

    fn draft(&self, compiled: &Compiled<'_>) -> Result<Draft, ConfigErrors> {
        Draft::load(&self.file, environment::of_process(), compiled)
    }
}

/// `check-config`: status 0 and one line on standard output, or 2 and every error on standard
/// error; warnings are on standard error either way. `check` finds what is wrong beyond the text of
/// the configuration: with the vendors' own keys, between platforms, and with files.
pub fn check_config(
    args: &ConfigArgs,
    compiled: &Compiled<'_>,
    check: impl FnOnce(&Draft) -> Vec<ConfigError>,
) -> ExitCode {
    finish(
        args.draft(compiled)
            .map_err(|errors| errors.to_string())
            .and_then(|draft| {
                let errors = check(&draft);
                let warnings: String = draft
                    .config()
                    .warnings
                    .iter()
                    .map(|warning| format!("{warning}\n"))
                    .collect();
                // Warnings that nobody can read are no reason to call the configuration wrong.
                let _ = io::stderr().write_all(warnings.as_bytes());
                let config = draft.finish(errors).map_err(|errors| errors.to_string())?;
                Ok(format!("ok: {} platforms\n", config.platforms.len()))
            }),
    )
}

/// `print-config`: status 0 and the effective configuration as TOML on standard output, or 2 and
/// every error on standard error. `check` as for [`check_config`].
pub fn print_config(
    args: &ConfigArgs,
    compiled: &Compiled<'_>,
    check: impl FnOnce(&Draft) -> Vec<ConfigError>,
) -> ExitCode {
    let printed = args.draft(compiled).and_then(|draft| {
        let errors = check(&draft);
        draft.finish(errors)?.to_toml()
    });
    finish(printed.map_err(|errors| errors.to_string()))
}

/// `migrate`: status 0 and one line on standard output when the tables are ready, 2 when the
/// configuration is wrong, 1 when `open` cannot make them so.
pub fn migrate<E: Display>(
    args: &ConfigArgs,
    compiled: &Compiled<'_>,
    open: impl FnOnce(&Config) -> Result<(), E>,
) -> ExitCode {
    let mut config = match args.load(compiled) {
        Ok(config) => config,
        Err(errors) => return finish(Err(errors.to_string())),
    };
    config.store.migrate = true;
    match open(&config) {
        Ok(()) => finish(Ok(format!("ok: {} is ready\n", config.store.url))),
        Err(fault) => exit::failed(1, &fault),
    }
}

/// `hash-password`: status 0 and one argon2id string on standard output, or 2 and the reason on
/// standard error. The password comes from standard input, one line end at its end cut, or is asked
/// for without echo on a terminal.
pub fn hash_password() -> ExitCode {
    let password = if io::stdin().is_terminal() {
        rpassword::prompt_password("Password: ").map(Secret::new)
    } else {
        read_password(io::stdin().lock())
    };
    finish(
        password
            .map_err(|fault| format!("the password cannot be read: {fault}"))
            .and_then(|password| hashed(&password)),
    )
}

fn read_password(input: impl io::Read) -> io::Result<Secret> {
    let mut text = String::new();
    let length = input.take(LONGEST_PASSWORD + 1).read_to_string(&mut text)?;
    let text = Secret::new(text);
    if length as u64 > LONGEST_PASSWORD {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "longer than 64 KiB",
        ));
    }
    Ok(Secret::new(without_newline(text.reveal())))
}

fn hashed(password: &Secret) -> Result<String, String> {
    if password.reveal().is_empty() {
        return Err("the password is empty".to_owned());
    }
    logout_identity::hash_password(password)
        .map(|hash| format!("{hash}\n"))
        .map_err(|fault| fault.to_string())
}

/// Writes the outcome to where it belongs and says it as an exit status.
fn finish(outcome: Result<String, String>) -> ExitCode {
    let written = match &outcome {
        Ok(text) => io::stdout().write_all(text.as_bytes()),
        Err(text) => writeln!(io::stderr(), "{text}"),
    };
    if outcome.is_ok() && written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(WRONG)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn every_command_reads_its_options() {
        let serve = Cli::try_parse_from([
            "logout-hub",
            "serve",
            "--config",
            "hub.toml",
            "--listen",
            "127.0.0.1:0",
        ])
        .unwrap();
        let Command::Serve(serve) = serve.command else {
            panic!("not serve")
        };
        assert_eq!(
            (serve.configuration.file.as_path(), serve.listen),
            (Path::new("hub.toml"), Some(([127, 0, 0, 1], 0).into()))
        );
        let demo = Cli::try_parse_from(["logout-hub", "demo", "--data", "d"]).unwrap();
        assert!(matches!(
            demo.command,
            Command::Demo(DemoArgs {
                listen: None,
                admin: None,
                data: Some(_)
            })
        ));
        for command in ["check-config", "print-config"] {
            assert!(
                Cli::try_parse_from(["logout-hub", command, "--config", "hub.toml"]).is_ok(),
                "{command}"
            );
            assert!(
                Cli::try_parse_from(["logout-hub", command]).is_err(),
                "{command}"
            );
        }
        assert!(Cli::try_parse_from(["logout-hub", "hash-password"]).is_ok());
        let copying = [
            "logout-hub",
            "copy-store",
            "--from",
            "disk:a",
            "--to",
            "redis://h",
        ];
        assert!(
            Cli::try_parse_from(copying).is_ok() && Cli::try_parse_from(&copying[..4]).is_err()
        );
        let asking = [
            "sessions list --person p",
            "sessions end x",
            "receipts list",
            "receipts show x --wait 5s",
            "deliveries retry x",
        ];
        for command in asking {
            for line in [
                format!("logout-hub {command} --token-file t"),
                format!("logout-hub {command}"),
            ] {
                assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
            }
        }
        assert!(
            Cli::try_parse_from(["logout-hub", "receipts", "show", "x", "--wait", "long"]).is_err()
        );
        assert!(
            Cli::try_parse_from([
                "logout-hub",
                "serve",
                "--config",
                "hub.toml",
                "--listen",
                "nowhere"
            ])
            .is_err()
        );
    }

    #[test]
    fn one_line_end_of_a_password_is_cut_and_nothing_else() {
        for (input, password) in [
            ("x", "x"),
            ("x\n", "x"),
            ("x\r\n", "x"),
            ("x\n\n", "x\n"),
            (" x ", " x "),
            ("x\r", "x\r"),
            ("\n", ""),
        ] {
            assert_eq!(
                read_password(input.as_bytes()).unwrap().reveal(),
                password,
                "{input:?}"
            );
        }
        assert!(read_password(&b"\xff"[..]).is_err());
        assert!(read_password(io::repeat(b'x')).is_err());
    }

    #[test]
    fn an_empty_password_is_not_hashed() {
        assert!(hashed(&Secret::new("")).is_err());
        let hash = hashed(&Secret::new("x")).unwrap();
        assert!(
            logout_identity::parse_hash(hash.trim_end()).is_ok() && hash.ends_with('\n'),
            "{hash}"
        );
    }
}

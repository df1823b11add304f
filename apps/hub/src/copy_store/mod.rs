//! The `copy-store` command: moves what one store holds to another, part by part, and compares both
//! at the end.
//!
//! Hubs are stopped meanwhile. Until both sides are the same the store that is being filled has a
//! checkpoint, which keeps hubs from starting on it and says how far an interrupted copy had come.
//! Whether anything was missed does not depend on the checkpoint: all of both stores is read again,
//! with what each record says.

mod checkpoint;
mod error;
mod progress;
mod tally;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use futures_executor::block_on;
use futures_util::future::join;
use logout_core::ports::Clock as _;
use logout_core::store::StoreUnavailable;
use logout_core::transfer::{Part, Transfer};
use logout_identity::SystemClock;
use serde_json::json;

use crate::config::{Compiled, LogFormat, StoreConfig, StoreUrl};
use crate::{exit, logging, stores};
use checkpoint::Checkpoint;
use error::{CopyError, Side};
use progress::Progress;
use tally::Tally;

/// How many records move at once.
const PART: usize = 1_000;
/// After how many parts it is noted how far the copy has come.
const NOTED_EVERY: usize = 5;

/// The options of `copy-store`.
///
/// URLs are those of `[store] url`; in the environment they are seen by fewer eyes than on the
/// command line.
#[derive(Args, Clone)]
#[command(
    after_help = "Stop every hub on either store first: what one of them writes meanwhile is not moved, and shows as a difference. \
    What was interrupted goes on when the same command is given again."
)]
pub struct CopyStoreArgs {
    /// The store that holds everything: disk:PATH, redis://… or postgres://….
    #[arg(
        long,
        value_name = "URL",
        env = "LOGOUT_HUB_COPY_FROM",
        hide_env_values = true
    )]
    from: String,
    /// The store that is to hold it, which is empty.
    #[arg(
        long,
        value_name = "URL",
        env = "LOGOUT_HUB_COPY_TO",
        hide_env_values = true
    )]
    to: String,
}

impl std::fmt::Debug for CopyStoreArgs {
    /// Without the URLs, which may hold passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CopyStoreArgs").finish_non_exhaustive()
    }
}

/// Copies, compares, and says in one JSON line what either side holds. Status 0 when they are the
/// same, 1 when they are not or could not be made so, 2 when the command makes no sense.
pub fn run(args: &CopyStoreArgs, compiled: &Compiled<'_>) -> ExitCode {
    logging::start(LogFormat::Text);
    let copied = Copy::prepare(args, compiled).and_then(|copy| copy.carry_out());
    match copied {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => exit::failed(fault.status(), &fault),
    }
}

/// Two stores, opened and found fit.
struct Copy {
    from: (StoreUrl, Arc<dyn Transfer>),
    to: (StoreUrl, Arc<dyn Transfer>),
    /// Where it begins; absent for the beginning.
    place: Option<Vec<u8>>,
}

impl Copy {
    fn prepare(args: &CopyStoreArgs, compiled: &Compiled<'_>) -> Result<Self, CopyError> {
        let from = url(Side::From, &args.from, compiled)?;
        let to = url(Side::To, &args.to, compiled)?;
        if name(&from) == name(&to) {
            return Err(CopyError::Same);
        }
        if let StoreUrl::Disk(path) = &from
            && !path.is_dir()
        {
            return Err(CopyError::Absent { from });
        }
        // The tables of the one are as they are; those of the other are made where there are none.
        let source = stores::open_to_move(&StoreConfig {
            url: from.clone(),
            migrate: false,
        })?;
        let destination = stores::open_to_move(&StoreConfig {
            url: to.clone(),
            migrate: true,
        })?;
        let mut copy = Self {
            from: (from, source),
            to: (to, destination),
            place: None,
        };
        copy.place = block_on(copy.begin())?;
        Ok(copy)
    }

    /// Makes sure that the one has something and the other nothing but what an interrupted copy has
    /// left. Where to begin.
    async fn begin(&self) -> Result<Option<Vec<u8>>, CopyError> {
        let ((from, source), (to, destination)) = (&self.from, &self.to);
        if source
            .checkpoint()
            .await
            .map_err(Side::From.silent())?
            .is_some()
        {
            return Err(CopyError::Unfinished { from: from.clone() });
        }
        if !has_any(&**source).await.map_err(Side::From.silent())? {
            return Err(CopyError::Nothing { from: from.clone() });
        }
        let silent = Side::To.silent();
        match destination.checkpoint().await.map_err(silent)? {
            Some(bytes) => match Checkpoint::read(&bytes) {
                Some(checkpoint) if checkpoint.from == name(from) => {
                    log::info!("going on with a copy that was interrupted");
                    Ok(checkpoint.place)
                }
                checkpoint => Err(CopyError::OfAnother {
                    to: to.clone(),
                    from: checkpoint
                        .map(|checkpoint| checkpoint.from)
                        .unwrap_or_default(),
                }),
            },
            None if has_any(&**destination).await.map_err(silent)? => {
                Err(CopyError::NotEmpty { to: to.clone() })
            }
            None => {
                self.note(None).await?;
                Ok(None)
            }
        }
    }

    async fn note(&self, place: Option<Vec<u8>>) -> Result<(), CopyError> {
        let checkpoint = Checkpoint {
            from: name(&self.from.0),
            place,
        }
        .to_bytes();
        self.to
            .1
            .set_checkpoint(Some(checkpoint))
            .await
            .map_err(Side::To.silent())
    }

    fn carry_out(self) -> Result<(), CopyError> {
        block_on(self.copy())?;
        let (here, there) = self.compare()?;
        let differing = here.differing_from(&there);
        let line = json!({
            "from": self.from.0.to_string(),
            "to": self.to.0.to_string(),
            "complete": differing.is_empty(),
            "source": here.counts(),
            "destination": there.counts(),
        });
        // Both are read in full before anything is claimed; that nobody listens changes nothing of
        // it.
        let _ = writeln!(std::io::stdout(), "{line}");
        if differing.is_empty() {
            return block_on(self.to.1.set_checkpoint(None)).map_err(Side::To.silent());
        }
        // What is missing may lie before the place that was noted.
        block_on(self.note(None))?;
        Err(CopyError::Different { differing })
    }

    /// Moves part after part. The next one is read while one is written.
    async fn copy(&self) -> Result<(), CopyError> {
        let (source, destination) = (&self.from.1, &self.to.1);
        let progress = Progress::start(
            "copying",
            source.size_hint().await.map_err(Side::From.silent())?,
        );
        let now = SystemClock.now();
        let read = |place| source.export(place, PART, now);
        let mut part = read(self.place.clone())
            .await
            .map_err(Side::From.silent())?;
        for number in 1.. {
            let Part { items, next } = part;
            let count = items.len();
            let write = async {
                if items.is_empty() {
                    Ok(())
                } else {
                    destination.import(items, now).await
                }
            };
            let Some(place) = next else {
                write.await.map_err(Side::To.silent())?;
                progress.advance(count);
                break;
            };
            let (written, following) = join(write, read(Some(place.clone()))).await;
            written.map_err(Side::To.silent())?;
            progress.advance(count);
            if number % NOTED_EVERY == 0 {
                self.note(Some(place)).await?;
            }
            part = following.map_err(Side::From.silent())?;
        }
        Ok(())
    }

    /// What either side holds, as of one instant.
    fn compare(&self) -> Result<(Tally, Tally), CopyError> {
        let now = SystemClock.now();
        let size_hint = block_on(self.from.1.size_hint()).map_err(Side::From.silent())?;
        let progress = Progress::start("comparing", size_hint.saturating_mul(2));
        let tally = |store: &Arc<dyn Transfer>| block_on(tally(&**store, now, &progress));
        std::thread::scope(|scope| {
            let there = scope.spawn(|| tally(&self.to.1));
            let here = tally(&self.from.1).map_err(Side::From.silent())?;
            let there = there
                .join()
                .unwrap_or(Err(StoreUnavailable))
                .map_err(Side::To.silent())?;
            Ok((here, there))
        })
    }
}

async fn tally(
    store: &dyn Transfer,
    now: logout_core::time::Timestamp,
    progress: &Progress,
) -> Result<Tally, StoreUnavailable> {
    let (mut tally, mut place) = (Tally::default(), None);
    loop {
        let part = store.export(place, PART, now).await?;
        progress.advance(part.items.len());
        part.items.into_iter().for_each(|record| tally.add(record));
        place = part.next;
        if place.is_none() {
            return Ok(tally);
        }
    }
}

async fn has_any(store: &dyn Transfer) -> Result<bool, StoreUnavailable> {
    let (now, mut place) = (SystemClock.now(), None);
    loop {
        let part = store.export(place, PART, now).await?;
        place = part.next;
        if !part.items.is_empty() || place.is_none() {
            return Ok(!part.items.is_empty());
        }
    }
}

fn url(side: Side, text: &str, compiled: &Compiled<'_>) -> Result<StoreUrl, CopyError> {
    let url = StoreUrl::parse(text, Path::to_path_buf).map_err(|fault| CopyError::Url {
        side,
        reason: fault.to_string(),
    })?;
    match url {
        StoreUrl::Memory => Err(CopyError::Memory { side }),
        url if !compiled.stores.contains(&url.kind()) => Err(CopyError::NotCompiled {
            side,
            kind: url.kind(),
        }),
        url => Ok(url),
    }
}

/// What a store is told from others by: its URL without passwords, whichever folder the command was
/// given in.
fn name(url: &StoreUrl) -> String {
    match url {
        StoreUrl::Disk(path) => StoreUrl::Disk(resolved(path)).to_string(),
        url => url.to_string(),
    }
}

/// A folder that is still to be made is where it will be made.
fn resolved(path: &Path) -> PathBuf {
    let known = path.canonicalize().ok();
    let by_its_parent = || {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        Some(parent.canonicalize().ok()?.join(path.file_name()?))
    };
    known
        .or_else(by_its_parent)
        .unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPILED: Compiled<'static> = Compiled {
        vendors: &[],
        stores: &["disk", "postgres"],
        standards: false,
    };

    #[test]
    fn a_url_that_makes_no_sense_is_refused_without_being_repeated() {
        for text in [
            "canary",
            "memory:",
            "memory:canary",
            "disk:",
            "mysql://u:canary@h/d",
            "redis://:canary@h",
            "postgres:///canary",
        ] {
            let fault = url(Side::To, text, &COMPILED).expect_err(text);
            assert_eq!(fault.status(), 2, "{text}");
            assert!(
                fault.to_string().starts_with("--to") && !fault.to_string().contains("canary"),
                "{fault}"
            );
        }
        let missing = url(Side::From, "redis://h", &COMPILED)
            .unwrap_err()
            .to_string();
        assert!(missing.contains("store-redis"), "{missing}");
    }

    #[test]
    fn a_folder_is_one_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let name_of = |path: PathBuf| name(&StoreUrl::Disk(path));
        let new = folder.path().join("new");
        assert_eq!(
            name_of(new.clone()),
            name_of(folder.path().join(".").join("new"))
        );
        std::fs::create_dir(&new).unwrap();
        assert_eq!(name_of(new.clone()), name_of(new.join("..").join("new")));
        assert_ne!(name_of(new), name_of(folder.path().join("other")));
    }

    #[test]
    fn arguments_are_not_printed() {
        let args = CopyStoreArgs {
            from: "canary".to_owned(),
            to: "canary".to_owned(),
        };
        assert!(!format!("{args:?}").contains("canary"));
    }
}

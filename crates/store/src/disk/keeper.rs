//! Keeps the journal short: moves what never changes again to the archive, and writes the state
//! down as a whole, so that what came before can be thrown away.

use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::archive::Archive;
use super::folder::{Files, Folder};
use super::frame::{self, FrameError, Header};
use super::log::Log;
use crate::local;
use crate::model::Model;

/// How many places are looked at under the lock at once.
const LOOKS: u32 = 512;
/// How long it rests after a failure.
const PAUSE: Duration = Duration::from_secs(5);

/// What the keeper works with.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) model: Arc<Mutex<Model>>,
    pub(super) log: Arc<Log>,
    pub(super) folder: Arc<Folder>,
    pub(super) archive: Arc<Archive>,
    /// The least size of the journal that is worth a snapshot, in bytes.
    pub(super) journal: u64,
}

/// Why a round of the keeper came to nothing. The next one makes up for it.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeeperError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the store is closed or has failed")]
    Store,
}

impl Keeper {
    /// Works each time that it is told of a segment that has grown large, until the store is
    /// closed.
    pub(super) fn run(&self, told: &Receiver<()>) {
        while told.recv().is_ok() {
            while let Err(error) = self.round() {
                if self.log.is_closed() {
                    return;
                }
                log::warn!("the journal of the store cannot be shortened: {error}");
                match told.recv_timeout(PAUSE) {
                    Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        }
    }

    /// Archives what is done, and writes a snapshot where the journal has grown enough.
    fn round(&self) -> Result<(), KeeperError> {
        let snapshot = self.folder.size(Files::Snapshot)?;
        if self.folder.size(Files::Segment)? >= snapshot.max(self.journal) {
            self.shorten()
        } else {
            self.archive_what_is_done().map(drop)
        }
    }

    /// Archives what is done, and writes a snapshot, so that what came before can be removed.
    pub(super) fn shorten(&self) -> Result<(), KeeperError> {
        let number = self.archive_what_is_done()?;
        self.write_snapshot(number)?;
        self.folder.remove_below(Files::Segment, number)?;
        Ok(self.folder.remove_below(Files::Snapshot, number)?)
    }

    /// Begins a segment, and archives what is from before it. The number of the segment.
    fn archive_what_is_done(&self) -> Result<u64, KeeperError> {
        let (reply, answer) = sync_channel(1);
        let [receipts, deliveries] = {
            let mut model = local::lock(&self.model).map_err(|_| KeeperError::Store)?;
            self.log.cut(reply);
            model.cut()
        };
        let number = answer.recv().map_err(|_| KeeperError::Store)?;
        self.archive
            .write(&self.folder, number, &receipts, &deliveries)?;
        drop((receipts, deliveries));
        let done = local::lock(&self.model)
            .map_err(|_| KeeperError::Store)?
            .forget_archived();
        // Not under the lock: they are many.
        drop(done);
        Ok(number)
    }

    /// Writes the state down, as it is at the beginning of the segment `number` or later.
    fn write_snapshot(&self, number: u64) -> io::Result<()> {
        self.folder.finish(Files::Snapshot, number, |file| {
            let header = Header {
                magic: Files::Snapshot.magic(),
                number,
                first: 0,
            };
            file.write_all(&header.to_bytes())?;
            let mut frames = Vec::new();
            self.each_part(|position, changes| {
                frames.clear();
                frame::write(&mut frames, position, changes);
                file.write_all(&frames)
            })
        })?;
        Ok(())
    }

    /// Hands out the changes that lead to the state, part by part, and nothing at the end. Sessions
    /// come first: one that ends meanwhile leaves a tombstone, and is in one of the parts.
    fn each_part(&self, mut part: impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let closed = |_| io::Error::other(KeeperError::Store);
        let damaged = |error: crate::record::RecordError| io::Error::other(error);
        let (mut position, mut changes) = (0, Vec::new());
        let mut hand_out = |changes: &mut Vec<u8>| {
            if self.log.is_closed() {
                return Err(io::Error::other(KeeperError::Store));
            }
            position += 1;
            let handed = part(position, changes);
            changes.clear();
            handed
        };
        let mut next = Some(0);
        while let Some(from) = next {
            next = local::lock(&self.model)
                .map_err(closed)?
                .write_sessions(from, LOOKS, &mut changes)
                .map_err(damaged)?;
            hand_out(&mut changes)?;
        }
        let mut next = Some(0);
        while let Some(from) = next {
            next = local::lock(&self.model).map_err(closed)?.write_tombstones(
                from,
                LOOKS,
                &mut changes,
            );
            hand_out(&mut changes)?;
        }
        local::lock(&self.model)
            .map_err(closed)?
            .write_others(&mut changes)
            .map_err(damaged)?;
        hand_out(&mut changes)?;
        hand_out(&mut changes)
    }
}

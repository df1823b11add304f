//! The thread that writes the journal.

use std::fs::File;
use std::io::{self, Write as _};
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use super::{Log, Turn};
use crate::disk::folder::{Files, Folder};
use crate::disk::frame::{self, Header};
use crate::disk::spare::Spares;
use crate::wakeup::{self, Wakeup};

/// How long the disk is left alone after a failure: at first, and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// Writes the journal.
pub(in crate::disk) struct Writer {
    pub(in crate::disk) log: Arc<Log>,
    pub(in crate::disk) folder: Arc<Folder>,
    /// Told when the journal has grown much.
    pub(in crate::disk) keeper: SyncSender<()>,
    pub(in crate::disk) segment: Segment,
    pub(in crate::disk) spares: Spares,
    /// What was written since the keeper has cut the journal, in bytes.
    pub(in crate::disk) grown: u64,
    /// So much of it is worth the keeper's work.
    pub(in crate::disk) most: u64,
}

/// The segment that is written to.
#[derive(Debug)]
pub(in crate::disk) struct Segment {
    pub(in crate::disk) file: File,
    pub(in crate::disk) number: u64,
    /// What was written to it, its header included, in bytes.
    pub(in crate::disk) size: u64,
    /// The size of the file, of which everything behind `size` is zeros.
    pub(in crate::disk) room: u64,
}

impl Segment {
    /// A segment whose file holds no more than the header.
    pub(in crate::disk) fn growing(file: File, number: u64) -> Self {
        let size = Header::LENGTH as u64;
        Self {
            file,
            number,
            size,
            room: size,
        }
    }

    /// Cuts the zeros off, which only cost disk from now on.
    fn finish(&self) {
        if self.room > self.size
            && let Err(error) = self.file.set_len(self.size)
        {
            log::debug!("the end of a segment of the journal stays: {error}");
        }
    }
}

/// When the writer is gone, however that came about, nobody is kept waiting for it.
struct Gone<'l>(&'l Log);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.has_failed.store(true, Ordering::Release);
        let mut state = self.0.state();
        state.is_closed = true;
        state.cut = None;
        state.callers.clear();
    }
}

impl Writer {
    /// Writes until the log is closed.
    pub(in crate::disk) fn run(mut self) {
        let log = self.log.clone();
        let _gone = Gone(&log);
        let mut late: Vec<Wakeup<()>> = Vec::new();
        let mut is_busy = false;
        loop {
            let Some(mut turn) = log.wait(is_busy) else {
                late.drain(..).for_each(|wakeup| wakeup.send());
                is_busy = false;
                continue;
            };
            is_busy = true;
            let is_last = turn.is_last;
            let mut answers = take(&mut turn.callers);
            if let Err(error) = self.write(&turn) {
                answers.clear();
                if !self.recover(&mut turn, &error) {
                    return;
                }
            }
            if let Some((_, reply)) = turn.cut {
                // A keeper that has gone away needs no answer.
                let _ = reply.try_send(self.segment.number);
            }
            log.durable.store(turn.position, Ordering::Release);
            log.give_back(turn.frames);
            let wakeups = wakeup::answer(answers.into_iter().map(|caller| (caller, ())));
            late.drain(..).for_each(|wakeup| wakeup.send());
            late = wakeups;
            if is_last {
                late.drain(..).for_each(|wakeup| wakeup.send());
                self.segment.finish();
                return;
            }
        }
    }

    fn write(&mut self, turn: &Turn) -> io::Result<()> {
        let frames = match &turn.cut {
            Some((at, _)) => {
                let (before, behind) = turn.frames.split_at(*at);
                self.append(before)?;
                self.begin(self.segment.number + 1, first_position(behind, turn))?;
                self.grown = 0;
                behind
            }
            None => turn.frames.as_slice(),
        };
        let needed = frames.len() as u64;
        if !frames.is_empty() && self.spares.is_wanted(&self.segment, needed) {
            self.begin(self.segment.number + 1, first_position(frames, turn))?;
        }
        self.append(frames)
    }

    fn append(&mut self, frames: &[u8]) -> io::Result<()> {
        if frames.is_empty() {
            return Ok(());
        }
        self.segment.file.write_all(frames)?;
        self.segment.file.sync_data()?;
        self.segment.size += frames.len() as u64;
        self.segment.room = self.segment.room.max(self.segment.size);
        self.grown += frames.len() as u64;
        if self.grown >= self.most {
            // Full: it has been told, and has not come to it yet.
            let _ = self.keeper.try_send(());
        }
        Ok(())
    }

    /// Begins the segment `number` with the frame at `first`.
    fn begin(&mut self, number: u64, first: u64) -> io::Result<()> {
        let header = Header {
            magic: Files::Segment.magic(),
            number,
            first,
        };
        let next = match self.spares.take() {
            Some(spare) => spare.begin(&self.folder, &header)?,
            None => {
                let file = self.folder.segment(number, &header.to_bytes())?;
                Segment::growing(file, number)
            }
        };
        self.segment.finish();
        self.segment = next;
        Ok(())
    }

    /// Tries to write what could not be written to a new segment, until that succeeds or the log
    /// is closed. What the failed segment holds of it is skipped when it is read.
    ///
    /// `false`: the log was closed before that.
    ///
    /// The same segment is not tried again: after a failed sync nobody knows what of it is on the
    /// disk.
    fn recover(&mut self, turn: &mut Turn, error: &io::Error) -> bool {
        let log = self.log.clone();
        log.has_failed.store(true, Ordering::Release);
        log::error!("the journal of the store cannot be written, which is tried again: {error}");
        let mut pause = FIRST_PAUSE;
        let next = self.segment.number + 1;
        loop {
            let is_last = log.pause(pause);
            turn.frames.append(&mut log.state().frames);
            let first = first_position(&turn.frames, turn);
            match self
                .begin(next, first)
                .and_then(|()| self.append(&turn.frames))
            {
                Ok(()) => break,
                Err(_) if is_last => return false,
                Err(_) => pause = (pause * 2).min(LAST_PAUSE),
            }
        }
        log::info!("the journal of the store can be written again");
        log.has_failed.store(false, Ordering::Release);
        true
    }
}

/// The position of the first of these frames, or of the one behind the turn.
fn first_position(frames: &[u8], turn: &Turn) -> u64 {
    let mut content = Vec::new();
    let first = frame::read(&mut &*frames, &mut content);
    first.ok().flatten().unwrap_or(turn.position + 1)
}

//! The one thread that writes: group commit, and getting up again after the disk has failed.

use std::mem::take;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use logout_core::store::StoreUnavailable;

use super::due::Due;
use super::engine::{Engine, OpenError};
use super::group::{Decided, Group};
use super::index::Members;
use super::queue::{Queue, Waiting};
use crate::wakeup::{PASS_ON, Wakeup};

/// A group is committed when it has grown to this, so that the first of many need not wait for the
/// last.
const GROUP: usize = 512;
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// What callers and the writer share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) queue: Queue,
    /// Absent while the database cannot be trusted.
    engine: RwLock<Option<Arc<Engine>>>,
}

impl Shared {
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            queue: Queue::default(),
            engine: RwLock::new(Some(Arc::new(engine))),
        }
    }

    /// The database, for reading.
    pub(super) fn engine(&self) -> Result<Arc<Engine>, StoreUnavailable> {
        self.engine
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or(StoreUnavailable)
    }

    fn set_engine(&self, engine: Option<Arc<Engine>>) -> Option<Arc<Engine>> {
        std::mem::replace(
            &mut *self.engine.write().unwrap_or_else(PoisonError::into_inner),
            engine,
        )
    }
}

/// Serves the queue until it is closed and empty.
pub(super) fn run(shared: &Shared, path: PathBuf, due: Due) {
    let _guard = Leaving(shared);
    let mut writer = Writer {
        shared,
        path,
        members: Members::default(),
        due,
        wakeups: Vec::new(),
        down: None,
    };
    let mut waiting = Waiting::default();
    while shared.queue.take(&mut waiting, writer.patience()) {
        writer.serve(&mut waiting);
    }
}

struct Writer<'s> {
    shared: &'s Shared,
    path: PathBuf,
    members: Members,
    due: Due,
    /// Answers of the last groups that one of their callers has been woken to pass on.
    wakeups: Vec<Wakeup>,
    down: Option<Down>,
}

/// When to try again to open the database.
struct Down {
    next: Instant,
    pause: Duration,
}

impl Writer<'_> {
    /// How long it may wait for something to come.
    fn patience(&self) -> Option<Duration> {
        let wakeups = (!self.wakeups.is_empty()).then_some(PASS_ON);
        let down = self
            .down
            .as_ref()
            .map(|down| down.next.saturating_duration_since(Instant::now()));
        wakeups.into_iter().chain(down).min()
    }

    /// Leaves `waiting` empty; whoever got no answer learns that the store is not available.
    fn serve(&mut self, waiting: &mut Waiting) {
        let overdue = take(&mut self.wakeups);
        if let Some(engine) = self.engine() {
            // Readers are turned away before anybody hears of the failure, so that nobody who has
            // heard of it can still be told something that the disk may not bear out.
            let withdraw = || drop(self.shared.set_engine(None));
            let committed = commit_all(
                &engine,
                &mut self.members,
                &mut self.due,
                &mut self.wakeups,
                waiting,
                &withdraw,
            );
            if let Err(fault) = committed {
                log::error!(
                    "the session store could not write and is not available until it can again: {fault}"
                );
                self.close(engine);
            }
        }
        overdue.iter().for_each(Wakeup::send);
        waiting.ends.clear();
        waiting.others.clear();
    }

    fn engine(&mut self) -> Option<Arc<Engine>> {
        if self
            .down
            .as_ref()
            .is_some_and(|down| down.next <= Instant::now())
        {
            self.reopen();
        }
        self.shared.engine().ok()
    }

    /// fjall refuses every write after one has failed, and says nothing about which of its last
    /// bytes reached the disk. Only reading it back in from the disk makes a database of it again.
    fn close(&mut self, mut engine: Arc<Engine>) {
        self.members.clear();
        self.due.clear();
        self.down = Some(Down {
            next: Instant::now() + FIRST_RETRY,
            pause: FIRST_RETRY,
        });
        // The last to let go closes the files and gives up the lock, and that has to be us.
        while let Err(shared) = Arc::try_unwrap(engine).map(drop) {
            engine = shared;
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn reopen(&mut self) {
        let (due, path) = (&mut self.due, &self.path);
        match Engine::reopen(path).and_then(|engine| due.load(&engine, path).map(|()| engine)) {
            Ok(engine) => {
                self.shared.set_engine(Some(Arc::new(engine)));
                self.down = None;
                log::info!("the session store is available again");
            }
            Err(fault) => {
                self.put_off(&fault);
            }
        }
    }

    fn put_off(&mut self, fault: &OpenError) {
        log::debug!("the session store is still not available: {fault}");
        let pause = self
            .down
            .as_ref()
            .map_or(FIRST_RETRY, |down| (down.pause * 2).min(LAST_RETRY));
        self.down = Some(Down {
            next: Instant::now() + pause,
            pause,
        });
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.wakeups.iter().for_each(Wakeup::send);
    }
}

fn commit_all(
    engine: &Engine,
    members: &mut Members,
    due: &mut Due,
    wakeups: &mut Vec<Wakeup>,
    waiting: &mut Waiting,
    withdraw: &impl Fn(),
) -> fjall::Result<()> {
    let expected = GROUP.min(waiting.len());
    let mut group = Group::new(engine, members, due, expected);
    for end in waiting.ends.drain(..) {
        if let Err(fault) = group.end(&end.order, end.caller) {
            let _ = StoreUnavailable::from(fault);
        }
        if group.is_full(GROUP) {
            wakeups.extend(group.commit(withdraw)?);
            group = Group::new(engine, members, due, expected);
        }
    }
    for job in waiting.others.drain(..) {
        let mut job = Some(job);
        while let Some(next) = job.take() {
            let conflict = match group.decide(next) {
                Ok(Decided::Conflict(again)) => {
                    job = Some(again);
                    true
                }
                Ok(Decided::Done) => false,
                Err(fault) => {
                    let _ = StoreUnavailable::from(fault);
                    false
                }
            };
            if conflict || group.is_full(GROUP) {
                wakeups.extend(group.commit(withdraw)?);
                group = Group::new(engine, members, due, expected);
            }
        }
    }
    wakeups.extend(group.commit(withdraw)?);
    Ok(())
}

/// When the writer is gone, for whatever reason, nothing can be promised any more.
struct Leaving<'s>(&'s Shared);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.queue.abandon();
        self.0.set_engine(None);
    }
}

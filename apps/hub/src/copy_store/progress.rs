//! How far it has come, for whoever waits: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);

pub(super) enum Progress {
    Bar(ProgressBar),
    Lines {
        what: &'static str,
        state: Mutex<(u64, Instant)>,
    },
}

impl Progress {
    /// Of about `size_hint` records.
    pub(super) fn start(what: &'static str, size_hint: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            log::info!("{what} about {size_hint} records");
            return Self::Lines {
                what,
                state: Mutex::new((0, Instant::now())),
            };
        }
        let style = ProgressStyle::with_template(
            "{msg} {wide_bar} {human_pos} of about {human_len}, {eta} left",
        );
        let bar = ProgressBar::new(size_hint).with_message(what);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self::Bar(bar)
    }

    pub(super) fn advance(&self, count: usize) {
        match self {
            Self::Bar(bar) => {
                bar.inc(count as u64);
                // How many there are was an estimate.
                if bar.length().is_some_and(|length| length < bar.position()) {
                    bar.set_length(bar.position());
                }
            }
            Self::Lines { what, state } => {
                let mut state = state
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                state.0 += count as u64;
                if state.1.elapsed() >= PAUSE {
                    state.1 = Instant::now();
                    log::info!("{what}: {} records so far", state.0);
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        match self {
            Self::Bar(bar) => bar.finish_and_clear(),
            Self::Lines { what, state } => {
                let count = state
                    .get_mut()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .0;
                log::info!("{what}: {count} records");
            }
        }
    }
}

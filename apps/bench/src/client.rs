//! The load: connections that each send the next request when the last is answered (a closed
//! loop), or requests at a fixed rate (an open loop).

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::answer::Answer;
use crate::requests::Requests;

/// For how long a connection may lie idle that is used again. actix-web closes it after five
/// seconds.
const IDLE: Duration = Duration::from_secs(3);

/// The only answer that a request may get.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    /// Bytes of the head and the body.
    pub(crate) length: usize,
}

impl From<&Answer> for Expected {
    fn from(answer: &Answer) -> Self {
        Self {
            status: answer.status,
            length: answer.length,
        }
    }
}

/// How long answers took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn {
    /// From the first request to the last answer.
    pub(crate) seconds: f64,
    /// Nanoseconds until each answer, sorted.
    pub(crate) latencies: Vec<u64>,
}

impl Turn {
    pub(crate) fn new(seconds: f64, mut latencies: Vec<u64>) -> Self {
        latencies.sort_unstable();
        Self { seconds, latencies }
    }

    /// Answers a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    /// The latency that this share of the answers did not exceed, in milliseconds.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index from a share between 0 and 1"
    )]
    pub(crate) fn millis(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        self.latencies.get(index).copied().unwrap_or(0) as f64 / 1e6
    }
}

/// Where to send which requests.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Rc<Requests>,
    pub(crate) connections: usize,
    /// None: any answer of status 200 or 302.
    pub(crate) expected: Option<Expected>,
}

impl Load {
    /// Sends each request once, or only so many of the first as are answered within `limit`, in a
    /// closed loop. With `repeat` the first request follows the last until `limit` is over.
    ///
    /// # Errors
    /// A request gets no answer, or another one than the expected.
    pub(crate) async fn closed(
        &self,
        limit: Option<Duration>,
        repeat: bool,
    ) -> std::io::Result<Turn> {
        let mut streams = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            streams.push(connect(self.address).await?);
        }
        let next = Rc::new(Cell::new(0));
        let started = Instant::now();
        let deadline = limit.map(|limit| started + limit);
        let tasks: Vec<_> = streams
            .into_iter()
            .map(|stream| {
                let (load, next) = (self.clone(), next.clone());
                tokio::task::spawn_local(load.in_a_row(stream, next, deadline, repeat))
            })
            .collect();
        let mut latencies = Vec::with_capacity(self.requests.len());
        for task in tasks {
            latencies.extend(task.await??);
        }
        Ok(Turn::new(started.elapsed().as_secs_f64(), latencies))
    }

    async fn in_a_row(
        self,
        mut stream: TcpStream,
        next: Rc<Cell<usize>>,
        deadline: Option<Instant>,
        repeat: bool,
    ) -> std::io::Result<Vec<u64>> {
        let mut latencies = Vec::new();
        let mut buffer = vec![0; 8 * 1024];
        let mut sent = Instant::now();
        while deadline.is_none_or(|deadline| sent < deadline) {
            let index = next.get();
            let Some(request) = self.requests.get(index, repeat) else {
                break;
            };
            next.set(index + 1);
            stream.write_all(request).await?;
            read_answer(&mut stream, &mut buffer, self.expected).await?;
            let answered = Instant::now();
            latencies.push(nanos(answered - sent));
            sent = answered;
        }
        Ok(latencies)
    }

    /// Sends `count` requests, from the first again after the last, `rate` a second, evenly in time
    /// and whatever becomes of those before. An idle connection takes the next request and waits
    /// for its time. A request whose time has come while all connections wait for answers is late,
    /// and its latency counts from that time. Brings the nanoseconds of each request.
    ///
    /// # Errors
    /// A request gets no answer, or another one than the expected.
    pub(crate) async fn open(&self, rate: f64, count: usize) -> std::io::Result<Vec<u64>> {
        let mut streams = Vec::with_capacity(self.connections.min(count));
        for _ in 0..self.connections.min(count) {
            streams.push(connect(self.address).await?);
        }
        let (sender, due) = mpsc::unbounded_channel();
        let due = Rc::new(Mutex::new(due));
        // On a thread of its own, because the runtime's timer counts whole milliseconds, which is
        // longer than most answers take.
        std::thread::spawn(move || pace(&sender, rate, count));
        let tasks: Vec<_> = streams
            .into_iter()
            .map(|stream| tokio::task::spawn_local(self.clone().on_time(stream, due.clone())))
            .collect();
        let mut latencies = vec![0; count];
        for task in tasks {
            for (index, nanos) in task.await?? {
                latencies[index] = nanos;
            }
        }
        Ok(latencies)
    }

    async fn on_time(
        self,
        mut stream: TcpStream,
        due: Rc<Mutex<UnboundedReceiver<Due>>>,
    ) -> std::io::Result<Vec<(usize, u64)>> {
        let mut latencies = Vec::new();
        let mut buffer = vec![0; 8 * 1024];
        let mut used = Instant::now();
        loop {
            // Idle connections queue here. The first of them waits for the next request's time.
            let next = due.lock().await.recv().await;
            let Some((index, due)) = next else {
                return Ok(latencies);
            };
            let Some(request) = self.requests.get(index, true) else {
                return Ok(latencies);
            };
            if used.elapsed() > IDLE {
                stream = connect(self.address).await?;
            }
            stream.write_all(request).await?;
            read_answer(&mut stream, &mut buffer, self.expected).await?;
            used = Instant::now();
            latencies.push((index, nanos(used.saturating_duration_since(due))));
        }
    }
}

/// A request by its index, and the time when it is due.
type Due = (usize, Instant);

/// Names each request when its time has come, or up to a tenth of a millisecond later.
fn pace(sender: &UnboundedSender<Due>, rate: f64, count: usize) {
    let started = Instant::now();
    for index in 0..count {
        #[expect(clippy::cast_precision_loss, reason = "a time")]
        let due = started + Duration::from_secs_f64(index as f64 / rate);
        let left = due.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            std::thread::sleep(left);
        }
        // The load has failed.
        if sender.send((index, due)).is_err() {
            return;
        }
    }
}

async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads one answer whole.
async fn read_answer(
    stream: &mut TcpStream,
    buffer: &mut [u8],
    expected: Option<Expected>,
) -> std::io::Result<()> {
    let mut filled = 0;
    loop {
        let count = stream.read(&mut buffer[filled..]).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        filled += count;
        let bytes = &buffer[..filled];
        if expected.is_some_and(|expected| {
            filled == expected.length && status(bytes) == Some(expected.status)
        }) {
            return Ok(());
        }
        // Parsed only where it is not the expected one, or not whole.
        if let Some(answer) = Answer::parse(bytes).map_err(other)? {
            return match expected {
                None if [200, 302].contains(&answer.status) => Ok(()),
                _ => Err(other(format!("an unexpected answer: {answer}"))),
            };
        }
    }
}

fn other(problem: impl ToString) -> std::io::Error {
    std::io::Error::other(problem.to_string())
}

fn status(answer: &[u8]) -> Option<u16> {
    let digits = answer.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    str::from_utf8(digits).ok()?.parse().ok()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;

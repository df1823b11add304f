//! The load: a fixed number of connections, each sending its next request when the last is
//! answered; or requests at a fixed rate.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// For how long a connection may lie idle that is used again. actix-web closes it after five
/// seconds.
const IDLE: Duration = Duration::from_secs(3);

/// What one turn showed.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// Answers per second.
    pub(crate) rate: f64,
    /// Nanoseconds from request to answer, sorted.
    pub(crate) latencies: Vec<u64>,
}

impl Turn {
    /// Several that were measured one after the other, as one.
    pub(crate) fn joined(parts: Vec<Self>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let seconds: f64 = parts
            .iter()
            .map(|part| part.latencies.len() as f64 / part.rate)
            .sum();
        let mut latencies: Vec<u64> = parts.into_iter().flat_map(|part| part.latencies).collect();
        latencies.sort_unstable();
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rate = latencies.len() as f64 / seconds;
        Self { rate, latencies }
    }

    /// The latency that this share of the answers stayed below.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        // Rounded to an index; a share is between 0 and 1.
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index"
        )]
        let index = (last as f64 * share).round() as usize;
        Duration::from_nanos(self.latencies.get(index).copied().unwrap_or(0))
    }
}

/// Sends each of `requests` once over `connections` connections and checks that every answer has
/// one of the statuses.
pub(crate) async fn load(
    address: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    connections: usize,
) -> std::io::Result<Turn> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let started = Instant::now();
    let tasks: Vec<_> = streams
        .into_iter()
        .map(|stream| {
            tokio::task::spawn_local(one_connection(stream, requests.clone(), next.clone()))
        })
        .collect();
    let mut latencies = Vec::with_capacity(requests.len());
    for task in tasks {
        latencies.extend(task.await??);
    }
    let seconds = started.elapsed().as_secs_f64();
    latencies.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = latencies.len() as f64 / seconds;
    Ok(Turn { rate, latencies })
}

/// Sends the requests of each list once, `rate` a second over all, evenly in time and whatever
/// becomes of those before. Each list has connections of its own, as many as it needs. Says what
/// each list showed.
pub(crate) async fn at_a_rate(
    address: SocketAddr,
    lists: Vec<Vec<Vec<u8>>>,
    rate: u32,
) -> std::io::Result<Vec<Turn>> {
    let started = Instant::now();
    let between = Duration::from_secs(1) * u32::try_from(lists.len().max(1)).unwrap_or(u32::MAX)
        / rate.max(1);
    let lists: Vec<_> = lists
        .into_iter()
        .map(|list| tokio::task::spawn_local(one_list(address, list, started, between)))
        .collect();
    let mut turns = Vec::with_capacity(lists.len());
    for list in lists {
        let mut latencies = list.await??;
        latencies.sort_unstable();
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rate = latencies.len() as f64 / started.elapsed().as_secs_f64();
        turns.push(Turn { rate, latencies });
    }
    Ok(turns)
}

async fn one_list(
    address: SocketAddr,
    list: Vec<Vec<u8>>,
    started: Instant,
    between: Duration,
) -> std::io::Result<Vec<u64>> {
    let idle = Idle::default();
    let mut tasks = Vec::with_capacity(list.len());
    for (count, request) in (0_u32..).zip(list) {
        let due = started + between * count;
        if due > Instant::now() {
            tokio::time::sleep_until(due.into()).await;
        }
        tasks.push(tokio::task::spawn_local(one_request(
            address,
            request,
            idle.clone(),
        )));
    }
    let mut latencies = Vec::with_capacity(tasks.len());
    for task in tasks {
        latencies.push(task.await??);
    }
    Ok(latencies)
}

/// Connections that wait for a request, and since when.
type Idle = Rc<RefCell<Vec<(TcpStream, Instant)>>>;

/// Over a connection that is idle, or else over a new one.
async fn one_request(address: SocketAddr, request: Vec<u8>, idle: Idle) -> std::io::Result<u64> {
    let sent = Instant::now();
    let latest = idle.borrow_mut().pop();
    let mut stream = match latest {
        Some((stream, since)) if since.elapsed() < IDLE => stream,
        _ => TcpStream::connect(address).await?,
    };
    stream.set_nodelay(true)?;
    stream.write_all(&request).await?;
    read_answer(&mut stream, &mut vec![0; 8 * 1024]).await?;
    let nanos = u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX);
    idle.borrow_mut().push((stream, Instant::now()));
    Ok(nanos)
}

async fn one_connection(
    mut stream: TcpStream,
    requests: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
) -> std::io::Result<Vec<u64>> {
    let mut latencies = Vec::new();
    let mut buffer = vec![0; 8 * 1024];
    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let sent = Instant::now();
        stream.write_all(request).await?;
        read_answer(&mut stream, &mut buffer).await?;
        latencies.push(u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(latencies)
}

/// Reads one answer whole: the head, and as many bytes as its `content-length` says.
async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<()> {
    let mut filled = 0;
    loop {
        let count = stream.read(&mut buffer[filled..]).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        filled += count;
        let answer = &buffer[..filled];
        if let Some(end) = find(answer, b"\r\n\r\n") {
            if !(answer.starts_with(b"HTTP/1.1 302") || answer.starts_with(b"HTTP/1.1 200")) {
                return Err(std::io::Error::other(
                    String::from_utf8_lossy(answer).into_owned(),
                ));
            }
            if filled >= end + 4 + content_length(&answer[..end]) {
                return Ok(());
            }
        }
    }
}

fn content_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"\r\ncontent-length: ";
    let digits = find(head, NAME).map_or(&head[..0], |at| &head[at + NAME.len()..]);
    digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len())
        .position(|window| window == needle)
}

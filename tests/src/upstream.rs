//! An upstream that does what a test tells it to, bytes and all.

use std::collections::VecDeque;
use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// How long a test waits for a request.
const PATIENCE: Duration = Duration::from_secs(30);

/// What becomes of one connection.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// These bytes, then the end.
    Answer(Vec<u8>),
    /// A proper head, then a byte every 50 ms, for ever.
    Drip,
    /// A proper head, then bytes without end as fast as they are taken.
    Endless,
    /// Nothing, for as long as the other side waits.
    Hang,
    /// What this makes of the request.
    Play(Play),
    /// The end, before any byte.
    Slam,
}

/// Makes an answer of a request.
#[derive(Clone)]
pub struct Play(Arc<Answering>);

type Answering = dyn Fn(&str) -> Vec<u8> + Send + Sync;

impl fmt::Debug for Play {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Play")
    }
}

impl Behaviour {
    /// An answer with this status line, further header lines (each with its line end) and body.
    pub fn answer(status: &str, headers: &str, body: &str) -> Self {
        Self::Answer(Self::bytes(status, headers, body))
    }

    /// A product that keeps state: what `play` makes of each request, bytes of [`Behaviour::bytes`]
    /// say.
    pub fn play(play: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::Play(Play(Arc::new(play)))
    }

    /// The bytes of an answer with this status line, further header lines (each with its line end)
    /// and body.
    pub fn bytes(status: &str, headers: &str, body: &str) -> Vec<u8> {
        format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

/// A server on loopback that handles one connection after the other as it was told, and keeps what
/// it was sent.
#[derive(Debug)]
pub struct ScriptedUpstream {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    script: Mutex<Script>,
    arrived: Condvar,
}

#[derive(Debug)]
struct Script {
    next: VecDeque<Behaviour>,
    then: Behaviour,
    requests: Vec<String>,
    closed: bool,
}

impl ScriptedUpstream {
    /// Starts one that does `next` in turn, and `then` for ever after.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start(next: impl IntoIterator<Item = Behaviour>, then: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let script = Script {
            next: next.into_iter().collect(),
            then,
            requests: Vec::new(),
            closed: false,
        };
        let state = Arc::new(State {
            script: Mutex::new(script),
            arrived: Condvar::new(),
        });
        let serving = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.script.lock().unwrap().closed {
                    return;
                }
                let serving = serving.clone();
                thread::spawn(move || serving.serve(stream));
            }
        });
        Self { address, state }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base address, without a slash at its end.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it does this.
    ///
    /// # Panics
    /// When one of its threads has panicked.
    pub fn now(&self, then: Behaviour) {
        let mut script = self.state.script.lock().unwrap();
        script.next.clear();
        script.then = then;
    }

    /// The requests so far, as they came.
    ///
    /// # Panics
    /// When one of its threads has panicked.
    pub fn requests(&self) -> Vec<String> {
        self.state.script.lock().unwrap().requests.clone()
    }

    /// Waits until there are `count` requests.
    ///
    /// # Panics
    /// When they do not come.
    pub fn wait_for(&self, count: usize) -> Vec<String> {
        let script = self.state.script.lock().unwrap();
        let (script, timeout) = self
            .state
            .arrived
            .wait_timeout_while(script, PATIENCE, |script| script.requests.len() < count)
            .unwrap();
        assert!(
            !timeout.timed_out(),
            "{} of {count} requests came",
            script.requests.len()
        );
        script.requests.clone()
    }
}

impl Drop for ScriptedUpstream {
    fn drop(&mut self) {
        if let Ok(mut script) = self.state.script.lock() {
            script.closed = true;
        }
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn serve(&self, mut stream: TcpStream) {
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let Some(request) = read_request(&mut stream) else {
            return;
        };
        let behaviour = {
            let mut script = self.script.lock().unwrap();
            script.requests.push(request.clone());
            self.arrived.notify_all();
            script
                .next
                .pop_front()
                .unwrap_or_else(|| script.then.clone())
        };
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
        match behaviour {
            Behaviour::Answer(bytes) => drop(stream.write_all(&bytes)),
            Behaviour::Drip => {
                let mut open = stream.write_all(head).is_ok();
                while open && !self.script.lock().unwrap().closed {
                    thread::sleep(Duration::from_millis(50));
                    open = stream.write_all(b" ").is_ok();
                }
            }
            Behaviour::Endless => {
                let mut open = stream.write_all(head).is_ok();
                while open {
                    open = stream.write_all(&[b' '; 16 * 1024]).is_ok();
                }
            }
            Behaviour::Play(play) => drop(stream.write_all(&(play.0)(&request))),
            // Until the other side has had enough and closes.
            Behaviour::Hang => drop(stream.read(&mut [0])),
            Behaviour::Slam => {}
        }
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// A whole request as text; `None` when the connection ends before it does.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let (mut received, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .map_or(0, |value| value.trim().parse().unwrap_or(0));
            if received.len() >= end + 4 + length {
                return Some(String::from_utf8_lossy(&received).into_owned());
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(read) => received.extend_from_slice(&chunk[..read]),
        }
    }
}

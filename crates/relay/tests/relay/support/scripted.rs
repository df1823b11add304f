//! An upstream on a socket of its own that plays what a script says, misbehaviour included.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use logout_core::upstream::UpstreamClient;
use logout_relay::{HttpClient, HttpClientSettings};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::dialect::SIGNED_OUT;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The request line and the headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn is(&self, method_and_path: &str) -> bool {
        self.head.starts_with(&format!("{method_and_path} "))
    }

    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let pairs = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        pairs
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

/// What the upstream does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Play {
    /// Sends these bytes as they are, then closes.
    Bytes(Vec<u8>),
    /// Closes without a word.
    Close,
    /// Sends a byte of the answer's body every few milliseconds, for ever.
    Drip,
    /// Sends a body that does not end, as fast as it is read.
    Endless,
    /// Says nothing and keeps the connection open.
    Hang,
}

impl Play {
    pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let head = format!(
            "HTTP/1.1 {status} Said\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        Self::Bytes([head.as_bytes(), body].concat())
    }

    pub(crate) fn signed_out() -> Self {
        Self::answer(200, &[("content-type", "application/json")], SIGNED_OUT)
    }
}

type Script = dyn Fn(&Seen, usize) -> Play + Send + Sync;

struct Stage {
    script: Box<Script>,
    seen: Mutex<Vec<Seen>>,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

/// An upstream that runs until it is dropped.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    stage: Arc<Stage>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scripted {
    /// Plays what `script` says of each request, given how many came before it.
    pub(crate) async fn start(
        script: impl Fn(&Seen, usize) -> Play + Send + Sync + 'static,
    ) -> Self {
        Self::listen(
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            None,
            script,
        )
    }

    /// The same, by TLS.
    pub(crate) async fn start_tls(
        certificate: &Certificate,
        script: impl Fn(&Seen, usize) -> Play + Send + Sync + 'static,
    ) -> Self {
        Self::listen(
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            Some(certificate.acceptor.clone()),
            script,
        )
    }

    pub(crate) fn listen(
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Seen, usize) -> Play + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let stage = Arc::new(Stage {
            script: Box::new(script),
            seen: Mutex::default(),
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
        });
        let playing = stage.clone();
        let task = tokio::spawn(async move {
            // Connections end with this task.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (stage, tls) = (playing.clone(), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => stage.play(socket).await,
                        Some(tls) => match tls.accept(socket).await {
                            Ok(socket) => stage.play(socket).await,
                            Err(_) => None,
                        },
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            address,
            stage,
            task,
        }
    }

    pub(crate) fn client(&self) -> Arc<dyn UpstreamClient> {
        client(self.address)
    }

    /// What came so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.stage.seen.lock().unwrap().clone()
    }

    /// How many requests were under way at once at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.stage.most_open.load(Ordering::SeqCst)
    }
}

impl Stage {
    async fn play(&self, mut socket: impl AsyncRead + AsyncWrite + Unpin) -> Option<()> {
        let seen = read(&mut socket).await?;
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_open.fetch_max(open, Ordering::SeqCst);
        let nth = {
            let mut all = self.seen.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        let play = (self.script)(&seen, nth);
        if !matches!(play, Play::Hang) {
            // Others get a chance to overlap.
            tokio::task::yield_now().await;
        }
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n";
        let played = match play {
            Play::Bytes(bytes) => {
                self.open.fetch_sub(1, Ordering::SeqCst);
                socket.write_all(&bytes).await.ok()?;
                return socket.shutdown().await.ok();
            }
            Play::Close => Some(()),
            Play::Drip => {
                socket.write_all(head).await.ok()?;
                loop {
                    if socket.write_all(b"x").await.is_err() {
                        break Some(());
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            Play::Endless => {
                socket.write_all(head).await.ok()?;
                while socket.write_all(&[b'x'; 4096]).await.is_ok() {}
                Some(())
            }
            Play::Hang => {
                // Until the other side has had enough.
                let _ = socket.read(&mut [0; 1]).await;
                Some(())
            }
        };
        self.open.fetch_sub(1, Ordering::SeqCst);
        played
    }
}

async fn read(socket: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let seen = Seen {
                head,
                body: bytes[end + 4..].to_vec(),
            };
            let length: usize = seen
                .header("content-length")
                .first()
                .map_or(0, |length| length.parse().unwrap());
            if seen.body.len() >= length {
                return Some(seen);
            }
        }
        let mut chunk = [0; 4096];
        let count = socket
            .read(&mut chunk)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    }
}

pub(crate) fn client(address: SocketAddr) -> Arc<dyn UpstreamClient> {
    Arc::new(
        HttpClient::new(HttpClientSettings::new(
            format!("http://{address}").parse().unwrap(),
        ))
        .unwrap(),
    )
}

/// A port that is taken, and where nobody listens until it is told to.
pub(crate) struct DeafPort {
    socket: TcpSocket,
    pub(crate) address: SocketAddr,
}

impl DeafPort {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    pub(crate) fn listen(self) -> TcpListener {
        self.socket.listen(128).unwrap()
    }
}

/// A certificate for `127.0.0.1` that nobody has signed but itself.
pub(crate) struct Certificate {
    folder: TempDir,
    acceptor: TlsAcceptor,
}

impl Certificate {
    pub(crate) fn new(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        Self {
            folder,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

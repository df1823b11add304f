//! The server that hostile requests are sent to, and what has to hold after each of them.

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use logout_hub::Vendor;
use logout_tests::http::Answer;
use logout_tests::server::Server;
use logout_tests::stores::StoreKind;
use tempfile::TempDir;

use crate::sample::{self, Sample, VENDORS, says_done};

/// How long an answer may take: longer than the server waits for a slow request.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server of every vendor, with sessions to spare.
pub(crate) struct Target {
    server: Server,
    sessions: RefCell<Vec<Sample>>,
    _folder: TempDir,
}

impl Target {
    pub(crate) fn start(store: StoreKind, sessions: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        sample::configure(folder.path(), store);
        let sessions = RefCell::new(sample::load(folder.path(), sessions));
        Self {
            server: Server::serve(folder.path()),
            sessions,
            _folder: folder,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// A session that is alive.
    pub(crate) fn session(&self, vendor: Vendor) -> Sample {
        let mut sessions = self.sessions.borrow_mut();
        let at = sessions
            .iter()
            .position(|sample| sample.vendor == vendor)
            .expect("enough sessions were loaded");
        sessions.swap_remove(at)
    }

    pub(crate) fn give_back(&self, sample: Sample) {
        self.sessions.borrow_mut().push(sample);
    }

    /// Sends these bytes, and nothing more, and reads the answer; `None` when the connection is
    /// closed without one.
    pub(crate) fn send(&self, bytes: &[u8]) -> Option<Answer> {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // The server may refuse before it has read all of it.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut received = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => received.extend_from_slice(&chunk[..read]),
                Err(fault) if fault.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("no answer to {}", shown(bytes))
                }
                Err(_) => break,
            }
        }
        Answer::parse(&received).ok()
    }

    /// Sends a request that presents a live session. Whatever the answer, it is no server error;
    /// and unless it says that the session was ended, the session is alive.
    pub(crate) fn assert_withstands(
        &self,
        vendor: Vendor,
        request: impl Fn(&str) -> Vec<u8>,
    ) -> Option<Answer> {
        let sample = self.session(vendor);
        let (name, value) = sample.header();
        let bytes = request(&format!("{name}: {value}\r\n"));
        let answer = self.send(&bytes);
        if let Some(answer) = &answer {
            assert!(
                answer.status < 500,
                "{} {} to {}",
                answer.status,
                answer.text(),
                shown(&bytes)
            );
        }
        if answer.as_ref().is_some_and(ended) {
            assert!(
                !sample.is_alive(self.address()),
                "{vendor} says that it is over, and it is not: {}",
                shown(&bytes)
            );
        } else {
            assert!(
                sample.is_alive(self.address()),
                "{vendor} has ended a session without saying so: {}",
                shown(&bytes)
            );
            self.give_back(sample);
        }
        answer
    }

    /// Nothing panicked meanwhile, nothing that strangers sent was logged as the hub's own error,
    /// and the server goes on.
    pub(crate) fn assert_sound(&self) {
        let errors = self.server.errors();
        assert!(
            !errors.contains("panicked") && !errors.contains("ERROR"),
            "{errors}"
        );
        for vendor in VENDORS {
            let sample = self.session(vendor);
            assert!(sample.is_alive(self.address()), "{vendor}");
            assert!(
                says_done(vendor, &sample.sign_out().send(self.address())),
                "{vendor}"
            );
            assert!(!sample.is_alive(self.address()), "{vendor}");
        }
    }
}

/// Whether an answer says that a sign-out was done, in any of the vendor's forms. Only a sign-out
/// has a receipt.
pub(crate) fn ended(answer: &Answer) -> bool {
    answer.header("logout-receipt").is_some()
}

pub(crate) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(600)]).into_owned();
    format!("{text:?} ({} bytes)", bytes.len())
}

pub(crate) fn request(method: &str, target: &[u8], headers: &[u8], body: &[u8]) -> Vec<u8> {
    let length = format!(
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [
        method.as_bytes(),
        b" ",
        target,
        b" HTTP/1.1\r\nHost: hub\r\n",
        headers,
        length.as_bytes(),
        body,
    ]
    .concat()
}

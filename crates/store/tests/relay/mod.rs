//! A way between two programs that can be slow, and break.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Carries bytes between whoever connects to its port and a server on this machine. What it does to
/// them, it does to what the server says: a store's orders always arrive, and so does what a
/// replica asks for.
pub(crate) struct Relay {
    pub(crate) port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    milliseconds: AtomicU64,
    cuts: AtomicBool,
}

impl Relay {
    pub(crate) fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (port, state) = (
            listener.local_addr().expect("an address").port(),
            Arc::<State>::default(),
        );
        let shared = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                let (Ok(to_server), Ok(to_client)) = (server.try_clone(), client.try_clone())
                else {
                    continue;
                };
                let state = shared.clone();
                std::thread::spawn(move || carry(client, to_server, &State::default()));
                std::thread::spawn(move || carry(server, to_client, &state));
            }
        });
        Self { port, state }
    }

    /// How long what the server says is on its way from now on.
    pub(crate) fn delay(&self, by: Duration) {
        self.state.milliseconds.store(
            u64::try_from(by.as_millis()).expect("not that long"),
            Ordering::SeqCst,
        );
    }

    /// Whether connections break in the middle of what the server says next. What is on its way is
    /// lost too.
    pub(crate) fn cut(&self, cuts: bool) {
        self.state.cuts.store(cuts, Ordering::SeqCst);
    }
}

/// Until one side is gone, or the way is cut.
fn carry(mut from: TcpStream, mut to: TcpStream, state: &State) {
    // As much as is there at once: what waits behind a delay must not queue up.
    let mut bytes = vec![0; 1 << 20];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        std::thread::sleep(Duration::from_millis(
            state.milliseconds.load(Ordering::SeqCst),
        ));
        let cuts = state.cuts.load(Ordering::SeqCst);
        let arriving = if cuts { length / 2 } else { length };
        if to.write_all(&bytes[..arriving]).is_err() || cuts {
            break;
        }
    }
    drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
}

//! What it costs to read a request, over its size: every route of every vendor, with cookies that
//! fill 1 to 127 KiB.
//!
//! The cost is the time of one answer on a connection that stays open, by a server with one worker,
//! as the median of many.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use clap::Args;

use crate::answer::Answer;
use crate::dialect::{VENDORS, provider};
use crate::hub::{self, configuration};
use crate::process::BoxError;

/// Sizes of a request's head. A whole 128 KiB is more than the web framework reads.
const KIBIBYTES: [usize; 5] = [1, 8, 32, 64, 127];

/// What is measured.
#[derive(Args, Clone, Debug)]
pub(crate) struct Headers {
    /// How many requests of each kind and size.
    #[arg(long, default_value_t = 200)]
    requests: usize,
}

/// How the head is filled.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Twelve cookies that could be a session's.
    Own,
    /// A hundred and fifty cookies of others.
    Others,
    /// A session's cookie that is spread over many, said twice.
    Spread,
}

impl Headers {
    /// Prints a table: for each route and shape the nanoseconds for each byte, and by how much that
    /// grows.
    pub(crate) fn run(&self) -> Result<(), BoxError> {
        let sizes: Vec<String> = KIBIBYTES.iter().map(|size| format!("{size} KiB")).collect();
        println!(
            "| vendor | route | cookies | status | {} | growth |",
            sizes.join(" | ")
        );
        println!("|---|---|---|---|{}---|", "---:|".repeat(sizes.len()));
        for vendor in VENDORS {
            let folder = tempfile::tempdir()?;
            let hub = Running::start(vendor, folder.path())?;
            let check_token = std::fs::read_to_string(folder.path().join("check.token"))?;
            for (address, line, token) in routes(vendor, &hub)? {
                let token = if token {
                    format!("Logout-Check-Token: {}\r\n", check_token.trim())
                } else {
                    String::new()
                };
                for shape in shapes(vendor) {
                    self.measure(vendor, address, &line, &token, shape)?;
                }
            }
        }
        Ok(())
    }

    fn measure(
        &self,
        vendor: &str,
        address: SocketAddr,
        line: &str,
        token: &str,
        shape: Shape,
    ) -> Result<(), BoxError> {
        let mut costs = Vec::with_capacity(KIBIBYTES.len());
        let mut statuses: Vec<u16> = Vec::new();
        for size in KIBIBYTES.map(|size| size * 1024) {
            let start =
                format!("{line} HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n{token}Cookie: ");
            let request = format!(
                "{start}{}\r\n\r\n",
                cookies(vendor, shape, size.saturating_sub(start.len() + 4))
            );
            let mut connection = TcpStream::connect(address)?;
            connection.set_nodelay(true)?;
            let mut times = Vec::with_capacity(self.requests);
            for _ in 0..self.requests {
                let begun = Instant::now();
                connection.write_all(request.as_bytes())?;
                let status = answer(&mut connection)?;
                times.push(begun.elapsed());
                if !statuses.contains(&status) {
                    statuses.push(status);
                }
            }
            times.sort_unstable();
            costs.push(nanos_for_each(times[times.len() / 2], request.len()));
        }
        let cells: Vec<String> = costs.iter().map(|cost| format!("{cost:.1}")).collect();
        let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
        println!(
            "| {vendor} | {line} | {shape:?} | {} | {} | {:.2} |",
            statuses.join(", "),
            cells.join(" | "),
            growth(&costs)
        );
        Ok(())
    }
}

fn nanos_for_each(time: Duration, bytes: usize) -> f64 {
    time.as_secs_f64() * 1e9 / bytes as f64
}

/// By how much a byte costs more in a larger request than in a smaller one, at most. What falls
/// with the size grows by 1.
fn growth(costs: &[f64]) -> f64 {
    let grows = costs
        .iter()
        .enumerate()
        .flat_map(|(index, cost)| costs[..index].iter().map(move |smaller| cost / smaller));
    grows.fold(1.0, f64::max)
}

/// Every address of the vendor's stand-in, and the check; whether the check's token has to be
/// shown.
fn routes(vendor: &str, hub: &Running) -> Result<Vec<(SocketAddr, String, bool)>, BoxError> {
    let provider = provider(vendor)?;
    let mut lines: Vec<String> = Vec::new();
    for endpoint in provider
        .endpoints()
        .iter()
        .chain(provider.login_endpoints())
    {
        let path: String = endpoint.path().replace(['{', '}'], "");
        for line in endpoint
            .methods()
            .iter()
            .map(|method| format!("{} {path}", method.name()))
        {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    let mut routes: Vec<_> = lines
        .into_iter()
        .map(|line| (hub.address, line, false))
        .collect();
    routes.push((hub.admin_address, "GET /check/bench/".to_owned(), true));
    Ok(routes)
}

fn shapes(vendor: &str) -> Vec<Shape> {
    let mut shapes = vec![Shape::Own, Shape::Others];
    shapes.extend((vendor == "sitefinity").then_some(Shape::Spread));
    shapes
}

fn cookies(vendor: &str, shape: Shape, size: usize) -> String {
    let name = match vendor {
        "sitefinity" => ".AspNet.Cookies",
        "assets" => "authToken",
        "wix" => "smSession",
        _ => "LtpaToken2",
    };
    let filled = |names: &[String], first: &str| {
        let fixed: usize = names.iter().map(|name| name.len() + 3).sum();
        let each = size.saturating_sub(fixed + first.len()) / names.len().max(1);
        let all = names
            .iter()
            .enumerate()
            .map(|(index, name)| format!("{name}={}", value(index, each)));
        format!("{first}{}", all.collect::<Vec<_>>().join("; "))
    };
    match shape {
        Shape::Own => filled(&vec![name.to_owned(); 12], ""),
        Shape::Others => filled(
            &(0..150)
                .map(|index| format!("c{index}"))
                .collect::<Vec<_>>(),
            "",
        ),
        Shape::Spread => {
            let chunks: Vec<String> = (1..=30).map(|number| format!("{name}C{number}")).collect();
            filled(&chunks, &format!("{name}=chunks:30; {name}=chunks:29; "))
        }
    }
}

/// A value of `length` characters that differs from those of other indices.
fn value(index: usize, length: usize) -> String {
    let start = format!("{index}");
    format!("{start}{}", "a".repeat(length.saturating_sub(start.len())))
}

/// The status of an answer, which is read to its end.
fn answer(connection: &mut TcpStream) -> Result<u16, BoxError> {
    let (mut read, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let length = connection.read(&mut buffer)?;
        if length == 0 {
            return Err("the connection was closed before the answer's end".into());
        }
        read.extend_from_slice(&buffer[..length]);
        if let Some(answer) = Answer::parse(&read)? {
            return Ok(answer.status);
        }
    }
}

/// A hub in this process, on a thread of its own.
struct Running {
    address: SocketAddr,
    admin_address: SocketAddr,
    _stop: mpsc::Sender<()>,
}

impl Running {
    fn start(vendor: &str, folder: &std::path::Path) -> Result<Self, BoxError> {
        let (configuration, folder) = (configuration(vendor, 1), folder.to_owned());
        let (started, has_started) = mpsc::channel();
        let (stop, stopped) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                match hub::start(&configuration, &folder, None).await {
                    Err(fault) => drop(started.send(Err(fault.to_string()))),
                    Ok(hub) => {
                        drop(started.send(Ok((hub.address, hub.admin_address))));
                        let _ = actix_web::rt::task::spawn_blocking(move || stopped.recv()).await;
                        hub.stop().await;
                    }
                }
            });
        });
        let (address, admin_address) = has_started.recv()??;
        Ok(Self {
            address,
            admin_address,
            _stop: stop,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_by_how_much_a_byte_costs_more_in_a_larger_request() {
        assert!((growth(&[4.0, 2.0, 3.0, 1.0]) - 1.5).abs() < 1e-9);
        assert!((growth(&[4.0, 2.0, 1.0]) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn cookies_fill_what_they_are_to_fill() {
        for vendor in VENDORS {
            for shape in shapes(vendor) {
                for size in [4 << 10, 64 << 10] {
                    let length = cookies(vendor, shape, size).len();
                    assert!(
                        length <= size && length + 200 > size,
                        "{vendor} {shape:?} {size} {length}"
                    );
                }
            }
        }
    }
}

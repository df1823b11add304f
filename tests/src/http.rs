//! An HTTP client that sends exactly what it is given: odd targets, odd headers, nothing followed,
//! nothing kept.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request, as it goes over the wire.
#[derive(Clone, Debug, Default)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A request with this method and target.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            ..Self::default()
        }
    }

    /// `GET target`.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// `POST target`.
    pub fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With a urlencoded form.
    #[must_use]
    pub fn form(self, pairs: &[(&str, &str)]) -> Self {
        let encoded: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{}={}", percent_encode(name), percent_encode(value)))
            .collect();
        self.header("Content-Type", "application/x-www-form-urlencoded")
            .body(encoded.join("&"))
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.header("Content-Type", "application/json")
            .body(value.to_string())
    }

    /// Sends it to `address` and reads the whole answer.
    ///
    /// # Errors
    /// The connection broke, or what came back is no HTTP answer.
    pub fn try_send(&self, address: SocketAddr) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&self.bytes(address))?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Answer::parse(&answer)
    }

    /// Sends it to `address` and reads the whole answer.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn send(&self, address: SocketAddr) -> Answer {
        self.try_send(address)
            .unwrap_or_else(|fault| panic!("{} {}: {fault}", self.method, self.target))
    }

    /// Sends it over a connection that stays open, and reads an answer of the length that its head
    /// tells: for servers that do not close a connection when they are asked to.
    ///
    /// # Errors
    /// The connection broke, or what came back is no HTTP answer with a `Content-Length`.
    pub fn send_over(&self, stream: &mut TcpStream) -> io::Result<Answer> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&self.bytes(stream.peer_addr()?))?;
        let (mut received, mut chunk) = (Vec::new(), [0; 64 * 1024]);
        loop {
            if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
                let answer = Answer::parse(&received)?;
                let length: Option<usize> = answer
                    .header("content-length")
                    .and_then(|length| length.parse().ok());
                let no_length =
                    || io::Error::new(io::ErrorKind::InvalidData, "an answer without a length");
                if received.len() >= end + 4 + length.ok_or_else(no_length)? {
                    return Ok(answer);
                }
            }
            match stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => received.extend_from_slice(&chunk[..read]),
            }
        }
    }

    fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let given = |name: &str| {
            self.headers
                .iter()
                .any(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        if !given("host") {
            text += &format!("Host: {address}\r\n");
        }
        if !given("content-length")
            && !given("transfer-encoding")
            && (!self.body.is_empty() || self.method == "POST")
        {
            text += &format!("Content-Length: {}\r\n", self.body.len());
        }
        if !given("connection") {
            text += "Connection: close\r\n";
        }
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers in order, as they came.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads status, headers and body, as they come over the wire.
    ///
    /// # Errors
    /// That is no HTTP answer.
    pub fn parse(bytes: &[u8]) -> io::Result<Self> {
        let broken = || {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("no HTTP answer: {:?}", String::from_utf8_lossy(bytes)),
            )
        };
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = head.parse(bytes).map_err(|_| broken())? else {
            return Err(broken());
        };
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Ok(Self {
            status: head.code.ok_or_else(broken)?,
            headers: head
                .headers
                .iter()
                .map(|header| (header.name.to_owned(), text(header.value)))
                .collect(),
            body: bytes[length..].to_vec(),
        })
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers_named(name).next()
    }

    /// All headers of this name.
    pub fn headers_named<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The value of a cookie that the answer sets, the last one of that name; an empty one
    /// (cleared) too.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self
            .headers_named("set-cookie")
            .filter_map(|header| header.split(';').next()?.split_once('='));
        pairs
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .last()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|fault| panic!("{fault} in {:?}", self.text()))
    }
}

/// Percent-encodes everything but letters, digits and `-._~`.
pub fn percent_encode(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string()
}

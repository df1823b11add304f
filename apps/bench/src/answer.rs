//! A whole HTTP answer, as it came over the wire.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::process::BoxError;

/// Headers that the web framework writes by itself.
const FRAMEWORK: [&str; 2] = ["content-length", "date"];
/// More than any answer has.
const MOST_HEADERS: usize = 64;

/// One answer: its status, and all its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In the order of their names, which are in lower case.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    /// How many bytes the head and the body take.
    pub(crate) length: usize,
}

impl Answer {
    /// The answer that `bytes` begin with, unless its end is not among them.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, BoxError> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head) = response.parse(bytes)? else {
            return Ok(None);
        };
        let mut headers: Vec<(String, Vec<u8>)> = response
            .headers
            .iter()
            .map(|header| (header.name.to_ascii_lowercase(), header.value.to_owned()))
            .collect();
        // Stable, so that headers of one name stay in their order.
        headers.sort_by(|one, other| one.0.cmp(&other.0));
        if headers.iter().any(|(name, _)| name == "transfer-encoding") {
            return Err("an answer in chunks has no length that is known beforehand".into());
        }
        let body = headers.iter().find(|(name, _)| name == "content-length");
        let body = body.map_or(Ok(0), |(_, value)| {
            str::from_utf8(value)?
                .parse::<usize>()
                .map_err(BoxError::from)
        })?;
        let length = head + body;
        Ok(bytes.get(head..length).map(|body| Self {
            status: response.code.unwrap_or_default(),
            headers,
            body: body.to_owned(),
            length,
        }))
    }

    /// What a server answers to a request over a connection of its own, and the answer's bytes.
    pub(crate) async fn fetch(
        address: SocketAddr,
        request: &[u8],
    ) -> Result<(Self, Vec<u8>), BoxError> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request).await?;
        let mut bytes = Vec::new();
        loop {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err("a server closed the connection without a whole answer".into());
            }
            if let Some(answer) = Self::parse(&bytes)? {
                return Ok((answer, bytes));
            }
        }
    }

    /// Headers that the application has set.
    pub(crate) fn own_headers(&self) -> impl Iterator<Item = &(String, Vec<u8>)> {
        self.headers
            .iter()
            .filter(|(name, _)| !FRAMEWORK.contains(&name.as_str()))
    }

    /// Fails unless another answer has the same status, headers and size. Values may differ, as a
    /// receipt's id does, but not their lengths.
    pub(crate) fn expect_shape_of(&self, other: &Self) -> Result<(), BoxError> {
        let shape = |answer: &Self| -> Vec<(String, usize)> {
            let headers = answer.headers.iter();
            headers
                .map(|(name, value)| (name.clone(), value.len()))
                .collect()
        };
        if (self.status, self.length, shape(self)) == (other.status, other.length, shape(other)) {
            Ok(())
        } else {
            Err(format!("two servers should answer alike: {self} and {other}").into())
        }
    }

    /// Fails unless another answer is the same, its date aside.
    pub(crate) fn expect_equal(&self, other: &Self) -> Result<(), BoxError> {
        self.expect_shape_of(other)?;
        if self.own_headers().eq(other.own_headers()) && self.body == other.body {
            Ok(())
        } else {
            Err(format!("two servers should give one answer: {self} and {other}").into())
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} bytes (", self.status, self.length)?;
        for (name, value) in &self.headers {
            write!(f, "{name}: {}; ", String::from_utf8_lossy(value))?;
        }
        write!(f, "{})", String::from_utf8_lossy(&self.body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nContent-Length: 2\r\n\
                        set-cookie: b=2\r\n\
                        logout-receipt: 7\r\ndate: today\r\n\r\nok";

    fn parsed(text: &str) -> Answer {
        Answer::parse(text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn an_answer_is_parsed_once_it_is_whole() {
        for end in 0..TEXT.len() {
            assert!(Answer::parse(&TEXT.as_bytes()[..end]).unwrap().is_none());
        }
        let answer = parsed(&format!("{TEXT}HTTP/1.1 404"));
        assert_eq!((answer.status, answer.length), (200, TEXT.len()));
        assert_eq!(answer.body, b"ok");
        let own: Vec<&str> = answer
            .own_headers()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(own, ["logout-receipt", "set-cookie", "set-cookie"]);
    }

    #[test]
    fn answers_are_compared_by_shape_or_by_value() {
        let answer = parsed(TEXT);
        let later = parsed(&TEXT.replace("today", "later"));
        let another = parsed(&TEXT.replace("receipt: 7", "receipt: 8"));
        let longer = parsed(&TEXT.replace("receipt: 7", "receipt: 10"));
        assert!(answer.expect_equal(&later).is_ok());
        assert!(answer.expect_shape_of(&another).is_ok());
        assert!(answer.expect_equal(&another).is_err());
        assert!(answer.expect_shape_of(&longer).is_err());
    }

    #[test]
    fn an_answer_in_chunks_is_refused() {
        let text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
        assert!(Answer::parse(text.as_bytes()).is_err());
    }
}

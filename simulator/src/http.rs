//! Just enough HTTP/1.1, by hand: a library would not let us cut a response in two or never end its headers.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest header block that is read.
const MAX_HEAD: usize = 64 * 1024;
/// The longest body that is read.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// A request. Without `Debug`: it holds credentials.
#[derive(Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// What stands after the question mark.
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The address that the client comes from.
    pub(crate) peer: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    fn keep_alive(&self) -> bool {
        !self
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// A response before it is written.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The words behind the status; none means the usual ones.
    pub(crate) reason: Option<&'static str>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Response {
            status,
            reason: None,
            headers: vec![("Content-Type", content_type.to_owned())],
            body: body.into(),
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The status line and the headers, with the empty line. `length` as `Content-Length`, none for an open end.
    pub(crate) fn head(&self, date: &str, length: Option<usize>, keep_alive: bool) -> Vec<u8> {
        let reason = self.reason.unwrap_or_else(|| reason(self.status));
        let mut head = format!("HTTP/1.1 {} {reason}\r\nDate: {date}\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(length) = length.filter(|_| self.status != 204) {
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        head.push_str(if keep_alive {
            "Connection: keep-alive\r\n\r\n"
        } else {
            "Connection: close\r\n\r\n"
        });
        head.into_bytes()
    }
}

/// The words for a status.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}

/// Reads requests from a connection.
pub(crate) struct Reader {
    buffer: Vec<u8>,
    peer: String,
}

impl Reader {
    pub(crate) fn new(peer: String) -> Self {
        Reader {
            buffer: Vec::new(),
            peer,
        }
    }

    /// The next request, and whether the client wants the connection kept. None at the end of the connection, or when
    /// what comes is not HTTP.
    pub(crate) async fn next<S>(
        &mut self,
        stream: &mut S,
    ) -> std::io::Result<Option<(Request, bool)>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(end) = self.head_end(stream).await? else {
            return Ok(None);
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let Some(mut request) = parse_head(&head) else {
            return Ok(None);
        };
        request.peer.clone_from(&self.peer);
        if request
            .header("expect")
            .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
        {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let chunked = request
            .header("transfer-encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let body = if chunked {
            self.chunked(stream).await?
        } else {
            let length = request
                .header("content-length")
                .and_then(|value| value.parse().ok());
            self.exactly(stream, length.unwrap_or(0)).await?
        };
        let Some(body) = body else { return Ok(None) };
        request.body = body;
        let keep = request.keep_alive();
        Ok(Some((request, keep)))
    }

    async fn head_end<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
    ) -> std::io::Result<Option<usize>> {
        loop {
            if let Some(at) = self
                .buffer
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                return Ok(Some(at + 4));
            }
            if self.buffer.len() > MAX_HEAD || !self.more(stream).await? {
                return Ok(None);
            }
        }
    }

    async fn exactly<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        length: usize,
    ) -> std::io::Result<Option<Vec<u8>>> {
        if length > MAX_BODY {
            return Ok(None);
        }
        while self.buffer.len() < length {
            if !self.more(stream).await? {
                return Ok(None);
            }
        }
        Ok(Some(self.buffer.drain(..length).collect()))
    }

    async fn chunked<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
    ) -> std::io::Result<Option<Vec<u8>>> {
        let mut body = Vec::new();
        loop {
            let Some(line) = self.line(stream).await? else {
                return Ok(None);
            };
            let digits = line.split(';').next().unwrap_or_default().trim();
            let Ok(size) = usize::from_str_radix(digits, 16) else {
                return Ok(None);
            };
            if body.len().saturating_add(size) > MAX_BODY {
                return Ok(None);
            }
            let Some(chunk) = self.exactly(stream, size).await? else {
                return Ok(None);
            };
            body.extend_from_slice(&chunk);
            if self.line(stream).await?.is_none() {
                return Ok(None);
            }
            if size == 0 {
                return Ok(Some(body));
            }
        }
    }

    async fn line<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
    ) -> std::io::Result<Option<String>> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return Ok(Some(String::from_utf8_lossy(&line[..at]).into_owned()));
            }
            if self.buffer.len() > MAX_BODY || !self.more(stream).await? {
                return Ok(None);
            }
        }
    }

    async fn more<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> std::io::Result<bool> {
        Ok(stream.read_buf(&mut self.buffer).await? > 0)
    }
}

fn parse_head(head: &[u8]) -> Option<Request> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?, first.next()?);
    if !first.next()?.starts_with("HTTP/1.") {
        return None;
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        ..Request::default()
    })
}

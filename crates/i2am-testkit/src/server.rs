//! A server on the loopback address, for tests of what speaks HTTP.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// By name in lower case.
    pub headers: BTreeMap<String, String>,
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// Such as 200.
    pub status: u16,
    /// In this order.
    pub headers: Vec<(String, String)>,
    /// Sent to all but `HEAD`.
    pub body: Vec<u8>,
    /// After so many bytes of the body the connection ends.
    pub cut: Option<usize>,
}

impl Reply {
    /// Nothing but a status.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The content of a file, or the part that `request` asks for.
    pub fn content(request: &Request, content: &[u8]) -> Self {
        let range = request.headers.get("range");
        let start = range.and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .ok()
        });
        match start {
            None => Self::status(200).body(content),
            Some(start) if start >= content.len() => Self::status(416),
            Some(start) => {
                let (last, whole) = (content.len() - 1, content.len());
                Self::status(206)
                    .header("Content-Range", format!("bytes {start}-{last}/{whole}"))
                    .body(&content[start..])
            }
        }
    }
}

/// A server on the loopback address, and what it was asked.
pub struct Server {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// A server that answers as `answer` does; it gets the number of the request, from 0.
    ///
    /// # Panics
    /// If there is no port.
    pub fn start(answer: impl Fn(usize, &Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&log);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(request) = read(&stream) {
                    let number = {
                        let mut seen = seen.lock().expect("no answer panicked");
                        seen.push(request.clone());
                        seen.len() - 1
                    };
                    write(&stream, &request, &answer(number, &request));
                }
            }
        });
        Self { url, log }
    }

    /// What it was asked so far, as `GET /path`.
    ///
    /// # Panics
    /// If an answer panicked.
    pub fn asked(&self) -> Vec<String> {
        let log = self.log.lock().expect("no answer panicked");
        log.iter()
            .map(|request| format!("{} {}", request.method, request.path))
            .collect()
    }

    /// A header of every request so far.
    ///
    /// # Panics
    /// If an answer panicked.
    pub fn headers(&self, name: &str) -> Vec<Option<String>> {
        let log = self.log.lock().expect("no answer panicked");
        log.iter()
            .map(|request| request.headers.get(name).cloned())
            .collect()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    Some(Request {
        method,
        path,
        headers,
    })
}

fn write(mut stream: &TcpStream, request: &Request, reply: &Reply) {
    let mut head = vec![
        format!("HTTP/1.1 {} Reply", reply.status),
        "Connection: close".to_owned(),
        format!("Content-Length: {}", reply.body.len()),
    ];
    let headers = reply.headers.iter();
    head.extend(headers.map(|(name, value)| format!("{name}: {value}")));
    let head = head.join("\r\n") + "\r\n\r\n";
    let sent = reply.cut.unwrap_or(usize::MAX).min(reply.body.len());
    // A client may hang up as soon as it knows enough.
    let _ = stream.write_all(head.as_bytes());
    if request.method != "HEAD" {
        let _ = stream.write_all(&reply.body[..sent]);
    }
    let _ = stream.flush();
}

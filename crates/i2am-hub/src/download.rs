//! One file: what the hub says of it, and its bytes.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use i2am_files::{Action, FileError, create_dir, hexadecimal, sha256_file};
use sha1::{Digest as _, Sha1};
use ureq::Body;
use ureq::http::Response;

use crate::cache::is_hash;
use crate::http::{Ask, Client, header, shown};
use crate::{HubError, HubName, Progress};

/// Attempts in a row that bring nothing, after which a download is given up.
const ATTEMPTS: u32 = 5;

/// Bytes written at a time.
const CHUNK: usize = 1 << 18;

/// A file on the hub.
pub(crate) struct Remote {
    pub(crate) url: String,
    pub(crate) size: u64,
    /// SHA-256 of a large file, the hash that git has for a small one.
    pub(crate) hash: String,
}

impl Remote {
    /// Asks for size and hash of the file at `url`.
    pub(crate) fn of(client: &Client, name: &HubName, url: String) -> Result<Self, HubError> {
        let answer = client.ask(Ask::Head, &url)?;
        let status = answer.status();
        if !status.is_success() && !status.is_redirection() {
            return Err(client.refused(name, &url, "200 or a redirect", &answer));
        }
        let lacks = |expected: &'static str, found: Option<&str>| HubError::Answer {
            url: url.clone(),
            expected,
            found: found.map_or_else(
                || "none".to_owned(),
                |found| found.escape_debug().to_string(),
            ),
        };
        // A file that lies elsewhere has a size and a hash of its own; the others are of the redirect.
        let tag = header(&answer, "x-linked-etag").or_else(|| header(&answer, "etag"));
        let hash = tag.map(|tag| tag.trim_start_matches("W/").trim_matches('"'));
        let hash = hash.filter(|hash| is_hash(hash, 64) || is_hash(hash, 40));
        let expected = "the SHA-256 or the git hash of the file in `ETag`";
        let hash = hash.ok_or_else(|| lacks(expected, tag))?.to_owned();
        let own = header(&answer, "content-length").filter(|_| status.is_success());
        let size = header(&answer, "x-linked-size").or(own);
        let number = size.and_then(|size| size.parse().ok());
        let size = number.ok_or_else(|| lacks("the size of the file in `Content-Length`", size))?;
        Ok(Self { url, size, hash })
    }

    /// Makes `blob` this file. What an earlier attempt left is continued; if the whole then has another hash, it is loaded anew once.
    pub(crate) fn download(
        &self,
        client: &Client,
        name: &HubName,
        blob: &Path,
        progress: &dyn Progress,
    ) -> Result<(), HubError> {
        let mut unfinished = blob.as_os_str().to_owned();
        unfinished.push(".incomplete");
        let unfinished = Path::new(&unfinished);
        create_dir(blob.parent().unwrap_or(Path::new("")))?;
        let earlier = length(unfinished);
        progress.advance(earlier.min(self.size));
        let mut found = self.load(client, name, unfinished, progress)?;
        if found != self.hash && earlier > 0 {
            remove(unfinished)?;
            found = self.load(client, name, unfinished, progress)?;
        }
        if found != self.hash {
            remove(unfinished)?;
            let kind = if self.hash.len() == 64 {
                "SHA-256"
            } else {
                "git hash"
            };
            let (url, expected) = (self.url.clone(), self.hash.clone());
            return Err(HubError::Hash {
                url,
                kind,
                expected,
                found,
            });
        }
        std::fs::rename(unfinished, blob)
            .map_err(|cause| FileError::new(Action::Write, blob, cause))?;
        Ok(())
    }

    /// Loads until the file is whole, and hashes it.
    fn load(
        &self,
        client: &Client,
        name: &HubName,
        path: &Path,
        progress: &dyn Progress,
    ) -> Result<String, HubError> {
        let mut failed = 0;
        loop {
            let before = length(path);
            if before == self.size && path.exists() {
                return Ok(self.hash_of(path)?);
            }
            let start = if before > self.size { 0 } else { before };
            let unreachable = match self.attempt(client, name, path, start, progress) {
                Err(error @ HubError::Unreachable { .. }) => Some(error),
                other => {
                    other?;
                    None
                }
            };
            let found = length(path);
            failed = if found > before { 0 } else { failed + 1 };
            if failed == ATTEMPTS {
                let cut = HubError::Cut {
                    url: self.url.clone(),
                    expected: self.size,
                    found,
                    attempts: ATTEMPTS,
                };
                return Err(unreachable.unwrap_or(cut));
            }
            if found < self.size {
                client.pause(failed);
            }
        }
    }

    /// Appends what the server sends from `start` on; a connection that ends early is no error.
    fn attempt(
        &self,
        client: &Client,
        name: &HubName,
        path: &Path,
        start: u64,
        progress: &dyn Progress,
    ) -> Result<(), HubError> {
        let answer = client.ask(Ask::From(start), &self.url)?;
        let start = match answer.status().as_u16() {
            206 if starts_at(&answer, start) => start,
            // The server does not know ranges, and sends the whole.
            200 => 0,
            206 | 416 => return Ok(remove(path)?),
            _ => return Err(client.refused(name, &self.url, "200 or 206", &answer)),
        };
        let write = |cause| FileError::new(Action::Write, path, cause);
        let opened = OpenOptions::new().create(true).append(true).open(path);
        let mut file = opened.map_err(write)?;
        if start == 0 {
            file.set_len(0).map_err(write)?;
        }
        // One byte more than there should be shows that the file is too long.
        let body = answer.into_body().into_with_config().limit(u64::MAX);
        let mut body = body.reader().take((self.size - start).saturating_add(1));
        let mut chunk = vec![0; CHUNK];
        let mut written = start;
        loop {
            let count = match body.read(&mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(count) => count,
            };
            file.write_all(&chunk[..count]).map_err(write)?;
            written += count as u64;
            progress.advance(count as u64);
        }
        file.sync_all().map_err(write)?;
        if written > self.size {
            remove(path)?;
            return Err(HubError::Hash {
                url: shown(&self.url).to_owned(),
                kind: "a size in bytes of",
                expected: self.size.to_string(),
                found: "more".to_owned(),
            });
        }
        Ok(())
    }

    fn hash_of(&self, path: &Path) -> Result<String, FileError> {
        if self.hash.len() == 64 {
            return sha256_file(path);
        }
        let digest = || -> io::Result<String> {
            let mut hasher = Sha1::new();
            hasher.update(format!("blob {}\0", self.size));
            let mut file = File::open(path)?;
            let mut chunk = vec![0; CHUNK];
            loop {
                match file.read(&mut chunk)? {
                    0 => break,
                    count => hasher.update(&chunk[..count]),
                }
            }
            Ok(hexadecimal(&hasher.finalize()))
        };
        digest().map_err(|cause| FileError::new(Action::Read, path, cause))
    }
}

/// Whether a part of a file is the one from `start` on.
fn starts_at(answer: &Response<Body>, start: u64) -> bool {
    let range = header(answer, "content-range").and_then(|range| range.strip_prefix("bytes "));
    range.and_then(|range| range.split('-').next()?.parse().ok()) == Some(start)
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |found| found.len())
}

fn remove(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(FileError::new(Action::Write, path, cause))
        }
        _ => Ok(()),
    }
}

//! Requests to the hub and to where it sends us: redirects by hand, so that the token goes to no other server.

use std::path::Path;
use std::time::Duration;

use i2am_files::FileError;
use ureq::Body;
use ureq::http::{Response, StatusCode, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::{HubError, HubName, Settings};

/// Redirects followed for one request.
const REDIRECTS: usize = 10;

/// How often a server that is busy is asked.
const ATTEMPTS: u32 = 4;

/// Answers of a server that is busy or restarts.
const BUSY: [u16; 5] = [429, 500, 502, 503, 504];

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// What the hub itself says of a file; where the file lies elsewhere, nothing is asked there.
    Head,
    /// The content, wherever it lies, from this byte on.
    From(u64),
}

/// A client of one hub.
pub(crate) struct Client {
    agent: ureq::Agent,
    settings: Settings,
}

impl Client {
    /// A client that waits and trusts as `settings` say.
    pub(crate) fn new(settings: Settings) -> Result<Self, HubError> {
        let roots = match &settings.certificates {
            Some(path) => certificates(path)?,
            None => RootCerts::WebPki,
        };
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(settings.timeout))
            .timeout_recv_response(Some(settings.timeout))
            .timeout_per_read(Some(settings.timeout))
            .user_agent(concat!("i2am-bench/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build()
            .new_agent();
        Ok(Self { agent, settings })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Waits before another attempt, longer after each that failed.
    pub(crate) fn pause(&self, failed: u32) {
        std::thread::sleep(self.settings.pause * 2_u32.pow(failed.min(5)));
    }

    /// The answer to `ask` at `url`; a busy server is asked again.
    pub(crate) fn ask(&self, ask: Ask, url: &str) -> Result<Response<Body>, HubError> {
        let mut failed = 0;
        loop {
            let answer = self.follow(ask, url)?;
            failed += 1;
            if failed == ATTEMPTS || !BUSY.contains(&answer.status().as_u16()) {
                return Ok(answer);
            }
            match seconds(&answer, "retry-after") {
                Some(wait) => std::thread::sleep(wait.min(self.settings.timeout)),
                None => self.pause(failed - 1),
            }
        }
    }

    fn follow(&self, ask: Ask, url: &str) -> Result<Response<Body>, HubError> {
        let mut url = url.to_owned();
        for _ in 0..REDIRECTS {
            let answer = self.once(ask, &url)?;
            let is_redirect = matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            let target = header(&answer, "location").filter(|_| is_redirect);
            let Some(target) = target.map(|target| join(&url, target)) else {
                return Ok(answer);
            };
            if ask == Ask::Head && !self.is_hub(&target) {
                return Ok(answer);
            }
            url = target;
        }
        Err(HubError::Answer {
            url: shown(&url).to_owned(),
            expected: "a file",
            found: format!("more than {REDIRECTS} redirects in a row"),
        })
    }

    fn once(&self, ask: Ask, url: &str) -> Result<Response<Body>, HubError> {
        let mut request = match ask {
            Ask::Head => self.agent.head(url),
            Ask::From(_) => self.agent.get(url),
        };
        // A compressed answer has another size than the file.
        request = request.header("Accept-Encoding", "identity");
        if let Some(token) = self.settings.token.as_ref().filter(|_| self.is_hub(url)) {
            request = request.header("Authorization", format!("Bearer {}", token.secret()));
        }
        if let Ask::From(start @ 1..) = ask {
            request = request.header("Range", format!("bytes={start}-"));
        }
        request.call().map_err(|error| HubError::Unreachable {
            url: shown(url).to_owned(),
            reason: error.to_string(),
        })
    }

    /// Whether `url` is of the hub itself, which may know the token.
    fn is_hub(&self, url: &str) -> bool {
        origin(url) == origin(&self.settings.endpoint)
    }

    /// The error for an answer that has not what was asked for.
    pub(crate) fn refused(
        &self,
        name: &HubName,
        url: &str,
        expected: &'static str,
        answer: &Response<Body>,
    ) -> HubError {
        let token = self.settings.token.as_ref();
        let found = token.map_or_else(
            || format!("none in HF_TOKEN or {}", self.settings.token_file.display()),
            |token| format!("that of {}", token.origin()),
        );
        let code = header(answer, "x-error-code").unwrap_or_default();
        let message = header(answer, "x-error-message").unwrap_or_default();
        match (answer.status(), code) {
            (StatusCode::FORBIDDEN, _) | (StatusCode::UNAUTHORIZED, "GatedRepo") => {
                let reason = if message.is_empty() {
                    "no reason is given"
                } else {
                    message
                };
                HubError::Forbidden {
                    name: name.to_string(),
                    reason: reason.trim_end_matches('.').to_owned(),
                    page: format!("{}/{}", self.settings.endpoint, name.repository()),
                    found,
                }
            }
            (StatusCode::UNAUTHORIZED, _) => HubError::Unauthorized {
                name: name.to_string(),
                found,
            },
            (StatusCode::NOT_FOUND, code) => HubError::NotFound {
                name: name.to_string(),
                what: match code {
                    "RevisionNotFound" => format!("the revision `{}`", name.revision()),
                    "EntryNotFound" => format!("the file {}", shown(url)),
                    _ => format!("the repository `{}`", name.repository()),
                },
            },
            (status, _) => HubError::Status {
                url: shown(url).to_owned(),
                expected,
                found: format!("{status} {message}").trim_end().to_owned(),
            },
        }
    }
}

/// A header, if there is such a one that is text.
pub(crate) fn header<'a>(answer: &'a Response<Body>, name: &str) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}

fn seconds(answer: &Response<Body>, name: &str) -> Option<Duration> {
    let seconds = header(answer, name)?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// An address without its query, which may prove who asks.
pub(crate) fn shown(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

/// Scheme, host and port.
fn origin(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    Some((uri.scheme_str()?.to_owned(), uri.authority()?.to_string()))
}

/// Where a redirect at `url` to `target` leads.
fn join(url: &str, target: &str) -> String {
    match origin(url) {
        Some((scheme, host)) if target.starts_with('/') && !target.starts_with("//") => {
            format!("{scheme}://{host}{target}")
        }
        _ => target.to_owned(),
    }
}

/// `text` as it may stand in a path, whose slashes stay.
pub(crate) fn encoded(text: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encode).collect()
}

fn certificates(path: &Path) -> Result<RootCerts, HubError> {
    let pem = i2am_files::read(path)?;
    let refuse = |reason: String| {
        let cause = std::io::Error::new(std::io::ErrorKind::InvalidData, reason);
        FileError::new(i2am_files::Action::Read, path, cause)
    };
    let mut found: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) =
            item.map_err(|error| refuse(error.to_string()))?
        {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(refuse("expected certificates (PEM), found none".to_owned()).into());
    }
    Ok(RootCerts::new_with_certs(&found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_where_they_say() {
        let url = "https://hub/a/b?c";
        assert_eq!(join(url, "/d/e"), "https://hub/d/e");
        assert_eq!(join(url, "https://cdn/x?s=1"), "https://cdn/x?s=1");
        assert_eq!(shown("https://cdn/x?s=1"), "https://cdn/x");
        assert_eq!(encoded("a b/ü%.bin"), "a%20b/%C3%BC%25.bin");
    }

    #[test]
    fn a_token_is_for_one_server() {
        assert_eq!(origin("https://hub/a"), origin("https://hub/b?c"));
        for other in [
            "http://hub/a",
            "https://hub:8443/a",
            "https://hub.evil/a",
            "nothing",
        ] {
            assert_ne!(origin("https://hub/a"), origin(other), "{other}");
        }
    }
}

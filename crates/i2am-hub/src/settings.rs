//! Where the hub is, where its files are kept, and who asks: from the environment variables of the Python library.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::HubError;

/// The hub itself.
const ENDPOINT: &str = "https://huggingface.co";

/// What the Python library waits for a connection and for the next bytes.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Words of the Python library for a switch that is on.
const ON: [&str; 4] = ["1", "ON", "YES", "TRUE"];

/// What proves who asks. It is never shown, and sent to no other server than the hub.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    secret: String,
    origin: String,
}

impl Token {
    /// A token, and where it was read, for messages.
    pub fn new(secret: impl Into<String>, origin: impl Into<String>) -> Self {
        Self {
            secret: secret.into(),
            origin: origin.into(),
        }
    }

    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    /// Where it was read.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token from {}", self.origin)
    }
}

/// How to reach the hub.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server, without a slash at the end: `HF_ENDPOINT`, else the hub itself.
    pub endpoint: String,
    /// The folder of the cache: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else in `huggingface` in the user's cache folder.
    pub cache: PathBuf,
    /// `HF_TOKEN`, else what is in the file `HF_TOKEN_PATH`, else in `token` in `HF_HOME`; not with `HF_HUB_DISABLE_IMPLICIT_TOKEN`.
    pub token: Option<Token>,
    /// Where a token is looked for, for messages.
    pub token_file: PathBuf,
    /// `HF_HUB_OFFLINE`: nothing is asked of any server.
    pub offline: bool,
    /// `HF_HUB_DOWNLOAD_TIMEOUT`: how long a connection, or the next bytes, may take.
    pub timeout: Duration,
    /// `SSL_CERT_FILE`, else `REQUESTS_CA_BUNDLE`: certificates (PEM) to trust instead of Mozilla's.
    pub certificates: Option<PathBuf>,
    /// How long to wait after a first failed attempt; twice as long after the next, and so on.
    pub pause: Duration,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn from_environment() -> Result<Self, HubError> {
        Self::read(&|name| std::env::var_os(name))
    }

    /// Reads the environment variables that `variable` returns; empty ones are as if they were not set.
    ///
    /// # Errors
    /// A timeout that is no number of seconds, and no folder for the cache.
    pub fn read(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, HubError> {
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &str| get(name).map(|value| value.to_string_lossy().trim().to_owned());
        let is_on = |name: &str| {
            text(name).is_some_and(|value| ON.contains(&value.to_uppercase().as_str()))
        };
        let home = get("HF_HOME").map(PathBuf::from).or_else(|| {
            let cache = get("XDG_CACHE_HOME").map(PathBuf::from);
            let cache = cache.or_else(|| Some(PathBuf::from(get("HOME")?).join(".cache")));
            Some(cache?.join("huggingface"))
        });
        let cache = get("HF_HUB_CACHE").or_else(|| get("HUGGINGFACE_HUB_CACHE"));
        let cache = cache.map(PathBuf::from);
        let cache = cache.or_else(|| Some(home.as_ref()?.join("hub")));
        let cache = cache.ok_or_else(|| HubError::Setting {
            name: "HF_HOME",
            expected: "a folder for the cache, since HOME is not set either",
            found: "nothing".to_owned(),
        })?;
        let token_file = get("HF_TOKEN_PATH").map(PathBuf::from);
        let token_file = token_file.unwrap_or_else(|| {
            let folder = home.as_deref().or(cache.parent());
            folder.map_or_else(|| "token".into(), |folder| folder.join("token"))
        });
        let token = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]
            .iter()
            .find_map(|name| Some(Token::new(text(name)?, *name)));
        let token = token.or_else(|| {
            let secret = std::fs::read_to_string(&token_file).ok()?;
            let secret = secret.trim();
            (!secret.is_empty()).then(|| Token::new(secret, token_file.display().to_string()))
        });
        let timeout = match text("HF_HUB_DOWNLOAD_TIMEOUT") {
            None => TIMEOUT,
            Some(value) => {
                let seconds = value.parse().ok().filter(|seconds| *seconds > 0.0);
                let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                timeout.ok_or(HubError::Setting {
                    name: "HF_HUB_DOWNLOAD_TIMEOUT",
                    expected: "a number of seconds above 0",
                    found: value,
                })?
            }
        };
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned());
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache,
            token: token.filter(|_| !is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN")),
            token_file,
            offline: is_on("HF_HUB_OFFLINE"),
            timeout,
            certificates: get("SSL_CERT_FILE")
                .or_else(|| get("REQUESTS_CA_BUNDLE"))
                .map(PathBuf::from),
            pause: Duration::from_secs(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, HubError> {
        Settings::read(&|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_cache_is_that_of_the_python_library() {
        for (variables, cache, token) in [
            (
                &[("HOME", "/h")][..],
                "/h/.cache/huggingface/hub",
                "/h/.cache/huggingface/token",
            ),
            (
                &[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")],
                "/x/huggingface/hub",
                "/x/huggingface/token",
            ),
            (&[("HOME", "/h"), ("HF_HOME", "/f")], "/f/hub", "/f/token"),
            (
                &[("HOME", "/h"), ("HF_HUB_CACHE", "/c")],
                "/c",
                "/h/.cache/huggingface/token",
            ),
            (
                &[
                    ("HF_HOME", "/f"),
                    ("HF_HUB_CACHE", "/c"),
                    ("HF_TOKEN_PATH", "/t"),
                ],
                "/c",
                "/t",
            ),
            (
                &[("HF_HUB_CACHE", ""), ("HF_HOME", "/f")],
                "/f/hub",
                "/f/token",
            ),
        ] {
            let settings = read(variables).unwrap();
            assert_eq!(settings.cache, PathBuf::from(cache), "{variables:?}");
            assert_eq!(settings.token_file, PathBuf::from(token), "{variables:?}");
            assert_eq!(settings.endpoint, ENDPOINT);
            assert!(!settings.offline);
        }
    }

    #[test]
    fn the_token_is_found_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        assert!(read(&[("HF_HOME", home)]).unwrap().token.is_none());
        let file = folder.path().join("token");
        i2am_files::write_atomic(&file, "hf_file\n").unwrap();
        let of = |variables: &[(&str, &str)]| read(variables).unwrap().token;
        let stored = of(&[("HF_HOME", home)]).unwrap();
        assert_eq!(
            (stored.secret(), stored.origin()),
            ("hf_file", file.to_str().unwrap())
        );
        let named = of(&[("HF_HOME", home), ("HF_TOKEN", " hf_own ")]).unwrap();
        assert_eq!((named.secret(), named.origin()), ("hf_own", "HF_TOKEN"));
        assert_eq!(format!("{named:?}"), "Token from HF_TOKEN");
        assert_eq!(
            of(&[("HF_HOME", home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]),
            None
        );
    }

    #[test]
    fn switches_and_numbers() {
        let settings = read(&[
            ("HF_HOME", "/f"),
            ("HF_ENDPOINT", "http://localhost:8/"),
            ("HF_HUB_OFFLINE", "yes"),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "2.5"),
        ]);
        let settings = settings.unwrap();
        assert_eq!(settings.endpoint, "http://localhost:8");
        assert!(settings.offline);
        assert_eq!(settings.timeout, Duration::from_millis(2500));
        assert!(
            !read(&[("HF_HOME", "/f"), ("HF_HUB_OFFLINE", "0")])
                .unwrap()
                .offline
        );
        let error = read(&[("HF_HOME", "/f"), ("HF_HUB_DOWNLOAD_TIMEOUT", "soon")]);
        assert_eq!(
            error.unwrap_err().to_string(),
            "HF_HUB_DOWNLOAD_TIMEOUT: expected a number of seconds above 0, found soon"
        );
        let error = read(&[]).unwrap_err().to_string();
        assert!(
            error.starts_with("HF_HOME: expected a folder for the cache"),
            "{error}"
        );
    }
}

//! A small hub, and a second server that has its large files.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use i2am_hub::{Hub, Settings, Token};
use i2am_testkit::{Reply, Request, Server};
use sha1::{Digest as _, Sha1};

/// The commit of `main`.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Settings for this server, with a cache in `cache`.
pub(crate) fn settings(server: &Server, cache: &Path) -> Settings {
    Settings {
        endpoint: server.url.clone(),
        cache: cache.to_owned(),
        token: None,
        token_file: "/h/token".into(),
        offline: false,
        timeout: Duration::from_secs(5),
        certificates: None,
        pause: Duration::ZERO,
    }
}

/// A hub at this server.
pub(crate) fn client(server: &Server, cache: &Path) -> Hub<'static> {
    Hub::new(settings(server, cache), &()).unwrap()
}

/// A hub at this server, for a user with a token.
pub(crate) fn client_with_token(server: &Server, cache: &Path) -> Hub<'static> {
    let mut settings = settings(server, cache);
    settings.token = Some(Token::new("hf_secret", "HF_TOKEN"));
    Hub::new(settings, &()).unwrap()
}

/// The hash that git has for `content`.
pub(crate) fn git_hash(content: &[u8]) -> String {
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", content.len()));
    hasher.update(content);
    let digest = hasher.finalize();
    digest.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// What the hub says of the repository `owner/model`.
pub(crate) fn list() -> Reply {
    let files = ["README.md", "unet/config.json", "unet/model weights.bin"];
    let siblings: Vec<String> = files
        .iter()
        .map(|file| format!("{{\"rfilename\": \"{file}\"}}"))
        .collect();
    Reply::status(200).body(format!(
        "{{\"sha\": \"{COMMIT}\", \"siblings\": [{}]}}",
        siblings.join(", ")
    ))
}

/// A small file, which the hub has itself.
pub(crate) fn small(request: &Request, content: &[u8]) -> Reply {
    Reply::content(request, content).header("ETag", format!("\"{}\"", git_hash(content)))
}

/// The card of the repository.
pub(crate) const CARD: &[u8] = b"---\nlicense: mit\n---\n";

/// A file of a network.
pub(crate) const CONFIG: &[u8] = b"{}";

/// A hub whose weights lie at `cdn`, and are `weights` by their size and hash.
pub(crate) fn hub(cdn: &str, weights: &[u8]) -> Server {
    let cdn = format!("{cdn}/blob?Signature=secret");
    let (size, hash) = (weights.len(), i2am_files::sha256_hex(weights));
    Server::start(move |_, request| {
        let resolve = format!("/owner/model/resolve/{COMMIT}/");
        match (request.path.as_str(), request.path.strip_prefix(&resolve)) {
            ("/api/models/owner/model/revision/main", _) => list(),
            (_, Some("README.md")) => small(request, CARD),
            (_, Some("unet/config.json")) => small(request, CONFIG),
            (_, Some("unet/model%20weights.bin")) => Reply::status(302)
                .header("Location", &cdn)
                .header("X-Linked-Etag", format!("\"{hash}\""))
                .header("X-Linked-Size", size)
                .header("ETag", "\"of the redirect\""),
            _ => Reply::status(404).header("X-Error-Code", "EntryNotFound"),
        }
    })
}

/// So many bytes that differ.
pub(crate) fn weights(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * 31 % 251) as u8).collect()
}

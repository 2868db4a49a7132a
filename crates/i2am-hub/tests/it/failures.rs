//! What goes wrong, each with its message.

use std::fs;

use i2am_hub::{Hub, HubError, HubName};
use i2am_testkit::{Reply, Request, Server};

use crate::server::{COMMIT, client, client_with_token, hub, list, settings, weights};

fn name(text: &str) -> HubName {
    text.parse().unwrap()
}

/// The message for a hub that answers the question for the list of files so.
fn listed(reply: Reply, with_token: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(move |_, _| reply.clone());
    let hub = if with_token {
        client_with_token(&server, folder.path())
    } else {
        client(&server, folder.path())
    };
    let error = hub
        .list(&name("hf:owner/model@v1"))
        .unwrap_err()
        .to_string();
    error.replace(&server.url, "URL")
}

#[test]
fn refusals_say_what_to_do() {
    let refused = |status, code: &str| Reply::status(status).header("X-Error-Code", code);
    let gated = || {
        refused(403, "GatedRepo").header(
            "X-Error-Message",
            "Access to model owner/model is restricted.",
        )
    };
    for (reply, with_token, expected) in [
        (
            refused(401, "RepoNotFound"),
            false,
            "hf:owner/model@v1: the hub does not let this user read it (401): expected a token of a user who may, found none in HF_TOKEN or \
             /h/token; or the name is wrong, since the hub gives the same answer then",
        ),
        (
            Reply::status(401),
            true,
            "hf:owner/model@v1: the hub does not let this user read it (401): expected a token of a user who may, found that of HF_TOKEN; or \
             the name is wrong, since the hub gives the same answer then",
        ),
        (
            gated(),
            true,
            "hf:owner/model@v1: the hub refuses access (403): Access to model owner/model is restricted; accept the license at \
             URL/owner/model with the account of the token (that of HF_TOKEN)",
        ),
        (
            refused(404, "RepoNotFound"),
            true,
            "hf:owner/model@v1: the repository `owner/model` is not on the hub (404)",
        ),
        (
            refused(404, "RevisionNotFound"),
            false,
            "hf:owner/model@v1: the revision `v1` is not on the hub (404)",
        ),
        (
            Reply::status(418).header("X-Error-Message", "teapot"),
            false,
            "URL/api/models/owner/model/revision/v1: expected status 200, found 418 I'm a teapot teapot",
        ),
        (
            Reply::status(503),
            false,
            "URL/api/models/owner/model/revision/v1: expected status 200, found 503 Service Unavailable",
        ),
        (
            Reply::status(302).header("Location", "/again"),
            false,
            "URL/again: expected a file, found more than 10 redirects in a row",
        ),
        (
            Reply::status(200).body("<html>"),
            false,
            "URL/api/models/owner/model/revision/v1: expected a JSON object with the commit in `sha` and the files in `siblings`, found \
             expected value at line 1 column 1",
        ),
        (
            Reply::status(200).body("{\"sha\": \"../../x\"}"),
            false,
            "URL/api/models/owner/model/revision/v1: expected a JSON object with the commit in `sha` and the files in `siblings`, found \
             `sha`: \"../../x\"",
        ),
        (
            Reply::status(200).body(format!(
                "{{\"sha\": \"{COMMIT}\", \"siblings\": [{{\"rfilename\": \"../x\"}}]}}"
            )),
            false,
            "URL/api/models/owner/model/revision/v1: expected a JSON object with the commit in `sha` and the files in `siblings`, found \
             a file {\"rfilename\":\"../x\"}",
        ),
    ] {
        let found = listed(reply, with_token);
        assert_eq!(found, expected);
        assert!(!found.contains("hf_secret"), "{found}");
    }
}

#[test]
fn no_server_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| Reply::status(200));
    let mut own = settings(&server, folder.path());
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    own.endpoint = format!("http://{port}");
    let error = Hub::new(own, &())
        .unwrap()
        .list(&name("hf:owner/model"))
        .unwrap_err();
    let text = error.to_string();
    let expected = format!(
        "http://{port}/api/models/owner/model/revision/main: the server cannot be reached: "
    );
    assert!(
        text.starts_with(&expected) && text.contains("refused"),
        "{text}"
    );
}

#[test]
fn offline_mode_asks_nothing_and_names_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| list());
    let mut own = settings(&server, folder.path());
    own.offline = true;
    let offline = Hub::new(own, &()).unwrap();
    let model = name("hf:owner/model");
    let cache = folder.path().join("models--owner--model");
    let error = offline.list(&model).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "hf:owner/model: the revision `main` is not in the cache {}, and HF_HUB_OFFLINE is set",
            cache.display()
        )
    );
    assert!(server.asked().is_empty());
    // Another process has asked for the list since, but not for the files.
    client(&server, folder.path()).list(&model).unwrap();
    let listing = offline.list(&model).unwrap();
    let error = offline
        .fetch(&listing, &["unet/config.json"])
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        format!(
            "hf:owner/model: the file unet/config.json is not in the cache {}, and HF_HUB_OFFLINE is set",
            cache.display()
        )
    );
}

/// Fetches the weights of a hub that says they are `said`, from a server that answers as `answer` does.
fn fetched(
    said: &[u8],
    answer: impl Fn(&Request) -> Reply + Send + 'static,
) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let cdn = Server::start(move |_, request| answer(request));
    let server = hub(&cdn.url, said);
    let hub = client(&server, folder.path());
    let listing = hub
        .list(&name("hf:owner/model/unet/model weights.bin"))
        .unwrap();
    let error = hub.fetch(&listing, &[]).unwrap_err().to_string();
    let blobs = fs::read_dir(folder.path().join("models--owner--model/blobs")).unwrap();
    let blobs = blobs.map(|blob| blob.unwrap().file_name().into_string().unwrap());
    let left = blobs.filter(|blob| blob.starts_with(&i2am_files::sha256_hex(said)));
    (
        error.replace(&server.url, "URL").replace(&cdn.url, "CDN"),
        left.collect(),
    )
}

const FILE: &str =
    "URL/owner/model/resolve/0123456789abcdef0123456789abcdef01234567/unet/model%20weights.bin";

#[test]
fn a_wrong_hash_is_an_error_and_nothing_stays() {
    let said = weights(1000);
    let mut sent = said.clone();
    sent[500] ^= 1;
    let (expected, found) = (i2am_files::sha256_hex(&said), i2am_files::sha256_hex(&sent));
    let (error, left) = fetched(&said, move |request| Reply::content(request, &sent));
    assert_eq!(
        error,
        format!("{FILE}: expected SHA-256 {expected}, found {found}; the download was removed")
    );
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_file_that_is_too_long_is_an_error_and_nothing_stays() {
    let (error, left) = fetched(&weights(1000), |_| Reply::status(200).body(weights(1001)));
    assert_eq!(
        error,
        format!("{FILE}: expected a size in bytes of 1000, found more; the download was removed")
    );
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_connection_that_is_always_cut_is_given_up_and_the_part_stays() {
    let said = weights(1000);
    let sent = said.clone();
    let (error, left) = fetched(&said, move |request| {
        let mut reply = Reply::content(request, &sent);
        reply.cut = Some(if request.headers.contains_key("range") {
            0
        } else {
            400
        });
        reply
    });
    assert_eq!(
        error,
        format!(
            "{FILE}: expected 1000 bytes, the connection ended after 400 in 5 attempts in a row without progress; what has arrived is kept, and \
             the same command continues from there"
        )
    );
    assert_eq!(
        left,
        [format!("{}.incomplete", i2am_files::sha256_hex(&said))]
    );
}

#[test]
fn a_signed_address_is_not_shown() {
    let (error, _) = fetched(&weights(10), |_| Reply::status(400));
    assert_eq!(
        error,
        format!("{FILE}: expected status 200 or 206, found 400 Bad Request")
    );
}

#[test]
fn files_without_a_hash_or_a_size_are_refused() {
    let of = |reply: Reply| {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(move |_, request| {
            if request.method == "HEAD" {
                reply.clone()
            } else {
                list()
            }
        });
        let hub = client(&server, folder.path());
        let listing = hub.list(&name("hf:owner/model/unet")).unwrap();
        let error = hub.fetch(&listing, &["config.json"]).unwrap_err();
        assert!(matches!(
            error,
            HubError::Answer { .. } | HubError::NotFound { .. }
        ));
        error.to_string().replace(&server.url, "URL")
    };
    let config = FILE.replace("model%20weights.bin", "config.json");
    let expected = "the SHA-256 or the git hash of the file in `ETag`";
    assert_eq!(
        of(Reply::status(200)),
        format!("{config}: expected {expected}, found none")
    );
    assert_eq!(
        of(Reply::status(200).header("ETag", "\"../../x\"")),
        format!("{config}: expected {expected}, found \\\"../../x\\\"")
    );
    assert_eq!(
        of(Reply::status(302)
            .header("Location", "http://cdn.example/")
            .header("X-Linked-Etag", COMMIT)),
        format!("{config}: expected the size of the file in `Content-Length`, found none")
    );
    assert_eq!(
        of(Reply::status(404).header("X-Error-Code", "EntryNotFound")),
        format!("hf:owner/model/unet: the file {config} is not on the hub (404)")
    );
}

//! What works: layout of the cache, redirects, parts, no network.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use i2am_hub::{Hub, HubName, Progress, license_of};
use i2am_testkit::{Reply, Server};

use crate::server::{CARD, COMMIT, CONFIG, client, git_hash, hub, list, settings, small, weights};

const UNET: [&str; 2] = ["config.json", "model weights.bin"];

fn name(text: &str) -> HubName {
    text.parse().unwrap()
}

/// What was reported.
#[derive(Default)]
struct Reported(Mutex<Vec<String>>);

impl Progress for Reported {
    fn start(&self, what: &str, bytes: u64) {
        self.0.lock().unwrap().push(format!("{what}: {bytes}"));
    }

    fn advance(&self, bytes: u64) {
        self.0.lock().unwrap().push(bytes.to_string());
    }

    fn finish(&self) {
        self.0.lock().unwrap().push("done".to_owned());
    }
}

impl Reported {
    /// The sum of the bytes.
    fn bytes(&self) -> u64 {
        let reported = self.0.lock().unwrap();
        reported
            .iter()
            .filter_map(|line| line.parse::<u64>().ok())
            .sum()
    }
}

#[test]
fn a_folder_comes_into_the_cache_of_the_python_library() {
    let folder = tempfile::tempdir().unwrap();
    let content = weights(700_000);
    let expected = content.clone();
    let cdn = Server::start(move |_, request| Reply::content(request, &content));
    let server = hub(&cdn.url, &expected);
    let mut own = settings(&server, folder.path());
    own.token = Some(i2am_hub::Token::new("hf_secret", "HF_TOKEN"));
    let reported = Reported::default();
    let hub = Hub::new(own, &reported).unwrap();
    let unet = name("hf:owner/model/unet");
    let listing = hub.list(&unet).unwrap();
    assert_eq!(listing.files().collect::<Vec<_>>(), UNET);
    assert_eq!((listing.commit(), listing.is_file()), (COMMIT, false));
    let path = hub.fetch(&listing, &UNET).unwrap();

    let root = folder.path().join("models--owner--model");
    assert_eq!(path, root.join("snapshots").join(COMMIT).join("unet"));
    assert_eq!(fs::read(path.join("model weights.bin")).unwrap(), expected);
    assert_eq!(fs::read(path.join("config.json")).unwrap(), CONFIG);
    assert_eq!(fs::read_to_string(root.join("refs/main")).unwrap(), COMMIT);
    let link = fs::read_link(path.join("config.json")).unwrap();
    assert_eq!(link, Path::new("../../../blobs").join(git_hash(CONFIG)));
    let blob = root.join("blobs").join(i2am_files::sha256_hex(&expected));
    assert_eq!(fs::read(blob).unwrap(), expected);
    let license = license_of(&root.join("snapshots").join(COMMIT)).unwrap();
    assert_eq!(license.to_string(), "mit");
    let total = (expected.len() + CONFIG.len() + CARD.len()) as u64;
    assert_eq!(reported.bytes(), total);
    assert_eq!(
        reported.0.lock().unwrap()[0],
        format!("hf:owner/model/unet: {total}")
    );

    // The token is for the hub; the other server sees nothing of it.
    assert!(
        server
            .headers("authorization")
            .iter()
            .all(|value| value.as_deref() == Some("Bearer hf_secret"))
    );
    assert_eq!(cdn.headers("authorization"), [None]);
    assert_eq!(cdn.asked(), ["GET /blob?Signature=secret"]);
}

#[test]
fn what_is_in_the_cache_needs_no_network() {
    let folder = tempfile::tempdir().unwrap();
    let content = weights(1000);
    let expected = content.clone();
    let cdn = Server::start(move |_, request| Reply::content(request, &content));
    let server = hub(&cdn.url, &expected);
    let unet = name("hf:owner/model/unet");
    let first = client(&server, folder.path());
    let listing = first.list(&unet).unwrap();
    let path = first.fetch(&listing, &UNET).unwrap();
    let (asked, loaded) = (server.asked().len(), cdn.asked().len());
    let mut offline = settings(&server, folder.path());
    offline.offline = true;
    for hub in [
        client(&server, folder.path()),
        Hub::new(offline, &()).unwrap(),
    ] {
        for again in [unet.clone(), name(&format!("hf:owner/model@{COMMIT}/unet"))] {
            let listing = hub.list(&again).unwrap();
            assert_eq!(hub.fetch(&listing, &UNET).unwrap(), path);
        }
    }
    assert_eq!((server.asked().len(), cdn.asked().len()), (asked, loaded));
}

/// The Python library keeps no list of files; without a network, those that are there are all.
#[test]
fn what_the_python_library_downloaded_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("models--owner--model");
    let snapshot = root.join("snapshots").join(COMMIT);
    i2am_files::write_atomic(root.join("refs/main"), COMMIT).unwrap();
    i2am_files::write_atomic(snapshot.join("unet/config.json"), CONFIG).unwrap();
    let unet = name("hf:owner/model/unet");
    let gone = Server::start(|_, _| Reply::status(200));
    let mut own = settings(&gone, folder.path());
    own.offline = true;
    let offline = Hub::new(own.clone(), &()).unwrap();
    let listing = offline.list(&unet).unwrap();
    assert_eq!(
        (listing.files().collect::<Vec<_>>(), listing.remark()),
        (vec!["config.json"], None)
    );
    assert_eq!(
        offline.fetch(&listing, &["config.json"]).unwrap(),
        snapshot.join("unet")
    );

    own.offline = false;
    // Nothing listens on the port of a listener that is closed.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    own.endpoint = format!("http://{port}");
    let listing = Hub::new(own, &()).unwrap().list(&unet).unwrap();
    let remark = listing.remark().unwrap();
    assert!(
        remark.contains("only the files in the cache are used")
            && remark.contains("cannot be reached"),
        "{remark}"
    );
}

#[test]
fn a_cut_download_continues_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let content = weights(900_000);
    let expected = content.clone();
    let cdn = Server::start(move |number, request| {
        let mut reply = Reply::content(request, &content);
        reply.cut = (number < 2).then_some(300_000);
        reply
    });
    let server = hub(&cdn.url, &expected);
    let reported = Reported::default();
    let hub = Hub::new(settings(&server, folder.path()), &reported).unwrap();
    let file = name("hf:owner/model/unet/model weights.bin");
    let listing = hub.list(&file).unwrap();
    assert!(listing.is_file());
    let path = hub.fetch(&listing, &[]).unwrap();
    assert_eq!(fs::read(path).unwrap(), expected);
    let ranges = cdn.headers("range");
    let ranges: Vec<_> = ranges.iter().map(Option::as_deref).collect();
    assert_eq!(ranges, [None, Some("bytes=300000-"), Some("bytes=600000-")]);
    assert_eq!(reported.bytes(), (expected.len() + CARD.len()) as u64);
}

/// An earlier process left a part; and a second time, a part of something else.
#[test]
fn what_an_earlier_process_left_is_used_or_thrown_away() {
    let content = weights(5000);
    for (left, ranges) in [
        (content[..2000].to_vec(), vec![Some("bytes=2000-")]),
        (vec![7; 2000], vec![Some("bytes=2000-"), None]),
        (vec![7; 6000], vec![None]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let served = content.clone();
        let cdn = Server::start(move |_, request| Reply::content(request, &served));
        let server = hub(&cdn.url, &content);
        let blobs = folder.path().join("models--owner--model/blobs");
        let blob = blobs.join(format!("{}.incomplete", i2am_files::sha256_hex(&content)));
        i2am_files::write_atomic(&blob, left).unwrap();
        let hub = client(&server, folder.path());
        let listing = hub
            .list(&name("hf:owner/model/unet/model weights.bin"))
            .unwrap();
        let path = hub.fetch(&listing, &[]).unwrap();
        assert_eq!(fs::read(path).unwrap(), content);
        assert_eq!(
            cdn.headers("range")
                .iter()
                .map(Option::as_deref)
                .collect::<Vec<_>>(),
            ranges
        );
        assert!(!blob.exists());
    }
}

/// A server without ranges sends the whole again.
#[test]
fn a_server_without_ranges_is_fine() {
    let folder = tempfile::tempdir().unwrap();
    let content = weights(5000);
    let expected = content.clone();
    let cdn = Server::start(move |number, _| {
        let mut reply = Reply::status(200).body(content.clone());
        reply.cut = (number == 0).then_some(1000);
        reply
    });
    let server = hub(&cdn.url, &expected);
    let hub = client(&server, folder.path());
    let listing = hub
        .list(&name("hf:owner/model/unet/model weights.bin"))
        .unwrap();
    assert_eq!(
        fs::read(hub.fetch(&listing, &[]).unwrap()).unwrap(),
        expected
    );
    assert_eq!(cdn.asked().len(), 2);
}

/// A repository that has a new name, a revision with a slash, and a server that is busy at first.
#[test]
fn relative_redirects_revisions_and_busy_servers() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|number, request| match request.path.as_str() {
        _ if number == 0 => Reply::status(503),
        _ if number == 1 => Reply::status(429).header("Retry-After", 0),
        "/api/models/owner/old/revision/refs%2Fpr%2F1" => {
            Reply::status(307).header("Location", "/api/models/owner/model/revision/refs%2Fpr%2F1")
        }
        "/api/models/owner/model/revision/refs%2Fpr%2F1" => list(),
        path if path.starts_with("/owner/old/") => {
            Reply::status(307).header("Location", path.replace("/old/", "/model/"))
        }
        path if path.ends_with("/README.md") => small(request, CARD),
        path if path.ends_with("/unet/config.json") => small(request, CONFIG),
        _ => Reply::status(404),
    });
    let hub = client(&server, folder.path());
    let listing = hub.list(&name("hf:owner/old@refs/pr/1/unet")).unwrap();
    let path = hub.fetch(&listing, &["config.json"]).unwrap();
    assert_eq!(fs::read(path.join("config.json")).unwrap(), CONFIG);
    let known = folder.path().join("models--owner--old/refs/refs/pr/1");
    assert_eq!(fs::read_to_string(known).unwrap(), COMMIT);
}

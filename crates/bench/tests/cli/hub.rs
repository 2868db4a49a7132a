//! A checkpoint that a configuration names by where it is on the hub, which here is a server on the loopback address.

use std::path::Path;

use i2am_testkit::{Reply, Request, Server};

use crate::common::{SYNTH, bench, root, write_model_config};

const COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// What is in the repository: the committed checkpoint, its card with a license, and a file that no model reads.
fn content(file: &str) -> Option<Vec<u8>> {
    match file {
        "README.md" => Some(b"---\nlicense: cc0-1.0\n---\n".to_vec()),
        "model.ckpt" => Some(b"not read".to_vec()),
        _ => std::fs::read(root().join("datasets/zoo/paint-by-example").join(file)).ok(),
    }
}

/// The names of its files.
fn files() -> Vec<String> {
    let folder = root().join("datasets/zoo/paint-by-example");
    let mut files = vec!["README.md".to_owned(), "model.ckpt".to_owned()];
    for network in ["image_encoder", "unet", "vae"] {
        for entry in std::fs::read_dir(folder.join(network)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            files.push(format!("{network}/{name}"));
        }
    }
    files
}

fn answer(request: &Request) -> Reply {
    if request.path == "/api/models/owner/model/revision/v1" {
        let siblings: Vec<_> = files()
            .iter()
            .map(|file| serde_json::json!({ "rfilename": file }))
            .collect();
        let list = serde_json::json!({ "sha": COMMIT, "siblings": siblings });
        return Reply::status(200).body(list.to_string());
    }
    let file = request
        .path
        .strip_prefix(&format!("/owner/model/resolve/{COMMIT}/"));
    match file.and_then(content) {
        Some(content) => {
            Reply::content(request, &content).header("ETag", i2am_files::sha256_hex(&content))
        }
        None => Reply::status(404).header("X-Error-Code", "RevisionNotFound"),
    }
}

fn run(folder: &Path, server: &Server, args: &[&str], offline: &str) -> (i32, String) {
    let mut command = bench(folder, args);
    command
        .env("HF_ENDPOINT", &server.url)
        .env("HF_HOME", folder.join("hf"))
        .env("HF_HUB_OFFLINE", offline);
    command
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_TOKEN")
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy");
    let output = command.output().unwrap();
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.code().unwrap(), text.concat())
}

#[test]
fn a_checkpoint_of_the_hub_is_downloaded_once_and_its_license_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Server::start(|_, request| answer(request));
    let model = "name = \"pbe\"\nfamily = \"paint-by-example\"\ncheckpoint = \"hf:owner/model@v1\"\npreprocess = \"ldm\"\nsize = [128, 96]";
    write_model_config(folder, SYNTH, model);
    let check = ["check", "--config", "run.toml"];

    let (code, text) = run(folder, &server, &check, "1");
    assert_eq!(code, 1, "{text}");
    let expected = "hf:owner/model@v1: the revision `v1` is not in the cache";
    assert!(
        text.contains(expected) && text.contains("HF_HUB_OFFLINE is set"),
        "{text}"
    );
    assert!(server.asked().is_empty());

    let (code, text) = run(folder, &server, &check, "0");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("hf:owner/model@v1: downloading "), "{text}");
    let license =
        format!("License of checkpoint hf:owner/model@v1 at {COMMIT}: cc0-1.0 (model pbe)");
    assert!(text.contains(&license), "{text}");
    let asked = server.asked();
    assert!(
        asked
            .iter()
            .any(|line| line.ends_with("/unet/diffusion_pytorch_model.safetensors")),
        "{asked:?}"
    );
    assert!(
        !asked.iter().any(|line| line.ends_with("model.ckpt")),
        "{asked:?}"
    );

    // The second time nothing is asked, and another process may be without a network.
    for offline in ["0", "1"] {
        let (code, text) = run(folder, &server, &check, offline);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains(&license), "{text}");
    }
    let (code, text) = run(folder, &server, &["inspect", "hf:owner/model@v1"], "1");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("family      paint-by-example"), "{text}");
    assert_eq!(server.asked(), asked);
}

#[test]
fn names_that_cannot_be_used_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Server::start(|_, request| answer(request));
    for (name, code, expected) in [
        ("hf:model", 2, "`hf:model`: expected hf:OWNER/NAME"),
        (
            "hf:owner/model@v2",
            1,
            "the revision `v2` is not on the hub (404)",
        ),
        (
            "hf:owner/model@v1/unet/none.bin",
            2,
            "hf:owner/model@v1/unet/none.bin: there is no such file or folder in the repository `owner/model` at the commit 89abcdef",
        ),
    ] {
        let found = run(folder, &server, &["inspect", name], "0");
        assert_eq!(found.0, code, "{}", found.1);
        assert!(found.1.contains(expected), "{}", found.1);
    }
}

/// A license of a local folder is that of its card, of the card next to it, and unknown without one.
#[test]
fn the_license_of_a_local_checkpoint_is_looked_for_next_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    crate::common::write_config(folder, SYNTH);
    let license = |expected: &str| {
        let (code, text) = crate::common::run(folder, &["check", "--config", "run.toml"]);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains(expected), "{text}");
    };
    license("zoo/paint-by-example: mit OR apache-2.0 (model pbe)");

    let checkpoint = root().join("datasets/zoo/paint-by-example");
    let bare = folder.join("models/bare");
    std::fs::create_dir_all(&bare).unwrap();
    for entry in std::fs::read_dir(&checkpoint).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "README.md" {
            std::os::unix::fs::symlink(entry.path(), bare.join(entry.file_name())).unwrap();
        }
    }
    let config = folder.join("run.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace(checkpoint.to_str().unwrap(), bare.to_str().unwrap());
    i2am_files::write_atomic(&config, text).unwrap();
    license("models/bare: unknown, since no README.md in its folder names one (model pbe)");
    i2am_files::write_atomic(folder.join("models/README.md"), "---\nlicense: mit\n---\n").unwrap();
    license("models/bare: mit (model pbe)");
}

//! Kills, full disks, hostile names, and files in the way.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use i2am_testkit::skipped;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::Value;

use super::as_expected;
use crate::common::{SYNTH, bench, root, run, write_config};

const RUN: [&str; 3] = ["--config", "run.toml", "--quiet"];
const LAYER: &str = "down_blocks.1.attentions.0.transformer_blocks.0.attn2";

/// A run of three samples with a metric, and what else `flags` ask for.
fn folder(flags: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), SYNTH);
    let args = [&RUN, flags].concat();
    let (code, text) = run(folder.path(), &args);
    assert_eq!(code, 0, "{text}");
    folder
}

fn text(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_str(&text(folder, "out/manifest.json")).unwrap()
}

/// The cells of `columns` of the rows in a table whose `column` is `value`.
fn cells(
    folder: &Path,
    table: &str,
    [column, value]: [&str; 2],
    columns: &[&str],
) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(folder.join(table)).unwrap();
    let rows = reader.deserialize::<HashMap<String, String>>();
    let rows = rows.map(Result::unwrap).filter(|row| row[column] == value);
    let cells =
        |row: HashMap<String, String>| columns.iter().map(|name| row[*name].clone()).collect();
    rows.map(cells).collect()
}

/// Calls the layer [`LAYER`] of a record `name`, as no run would.
fn rename_layer(record: &Path, name: &str) {
    let bytes = std::fs::read(record).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let metadata = header.metadata().clone().unwrap().into_iter();
    let metadata = metadata.map(|(key, value)| (key, value.replace(&quoted(LAYER), &quoted(name))));
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tensors: BTreeMap<String, TensorView<'_>> = tensors
        .iter()
        .map(|(key, view)| (key.replace(LAYER, name), view))
        .collect();
    let written = safetensors::serialize(tensors, Some(metadata.collect())).unwrap();
    assert_ne!(written, bytes);
    i2am_files::write_atomic(record, written).unwrap();
}

/// Every file below `folder`, but for the lock.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn add(base: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in i2am_files::sorted_entries(folder).unwrap() {
            if entry.is_dir() {
                add(base, &entry, found);
            } else if !entry.ends_with(".lock") {
                let name = entry.strip_prefix(base).unwrap().display().to_string();
                found.insert(name, std::fs::read(&entry).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    add(folder, folder, &mut found);
    found
}

#[test]
fn a_layer_named_as_a_path_writes_into_its_folder_only() {
    let folder = folder(&["--set", "attribution.pictures.overlays=true"]);
    let before = files(folder.path());
    for name in [
        "../../../../../../x",
        "../../../images/pbe/00001_00",
        "/tmp/i2am-x",
        "..",
        "a/../../b",
    ] {
        rename_layer(
            &folder.path().join("out/attention/pbe/00000_00.safetensors"),
            name,
        );
        let record = files(folder.path())
            .remove("out/attention/pbe/00000_00.safetensors")
            .unwrap();
        let again = [
            "--stages",
            "score",
            "--set",
            "attribution.imacs.penalty=2",
            "--set",
            "attribution.pictures.overlays=true",
        ];
        let (code, said) = run(folder.path(), &[&RUN[..], &again].concat());
        assert_eq!(code, 0, "{name}: {said}");
        for (file, bytes) in files(folder.path()) {
            let known = before.get(&file);
            assert!(
                known.is_some() || file.starts_with("out/maps/pbe/00000_00/"),
                "{name} wrote {file}"
            );
            if file.starts_with("out/images/") {
                assert_eq!(Some(&bytes), known, "{name} replaced {file}");
            }
        }
        // So that the next name finds the layer.
        let path = folder.path().join("out/attention/pbe/00000_00.safetensors");
        i2am_files::write_atomic(&path, &before["out/attention/pbe/00000_00.safetensors"]).unwrap();
        assert_ne!(record, before["out/attention/pbe/00000_00.safetensors"]);
        let (code, said) = run(folder.path(), &[&RUN[..], &["--stages", "score"]].concat());
        assert_eq!(code, 0, "{said}");
    }
    as_expected("h-01 layer name leaves the folder");
}

#[test]
fn a_bad_record_costs_its_sample() {
    let folder = folder(&[]);
    for name in ["a\nb", "", &"x".repeat(300), "a\u{1b}[31m"] {
        let path = folder.path().join("out/attention/pbe/00000_00.safetensors");
        let sound = std::fs::read(&path).unwrap();
        rename_layer(&path, name);
        let again = ["--stages", "score", "--set", "attribution.imacs.penalty=2"];
        let (code, said) = run(folder.path(), &[&RUN[..], &again].concat());
        assert_eq!(code, 4, "{name:?}: {said}");
        assert!(
            said.contains("00000_00.safetensors") && said.contains("layers"),
            "{said}"
        );
        let ended = cells(
            folder.path(),
            "out/samples.csv",
            ["metric", "sample"],
            &["stage", "status"],
        );
        let mut scored: Vec<&str> = ended
            .iter()
            .filter(|row| row[0] == "score")
            .map(|row| row[1].as_str())
            .collect();
        scored.sort_unstable();
        assert_eq!(scored, ["failed", "ok", "ok"]);
        let counted = cells(
            folder.path(),
            "out/aggregate.csv",
            ["metric", "sample"],
            &["stage", "n", "missing"],
        );
        assert_eq!(counted, [["score", "2", "1"]]);
        i2am_files::write_atomic(&path, sound).unwrap();
        let (code, said) = run(folder.path(), &[&RUN[..], &["--stages", "score"]].concat());
        assert_eq!(code, 0, "{said}");
    }
    as_expected("h-02 one bad record ends the run");
}

/// A file system of this size below `out`, made and mounted by a shell with a name space of its own.
fn on_small_disk(folder: &Path, kilobytes: usize, stages: &str) -> Option<(i32, String)> {
    let program = env!("CARGO_BIN_EXE_bench");
    let script = format!(
        "mkdir -p out && mount -t tmpfs -o size={kilobytes}k tmpfs out || exit 77\n\
         cp -r before/. out 2>/dev/null\n\
         {program} --config run.toml {stages} > log 2>&1; echo $? > code\n\
         mount -o remount,size=100m out; {program} --config run.toml --quiet > log2 2>&1; echo $? > code2\n\
         mkdir -p after; cp -r out/. after; umount out"
    );
    let status = std::process::Command::new("unshare")
        .args(["-rm", "sh", "-c", &script])
        .current_dir(folder)
        .status();
    match status {
        Ok(status) if status.code() == Some(0) => {
            let code = text(folder, "code").trim().parse().unwrap();
            assert_eq!(
                text(folder, "code2").trim(),
                "0",
                "{}",
                text(folder, "log2")
            );
            Some((code, text(folder, "log")))
        }
        other => {
            skipped(format!("no small disk can be mounted: {other:?}"));
            None
        }
    }
}

#[test]
fn a_full_disk_is_named_and_costs_one_sample() {
    let whole = folder(&[]);
    let expected = files(&whole.path().join("out"));
    for kilobytes in [20, 48, 100, 160, 260] {
        let folder = tempfile::tempdir().unwrap();
        write_config(folder.path(), SYNTH);
        let Some((code, log)) = on_small_disk(folder.path(), kilobytes, "") else {
            return;
        };
        assert_eq!(code, 1, "{kilobytes} kB: {log}");
        let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
        assert!(
            errors.len() == 1 && errors[0].contains("No space left"),
            "{log}"
        );
        // The manifest is the first file; after it, others are.
        assert!(
            kilobytes < 30 || !errors[0].contains("manifest.json"),
            "{log}"
        );
        let vain = log
            .lines()
            .filter(|line| line.contains("WARN") && line.contains("No space left"));
        assert!(
            vain.filter(|line| !line.contains("manifest.json")).count() <= 1,
            "{log}"
        );
        let found = files(&folder.path().join("after"));
        for name in [
            "samples.csv",
            "samples.parquet",
            "aggregate.csv",
            "sets.json",
            "inputs.json",
        ] {
            assert_eq!(
                found.get(name),
                expected.get(name),
                "{kilobytes} kB: {name}"
            );
        }
    }
    as_expected("h-04 disk full");
}

#[test]
fn a_sample_that_is_redone_stands_in_its_place() {
    let whole = folder(&[]);
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), SYNTH);
    let blocked = [
        "out/images/pbe/00001_00.png/x",
        "out/attention/pbe/00002_00.safetensors/x",
    ];
    let metadata = text(whole.path(), "out/manifest.json");
    i2am_files::write_atomic(folder.path().join("out/manifest.json"), &metadata).unwrap();
    for path in blocked {
        i2am_files::create_dir(folder.path().join(path)).unwrap();
    }
    let (code, said) = run(folder.path(), &RUN);
    assert_eq!(code, 4, "{said}");
    for path in blocked {
        std::fs::remove_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
    }
    let (code, said) = run(folder.path(), &RUN);
    assert_eq!(code, 0, "{said}");
    let [expected, found] = [&whole, &folder].map(|folder| files(&folder.path().join("out")));
    assert_eq!(
        expected.keys().collect::<Vec<_>>(),
        found.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in expected {
        let dated = ["manifest.json", "report.html"].contains(&name.as_str());
        assert!(dated || found[&name] == bytes, "{name} differs");
    }
    as_expected("h-05 redone sample in its place");
}

#[test]
fn an_output_that_cannot_be_written_is_found_by_check() {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), SYNTH);
    let output = ["--set", "output=/proc/nowhere/out"];
    let check = [&["check", "--config", "run.toml"][..], &output].concat();
    for args in [check, [&RUN[..], &output].concat()] {
        let (code, said) = run(folder.path(), &args);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("/proc/nowhere"), "{said}");
    }
    as_expected("h-10 check of an output that cannot be written");
}

#[test]
fn what_a_kill_left_half_written_goes() {
    let folder = folder(&[]);
    let left = ["", "plots/", "images/pbe/", "maps/pbe/"].map(|place| {
        let path = folder
            .path()
            .join("out")
            .join(place)
            .join(".writing-abc123");
        i2am_files::create_dir(path.parent().unwrap()).unwrap();
        path
    });
    for flags in [&[][..], &["--fresh"]] {
        for file in &left {
            i2am_files::create_dir(file.parent().unwrap()).unwrap();
            i2am_files::write_atomic(file, "half").unwrap();
        }
        let (code, said) = run(folder.path(), &[&RUN[..], flags].concat());
        assert_eq!(code, 0, "{said}");
        for file in &left {
            assert!(!file.exists(), "{}", file.display());
        }
    }
    as_expected("h-13 left over temporary files");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_says_how_it_goes_on() {
    use std::os::unix::process::ExitStatusExt as _;
    for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        let folder = tempfile::tempdir().unwrap();
        write_config(folder.path(), SYNTH);
        let flags = ["--set", "model.0.sampler.steps=20"];
        let child = bench(folder.path(), &[&RUN[..2], &flags].concat())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while !folder.path().join("out/images/pbe/00000_00.png").exists() {
            assert!(started.elapsed() < Duration::from_mins(5), "no image came");
            std::thread::sleep(Duration::from_millis(5));
        }
        let id = child.id().to_string();
        let mut kill = std::process::Command::new("kill");
        assert!(kill.args(["-s", name, &id]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.signal(), Some(number), "{said}");
        assert!(
            said.contains("interrupted") && said.contains("the same command"),
            "{said}"
        );
        assert_eq!(manifest(folder.path())["status"], "interrupted");
        let (code, said) = run(folder.path(), &[&RUN[..], &flags].concat());
        assert_eq!(code, 0, "{said}");
        assert_eq!(manifest(folder.path())["status"], "success");
    }
    as_expected("h-14 interrupted by Ctrl-C");
}

/// Puts the weights of FID where a run in `folder` looks for them.
fn has_inception(folder: &Path) -> bool {
    let name = ".weights/fid-inception-2015-12-05.pt";
    let weights = root().join(name);
    if !weights.exists() {
        skipped("no weights of Inception");
        return false;
    }
    i2am_files::create_dir(folder.join(".weights")).unwrap();
    std::fs::hard_link(&weights, folder.join(name))
        .or_else(|_| std::fs::copy(&weights, folder.join(name)).map(|_| ()))
        .unwrap();
    true
}

/// Adds a copy of the model under another name.
fn add_model(folder: &Path) {
    let config = text(folder, "run.toml");
    let start = config.find("[[model]]").unwrap();
    let end = config.find("[attribution]").unwrap();
    let second = config[start..end].replace("name = \"pbe\"", "name = \"second\"");
    let metrics = "[metric.psnr]\n[metric.fid]\ntap = 64\n";
    let config = format!("{}{second}{}{metrics}", &config[..end], &config[end..]);
    i2am_files::write_atomic(folder.join("run.toml"), config).unwrap();
}

#[test]
fn a_model_without_a_good_sample_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), SYNTH);
    add_model(folder.path());
    if !has_inception(folder.path()) {
        return;
    }
    let (code, said) = run(folder.path(), &[&RUN[..], &["--limit", "0"]].concat());
    assert_eq!(code, 0, "{said}");
    for id in ["00000_00", "00001_00", "00002_00"] {
        i2am_files::create_dir(folder.path().join(format!("out/images/second/{id}.png/x")))
            .unwrap();
    }
    let (code, said) = run(folder.path(), &RUN);
    assert_eq!(code, 4, "{said}");
    for metric in ["psnr", "fid"] {
        assert!(
            said.contains(&format!(
                "model second, {metric}: no value: there is no image"
            )),
            "{said}"
        );
    }
    let counted = cells(
        folder.path(),
        "out/aggregate.csv",
        ["metric", "sample"],
        &["model", "stage", "n", "missing"],
    );
    assert_eq!(counted, [["second", "generate", "0", "3"]]);
    for file in ["out/tables/results.md", "out/report.html"] {
        let shown = text(folder.path(), file);
        assert!(
            shown.contains("second: 3 of 3 samples failed in the stage generate"),
            "{file}"
        );
    }
    assert_eq!(manifest(folder.path())["status"], "partial");
    as_expected("a model without a good sample");
}

/// Two samples whose ground truths are files of their own.
fn with_truths(folder: &Path, metrics: &str) {
    write_config(folder, "kind = \"manifest\"\nfile = \"list.csv\"");
    let config = text(folder, "run.toml") + metrics;
    i2am_files::write_atomic(folder.join("run.toml"), config).unwrap();
    let (code, said) = run(
        folder,
        &["synth", "--out", "set", "--count", "2", "--seed", "5"],
    );
    assert_eq!(code, 0, "{said}");
    let mut list = vec!["id,image,mask,reference,ground_truth".to_owned()];
    for id in ["00000", "00001"] {
        let image = folder.join(format!("set/test/image/{id}_00.jpg"));
        i2am_files::write_atomic(
            folder.join(format!("{id}.jpg")),
            std::fs::read(image).unwrap(),
        )
        .unwrap();
        list.push(format!(
            "{id},set/test/image/{id}_00.jpg,set/test/agnostic-mask/{id}_00_mask.png,set/test/cloth/{id}_00.jpg,{id}.jpg"
        ));
    }
    i2am_files::write_atomic(folder.join("list.csv"), list.join("\n")).unwrap();
}

#[test]
fn a_damaged_ground_truth_costs_what_is_compared_with_it() {
    let folder = tempfile::tempdir().unwrap();
    if !has_inception(folder.path()) {
        return;
    }
    with_truths(folder.path(), "[metric.psnr]\n[metric.fid]\ntap = 64\n");
    let truth = folder.path().join("00001.jpg");
    let sound = std::fs::read(&truth).unwrap();
    i2am_files::write_atomic(&truth, &sound[..sound.len() / 2]).unwrap();
    let (code, said) = run(folder.path(), &RUN);
    assert_eq!(code, 4, "{said}");
    assert!(
        said.contains("00001.jpg") && said.contains("model pbe, fid: no value: "),
        "{said}"
    );
    let rows = |metric| {
        cells(
            folder.path(),
            "out/samples.csv",
            ["metric", metric],
            &["sample_id", "level", "status"],
        )
    };
    let scored = rows("imacs_g")
        .into_iter()
        .filter(|row| row[1] == "unified" && row[2] == "ok");
    assert_eq!(scored.count(), 2);
    assert_eq!(rows("psnr"), [["00000", "", "ok"]]);
    let aggregate = |metric| {
        cells(
            folder.path(),
            "out/aggregate.csv",
            ["metric", metric],
            &["n", "missing", "mean"],
        )
    };
    assert_eq!(aggregate("psnr")[0][..2], ["1", "1"]);
    assert_eq!(aggregate("fid")[0][2], "");
    as_expected("a damaged ground truth");
}

#[test]
fn a_metric_without_a_value_is_not_success() {
    let folder = tempfile::tempdir().unwrap();
    write_config(
        folder.path(),
        "kind = \"viton-hd\"\nroot = \"set\"\npairing = \"unpaired\"",
    );
    let config = text(folder.path(), "run.toml") + "[metric.ssim]\n";
    i2am_files::write_atomic(folder.path().join("run.toml"), config).unwrap();
    let (code, said) = run(
        folder.path(),
        &["synth", "--out", "set", "--count", "2", "--seed", "5"],
    );
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(folder.path(), &RUN);
    assert_eq!(code, 4, "{said}");
    assert!(
        said.contains("model pbe, ssim: 2 of 2 samples have no value: there is no ground truth"),
        "{said}"
    );
    as_expected("a metric without a value");
}

#[test]
fn a_log_without_a_terminal_says_how_far_it_is_and_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), SYNTH);
    let flags = ["--config", "run.toml", "--set", "model.0.sampler.steps=50"];
    let output = bench(folder.path(), &flags)
        .env("I2AM_LOG_SECONDS", "0.2")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.lines()
            .any(|line| line.contains("generate: ") && line.contains(" of 3 done, ")),
        "{said}"
    );
    let ended = String::from_utf8_lossy(&output.stdout);
    assert!(
        ended.contains("Time: ") && ended.contains(": generate "),
        "{ended}"
    );
    let seconds = &manifest(folder.path())["seconds"];
    for stage in ["generate", "score", "measure", "correlate", "report"] {
        assert!(seconds[stage].as_f64().is_some(), "{stage}: {seconds}");
    }
    assert!(seconds["generate"].as_f64() > Some(0.0));
    as_expected("a log without a terminal");
}

#[test]
fn messages_name_paths_without_a_way_back() {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), SYNTH);
    let config = text(folder.path(), "run.toml").replace("output = \"out\"", "output = \"../out\"");
    i2am_files::write_atomic(folder.path().join("configs/run.toml"), config).unwrap();
    let args = [
        "--config",
        "configs/run.toml",
        "--set",
        "dataset.root=../set",
    ];
    let (code, said) = run(folder.path(), &args);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains(" out: 3 samples done") && !said.contains(".."),
        "{said}"
    );
    as_expected("paths without a way back");
}

#[cfg(unix)]
#[test]
fn values_that_are_not_finite_are_named_where_they_arise() {
    let folder = tempfile::tempdir().unwrap();
    write_config(folder.path(), SYNTH);
    let checkpoint = root().join("datasets/zoo/paint-by-example-002500.safetensors");
    let mut bytes = std::fs::read(checkpoint).unwrap();
    let (length, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let (first, _) = header
        .info("model.diffusion_model.out.2.bias")
        .unwrap()
        .data_offsets;
    let start = length + 8 + first;
    bytes[start..start + 2].copy_from_slice(&half::f16::INFINITY.to_le_bytes());
    i2am_files::write_atomic(folder.path().join("large.safetensors"), bytes).unwrap();
    // The file takes its autoencoder from a folder next to it.
    let base = root().join("datasets/zoo/paint-by-example");
    std::os::unix::fs::symlink(base, folder.path().join("paint-by-example")).unwrap();
    let args = [&RUN[..], &["--set", "model.0.checkpoint=large.safetensors"]];
    let (code, said) = run(folder.path(), &args.concat());
    assert_eq!(code, 4, "{said}");
    assert!(
        said.contains("the predicted noise of step 1 of 2 (timestep "),
        "{said}"
    );
    as_expected("values that are not finite");
}

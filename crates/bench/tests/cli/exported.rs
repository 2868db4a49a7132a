//! Attention that other programs exported, scored against values that NumPy computes from the definitions.

use std::path::{Path, PathBuf};
use std::process::Command;

use i2am_results::{Row, Stage, read_rows};
use i2am_testkit::skipped;
use serde_json::Value;

use crate::common::{bench, root, run};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/exported")
}

fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture().join("expected.json")).unwrap())
        .unwrap()
}

/// Scores are as near as the tolerance of the fixture says.
fn assert_near(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!(
        (found - expected).abs() < 2e-4,
        "{what}: expected {expected}, found {found}"
    );
}

/// A folder with the maps of two samples.
fn attention(folder: &Path, maps: &Path) -> String {
    let attention = folder.join("attention");
    for (file, from) in [("a.npz", maps), ("b.safetensors", &fixture())] {
        i2am_files::write_atomic(
            attention.join(file),
            std::fs::read(from.join(file)).unwrap(),
        )
        .unwrap();
    }
    attention.display().to_string()
}

/// What `bench score` finds, as `metric level` of a sample; the level is left out where it is the whole.
fn scores(folder: &Path, attention: &str) -> Vec<(String, String, f64)> {
    let fixture = fixture();
    let masks = ["masks", "objects"].map(|name| fixture.join(name).display().to_string());
    let args = [
        "score",
        "--attention",
        attention,
        "--masks",
        &masks[0],
        "--reference-masks",
        &masks[1],
        "--out",
        "out",
        "--model",
        "other",
    ];
    let (code, text) = run(folder, &args);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("IMACS_g"), "{text}");
    // A second call finds everything done.
    let (code, text) = run(folder, &args);
    assert_eq!(code, 0, "{text}");
    let rows = read_rows(&folder.join("out/samples.csv")).unwrap();
    let rows = rows.map(Result::unwrap);
    let rows = rows.filter(|row| row.stage == Stage::Score && !row.is_closing());
    let score = |row: Row| {
        let value = row.measurement.outcome.value()?;
        let level = row.measurement.level.map(|level| level.to_string());
        let level = level.filter(|level| level != "unified").unwrap_or_default();
        let name = format!("{} {level}", row.measurement.metric);
        Some((row.sample_id, name.trim_end().to_owned(), value))
    };
    rows.filter_map(score).collect()
}

fn assert_expected(found: &[(String, String, f64)]) {
    for (sample, scores) in expected().as_object().unwrap() {
        for (name, value) in scores.as_object().unwrap() {
            let of = found
                .iter()
                .find(|(id, score, _)| id == sample && score == name);
            let (_, _, score) = of.unwrap_or_else(|| panic!("no {name} of {sample} in {found:?}"));
            assert_near(*score, value, name);
        }
    }
}

#[test]
fn exported_attention_is_scored_as_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let attention = attention(folder.path(), &fixture());
    let found = scores(folder.path(), &attention);
    assert_expected(&found);
    let record = folder.path().join("out/attention/other/a.safetensors");
    assert!(record.is_file());
    // Tables and the page are made of such a run too.
    let (code, text) = run(folder.path(), &["report", "--results", "out"]);
    assert_eq!(code, 0, "{text}");
    let table = std::fs::read_to_string(folder.path().join("out/tables/results.md")).unwrap();
    assert!(table.contains("other"), "{table}");
}

#[test]
fn one_file_is_scored_by_itself() {
    for (file, mask, reference, name) in [
        ("a.npz", "masks/a.png", false, "imacs_g"),
        ("a.npz", "objects/a.png", true, "imacs_r"),
        ("b.safetensors", "masks/b.png", false, "imacs_g"),
    ] {
        let mut command = bench(
            &fixture(),
            &["imacs", "--json", "--map", file, "--mask", mask],
        );
        command.args(reference.then_some("--reference"));
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_near(
            found["imacs"].as_f64().unwrap(),
            &expected()[&file[..1]][name],
            file,
        );
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let masks = fixture().join("masks").display().to_string();
    let score = |attention: &str| {
        run(
            path,
            &[
                "score",
                "--attention",
                attention,
                "--masks",
                &masks,
                "--out",
                "out",
            ],
        )
    };
    std::fs::create_dir(path.join("empty")).unwrap();
    let (code, text) = score("empty");
    assert!(
        code == 2
            && text.contains("empty: expected files that end in .npz or .safetensors, found none"),
        "{text}"
    );
    i2am_files::write_atomic(path.join("maps/c.npz"), "").unwrap();
    let (code, text) = score("maps");
    assert!(
        code == 2
            && text.contains(
                "expected a mask SAMPLE.png for every file with attention, found none for: c"
            ),
        "{text}"
    );
    assert!(!path.join("out").exists());
    // One that is damaged costs one sample.
    i2am_files::write_atomic(path.join("maps/c.npz"), "").unwrap();
    std::fs::rename(path.join("maps/c.npz"), path.join("maps/a.npz")).unwrap();
    i2am_files::write_atomic(
        path.join("maps/b.safetensors"),
        std::fs::read(fixture().join("b.safetensors")).unwrap(),
    )
    .unwrap();
    let (code, text) = score("maps");
    assert!(code == 4 && text.contains("sample a: maps/a.npz: expected an .npz file with arrays of maps, found an empty file"), "{text}");
    // A file of other arrays has no map to score.
    let (code, text) = run(
        &fixture(),
        &["imacs", "--map", "input.npz", "--mask", "masks/a.png"],
    );
    assert!(
        code == 1
            && text.contains(
                "input.npz: expected one array of two axes, or arrays `generated/LAYER`, found 15"
            ),
        "{text}"
    );
}

/// The program in the documentation writes what the fixture has, from arrays as two tools keep them.
#[test]
fn the_program_in_the_documentation_writes_what_is_scored() {
    let python = std::env::var("I2AM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_numpy = Command::new(&python).args(["-c", "import numpy"]).output();
    if !has_numpy.is_ok_and(|output| output.status.success()) {
        skipped(format!(
            "{python} has no numpy (I2AM_PYTHON names another Python)"
        ));
        return;
    }
    let text = std::fs::read_to_string(root().join("docs/exported.md")).unwrap();
    let code = text
        .split_once("```python\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .unwrap()
        .0;
    let lines = code.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 20, "{lines} lines");
    let folder = tempfile::tempdir().unwrap();
    let fixture = fixture();
    let program = format!(
        "{code}
stored = np.load(r'{0}/input.npz')
maps = {{}}
for name in stored.files:
    step, layer = name.split('/')
    maps.setdefault(int(step), {{}})[layer] = stored[name]
reference = {{name[10:]: values for name, values in np.load(r'{0}/a.npz').items() if name.startswith('reference/')}}
write(r'{1}/a.npz', from_attention_map_diffusers(maps, [2, 3]), reference)
",
        fixture.display(),
        folder.path().display()
    );
    let output = Command::new(&python)
        .args(["-c", &program])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let attention = attention(folder.path(), folder.path());
    assert_expected(&scores(folder.path(), &attention));
}

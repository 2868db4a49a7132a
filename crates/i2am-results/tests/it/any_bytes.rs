//! Whatever a file of a run folder holds, reading it gives an error or a value.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use i2am_results::{
    Baseline, Better, Bound, CorrelationRow, DebugRow, Direction, Level, Manifest, ManifestStart,
    Notes, Outcome, PartInput, RunFolder, RunPaths, SampleInputs, SetScore, Snapshot, Stage,
    Tolerance, Unit, aggregate, read_aggregate, read_correlations, read_debug, read_rows,
    write_debug,
};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::common::{done, failed, ok, scored, start};

const FILES: [&str; 7] = [
    "manifest.json",
    "samples.csv",
    "sets.json",
    "inputs.json",
    "correlations.csv",
    "debug/pbe.csv",
    "baseline.json",
];

fn start_with_inputs(content: &str) -> ManifestStart {
    let part = PartInput {
        path: "image/a.png".to_owned(),
        sha256: content.to_owned(),
    };
    let inputs = SampleInputs {
        fingerprint: content.to_owned(),
        parts: BTreeMap::from([("image".to_owned(), part)]),
    };
    let samples = [("a", Some(inputs)), ("b", None), ("c", None)];
    ManifestStart {
        samples: Some(samples.map(|(id, inputs)| (id.to_owned(), inputs)).into()),
        ..start(20)
    }
}

/// A run folder with every file that is read back.
fn write_all(dir: &Path) {
    let mut run = RunFolder::open(dir, start_with_inputs("1"), false).unwrap();
    for id in ["a", "b"] {
        run.append(&done(Stage::Generate, id)).unwrap();
    }
    run.append(&ok("a")).unwrap();
    run.append(&scored("b", Outcome::empty("an \"empty\", torn\nmask")))
        .unwrap();
    run.append(&failed("c")).unwrap();
    run.put_set_scores(vec![SetScore {
        model: "pbe".to_owned(),
        metric: "fid".to_owned(),
        version: 1,
        convention: "clean".to_owned(),
        note: Notes::from("one-token"),
        n: 2,
        outcome: Outcome::ok(1.5).unwrap(),
        sd: Some(0.5),
    }])
    .unwrap();
    run.put_correlations(&[correlation()]).unwrap();
    write_debug(&run.paths().debug("pbe"), &[debug()]).unwrap();
    drop(run);
    let tolerance = |_: &str| Tolerance {
        better: Better::Higher,
        mean: Bound::absolute(0.1),
        sample: None,
    };
    Baseline::new(Snapshot::read(dir).unwrap(), BTreeMap::new(), tolerance)
        .write(dir.join("baseline.json"))
        .unwrap();
}

fn correlation() -> CorrelationRow {
    CorrelationRow {
        unit: Unit::Sample,
        model: "pbe".to_owned(),
        score: "imacs_g".to_owned(),
        direction: Some(Direction::ReferenceToGenerated),
        level: Some(Level::Head(3)),
        metric: "lpips".to_owned(),
        variant: "alex".to_owned(),
        rival: String::new(),
        covariate: "mask_area".to_owned(),
        method: "spearman".to_owned(),
        outcome: Outcome::ok(-0.1).unwrap(),
        oriented: Some(0.1),
        interval: Some([-0.3, 0.2]),
        p: Some(1e-20),
        p_by: "t".to_owned(),
        p_holm: None,
        n: 16,
        note: Notes::NONE,
    }
}

fn debug() -> DebugRow {
    DebugRow {
        model: "pbe".to_owned(),
        direction: Direction::GeneratedToReference,
        rank: Some(1),
        layer: "mid_block".to_owned(),
        grid: "16x12".to_owned(),
        head: 3,
        time_group: 0,
        imacs: Some(-2.0625),
        sd: None,
        n: 1,
        missing: 2,
        attention_outside: Some(0.75),
        area_outside: None,
        convention: "spatial".to_owned(),
        note: Notes::from("one-token"),
        config_hash: "0123".to_owned(),
    }
}

/// Reads all there is to read, and takes the run up.
fn read_all(dir: &Path) {
    let paths = RunPaths::new(dir);
    let _ = Manifest::read(paths.manifest());
    let _ = read_rows(&paths.samples_csv()).map(Iterator::count);
    let _ = aggregate(&paths.samples_csv());
    let _ = read_aggregate(&paths);
    let _ = read_correlations(&paths.correlations());
    let _ = read_debug(&paths.debug("pbe"));
    let snapshot = Snapshot::read(dir);
    if let (Ok(baseline), Ok(run)) = (Baseline::read(dir.join("baseline.json")), snapshot) {
        let _ = baseline.compare(&run);
    }
    for content in ["1", "2"] {
        if let Ok(mut run) = RunFolder::open(dir, start_with_inputs(content), false) {
            let _ = run.append(&done(Stage::Measure, "a"));
            let _ = run.finish(Vec::new());
        }
    }
}

/// Replaces some bytes, removes some, adds some.
fn edit(mut bytes: Vec<u8>, edits: Vec<(Index, usize, Vec<u8>)>) -> Vec<u8> {
    for (index, removed, added) in edits {
        let at = index.index(bytes.len() + 1);
        let end = bytes.len().min(at + removed);
        bytes.splice(at..end, added);
    }
    bytes
}

/// Bytes that mean something in these files, and any others.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        prop::sample::select(b"\"\n\r,:{}[]\\-0129.eE ;/".to_vec()),
        any::<u8>()
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_an_error_or_a_value(
        file in prop::sample::select(FILES.to_vec()),
        bytes in prop::collection::vec(byte(), 0..200),
    ) {
        let dir = tempfile::tempdir().unwrap();
        write_all(dir.path());
        i2am_files::write_atomic(dir.path().join(file), bytes).unwrap();
        read_all(dir.path());
    }

    #[test]
    fn an_edited_file_gives_an_error_or_a_value(
        file in prop::sample::select(FILES.to_vec()),
        edits in prop::collection::vec(
            (any::<Index>(), 0..9_usize, prop::collection::vec(byte(), 0..4)),
            1..4,
        ),
    ) {
        let dir = tempfile::tempdir().unwrap();
        write_all(dir.path());
        let path = dir.path().join(file);
        let bytes = edit(fs::read(&path).unwrap(), edits);
        i2am_files::write_atomic(path, bytes).unwrap();
        read_all(dir.path());
    }
}

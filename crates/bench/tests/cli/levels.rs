//! What a run says of heads and of single positions, and what `[intervene]` does to it.

use std::path::Path;

use i2am_attribution::{AttentionRecord, Grid, LayerRecord, Source};
use i2am_results::{DebugRow, Manifest, Row, Status, read_debug, read_rows};

use crate::common::{SYNTH, run, write_config};

const WARP: &str = "warp_flow_blks.4.transformer_blocks.0.attn2";

/// Runs the configuration in `folder` with values replaced, and expects it to work.
fn done(folder: &Path, sets: &[&str]) -> String {
    let mut args = vec!["--config", "run.toml"];
    for set in sets {
        args.extend(["--set", set]);
    }
    let (code, text) = run(folder, &args);
    assert_eq!(code, 0, "{text}");
    text
}

fn debug(folder: &Path, output: &str) -> Vec<DebugRow> {
    read_debug(&folder.join(output).join("debug/pbe.csv")).unwrap()
}

fn rows(folder: &Path) -> Vec<Row> {
    let rows = read_rows(&folder.join("out/samples.csv")).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn every_head_is_ranked_and_the_worst_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    done(folder, &[]);
    let ranked = debug(folder, "out");
    // Three recorded layers of two heads in two time groups; one token has no other direction.
    assert_eq!(ranked.len(), 3 * 2 * 2);
    for (index, row) in ranked.iter().enumerate() {
        assert_eq!((row.rank, row.n, row.missing), (Some(index + 1), 3, 0));
        assert_eq!(
            (row.direction, row.note.is_one_token()),
            (i2am_results::Direction::ReferenceToGenerated, true)
        );
        let shares = [row.attention_outside.unwrap(), row.area_outside.unwrap()];
        assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
    }
    assert!(ranked.is_sorted_by(|a, b| a.imacs <= b.imacs));
    let worst = &ranked[0];
    let named = format!("{}, {}, {}", worst.layer, worst.head, worst.time_group);
    let (code, text) = run(folder, &["show", "out", "--heads"]);
    assert_eq!(code, 0, "{text}");
    let score = format!("{:.4}", worst.imacs.unwrap());
    assert!(text.contains(&named) && text.contains(&score), "{text}");

    // The same again is not computed again; other settings are.
    let path = folder.join("out/debug/pbe.csv");
    let written = || std::fs::metadata(&path).unwrap().modified().unwrap();
    let before = written();
    done(folder, &[]);
    assert_eq!(written(), before);
    done(folder, &["attribution.convention=paper"]);
    let paper = debug(folder, "out");
    assert_ne!(paper[0].config_hash, worst.config_hash);
    assert!(paper.iter().all(|row| row.convention.starts_with("paper")));

    let quiet = done(folder, &["attribution.debug.ranking=false", "output=plain"]);
    assert!(!quiet.contains("debug/") && !folder.join("plain/debug").exists());
}

/// A record with one spatial layer more, whose every position attends evenly to the reference.
fn with_even_layer(path: &Path) {
    let mut record = AttentionRecord::from_bytes(&std::fs::read(path).unwrap(), path).unwrap();
    let (height, width, groups) = (4, 3, record.groups());
    let cells = height * width;
    let sums = vec![0.5; 2 * groups * cells];
    record.layers.push(LayerRecord {
        r2g: sums.clone(),
        g2r: Some(sums),
        r2g_counts: [6, 6],
        g2r_counts: [6, 6],
        specific: Some(vec![half::f16::from_f64(1.0 / cells as f64); cells * cells]),
        ..LayerRecord::new(
            WARP,
            Source::Spatial { height, width },
            1,
            Grid { height, width },
        )
    });
    i2am_files::write_atomic(path, record.to_bytes().unwrap()).unwrap();
}

#[test]
fn chosen_positions_have_rows_and_pictures_in_both_directions() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    let kept = "attribution.capture.specific=[\"warp_flow_blks.*\"]";
    done(folder, &[kept]);
    let first = i2am_files::sorted_entries(folder.join("out/attention/pbe"))
        .unwrap()
        .remove(0);
    with_even_layer(&first);
    let asked = [
        kept,
        "attribution.specific.generated.points=[[0.3, 0.5]]",
        "attribution.specific.generated.mask=each",
        "attribution.specific.reference.boxes=[[0.0, 0.0, 0.5, 1.0]]",
        "attribution.specific.reference.mask=together",
    ];
    done(folder, &asked);

    let id = first.file_stem().unwrap().to_str().unwrap();
    let level = |place: &str| format!("specific:{WARP}/{place}").parse().ok();
    let rows = rows(folder);
    let found = |place: &str, metric: &str| {
        let row = rows
            .iter()
            .find(|row| row.measurement.level == level(place) && row.measurement.metric == metric);
        let row = row.unwrap_or_else(|| panic!("no {metric} of {place}"));
        assert_eq!(row.sample_id, id);
        assert_eq!(row.measurement.outcome.status(), Status::Ok);
        row.measurement.outcome.value().unwrap()
    };
    // Even attention has the share of the area, which is that of the mask.
    let outside = |part: &str, id: &str| {
        let path = folder.join("set/test").join(part).join(id);
        let mask = i2am_imaging::read_gray(path).unwrap();
        let inside = mask.pixels().filter(|level| level.0[0] > 127).count();
        1.0 - inside as f64 / f64::from(mask.width() * mask.height())
    };
    let hole = outside("agnostic-mask", &format!("{id}_mask.png"));
    let of_place = |direction: &str, place: &str| {
        let metric = if direction == "r2g" {
            "imacs_g"
        } else {
            "imacs_r"
        };
        let score = found(place, metric);
        assert!((-3.0..=1.0).contains(&score), "{score}");
        found(place, "attention_outside")
    };
    for place in ["box:0,0,0.5,1", "mask"] {
        let share = of_place("r2g", place);
        assert!((share - hole).abs() < 1e-3, "{share}, not {hole}");
    }
    assert!(of_place("g2r", "point:0.3,0.5") > 0.0);
    let each = rows.iter().filter(|row| {
        let level = row.measurement.level.as_ref();
        level.is_some_and(|level| level.to_string().contains("/position:"))
            && row.measurement.metric == "imacs_r"
    });
    let each = each.count();
    assert!((1..12).contains(&each), "{each}");

    let maps = folder.join("out/maps/pbe").join(id);
    let point = format!("g2r.specific-{WARP}.point-0.3,0.5.png");
    let picture = i2am_imaging::read_rgb(maps.join(point)).unwrap();
    assert!(picture.width() > 2 * 192, "two pictures side by side");
    let names = i2am_files::sorted_entries(&maps).unwrap();
    let specific = |prefix: &str| {
        let is = |path: &&std::path::PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(prefix)
        };
        names.iter().filter(is).count()
    };
    assert_eq!(specific("g2r.specific-"), 1 + each);
    assert_eq!(specific("r2g.specific-"), 2);
}

#[test]
fn positions_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    let layers = "attribution.specific.layers=[\"warp*\"]";
    for (sets, words) in [
        (
            vec![layers, "attribution.specific.generated.points=[[0.5, 1.5]]"],
            "specific.generated.points",
        ),
        (
            vec!["attribution.specific.generated.mask=each"],
            "expected `layers`",
        ),
        (
            vec![layers, "attribution.specific.generated.mask=some"],
            "unknown variant",
        ),
    ] {
        let mut args = vec!["check", "--config", "run.toml"];
        for set in sets {
            args.extend(["--set", set]);
        }
        let (code, text) = run(folder, &args);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn an_intervention_changes_the_picture_and_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    let rule = "intervene.scale=[{ layers = [\"up_blocks.1.*\"], heads = [0], factor = 0 }]";
    done(folder, &[]);
    done(folder, &[rule, "output=changed"]);
    let manifest =
        |output: &str| Manifest::read(folder.join(output).join("manifest.json")).unwrap();
    let (plain, changed) = (manifest("out"), manifest("changed"));
    assert!(plain.config.get("intervene").is_none());
    assert_eq!(changed.config["intervene"]["scale"][0]["factor"], 0.0);
    assert_ne!(
        plain.config_hashes.generate.hash(),
        changed.config_hashes.generate.hash()
    );
    let picture = |output: &str| {
        let folder = folder.join(output).join("images/pbe");
        std::fs::read(&i2am_files::sorted_entries(folder).unwrap()[0]).unwrap()
    };
    assert_ne!(picture("out"), picture("changed"));

    // Without a rule the hash is what it was; with one, pictures of both kinds do not mix.
    done(folder, &["intervene.scale=[]"]);
    let (code, text) = run(folder, &["--config", "run.toml", "--set", rule]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("intervene: null, now"), "{text}");

    for (rule, words) in [
        (
            "intervene.scale=[{ layers = [\"up_blocks.7.*\"], factor = 0 }]",
            "no layer `up_blocks.7.*`",
        ),
        (
            "intervene.scale=[{ layers = [\"*\"], heads = [4], factor = 0 }]",
            "head 4 does not exist",
        ),
        (
            "intervene.scale=[{ layers = [\"*\"], factor = 0, models = [\"pbf\"] }]",
            "did you mean `pbe`",
        ),
        (
            "intervene.forbid=[{ layers = [\"*\"], region = \"left\" }]",
            "unknown variant",
        ),
        ("intervene.scala=[]", "scala"),
    ] {
        let (code, text) = run(folder, &["check", "--config", "run.toml", "--set", rule]);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(words), "{text}");
    }
}

/// Two models of one checkpoint, of which one is changed, in one run.
#[test]
fn a_rule_can_hold_for_one_of_two_models() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, SYNTH);
    let path = folder.join("run.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let start = text.find("[[model]]").unwrap();
    let end = text.find("[attribution]").unwrap();
    let second = text[start..end].replace("\"pbe\"", "\"repaired\"");
    let rule =
        "[[intervene.scale]]\nmodels = [\"repaired\"]\nlayers = [\"up_blocks.*\"]\nfactor = 0.0\n";
    i2am_files::write_atomic(&path, format!("{text}{second}{rule}")).unwrap();
    let (code, text) = run(folder, &["--config", "run.toml", "--limit", "1"]);
    assert_eq!(code, 0, "{text}");
    done(folder, &["output=plain", "intervene.scale=[]"]);
    let picture = |output: &str, model: &str| {
        let folder = folder.join(output).join("images").join(model);
        std::fs::read(&i2am_files::sorted_entries(folder).unwrap()[0]).unwrap()
    };
    assert_eq!(picture("out", "pbe"), picture("plain", "pbe"));
    assert_ne!(picture("out", "repaired"), picture("plain", "repaired"));
}

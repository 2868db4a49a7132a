//! Variants of a model that are damaged on purpose: a run of them, what it reports, and what is refused.

use std::path::Path;

use i2am_results::{Manifest, RunPaths};

use crate::common::{run, write_config};

const SYNTH: &str =
    "kind = \"synth\"\nseed = 9\ncount = 5\nheight = 128\nwidth = 96\nroot = \"set\"";

const VARIANTS: &str = r#"
[metric.psnr]
[statistics]
resamples = 50
permutations = 50
[[variant]]
name = "unharmed"
of = ["pbe"]
damage = [{ kind = "noise", tensors = ["*"], size = 0.0 }]
[[variant]]
name = "off"
of = ["pbe"]
damage = [{ kind = "off", layers = ["*"] }]
[[variant]]
name = "other"
of = ["pbe"]
damage = [{ kind = "other-reference", share = 1.0 }]
[[variant]]
name = "fast"
of = ["pbe"]
group = "steps"
sampler.steps = 1
"#;

const NO_PICTURES: [&str; 6] = [
    "--set",
    "attribution.time_groups=1",
    "--set",
    "attribution.pictures.grid=false",
    "--set",
    "attribution.pictures.overlays=false",
];

fn write(folder: &Path) {
    write_config(folder, SYNTH);
    let path = folder.join("run.toml");
    let text = i2am_files::read_text(&path).unwrap();
    i2am_files::write_atomic(&path, format!("{text}{VARIANTS}")).unwrap();
}

fn bench(folder: &Path, command: &[&str], sets: &[&str]) -> (i32, String) {
    let mut args = command.to_vec();
    args.extend(["--config", "run.toml"]);
    args.extend(NO_PICTURES);
    for set in sets {
        args.extend(["--set", set]);
    }
    run(folder, &args)
}

#[test]
fn a_run_says_what_it_takes_to_notice_each_damage() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder);
    let (code, text) = bench(folder, &[], &[]);
    assert_eq!(code, 0, "{text}");
    let paths = RunPaths::new(folder.join("out"));
    let dataset_ids = ["00000_00", "00001_00", "00002_00", "00003_00", "00004_00"];
    let image = |model: &str, id: &str| i2am_files::read(paths.image(model, id)).unwrap();
    for id in dataset_ids {
        let attention = |model: &str| i2am_files::read(paths.attention(model, id)).unwrap();
        assert_eq!(image("pbe-unharmed", id), image("pbe", id));
        assert_eq!(attention("pbe-unharmed"), attention("pbe"));
        for damaged in ["pbe-off", "pbe-other", "pbe-fast"] {
            assert_ne!(image(damaged, id), image("pbe", id), "{damaged}, {id}");
        }
    }

    let manifest = Manifest::read(paths.manifest()).unwrap();
    let models = manifest.config["model"].as_array().unwrap();
    let names: Vec<&str> = models
        .iter()
        .map(|model| model["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["pbe", "pbe-unharmed", "pbe-off", "pbe-other", "pbe-fast"]
    );
    assert!(models[0].get("damage").is_none());
    assert_eq!(models[2]["damage"][0]["kind"], "off");
    assert_eq!(models[4]["sampler"]["steps"], 1);
    assert_eq!(manifest.config["variants"][3]["group"], "steps");
    // Where the checkpoint lies is no setting of a damaged model either.
    assert!(models[2].get("checkpoint").is_none());

    let read = |name: &str| i2am_files::read_text(paths.tables().join(name)).unwrap();
    let power = read("detection_power.md");
    let line = |model: &str| {
        let start = format!("| {model} |");
        let found = power.lines().find(|line| line.starts_with(&start));
        let cells = found
            .unwrap_or_else(|| panic!("no {model} in {power}"))
            .split('|');
        cells.map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(line("pbe-unharmed")[2..4], ["noise", "same"]);
    assert_eq!(line("pbe-fast")[2], "steps");
    assert!(!line("pbe-off").contains(&"same".to_owned()), "{power}");
    let correlations = read("ladder_correlations.csv");
    assert!(
        correlations.contains("\npbe,all,imacs_g,"),
        "{correlations}"
    );

    // Variants are no models: of one model alone nothing can be correlated, and the page shows the tables of the ladder.
    let rows = i2am_files::read_text(paths.correlations()).unwrap();
    let of_models: Vec<&str> = rows
        .lines()
        .filter(|row| row.starts_with("model,"))
        .collect();
    assert!(!of_models.is_empty(), "{rows}");
    assert!(
        of_models.iter().all(|row| row.contains(",empty,")),
        "{of_models:?}"
    );
    assert!(!rows.contains("random effects"), "{rows}");
    let page = i2am_files::read_text(paths.page()).unwrap();
    for caption in [
        "Samples that each score and metric needs to tell a variant",
        "over a model and its variants",
    ] {
        assert!(page.contains(caption), "{caption}");
    }
    let (code, text) = bench(
        folder,
        &["--stages", "correlate"],
        &["statistics.variants=true"],
    );
    assert_eq!(code, 0, "{text}");
    let rows = i2am_files::read_text(paths.correlations()).unwrap();
    assert!(
        rows.lines()
            .any(|row| row.starts_with("model,") && row.contains(",ok,")),
        "{rows}"
    );

    // A report that is written again says the same.
    let csv = read("detection_power.csv");
    std::fs::remove_dir_all(paths.tables()).unwrap();
    let (code, text) = run(folder, &["report", "--results", "out"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        (read("detection_power.md"), read("detection_power.csv")),
        (power, csv)
    );

    // Damage decides the images; the group does not.
    let (code, text) = bench(
        folder,
        &[],
        &[
            "variant.1.group=\"heads\"",
            "variant.1.damage=[{ kind = \"off\", layers = [\"*\"], keep = 0.5 }]",
        ],
    );
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("--fresh"), "{text}");
    let (code, text) = bench(folder, &["check"], &["variant.1.group=\"heads\""]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn what_a_run_would_refuse_of_variants_check_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder);
    for (set, expected) in [
        (
            "variant.0.damage=[{ kind = \"noise\", tensors = [\"unit.*\"], size = 0.1 }]",
            "model `pbe-unharmed`: damage.0: no tensor `unit.*`",
        ),
        (
            "variant.0.damage=[{ kind = \"off\", layers = [\"warp.*\"] }]",
            "model `pbe-unharmed`: damage.0: no layer `warp.*`",
        ),
        (
            "variant.0.damage=[{ kind = \"noise\", tensors = [\"*\"], size = -1 }]",
            "model `pbe-unharmed`: damage.0: size: expected a finite number of at least 0, found -1",
        ),
        (
            "variant.0.damage=[{ kind = \"noisy\" }]",
            "unknown variant `noisy`",
        ),
        (
            "variant.0.of=[\"pbf\"]",
            "variant `unharmed`: no model `pbf`",
        ),
        ("variant.0.guidence=1.0", "unknown field `guidence`"),
        (
            "variant.1.name=\"unharmed\"",
            "two models are called `pbe-unharmed`",
        ),
        (
            "dataset={ kind = \"synth\", seed = 9, count = 1, height = 128, width = 96, root = \"one\" }",
            "needs at least two samples",
        ),
    ] {
        for command in [&["check"] as &[&str], &[]] {
            let (code, text) = bench(folder, command, &[set]);
            assert_eq!(code, 2, "{set}: {text}");
            assert!(text.contains(expected), "{set}: {text}");
        }
    }
}

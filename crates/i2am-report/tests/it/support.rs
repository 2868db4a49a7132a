//! A run folder as a run leaves it: pictures and records by formula, scores worked out from them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use half::f16;
use i2am_attribution::{
    AttentionRecord, Convention, ConventionName, Direction, Grid, LayerRecord, Level, Source,
    attribution_map, levels, normalise,
};
use i2am_imaging::{GrayImage, Plane, RgbImage, write_png_rgb};
use i2am_quantity::{Measurement, Notes, Outcome};
use i2am_report::{PictureSource, Pictures};
use i2am_results::{
    ConfigHash, ConfigHashes, CorrelationRow, DatasetName, DebugRow, ManifestStart, RunFolder,
    RunPaths, SampleResult, SetScore, Stage, Unit, write_debug,
};
use serde_json::json;

/// Height and width of pictures; a patch is 8 pixels.
pub(crate) const SIZE: [usize; 2] = [64, 48];
/// Rows and columns of patches.
pub(crate) const PATCHES: [usize; 2] = [8, 6];
pub(crate) const SAMPLES: [&str; 4] = ["00001_00", "00002_00", "00003_00", "00004_00"];
/// Two models that see the reference patch by patch, and one that does not.
pub(crate) const MODELS: [&str; 3] = ["one-token", "spatial-a", "spatial-b"];
pub(crate) const SPATIAL_LAYER: &str = "warp_flow_blks.4.transformer_blocks.0.attn2";
const ONE_TOKEN_LAYER: &str = "up_blocks.3.attentions.0.transformer_blocks.0.attn2";
pub(crate) const GROUPS: usize = 3;
pub(crate) const HEADS: usize = 2;
const PENALTY: f64 = 3.0;

/// A number in [0, 1) that depends on all of `seeds` and on nothing else.
fn noise(seeds: &[usize]) -> f64 {
    let mixed = seeds.iter().fold(17_u64, |mixed, seed| {
        (mixed ^ *seed as u64)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(23)
    });
    (mixed >> 40) as f64 / (1_u64 << 24) as f64
}

fn grid() -> usize {
    PATCHES[0] * PATCHES[1]
}

pub(crate) fn convention() -> Convention {
    Convention {
        time_groups: GROUPS,
        ..Convention::preset(ConventionName::Spatial)
    }
}

/// The reference patch that a generated one takes most from: the same row, mirrored.
pub(crate) fn taken_from(patch: usize) -> usize {
    let (row, column) = (patch / PATCHES[1], patch % PATCHES[1]);
    row * PATCHES[1] + PATCHES[1] - 1 - column
}

/// Whether a patch lies in the middle, where mask and object are.
fn is_inside(patch: usize) -> bool {
    let (row, column) = (patch / PATCHES[1], patch % PATCHES[1]);
    (2..6).contains(&row) && (1..5).contains(&column)
}

/// `model` counts from 0; a higher one attends better.
pub(crate) fn record(model: usize, sample: usize) -> AttentionRecord {
    let map = |layer: usize, side: usize| -> Vec<f32> {
        let mut values = Vec::new();
        for half in 0..2 {
            for group in 0..GROUPS {
                for head in 0..HEADS {
                    for patch in 0..grid() {
                        let inside = if is_inside(patch) {
                            1.0 + model as f64 + 0.3 * group as f64
                        } else {
                            0.6
                        };
                        let value = inside
                            * (0.4
                                + noise(&[model, sample, layer, side, half, group, head, patch]));
                        values.push(value as f32);
                    }
                }
            }
        }
        values
    };
    let [height, width] = PATCHES;
    let patches = Grid { height, width };
    let one = Source::Tokens { count: 1 };
    let one_token = LayerRecord {
        r2g: map(0, 0),
        ..LayerRecord::new(ONE_TOKEN_LAYER, one, HEADS, patches)
    };
    let inside = (0..grid()).filter(|patch| is_inside(*patch)).count() as u64;
    let counts = [inside, grid() as u64 - inside];
    let spatial = LayerRecord {
        r2g: map(1, 0),
        g2r: Some(map(1, 1)),
        r2g_counts: counts,
        g2r_counts: counts,
        specific: Some(specific(sample)),
        ..LayerRecord::new(
            SPATIAL_LAYER,
            Source::Spatial { height, width },
            HEADS,
            patches,
        )
    };
    let layers = if model == 0 {
        vec![one_token]
    } else {
        vec![one_token, spatial]
    };
    AttentionRecord {
        layers,
        steps: vec![2; GROUPS],
        latent_height: PATCHES[0],
        latent_width: PATCHES[1],
    }
}

/// Each patch takes 60 % from [`taken_from`] and the rest from everywhere.
fn specific(sample: usize) -> Vec<f16> {
    let mut values = Vec::new();
    for patch in 0..grid() {
        for token in 0..grid() {
            let share = if token == taken_from(patch) {
                0.6
            } else {
                0.4 / (grid() - 1) as f64
            };
            values.push(f16::from_f64(
                share * (1.0 - 0.05 * noise(&[sample, patch, token])),
            ));
        }
    }
    values
}

fn picture(seed: usize, object: bool) -> RgbImage {
    RgbImage::from_fn(SIZE[1] as u32, SIZE[0] as u32, |x, y| {
        let patch = (y as usize / 8) * PATCHES[1] + x as usize / 8;
        let fade = 150 + (y as u8) + (x as u8) / 2;
        if object && is_inside(patch) {
            let stripe = if (x / 4 + seed as u32).is_multiple_of(2) {
                40
            } else {
                0
            };
            image::Rgb([
                40 + 50 * (seed as u8 % 4) + stripe,
                90,
                200 - 40 * (seed as u8 % 4),
            ])
        } else {
            image::Rgb([fade, fade, fade - 20])
        }
    })
}

fn mask() -> GrayImage {
    GrayImage::from_fn(SIZE[1] as u32, SIZE[0] as u32, |x, y| {
        let patch = (y as usize / 8) * PATCHES[1] + x as usize / 8;
        image::Luma([if is_inside(patch) { 255 } else { 0 }])
    })
}

/// The data set of the run.
pub(crate) struct Dataset;

impl PictureSource for Dataset {
    fn pictures(&self, sample_id: &str) -> Result<Pictures, String> {
        let index = SAMPLES.iter().position(|id| *id == sample_id);
        let index = index.ok_or_else(|| format!("no sample `{sample_id}`"))?;
        Ok(Pictures {
            image: picture(index, false),
            mask: Some(mask()),
            reference: picture(index, true),
            reference_mask: Some(mask()),
            ground_truth: Some(picture(index, true)),
        })
    }
}

fn mask_plane() -> Plane {
    let mask = mask();
    Plane::from_fn(SIZE[0], SIZE[1], |r, c| {
        f32::from(mask.get_pixel(c as u32, r as u32).0[0] / 255)
    })
}

/// The score as published: mean inside less the penalty times the mean outside.
pub(crate) fn score(
    record: &AttentionRecord,
    direction: Direction,
    level: &Level,
) -> Result<f64, String> {
    let map = attribution_map(record, &convention(), direction, level)
        .map_err(|reason| reason.to_string())?;
    let map = normalise(&map.plane, &convention(), direction, SIZE[0], SIZE[1], None);
    let mask = mask_plane();
    let mean = |inside: bool| {
        let both = map.data().iter().zip(mask.data());
        let side: Vec<f64> = both
            .filter(|(_, mask)| (**mask > 0.5) == inside)
            .map(|(value, _)| f64::from(*value))
            .collect();
        side.iter().sum::<f64>() / side.len() as f64
    };
    Ok(mean(true) - PENALTY * mean(false))
}

/// A direction or level of a map, whichever crate it is of.
fn typed<T: std::str::FromStr<Err: std::fmt::Debug>>(value: &(impl ToString + ?Sized)) -> T {
    value.to_string().parse().unwrap()
}

fn measurement(metric: &str, variant: &str, outcome: Outcome) -> Measurement {
    Measurement {
        direction: None,
        level: None,
        metric: metric.to_owned(),
        version: 1,
        outcome,
        convention: variant.to_owned(),
        note: Notes::NONE,
    }
}

fn ok(value: f64) -> Outcome {
    Outcome::ok(value).unwrap()
}

fn scores(record: &AttentionRecord) -> Vec<Measurement> {
    let mut rows = Vec::new();
    for (direction, metric) in [
        (Direction::ReferenceToGenerated, "imacs_g"),
        (Direction::GeneratedToReference, "imacs_r"),
    ] {
        let mut offered = levels(record, &convention(), direction);
        if offered.is_empty() {
            offered.push(Level::Unified);
        }
        for level in offered {
            let map = attribution_map(record, &convention(), direction, &level);
            rows.push(Measurement {
                direction: Some(typed(&direction)),
                level: Some(typed(&level)),
                note: map.map_or(Notes::NONE, |map| map.notes),
                ..measurement(
                    metric,
                    "spatial",
                    score(record, direction, &level).map_or_else(Outcome::empty, ok),
                )
            });
        }
    }
    rows
}

fn start(name: &str) -> ManifestStart {
    let config = json!({
        "seed": 42,
        "attribution": {"convention": convention(), "imacs": {"penalty": PENALTY}},
    });
    let hash = |keys: &[&str]| ConfigHash::of(&config, keys);
    ManifestStart {
        name: name.to_owned(),
        dataset: DatasetName {
            name: "drawn".to_owned(),
            split: "test".to_owned(),
            pairing: "paired".to_owned(),
        },
        git: None,
        config_hashes: ConfigHashes {
            generate: hash(&["seed"]),
            score: hash(&["attribution"]),
            measure: hash(&[]),
            faithfulness: ConfigHash::of_nothing(),
        },
        config,
        inputs: BTreeMap::new(),
        samples: None,
        versions: BTreeMap::new(),
        device: "cpu".to_owned(),
        threads: 1,
        seed: 42,
    }
}

/// Overlaps of boxes read off maps in two ways, and of one guessed without a map.
fn boxes(model: usize, sample: usize) -> Vec<Measurement> {
    let overlap =
        |procedure: &str| 0.2 + 0.2 * model as f64 + 0.1 * noise(&[model, sample, procedure.len()]);
    let mut rows = Vec::new();
    for procedure in ["threshold", "otsu"] {
        let found = !(procedure == "otsu" && sample == 2);
        let row = |metric: &str, value: f64| Measurement {
            direction: Some(typed("r2g")),
            level: Some(typed("unified")),
            ..measurement(metric, procedure, ok(value))
        };
        rows.push(row("iou", if found { overlap(procedure) } else { 0.0 }));
        rows.push(row("box_found", if found { 1.0 } else { 0.0 }));
    }
    rows.push(measurement("iou", "baseline:center", ok(overlap("") / 2.0)));
    rows
}

/// Shares of attention near the matching place and their controls; none for the model whose layers have one token.
fn near(model: usize, sample: usize) -> Vec<Measurement> {
    let mut rows = Vec::new();
    if model == 0 {
        return rows;
    }
    let layer = format!("layer:{SPATIAL_LAYER}");
    for direction in ["r2g", "g2r"] {
        for (place, level) in ["unified", "time:0", "head:1", &layer]
            .into_iter()
            .enumerate()
        {
            for radius in [0, 2, 10] {
                let uniform = f64::from(radius + 1) / 20.0;
                let near = uniform + 0.1 * model as f64 + 0.1 * noise(&[sample, place]);
                let gain = (near - uniform) / (1.0 - uniform);
                for (part, value) in [
                    ("", near),
                    ("_gain", gain),
                    ("_shuffled", uniform),
                    ("_uniform", uniform),
                ] {
                    rows.push(Measurement {
                        direction: Some(typed(direction)),
                        level: Some(typed(level)),
                        ..measurement(
                            &format!("locality{part}_{direction}"),
                            &format!("r={radius}"),
                            ok(value),
                        )
                    });
                }
            }
        }
    }
    rows
}

/// Writes a finished run called `name` into a folder of that name below `parent`.
pub(crate) fn make_run(parent: &Path, name: &str) -> PathBuf {
    make(parent, name, |_, _| Vec::new())
}

/// The same of a run that also looks for boxes.
pub(crate) fn make_detection_run(parent: &Path, name: &str) -> PathBuf {
    make(parent, name, boxes)
}

/// The same of a run that also recorded attention near the matching place.
pub(crate) fn make_locality_run(parent: &Path, name: &str) -> PathBuf {
    make(parent, name, near)
}

/// `more` gives further rows of a model and sample.
fn make(parent: &Path, name: &str, more: fn(usize, usize) -> Vec<Measurement>) -> PathBuf {
    let dir = parent.join(name);
    let mut folder = RunFolder::open(&dir, start(name), false).unwrap();
    for (model_index, model) in MODELS.iter().enumerate() {
        for (index, id) in SAMPLES.iter().enumerate() {
            let record = record(model_index, index);
            let paths = folder.paths().clone();
            write_png_rgb(paths.image(model, id), &picture(index + model_index, true)).unwrap();
            i2am_files::write_atomic(paths.attention(model, id), record.to_bytes().unwrap())
                .unwrap();
            let quality = 0.1 * model_index as f64 + 0.05 * noise(&[index, model_index]);
            let measured = vec![
                measurement("lpips", "alex", ok(0.4 - quality)),
                measurement(
                    "psnr",
                    "rgb",
                    if index == 3 {
                        Outcome::empty("equal pictures")
                    } else {
                        ok(18.0 + 10.0 * quality)
                    },
                ),
            ];
            let mut scored = scores(&record);
            scored.extend(more(model_index, index));
            for (stage, measurements) in [
                (Stage::Generate, Vec::new()),
                (Stage::Score, scored),
                (Stage::Measure, measured),
            ] {
                folder
                    .append(&SampleResult {
                        stage,
                        model: (*model).to_owned(),
                        sample_id: (*id).to_owned(),
                        measurements,
                        failure: None,
                    })
                    .unwrap();
            }
        }
        let set = |metric: &str, value: f64, sd| SetScore {
            model: (*model).to_owned(),
            metric: metric.to_owned(),
            version: 1,
            convention: "clean".to_owned(),
            note: Notes::from("4 pictures against 4"),
            n: SAMPLES.len(),
            outcome: ok(value),
            sd,
        };
        let better = model_index as f64;
        folder
            .put_set_scores(vec![
                set("fid", 233.256 - 20.0 * better, None),
                set("kid", 0.0977 - 0.01 * better, Some(0.001)),
            ])
            .unwrap();
    }
    folder.put_correlations(&correlations()).unwrap();
    folder.finish(Vec::new()).unwrap();
    drop(folder);
    write_faults(&dir);
    dir
}

/// A few rows of every kind.
fn correlations() -> Vec<CorrelationRow> {
    let row = |unit, score: &str, metric: &str, method: &str, value: f64, lower_is_better: bool| {
        CorrelationRow {
            unit,
            model: String::new(),
            score: score.to_owned(),
            direction: Some(typed(if score == "imacs_g" { "r2g" } else { "g2r" })),
            level: Some(typed("unified")),
            metric: metric.to_owned(),
            variant: if metric == "fid" { "clean" } else { "alex" }.to_owned(),
            rival: String::new(),
            covariate: String::new(),
            method: method.to_owned(),
            outcome: ok(value),
            oriented: Some(if lower_is_better { -value } else { value }),
            interval: Some([value - 0.1, (value + 0.3).min(1.0)]),
            p: Some(0.0004),
            p_by: "exact".to_owned(),
            p_holm: None,
            n: 3,
            note: Notes::from("n below 5: no claim is possible"),
        }
    };
    let mut rows = vec![
        row(Unit::Model, "imacs_g", "fid", "pearson", -0.9, true),
        row(Unit::Model, "imacs_g", "fid", "spearman", -1.0, true),
        row(Unit::Pooled, "imacs_g", "lpips", "spearman", 0.25, true),
        row(Unit::Pooled, "imacs_r", "lpips", "spearman", -0.4, true),
    ];
    rows.push(CorrelationRow {
        unit: Unit::Sample,
        model: MODELS[1].to_owned(),
        p: Some(0.2),
        p_holm: Some(0.4),
        note: Notes::NONE,
        covariate: "mask_area".to_owned(),
        n: 4,
        ..rows[2].clone()
    });
    rows.push(CorrelationRow {
        outcome: Outcome::empty("the score is constant"),
        oriented: None,
        interval: None,
        p: None,
        p_by: String::new(),
        covariate: "mask_area".to_owned(),
        ..rows[3].clone()
    });
    rows.push(CorrelationRow {
        rival: "imacs_r".to_owned(),
        method: "steiger:pearson".to_owned(),
        outcome: ok(-1.2),
        oriented: Some(1.2),
        interval: None,
        ..rows[0].clone()
    });
    rows
}

/// What a run that looked for faults reports of a model.
fn write_faults(dir: &Path) {
    let mut rows = Vec::new();
    for head in 0..HEADS {
        for time_group in 0..GROUPS {
            rows.push(DebugRow {
                model: MODELS[1].to_owned(),
                direction: i2am_quantity::Direction::ReferenceToGenerated,
                rank: None,
                layer: SPATIAL_LAYER.to_owned(),
                grid: "8x6".to_owned(),
                head,
                time_group,
                imacs: Some(0.2 - 0.3 * (head + time_group) as f64),
                sd: None,
                n: SAMPLES.len(),
                missing: 0,
                attention_outside: Some(0.2 + 0.1 * time_group as f64),
                area_outside: Some(0.5),
                convention: "spatial".to_owned(),
                note: Notes::NONE,
                config_hash: String::new(),
            });
        }
    }
    write_debug(&RunPaths::new(dir).debug(MODELS[1]), &rows).unwrap();
}

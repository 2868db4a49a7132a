//! Scores of attention that other programs exported, as a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use i2am_attribution::Convention;
use i2am_imacs::detection::BoxSeed;
use i2am_imacs::scores::{Enabled, SCORES, ScoreInput};
use i2am_imacs::{ImacsConfig, Masks, fitted_mask};
use i2am_imaging::{MaskReading, Plane, limit_megapixels, read_mask};
use i2am_results::{
    ConfigHash, ConfigHashes, DatasetName, ManifestStart, Measurement, PartInput, RunFolder,
    SampleInputs, Stage, Status,
};
use serde_json::{Value, json};

use crate::cli::ScoreArgs;
use crate::config::empty_table;
use crate::exit::{Outcome, usage};
use crate::{exported, progress, stages};

/// Endings of masks.
const MASKS: [&str; 3] = ["png", "jpg", "jpeg"];

/// The files of one sample.
struct Sample {
    id: String,
    attention: PathBuf,
    mask: PathBuf,
    reference_mask: Option<PathBuf>,
}

/// Scores every file of the folder; what an earlier call scored is not scored again.
pub(super) fn run(args: &ScoreArgs) -> Result<Outcome> {
    limit_megapixels(args.max_megapixels);
    let model = model_name(args)?;
    let samples = samples(args)?;
    let start = start(args, &model, &samples)?;
    let mut folder = RunFolder::open(&args.out, start, args.fresh)?;
    for sample in folder.changed() {
        tracing::warn!("{sample}");
    }
    let bar = progress::bar("score", samples.len() as u64);
    for sample in &samples {
        if folder.done(Stage::Score, &model, &sample.id) != Some(Status::Ok) {
            let scored = scored(args, &folder, &model, sample);
            stages::note(&mut folder, Stage::Score, [&model, &sample.id], scored)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    folder.finish(Vec::new())?;
    let rows = folder.aggregate()?;
    let counts = folder.counts();
    if args.json {
        let scores: Vec<Value> = rows.iter().map(super::run::row_as_json).collect();
        let text = json!({ "output": args.out, "counts": counts, "scores": scores }).to_string();
        progress::print(&text)?;
    } else {
        super::show::after_run(&args.out, false, 0)?;
    }
    Ok(match counts.failed {
        0 => Outcome::Ok,
        _ => Outcome::SomeFailed,
    })
}

/// The name of the model: the one that is given, else that of the folder.
fn model_name(args: &ScoreArgs) -> Result<String> {
    let folder = args.attention.file_name().and_then(|name| name.to_str());
    let name = args.model.as_deref().or(folder).unwrap_or("exported");
    match i2am_results::name_objection(name) {
        None => Ok(name.to_owned()),
        Some(objection) => Err(usage(format!("--model {name}: {objection}"))),
    }
}

/// The samples, by id: one for each file with attention, which must have a mask.
fn samples(args: &ScoreArgs) -> Result<Vec<Sample>> {
    let mut attention: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in i2am_files::sorted_entries(&args.attention)? {
        if !exported::has_ending(&path) {
            continue;
        }
        let id = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        if let Some(other) = attention.insert(id.to_owned(), path.clone()) {
            return Err(usage(format!(
                "{}: expected one file of each sample, found {} as well",
                path.display(),
                other.display()
            )));
        }
    }
    if attention.is_empty() {
        return Err(usage(format!(
            "{}: expected files that end in .{}, found none",
            args.attention.display(),
            exported::ENDINGS.join(" or .")
        )));
    }
    let mask_of = |folder: &Path, id: &str| {
        let mut paths = MASKS
            .iter()
            .map(|ending| folder.join(format!("{id}.{ending}")));
        paths.find(|path| path.is_file())
    };
    let without: Vec<&str> = attention
        .keys()
        .filter(|id| mask_of(&args.masks, id).is_none())
        .map(String::as_str)
        .collect();
    if !without.is_empty() {
        return Err(usage(format!(
            "{}: expected a mask SAMPLE.png for every file with attention, found none for: {}",
            args.masks.display(),
            without.join(", ")
        )));
    }
    let samples = attention.into_iter().filter_map(|(id, attention)| {
        let reference_mask = args
            .reference_masks
            .as_ref()
            .and_then(|folder| mask_of(folder, &id));
        Some(Sample {
            mask: mask_of(&args.masks, &id)?,
            id,
            attention,
            reference_mask,
        })
    });
    Ok(samples.collect())
}

/// What the manifest starts with.
fn start(args: &ScoreArgs, model: &str, samples: &[Sample]) -> Result<ManifestStart> {
    let name = args.out.file_name().and_then(|name| name.to_str());
    let config = json!({
        "dataset": { "kind": "exported", "settings": { "masks": args.mask } },
        "model": [{ "name": model, "family": "exported" }],
        "attribution": { "convention": Convention::preset(args.convention), "imacs": ImacsConfig { penalty: args.penalty } },
    });
    let inputs = samples
        .iter()
        .map(|sample| Ok((sample.id.clone(), Some(inputs(args, sample)?))));
    let [generate, score] =
        ["model", "attribution"].map(|key| ConfigHash::of(&config, &[key, "dataset"]));
    let hashes = ConfigHashes {
        generate,
        score,
        measure: ConfigHash::of_nothing(),
        faithfulness: ConfigHash::of_nothing(),
    };
    Ok(ManifestStart {
        name: name.unwrap_or("score").to_owned(),
        dataset: DatasetName {
            name: "exported".to_owned(),
            ..DatasetName::default()
        },
        git: crate::plan::git_state(),
        config,
        config_hashes: hashes,
        inputs: BTreeMap::new(),
        samples: Some(inputs.collect::<Result<_>>()?),
        versions: BTreeMap::from([(
            "i2am-bench".to_owned(),
            env!("CARGO_PKG_VERSION").to_owned(),
        )]),
        device: "cpu".to_owned(),
        threads: 1,
        seed: 0,
    })
}

/// The content of the files of a sample.
fn inputs(args: &ScoreArgs, sample: &Sample) -> Result<SampleInputs> {
    let part = |name: &str, root: &Path, path: &Path| {
        let sha256 = i2am_files::sha256_file(path)?;
        let path = path
            .strip_prefix(root)
            .unwrap_or(path)
            .display()
            .to_string();
        anyhow::Ok((name.to_owned(), PartInput { path, sha256 }))
    };
    let mut parts = BTreeMap::from([
        part("attention", &args.attention, &sample.attention)?,
        part("mask", &args.masks, &sample.mask)?,
    ]);
    if let (Some(root), Some(path)) = (&args.reference_masks, &sample.reference_mask) {
        parts.extend([part("reference-mask", root, path)?]);
    }
    let hashes: Vec<String> = parts
        .iter()
        .map(|(name, part)| format!("{name} {}", part.sha256))
        .collect();
    Ok(SampleInputs {
        fingerprint: i2am_files::sha256_hex(hashes.join("\n"))[..16].to_owned(),
        parts,
    })
}

/// The rows of one sample, whose record goes into the folder of the run.
fn scored(
    args: &ScoreArgs,
    folder: &RunFolder,
    model: &str,
    sample: &Sample,
) -> Result<Vec<Measurement>> {
    let record = exported::read_record(&sample.attention)?;
    let convention = Convention::preset(args.convention);
    let stored = |path: &PathBuf| -> Result<_> {
        let mask = read_mask(path, MaskReading::from(&args.mask))?;
        for doubt in &mask.doubts {
            tracing::warn!("{}: {doubt}", path.display());
        }
        Ok(mask.into_binary())
    };
    let mask = stored(&sample.mask)?;
    let size = [mask.height(), mask.width()].map(|length| length as usize);
    let fitted = |mask| -> Result<Plane> { Ok(fitted_mask(&mask, convention.mask_edges, size)?) };
    let reference = sample.reference_mask.as_ref();
    let masks = Masks {
        generated: Some(fitted(mask)?),
        reference: reference.map(|path| fitted(stored(path)?)).transpose()?,
    };
    let input = ScoreInput {
        record: &record,
        convention: &convention,
        imacs: &ImacsConfig {
            penalty: args.penalty,
        },
        masks: &masks,
        size,
        object: None,
        correspondence: None,
        seed: BoxSeed {
            seed: 0,
            dataset: "exported",
            sample: &sample.id,
        },
    };
    let mut rows = Vec::new();
    for score in SCORES
        .iter()
        .filter(|score| score.info().enabled == Enabled::Always)
    {
        let score = score
            .configure(empty_table())
            .context("a score that every run has")?;
        rows.extend(score.score(&input).rows);
    }
    let path = folder.paths().attention(model, &sample.id);
    i2am_files::write_atomic(path, record.to_bytes()?)?;
    Ok(rows)
}

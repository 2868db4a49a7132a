//! Pictures and maps of some samples of every model, as much as the page may hold.

use std::collections::{BTreeMap, BTreeSet};

use i2am_attribution::{
    AttentionRecord, Clamp, Convention, Direction, LayerRecord, MapResize, Polarity, ReferenceMask,
};
use i2am_imaging::{ColorMap, read_rgb};
use i2am_quantity::{Better, Level};
use i2am_results::DebugRow;
use rayon::prelude::*;
use serde::Serialize;

use super::maps::{self, DirectionMaps};
use super::pictures::{self, Bits, PictureSource};
use super::specific::{self, SpecificMaps};
use super::{PageConfig, choose, encode};
use crate::ReportError;
use crate::level::short_layer;
use crate::order::best_first;
use crate::run::{LevelScore, Run};
use crate::series::Series;

/// Parts of a record that look outside the mask most, as many as the page names.
const MOST_FAULTS: usize = 8;

const NO_PICTURES: &str = "the data set was not found";
const POOLED_NOTHING: &str = "This model sees its reference as one pooled token. Every patch of the image takes all of it with \
weight 1, so attention does not distinguish regions of the reference: there is nothing to explore.";
const NOT_KEPT: &str = "This model sees its reference patch by patch, but the run did not keep which patch took from which. Name layers \
in attribution.capture.specific and generate again.";

/// The data of the page.
#[derive(Debug, Serialize)]
pub(super) struct Gallery {
    models: Vec<Model>,
    samples: Vec<Sample>,
    /// Every table as CSV, by name.
    pub(super) tables: BTreeMap<String, String>,
    /// 256 colors, three bytes each, by name; the first is the default.
    colors: Vec<(String, String)>,
    #[serde(skip)]
    pub(super) left_out: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Model {
    label: String,
    rules: Rules,
    items: Vec<Item>,
    faults: Vec<Worst>,
}

/// How maps are made, as far as the page makes them.
#[derive(Debug, Serialize)]
struct Rules {
    inverted: BTreeMap<String, bool>,
    bicubic: bool,
    clamp: bool,
    reference_mask: bool,
    /// What the score of a map of each direction is called.
    titles: BTreeMap<String, &'static str>,
    floor: Option<f64>,
    epsilon: f64,
    penalty: f64,
}

/// One sample of one model.
#[derive(Debug, Serialize)]
struct Item {
    sample: usize,
    time_groups: usize,
    image: String,
    /// Values of metrics, for people.
    metrics: Vec<[String; 2]>,
    /// Scores by direction and level.
    scores: BTreeMap<String, BTreeMap<String, f64>>,
    maps: BTreeMap<String, DirectionMaps>,
    /// Why a direction has no map.
    no_map: BTreeMap<String, String>,
    specific: Vec<SpecificMaps>,
    no_specific: String,
}

/// What all models of a run were given, at the size of what they made.
#[derive(Debug, Serialize)]
struct Sample {
    run: usize,
    id: String,
    height: usize,
    width: usize,
    input: Option<String>,
    reference: Option<String>,
    truth: Option<String>,
    mask: Option<Bits>,
    reference_mask: Option<Bits>,
    /// Why there is no picture but the generated one.
    problem: Option<String>,
}

/// A head of a layer in a time group that looks outside the mask.
#[derive(Debug, Serialize)]
struct Worst {
    direction: String,
    layer: String,
    short: String,
    head: usize,
    time: usize,
    score: Option<f64>,
    outside: Option<f64>,
}

/// A run and where its pictures come from.
pub(super) type Source<'a> = (&'a Run, Option<&'a dyn PictureSource>);

impl Gallery {
    /// What the page holds besides samples, and which samples of each run it would show.
    ///
    /// # Errors
    /// A ledger that cannot be read.
    pub(super) fn prepare<'a>(
        sources: &[Source<'a>],
        config: &PageConfig,
    ) -> Result<(Self, Vec<Plan<'a>>), ReportError> {
        let mut gallery = Self {
            models: Vec::new(),
            samples: Vec::new(),
            tables: BTreeMap::new(),
            colors: colors(config.colors),
            left_out: Vec::new(),
        };
        let mut plans = Vec::new();
        for (index, (run, pictures)) in sources.iter().enumerate() {
            let (ids, how) = choose::samples(run, config.samples);
            let wanted: BTreeSet<String> = ids.iter().cloned().collect();
            let all = run.sample_ids().len();
            if ids.len() < all {
                gallery.left_out.push(format!(
                    "{}: maps of {} of {all} samples are here, {how}.",
                    run.label,
                    ids.len()
                ));
            }
            let models = best_first(run).models;
            let first_model = gallery.models.len();
            let many = sources.len() > 1;
            gallery
                .models
                .extend(models.iter().map(|model| Model::of(run, model, many)));
            plans.push(Plan {
                models,
                index,
                run,
                pictures: *pictures,
                scores: run.level_scores(&wanted)?,
                ids,
                first_model,
            });
        }
        Ok((gallery, plans))
    }

    /// Takes one sample of every model, then the next, as far as they fit into `bytes`.
    ///
    /// # Errors
    /// Pictures and records that are there and cannot be read.
    pub(super) fn fill(
        &mut self,
        plans: &[Plan<'_>],
        config: &PageConfig,
        bytes: usize,
    ) -> Result<(), ReportError> {
        let rounds = plans.iter().map(|plan| plan.ids.len()).max().unwrap_or(0);
        let (mut used, mut left_out) = (0, 0);
        for round in 0..rounds {
            for plan in plans {
                let Some(id) = plan.ids.get(round) else {
                    continue;
                };
                let build = |model: &String| plan.item(model, id, config);
                let items: Vec<_> = plan
                    .models
                    .par_iter()
                    .map(build)
                    .collect::<Result<_, _>>()?;
                for (index, built) in items.into_iter().enumerate() {
                    let Some((mut item, sample)) = built else {
                        continue;
                    };
                    let known = self.samples.iter().position(|known| known.is_like(&sample));
                    let mut size = json_size(&item);
                    if known.is_none() {
                        size += json_size(&sample);
                    }
                    if used + size > bytes {
                        left_out += 1;
                        continue;
                    }
                    used += size;
                    item.sample = known.unwrap_or_else(|| {
                        self.samples.push(sample);
                        self.samples.len() - 1
                    });
                    self.models[plan.first_model + index].items.push(item);
                }
            }
        }
        if left_out > 0 {
            self.left_out.push(format!(
                "Maps of {left_out} more samples of single models did not fit into {} MB ([page] max_megabytes).",
                config.max_megabytes
            ));
        }
        Ok(())
    }
}

/// The samples of one run that the page would show.
pub(super) struct Plan<'a> {
    index: usize,
    run: &'a Run,
    pictures: Option<&'a dyn PictureSource>,
    scores: BTreeMap<(String, String), Vec<LevelScore>>,
    ids: Vec<String>,
    /// Its models, best first.
    models: Vec<String>,
    /// Index of the run's first model among those of the page.
    first_model: usize,
}

impl Plan<'_> {
    /// The sample `id` of `model`; `None` if the model did not make it.
    fn item(
        &self,
        model: &str,
        id: &str,
        config: &PageConfig,
    ) -> Result<Option<(Item, Sample)>, ReportError> {
        let paths = &self.run.paths;
        let image = paths.image(model, id);
        if !image.is_file() {
            return Ok(None);
        }
        let image = read_rgb(image)?;
        let size = [image.height() as usize, image.width() as usize];
        let size = pictures::shown_size(size, config.picture_height);
        let mut item = Item {
            sample: 0,
            time_groups: 0,
            image: pictures::url(&image, size)?,
            metrics: self.metrics(model, id),
            scores: BTreeMap::new(),
            maps: BTreeMap::new(),
            no_map: BTreeMap::new(),
            specific: Vec::new(),
            no_specific: String::new(),
        };
        self.add_scores(&mut item, model, id);
        let record = paths.attention(model, id);
        if record.is_file() {
            let record = AttentionRecord::from_bytes(&i2am_files::read(&record)?, &record)?;
            self.add_maps(&mut item, &record, config);
        } else {
            "The run did not keep the attention record of this sample."
                .clone_into(&mut item.no_specific);
        }
        Ok(Some((item, self.sample(id, size)?)))
    }

    fn metrics(&self, model: &str, id: &str) -> Vec<[String; 2]> {
        let own = self
            .run
            .values
            .iter()
            .filter(|((owner, _), _)| owner == model);
        let shown = |((_, series), samples): (&(String, Series), &BTreeMap<String, f64>)| {
            let is_metric = !series.is_score() && series.better() != Better::Neither;
            let value = samples.get(id).filter(|_| is_metric)?;
            let title = format!("{}{}", series.full_title(), series.scale());
            Some([title, series.format(*value)])
        };
        own.filter_map(shown).collect()
    }

    fn add_scores(&self, item: &mut Item, model: &str, id: &str) {
        let rows = self.scores.get(&(model.to_owned(), id.to_owned()));
        for row in rows.into_iter().flatten() {
            match row.value {
                Some(value) => {
                    let levels = item.scores.entry(row.direction.to_string()).or_default();
                    levels.insert(row.level.to_string(), value);
                }
                None if row.level == Level::Unified => {
                    item.no_map
                        .insert(row.direction.to_string(), row.reason.clone());
                }
                None => {}
            }
        }
    }

    fn add_maps(&self, item: &mut Item, record: &AttentionRecord, config: &PageConfig) {
        item.time_groups = maps::time_groups(record, &self.run.convention);
        for direction in Direction::ALL {
            match maps::of_direction(record, &self.run.convention, direction, config.map_height) {
                Ok(maps) => {
                    item.maps.insert(direction.to_string(), maps);
                }
                Err(reason) => {
                    item.no_map.insert(direction.to_string(), reason);
                }
            }
        }
        item.specific = specific::of_record(record, config.specific_height);
        if item.specific.is_empty() {
            let pooled = !record.layers.iter().any(LayerRecord::has_places);
            let reason = if pooled { POOLED_NOTHING } else { NOT_KEPT };
            reason.clone_into(&mut item.no_specific);
        }
    }

    fn sample(&self, id: &str, size: [usize; 2]) -> Result<Sample, ReportError> {
        let mut sample = Sample {
            run: self.index,
            id: id.to_owned(),
            height: size[0],
            width: size[1],
            input: None,
            reference: None,
            truth: None,
            mask: None,
            reference_mask: None,
            problem: None,
        };
        let found = self.pictures.map_or_else(
            || Err(NO_PICTURES.to_owned()),
            |pictures| pictures.pictures(id),
        );
        match found {
            Ok(found) => {
                sample.input = Some(pictures::url(&found.image, size)?);
                sample.reference = Some(pictures::url(&found.reference, size)?);
                sample.truth = found
                    .ground_truth
                    .map(|truth| pictures::url(&truth, size))
                    .transpose()?;
                sample.mask = found.mask.map(|mask| pictures::bits(&mask, size));
                sample.reference_mask =
                    found.reference_mask.map(|mask| pictures::bits(&mask, size));
            }
            Err(problem) => sample.problem = Some(problem),
        }
        Ok(sample)
    }
}

impl Sample {
    /// Whether both show the same.
    fn is_like(&self, other: &Self) -> bool {
        let key = |sample: &Self| (sample.run, sample.id.clone(), sample.height, sample.width);
        key(self) == key(other)
    }
}

impl Model {
    fn of(run: &Run, model: &str, many: bool) -> Self {
        let label = if many {
            format!("{}: {model}", run.label)
        } else {
            model.to_owned()
        };
        Self {
            label,
            rules: Rules::of(run),
            items: Vec::new(),
            faults: run
                .faults
                .get(model)
                .map_or_else(Vec::new, |faults| worst(faults)),
        }
    }
}

impl Rules {
    fn of(run: &Run) -> Self {
        let convention: &Convention = &run.convention;
        let inverted = |direction: Direction| {
            let polarity = convention.direction(direction).polarity;
            (direction.to_string(), polarity == Polarity::Inverted)
        };
        let titles = i2am_quantity::Direction::ALL.into_iter();
        let titles = titles
            .filter_map(|direction| Some((direction.to_string(), run.score(direction)?.title)));
        let penalty = run.manifest.config["attribution"]["imacs"]["penalty"].as_f64();
        Self {
            inverted: Direction::ALL.map(inverted).into(),
            bicubic: convention.resize == MapResize::TorchBicubic,
            clamp: convention.clamp == Clamp::Zero,
            reference_mask: convention.reference_mask == ReferenceMask::BeforeMinMax,
            titles: titles.collect(),
            floor: convention.floor,
            epsilon: convention.epsilon,
            // As published, where an old manifest does not say.
            penalty: penalty.unwrap_or(3.0),
        }
    }
}

/// Those with the lowest score in each direction, lowest first.
fn worst(faults: &[DebugRow]) -> Vec<Worst> {
    let mut found = Vec::new();
    for direction in i2am_quantity::Direction::ALL {
        let mut own: Vec<(f64, &DebugRow)> = faults
            .iter()
            .filter(|fault| fault.direction == direction)
            .filter_map(|fault| Some((fault.imacs?, fault)))
            .collect();
        own.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.extend(own.into_iter().take(MOST_FAULTS).map(|(_, fault)| Worst {
            direction: fault.direction.to_string(),
            layer: fault.layer.clone(),
            short: short_layer(&fault.layer),
            head: fault.head,
            time: fault.time_group,
            score: fault.imacs,
            outside: fault.attention_outside,
        }));
    }
    found
}

/// Every color map, `first` first.
fn colors(first: ColorMap) -> Vec<(String, String)> {
    let others = ColorMap::ALL.into_iter().filter(|map| *map != first);
    let table = |map: ColorMap| {
        let color = map.lookup();
        let bytes: Vec<u8> = (0..256)
            .flat_map(|index| color(index as f32 / 256.0))
            .collect();
        let name = format!("{map:?}").to_lowercase();
        (name, encode(&bytes))
    };
    [first].into_iter().chain(others).map(table).collect()
}

/// Bytes of `value` on the page.
fn json_size(value: &impl Serialize) -> usize {
    // With the comma behind it.
    serde_json::to_string(value).map_or(0, |text| text.len() + 1)
}

//! A sample, asked everything that a configuration asks for.

use anyhow::{Result, anyhow};
use i2am_attribution::{AttentionRecord, Counterfactual, LayerRecord, MomentTruth};
use i2am_datasets::{Goal, Part, Sample};
use i2am_faithfulness::REFERENCE_EFFECT;
use i2am_imacs::fitted_mask;
use i2am_imaging::{Plane, RgbImage, pillow_bicubic_rgb};
use i2am_quantity::{Measurement, Outcome};
use i2am_results::RunPaths;
use i2am_runner::families::{Moment, Pipeline, Request, Study};
use i2am_runner::noise::NoiseSource;
use i2am_runner::{RunnerError, Weights};

use super::maps::{Claims, own_maps};
use super::removal::Removal;
use super::rows::{Name, row};
use super::scene::Scene;
use super::{cells, counterfactual, curves, knock_out, mark, randomized, share, worth};
use crate::config::{Faithfulness, Form, Operator};
use crate::plan::Plan;
use crate::preflight::capture;

/// Why cells have no effect that could be compared.
const NO_EFFECT: &str = "the reference hardly changes what the pass predicts";
/// Why no cell can be forbidden.
const NO_PLACES: &str =
    "no layer attends to places of the reference, so there is nothing to forbid";

/// A model whose samples are asked one after the other.
pub(super) struct Asked<'a> {
    pub(super) plan: &'a Plan,
    pub(super) settings: &'a Faithfulness,
    pub(super) model: &'a str,
    pub(super) pipeline: &'a dyn Pipeline,
    /// Those of its network that denoises.
    pub(super) weights: &'a Weights,
    pub(super) parts: &'a [Part],
    pub(super) paths: RunPaths,
}

/// What is taken from other samples.
pub(super) struct Others {
    /// The reference of the next sample, at the size of the own one, if it is asked for.
    pub(super) reference: Option<RgbImage>,
    /// The record of the sample before: its maps are baselines. None if that sample has no record.
    pub(super) record: Option<AttentionRecord>,
}

impl Asked<'_> {
    /// The rows of sample `index`. What changed is written to a file.
    pub(super) fn sample(&self, index: usize) -> Result<Vec<Measurement>> {
        let dataset = self.plan.dataset.as_ref();
        let sample = dataset.load_parts(index, &self.plan.parts(index, self.parts))?;
        let others = Others {
            reference: self.reference_after(index, &sample)?,
            record: self.record_before(index),
        };
        let noise = NoiseSource::Seeded {
            seed: self.plan.config.seed,
            dataset: dataset.name().to_owned(),
            sample: sample.id.clone(),
        };
        let capture = capture(self.plan, self.model);
        let request = Request {
            noise: &noise,
            capture: Some(&capture),
            on_step: &mut |_| {},
        };
        let steps = self.settings.steps(self.pipeline.steps());
        let mut answers = None;
        let mut failed = None;
        let work = &mut |study: &mut dyn Study| -> Result<(), RunnerError> {
            match self.answers(&sample, &others, study) {
                Ok(found) => answers = Some(found),
                Err(error) => match error.downcast::<RunnerError>() {
                    Ok(error) => return Err(error),
                    Err(error) => failed = Some(error),
                },
            }
            Ok(())
        };
        self.pipeline.study(&sample, request, &steps, work)?;
        if let Some(error) = failed {
            return Err(error);
        }
        let (rows, found) = answers.ok_or_else(|| anyhow!("the sample was not asked"))?;
        let path = self.paths.counterfactual(self.model, &sample.id);
        i2am_files::write_atomic(path, found.to_bytes()?)?;
        Ok(rows)
    }

    /// The reference of the next sample, if cells are painted with it or it is read in place of the own one.
    fn reference_after(&self, index: usize, sample: &Sample) -> Result<Option<RgbImage>> {
        let paints = self.settings.operators.contains(&Operator::OtherReference);
        if !(paints || self.settings.randomize) {
            return Ok(None);
        }
        let dataset = self.plan.dataset.as_ref();
        let next = (index + 1) % dataset.ids().len();
        let reference = dataset.load_parts(next, &[Part::Reference])?.reference;
        let (width, height) = sample.reference.dimensions();
        let fitted = pillow_bicubic_rgb(&reference, height as usize, width as usize);
        Ok(Some(fitted))
    }

    fn record_before(&self, index: usize) -> Option<AttentionRecord> {
        let ids = self.plan.dataset.ids();
        let before = (index + ids.len() - 1) % ids.len();
        let path = self.paths.attention(self.model, &ids[before]);
        let bytes = i2am_files::read(&path).ok()?;
        AttentionRecord::from_bytes(&bytes, &path).ok()
    }

    fn answers(
        &self,
        sample: &Sample,
        others: &Others,
        study: &mut dyn Study,
    ) -> Result<(Vec<Measurement>, Counterfactual)> {
        let generated = study.generated();
        let record = generated.record.as_ref();
        let record = record
            .ok_or_else(|| anyhow!("the model records no attention"))?
            .clone();
        let size = [generated.image.height(), generated.image.width()].map(|n| n as usize);
        let mask = self.mask(sample, size)?;
        let claims = Claims::of(self, sample, &record, others);
        let gray = RgbImage::from_pixel(
            sample.reference.width(),
            sample.reference.height(),
            [127, 127, 127].into(),
        );
        let moments: Vec<Moment> = match self.settings.form {
            Form::Short => study.steps().into_iter().map(Moment::Step).collect(),
            Form::Full => vec![Moment::Whole],
        };
        let mut rows = Vec::new();
        let mut found = Counterfactual {
            cells: self.settings.grid(),
            latent: self.settings.grid(),
            mask: Vec::new(),
            claims: claims.values(),
            moments: Vec::new(),
        };
        for moment in moments {
            let mut scene = Scene::new(study, moment, self.settings.batch, &gray, mask.as_ref())?;
            let [height, width] = scene.weights.size();
            found.latent = i2am_attribution::Grid { height, width };
            found.mask = scene.weights.data().to_vec();
            let about = About {
                asked: self,
                sample,
                record: &record,
                others,
                claims: &claims,
            };
            let (own, truth) = about.at(&mut scene)?;
            rows.extend(own);
            found.moments.push(truth);
        }
        Ok((rows, found))
    }

    /// The masked region at the size of the generated image; none where everything is generated.
    fn mask(&self, sample: &Sample, size: [usize; 2]) -> Result<Option<Plane>> {
        match self.plan.dataset.goal() {
            Goal::Repaint => {
                let edges = self.plan.config.convention.mask_edges;
                Ok(Some(fitted_mask(&sample.mask, edges, size)?))
            }
            Goal::Enlarge { .. } => Ok(None),
        }
    }

    /// A number of the sample's own.
    pub(super) fn seed(&self, sample: &Sample) -> u64 {
        let digits = i2am_files::sha256_hex(sample.id.as_bytes());
        let own = u64::from_str_radix(&digits[..16], 16).unwrap_or_default();
        own ^ self.plan.config.seed
    }

    /// Maps over cells of the record of another sample.
    pub(super) fn maps_of(&self, record: &AttentionRecord) -> Vec<(String, Plane)> {
        own_maps(&self.plan.config.convention, record, self.settings.cells)
    }
}

/// What all questions to one sample are about.
pub(super) struct About<'a> {
    pub(super) asked: &'a Asked<'a>,
    pub(super) sample: &'a Sample,
    pub(super) record: &'a AttentionRecord,
    pub(super) others: &'a Others,
    pub(super) claims: &'a Claims,
}

impl About<'_> {
    /// What passes of one moment say.
    fn at(&self, scene: &mut Scene<'_>) -> Result<(Vec<Measurement>, MomentTruth)> {
        let settings = self.asked.settings;
        let mut truth = MomentTruth {
            moment: scene.moment_name(),
            whole: scene.changed(&scene.without),
            attention: Vec::new(),
            removed: Vec::new(),
        };
        let mut rows = Vec::new();
        let Some(worth_of_all) = scene.reference_effect() else {
            for &operator in &settings.operators {
                rows.extend(cells::none(self, scene, operator, NO_EFFECT));
            }
            return Ok((rows, truth));
        };
        let name = Name::of("gray reference", scene);
        rows.push(row(
            &REFERENCE_EFFECT,
            Outcome::of(worth_of_all),
            name.alone(),
        ));
        rows.extend(share::rows(self, scene));
        let pairs = counterfactual::pairs(self, scene)?;
        for &operator in &settings.operators {
            let has_places = self.record.layers.iter().any(LayerRecord::has_places);
            if operator == Operator::Forbid && !has_places {
                rows.extend(cells::none(self, scene, operator, NO_PLACES));
                continue;
            }
            let mut removal = Removal::new(self, operator);
            let latents = removal.each_cell(scene)?;
            let mut removed = counterfactual::removed(operator, scene, &latents)?;
            rows.extend(cells::rows(self, scene, operator, &removed.effects));
            if let Some(pairs) = &pairs {
                rows.extend(counterfactual::rows(self, scene, pairs, &removed));
            }
            if settings.curve_groups > 0 {
                let (own, curves) = curves::rows(self, scene, &mut removal)?;
                rows.extend(own);
                removed.curves = curves;
            }
            truth.removed.push(removed);
        }
        truth.attention = pairs.map_or_else(Vec::new, counterfactual::Pairs::into_named);
        if settings.knock_out {
            rows.extend(knock_out::rows(self, scene)?);
        }
        if settings.where_whether {
            rows.extend(worth::rows(self, scene)?);
        }
        if settings.randomize {
            rows.extend(randomized::rows(self, scene)?);
        }
        if settings.marks > 0 {
            rows.extend(mark::rows(self, scene)?);
        }
        Ok((rows, truth))
    }
}

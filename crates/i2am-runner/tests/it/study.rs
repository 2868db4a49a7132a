//! Single passes repeated with parts of the reference taken away.

use i2am_attribution::Grid;
use i2am_imaging::RgbImage;
use i2am_nets::{AttentionProbe, Precision};
use i2am_runner::RunnerError;
use i2am_runner::capture::{CaptureConfig, ForbidRule, InterveneConfig, Positions, Region};
use i2am_runner::families::{
    Exchange, Exchanged, Moment, PairMaps, Pipeline as _, Question, Request, Study, Unit, Unread,
    WithoutCells,
};
use tch::Tensor;

use crate::catvton;
use crate::common::values;
use crate::every_family::{noise, subjects};

const GRID: Grid = Grid {
    height: 4,
    width: 2,
};

/// Lets `work` ask the sample of the `CatVTON` fixture.
fn study(work: impl Fn(&mut dyn Study, &RgbImage) -> Result<(), RunnerError>) {
    for fixture in catvton::catvton() {
        let (config, _folder) = catvton::model(&fixture);
        let pipeline = catvton::load(&config);
        let sample = catvton::sample(&fixture);
        let noise = catvton::noise(&fixture);
        let request = Request {
            noise: &noise,
            capture: None,
            on_step: &mut |_| {},
        };
        let asked = std::cell::Cell::new(false);
        pipeline
            .study(&sample, request, &[1, 3], &mut |study| {
                asked.set(true);
                work(study, &sample.reference)
            })
            .unwrap();
        assert!(asked.get());
    }
}

fn without(study: &dyn Study, gone: Vec<bool>) -> WithoutCells {
    WithoutCells::new(GRID, gone, study.conditional())
}

fn one(cell: usize) -> Vec<bool> {
    (0..GRID.len()).map(|index| index == cell).collect()
}

fn moved(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

fn unchanged(study: &mut dyn Study, moment: Moment) -> Result<Tensor, RunnerError> {
    study.ask_one(moment, Question::Unchanged)
}

fn probed(
    study: &mut dyn Study,
    moment: Moment,
    probe: &mut dyn AttentionProbe,
) -> Result<Tensor, RunnerError> {
    study.ask_one(moment, Question::Probed(probe))
}

#[test]
fn what_takes_nothing_away_changes_nothing() {
    study(|study, reference| {
        assert_eq!(study.steps(), [1, 3]);
        for moment in [Moment::Step(1), Moment::Step(3), Moment::Whole] {
            let own = values(&unchanged(study, moment)?);
            assert_eq!(values(&unchanged(study, moment)?), own);
            let mut nothing = without(study, vec![false; GRID.len()]);
            assert_eq!(values(&probed(study, moment, &mut nothing)?), own);
            let read = study.ask_one(moment, Question::Reading(reference))?;
            assert_eq!(values(&read), own);
        }
        // A whole sampling ends where the first one did.
        let again = unchanged(study, Moment::Whole)?;
        let size = again.size();
        let latent = &study.generated().latent;
        let first = latent.narrow(2, 0, size[2]).narrow(3, 0, size[3]);
        assert_eq!(values(&again), values(&first));
        Ok(())
    });
}

#[test]
fn cells_and_references_that_are_gone_change_what_is_predicted() {
    study(|study, reference| {
        let at = Moment::Step(1);
        let own = unchanged(study, at)?;
        let mut effects = Vec::new();
        for cell in 0..GRID.len() {
            let mut probe = without(study, one(cell));
            effects.push(moved(&probed(study, at, &mut probe)?, &own));
        }
        assert!(effects.iter().all(|effect| *effect > 0.0), "{effects:?}");
        let mut all = without(study, vec![true; GRID.len()]);
        let all = moved(&probed(study, at, &mut all)?, &own);
        assert!(
            effects.iter().all(|effect| *effect < all),
            "{effects:?}, {all}"
        );
        // In a layer that there is not, nothing.
        let mut elsewhere = without(study, vec![true; GRID.len()]).in_layer("attn1");
        assert_eq!(values(&probed(study, at, &mut elsewhere)?), values(&own));

        let gray = gray(reference);
        let read = study.ask_one(at, Question::Reading(&gray))?;
        assert!(moved(&read, &own) > 1e-3);
        assert_eq!(values(&unchanged(study, at)?), values(&own));
        Ok(())
    });
}

fn gray(reference: &RgbImage) -> RgbImage {
    RgbImage::from_pixel(reference.width(), reference.height(), [127; 3].into())
}

#[test]
fn a_batch_of_questions_has_the_answers_of_each() {
    study(|study, reference| {
        let gray = gray(reference);
        // Rounding: of one step, and of the whole sampling that carries it on.
        for (moment, limit) in [(Moment::Step(1), 1e-4), (Moment::Whole, 1e-3)] {
            let conditional = study.conditional();
            let mut probes = [2, 5].map(|cell| without(study, one(cell)));
            let mut unread = Unread::new(Unit::default(), conditional);
            let alone = [
                unchanged(study, moment)?,
                probed(study, moment, &mut probes[0])?,
                study.ask_one(moment, Question::Reading(&gray))?,
                probed(study, moment, &mut probes[1])?,
                probed(study, moment, &mut unread)?,
            ];
            let [first, second] = &mut probes;
            let together = study.ask(
                moment,
                &mut [
                    Question::Unchanged,
                    Question::Probed(first),
                    Question::Reading(&gray),
                    Question::Probed(second),
                    Question::Probed(&mut unread),
                ],
            )?;
            let off = alone.iter().zip(&together).map(|(a, b)| moved(a, b));
            let off = off.fold(0.0, f64::max);
            assert!(off < limit, "{moment:?}: {off:e}");
            for (a, b) in [(0, 1), (0, 2), (1, 3), (0, 4)] {
                let apart = moved(&together[a], &together[b]);
                assert!(apart > 10.0 * off, "{a}, {b}: {apart:e}, {off:e}");
            }
        }
        Ok(())
    });
}

#[test]
fn another_reference_can_be_watched_or_changed() {
    study(|study, reference| {
        let (at, gray) = (Moment::Step(1), gray(reference));
        let (record, _) = study.record(1, None)?;
        let layers = record.layers.into_iter().map(|layer| layer.name);
        let layers: Vec<String> = layers.collect();
        let mut watching =
            [(); 2].map(|()| PairMaps::new(GRID, layers.clone(), study.conditional()));
        let [own, other] = &mut watching;
        let mut gone = without(study, vec![true; GRID.len()]);
        let answers = study.ask(
            at,
            &mut [
                Question::Probed(own),
                Question::ReadingProbed(&gray, other),
                Question::Reading(&gray),
                Question::ReadingProbed(&gray, &mut gone),
            ],
        )?;
        assert!(moved(&answers[1], &answers[2]) < 1e-4);
        assert!(moved(&answers[3], &answers[2]) > 1e-3);
        let [own, other] = watching.map(|seen| {
            let [_, row] = seen.unified((8, 6)).expect("layers with places");
            row
        });
        assert!(moved(&own, &other) > 1e-3);
        Ok(())
    });
}

#[test]
fn a_unit_that_reads_nothing_is_one_without_the_reference() {
    study(|study, _| {
        let (at, conditional) = (Moment::Step(1), study.conditional());
        let own = unchanged(study, at)?;
        let layer = |name: &str| Unit {
            layers: vec![name.to_owned()],
            head: None,
        };
        let mut elsewhere = Unread::new(layer("nowhere"), conditional);
        assert_eq!(values(&probed(study, at, &mut elsewhere)?), values(&own));
        // All heads of all layers together do what they do one by one or more; values that are exchanged matter, and stay theirs in a
        // layer that is not there.
        let mut all = Unread::new(Unit::default(), conditional);
        assert!(moved(&probed(study, at, &mut all)?, &own) > 0.0);
        let order: Vec<f64> = (0..4096).map(|token| f64::from(token * 37 % 101)).collect();
        for exchange in [Exchange::Mean, Exchange::Permuted(order)] {
            let mut probe = Exchanged::new(Unit::default(), exchange, conditional);
            assert!(moved(&probed(study, at, &mut probe)?, &own) > 0.0);
        }
        // Values that stay where they are.
        let order: Vec<f64> = (0..4096).map(f64::from).collect();
        let mut same = Exchanged::new(Unit::default(), Exchange::Permuted(order), conditional);
        assert!(moved(&probed(study, at, &mut same)?, &own) < 1e-5);
        let mut elsewhere = Exchanged::new(layer("nowhere"), Exchange::Mean, conditional);
        assert_eq!(values(&probed(study, at, &mut elsewhere)?), values(&own));
        // In no step of a whole sampling, nothing; in some, less than in all.
        let own = unchanged(study, Moment::Whole)?;
        let none = study.ask_one(Moment::Whole, Question::During(0..0, &mut all))?;
        assert_eq!(values(&none), values(&own));
        let some = study.ask_one(Moment::Whole, Question::During(0..1, &mut all))?;
        assert!(moved(&some, &own) > 0.0);
        Ok(())
    });
}

/// Rules of `[intervene]` hold in what is asked as they hold in the sampling, and questions are asked on top of them.
#[test]
fn rules_hold_in_every_pass() {
    let all = subjects(Precision::F32);
    let subject = all.iter().find(|one| one.name.starts_with("stable-viton"));
    let subject = subject.unwrap();
    let sample = &subject.samples[0];
    let lower_half = ForbidRule {
        models: None,
        layers: vec!["warp_flow_blks.*".to_owned()],
        heads: None,
        time_groups: Some(vec![0]),
        from: Positions::All,
        region: Region::Box([0.5, 0.0, 1.0, 1.0]),
    };
    let capture = CaptureConfig {
        time_groups: 1,
        intervene: InterveneConfig {
            forbid: vec![lower_half],
            ..InterveneConfig::default()
        },
        ..CaptureConfig::default()
    };
    let noise = noise(sample);
    let request = Request {
        noise: &noise,
        capture: Some(&capture),
        on_step: &mut |_| {},
    };
    let at = Moment::Step(1);
    let work = &mut |study: &mut dyn Study| -> Result<(), RunnerError> {
        let whole = unchanged(study, Moment::Whole)?;
        assert_eq!(values(&whole), values(&study.generated().latent));
        let (record, recorded) = study.record(1, None)?;
        let own = unchanged(study, at)?;
        assert_eq!(values(&own), values(&recorded));
        let warp = record.layers.iter().filter(|layer| layer.has_places());
        // Without the lower half, nothing of it is left to be taken away.
        let half = GRID.len() / 2;
        let cells = |gone: std::ops::Range<usize>| (0..GRID.len()).map(move |i| gone.contains(&i));
        let mut lower = without(study, cells(half..GRID.len()).collect());
        assert_eq!(values(&probed(study, at, &mut lower)?), values(&own));
        // Without the upper one, too, nothing is left to be read.
        let mut upper = without(study, cells(0..half).collect());
        let nothing = probed(study, at, &mut upper)?;
        let layers = warp.map(|layer| layer.name.clone()).collect();
        let unit = Unit { layers, head: None };
        let mut unread = Unread::new(unit, study.conditional());
        assert_eq!(values(&probed(study, at, &mut unread)?), values(&nothing));
        assert!(moved(&nothing, &own) > 0.0);
        Ok(())
    };
    subject.pipeline.study(sample, request, &[1], work).unwrap();
}

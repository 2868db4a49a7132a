//! Weights that are random for a while.

use i2am_nets::Precision;
use i2am_runner::families::{Request, Study};
use i2am_runner::{RunnerError, Weights};

use crate::common::values;
use crate::every_family::{Subject, noise, subjects};

/// Lets `work` ask the first sample of `subject`.
fn study(subject: &Subject, work: impl Fn(&mut dyn Study, &Weights) -> Result<(), RunnerError>) {
    let sample = &subject.samples[0];
    let noise = noise(sample);
    let request = Request {
        noise: &noise,
        capture: None,
        on_step: &mut |_| {},
    };
    let work = &mut |study: &mut dyn Study| work(study, &subject.weights);
    subject.pipeline.study(sample, request, &[1], work).unwrap();
}

/// Maps over the image of all layers, and what is predicted.
fn seen(study: &mut dyn Study) -> Result<(Vec<f32>, Vec<f32>), RunnerError> {
    let (record, latent) = study.record(1, None)?;
    let maps = record.layers.iter().flat_map(|layer| layer.r2g.clone());
    Ok((maps.collect(), values(&latent)))
}

#[test]
fn random_weights_move_maps_and_images_and_are_taken_back_bit_for_bit() {
    for subject in subjects(Precision::F32) {
        let name = subject.name;
        study(&subject, |study, weights| {
            let layers: Vec<String> = {
                let (record, _) = study.record(1, None)?;
                record.layers.into_iter().map(|layer| layer.name).collect()
            };
            let before = seen(study)?;
            assert_eq!(seen(study)?, before, "{name}: the same twice");
            for layer in &layers {
                let mut random = weights.randomized(3);
                random.add(|name| name.starts_with(&format!("{layer}.")));
                let after = seen(study)?;
                assert_ne!(after, before, "{name}: {layer}");
                // Twice is once.
                random.add(|name| name.starts_with(&format!("{layer}.")));
                assert_eq!(seen(study)?, after, "{name}: {layer}");
            }
            let mut all = weights.randomized(3);
            all.add(|_| true);
            let (maps, latent) = seen(study)?;
            assert_ne!(maps, before.0, "{name}");
            assert_ne!(latent, before.1, "{name}");
            drop(all);
            assert_eq!(seen(study)?, before, "{name}: all are back");
            Ok(())
        });
    }
}

#[test]
fn queries_and_keys_of_one_token_move_the_map_alone() {
    let is_of_one_token = |subject: &&Subject| subject.name.starts_with("paint-by-example");
    let all = subjects(Precision::F32);
    let subject = all.iter().find(is_of_one_token).unwrap();
    study(subject, |study, weights| {
        let before = seen(study)?;
        let mut random = weights.randomized(3);
        random.add(|name| name.ends_with("attn2.to_q.weight"));
        random.add(|name| name.ends_with("attn2.to_k.weight"));
        let after = seen(study)?;
        assert_ne!(after.0, before.0);
        assert_eq!(after.1, before.1, "bit for bit");
        Ok(())
    });
}

#[test]
fn numbers_are_drawn_by_their_seed() {
    let all = subjects(Precision::F32);
    let subject = &all[0];
    study(subject, |study, weights| {
        let before = seen(study)?;
        let none = weights.randomized(3);
        assert_eq!(seen(study)?, before, "nothing is random yet");
        drop(none);
        let of_seed = |seed: u64, study: &mut dyn Study| {
            let mut random = weights.randomized(seed);
            random.add(|_| true);
            seen(study)
        };
        let first = of_seed(1, study)?;
        assert_ne!(of_seed(2, study)?, first);
        assert_eq!(of_seed(1, study)?, first);
        Ok(())
    });
}

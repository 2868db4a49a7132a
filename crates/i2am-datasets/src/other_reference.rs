//! The reference of another sample in place of a sample's own, to damage what a model is given.

use i2am_files::sha256_hex;
use serde::{Deserialize, Serialize};

use crate::{Dataset, DatasetError, Sample};

/// Gives a share of the samples the reference of the sample that follows in the order of the data set; the last one gets that of the
/// first. Which samples these are follows from the seed and their ids, and a larger share has all those of a smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherReference {
    /// How many of all samples of the data set, 0 to 1, rounded to whole samples.
    pub share: f64,
    /// Chooses which samples.
    #[serde(default)]
    pub seed: u64,
}

impl OtherReference {
    /// The sample whose reference sample `index` gets; `None` if it keeps its own.
    pub fn of(&self, dataset: &dyn Dataset, index: usize) -> Option<usize> {
        let ids = dataset.ids();
        let rank = |id: &String| sha256_hex(format!("other reference\n{}\n{id}", self.seed));
        let own = rank(ids.get(index)?);
        let wanted = (self.share * ids.len() as f64).round();
        let before = ids.iter().filter(|id| rank(id) < own).count();
        let chosen = (before as f64) < wanted;
        (chosen && ids.len() > 1).then_some((index + 1) % ids.len())
    }

    /// Sample `index` as `load` reads samples, with the reference that it gets.
    ///
    /// # Errors
    /// A sample that `load` cannot read.
    pub fn load(
        &self,
        dataset: &dyn Dataset,
        index: usize,
        load: impl Fn(usize) -> Result<Sample, DatasetError>,
    ) -> Result<Sample, DatasetError> {
        let own = load(index)?;
        let Some(other) = self.of(dataset, index) else {
            return Ok(own);
        };
        let Sample {
            reference,
            reference_mask,
            warped,
            warped_mask,
            ..
        } = load(other)?;
        Ok(Sample {
            reference,
            reference_mask,
            warped,
            warped_mask,
            // The garment that the person wears is not the one that the model sees.
            correspondence: None,
            ..own
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Part, find};

    fn drawn(folder: &std::path::Path, count: usize) -> Box<dyn Dataset> {
        let settings = serde_json::json!({ "seed": 7, "count": count, "height": 64, "width": 48 });
        let config = find("synth").unwrap().restore(settings).unwrap();
        config.open(folder, &|_| ()).unwrap()
    }

    #[test]
    fn a_larger_share_has_all_samples_of_a_smaller_one() {
        let folder = tempfile::tempdir().unwrap();
        let dataset = drawn(folder.path(), 40);
        let chosen = |share: f64, seed: u64| -> Vec<usize> {
            let other = OtherReference { share, seed };
            let chosen = |&index: &usize| other.of(dataset.as_ref(), index).is_some();
            (0..40).filter(chosen).collect()
        };
        assert!(chosen(0.0, 0).is_empty());
        assert_eq!(chosen(1.0, 0).len(), 40);
        let (some, more) = (chosen(0.3, 0), chosen(0.6, 0));
        assert_eq!([some.len(), more.len()], [12, 24]);
        assert!(some.iter().all(|index| more.contains(index)));
        assert_ne!(chosen(0.3, 1), some);
    }

    #[test]
    fn a_sample_gets_reference_and_mask_of_the_next_and_keeps_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let dataset = drawn(folder.path(), 3);
        let parts = [Part::ReferenceMask, Part::Densepose, Part::Correspondence];
        let load = |index| dataset.load_parts(index, &parts);
        let other = OtherReference {
            share: 1.0,
            seed: 0,
        };
        for index in 0..3 {
            let next = (index + 1) % 3;
            assert_eq!(other.of(dataset.as_ref(), index), Some(next));
            let got = other.load(dataset.as_ref(), index, load).unwrap();
            let (own, next) = (load(index).unwrap(), load(next).unwrap());
            assert_eq!((&got.id, &got.image), (&own.id, &own.image));
            assert_eq!((&got.mask, &got.densepose), (&own.mask, &own.densepose));
            assert_eq!(got.reference, next.reference);
            assert_eq!(got.reference_mask, next.reference_mask);
            assert_ne!(got.reference, own.reference);
            assert!(own.correspondence.is_some() && got.correspondence.is_none());
        }
        let single = tempfile::tempdir().unwrap();
        assert_eq!(other.of(drawn(single.path(), 1).as_ref(), 0), None);
    }
}

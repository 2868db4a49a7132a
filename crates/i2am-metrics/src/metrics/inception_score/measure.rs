//! Classes of the generated pictures, and how they differ from their mean.

use std::path::Path;
use std::rc::Rc;

use i2am_nets::Precision;
use i2am_nets::inception::{Classifier, Tap};
use tch::{Kind, Tensor};

use super::{INCEPTION_SCORE, InceptionScore, LOGITS};
use crate::error::MetricError;
use crate::features::{Extractor, at_least};
use crate::metric::Prepared;
use crate::numpy_random::RandomState;
use crate::progress::Progress;
use crate::session::Session;
use crate::set::{SetMetric, SetScore, Side};

pub(super) fn open(settings: InceptionScore, session: &Session) -> Result<Prepared, MetricError> {
    let file = session.resources().find(&LOGITS)?;
    Ok(Prepared::Sets(Box::new(Ready {
        settings,
        classifier: Classifier::open(&file, Precision::F32, tch::Device::Cpu)?,
        extractor: session.extractor()?,
    })))
}

struct Ready {
    settings: InceptionScore,
    classifier: Classifier,
    extractor: Rc<Extractor>,
}

impl SetMetric for Ready {
    fn measure(
        &self,
        generated: Side<'_>,
        _real: Side<'_>,
        progress: &dyn Progress,
    ) -> Result<SetScore, MetricError> {
        let InceptionScore { mode, splits, seed } = self.settings;
        let pictures = match generated {
            Side::Pictures(pictures) => pictures,
            Side::Statistics(path) => {
                return Err(MetricError::Statistics {
                    path: path.to_owned(),
                    reason: "expected pictures: statistics do not say what each picture shows"
                        .to_owned(),
                });
            }
        };
        at_least(INCEPTION_SCORE.name, splits, pictures)?;
        let features = self
            .extractor
            .features(pictures, mode, Tap::Last, progress)?;
        let order = RandomState::new(seed).choose(features.count(), features.count());
        let order: Vec<i64> = order.into_iter().map(|row| row as i64).collect();
        let shuffled = features.rows().index_select(0, &Tensor::from_slice(&order));
        let scores = scores(&self.classifier.logits(&shuffled), splits);
        let n = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / n;
        let variance = scores
            .iter()
            .map(|score| (score - mean).powi(2))
            .sum::<f64>()
            / n;
        Ok(SetScore {
            value: mean,
            std: (splits > 1).then(|| variance.sqrt()),
            n_generated: Some(features.count()),
            n_real: None,
            notes: Vec::new(),
        })
    }

    fn write_statistics(&self, _: Side<'_>, _: &Path, _: &dyn Progress) -> Result<(), MetricError> {
        Err(MetricError::Unusable {
            metric: INCEPTION_SCORE.name,
            reason: "compares pictures, of which statistics do not say enough".to_owned(),
        })
    }
}

/// One score for each split of the `logits` `[n, classes]` f64.
fn scores(logits: &Tensor, splits: usize) -> Vec<f64> {
    let count = logits.size()[0] as usize;
    let log_of_classes = logits.log_softmax(1, Kind::Double);
    let of_split = |split: usize| {
        let start = split * count / splits;
        let end = (split + 1) * count / splits;
        let log_of_classes = log_of_classes.narrow(0, start as i64, (end - start) as i64);
        let classes = log_of_classes.exp();
        let log_of_mean = classes
            .mean_dim([0_i64].as_slice(), true, Kind::Double)
            .log();
        let divergence = (classes * (log_of_classes - log_of_mean)).sum(Kind::Double);
        (divergence.double_value(&[]) / (end - start) as f64).exp()
    };
    (0..splits).map(of_split).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures that are surely of one class each: the score is the number of classes.
    #[test]
    fn sure_pictures_of_many_classes_count_the_classes() {
        let logits = Tensor::eye(8, (Kind::Double, tch::Device::Cpu)) * 100.0;
        let of_all = scores(&logits, 1);
        assert!((of_all[0] - 8.0).abs() < 1e-12, "{of_all:?}");
        let halves = scores(&logits, 2);
        assert!(
            halves.iter().all(|score| (score - 4.0).abs() < 1e-12),
            "{halves:?}"
        );
        let alike = scores(&Tensor::ones([6, 5], (Kind::Double, tch::Device::Cpu)), 3);
        assert!(
            alike.iter().all(|score| (score - 1.0).abs() < 1e-12),
            "{alike:?}"
        );
    }
}

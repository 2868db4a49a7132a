//! A tensor operator that panics costs one pair or one set, not the program.

use std::path::Path;

use i2am_imaging::{Plane, RgbImage};
use i2am_metrics::{
    Chosen, Configured, Lpips, MetricError, MetricInfo, Needs, Pair, PairMetric, PairValue,
    PictureFiles, Prepared, Progress, Session, SetMetric, SetScore, Settings, Side, Silent,
};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// A metric with a fault: libtorch refuses for some images.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
struct Faulty {
    of_sets: bool,
}

impl Settings for Faulty {
    const INFO: &'static MetricInfo = &MetricInfo {
        needs: Needs::Pairs,
        ..*Lpips::INFO
    };

    fn variant(&self) -> String {
        String::new()
    }

    fn open(&self, _session: &Session) -> Result<Prepared, MetricError> {
        Ok(if self.of_sets {
            Prepared::Sets(Box::new(*self))
        } else {
            Prepared::Pairs(Box::new(*self))
        })
    }
}

/// The height of the image, by a sum of vectors that have one length if that is not 5; memory that there is not if it is 7.
fn height(image: &RgbImage) -> f64 {
    let height = i64::from(image.height());
    let ones = |length: i64| Tensor::ones([length], (Kind::Double, Device::Cpu));
    match height {
        5 => (ones(5) + ones(6)).double_value(&[0]),
        7 => ones(1 << 46).double_value(&[0]),
        _ => ones(height).sum(Kind::Double).double_value(&[]),
    }
}

impl PairMetric for Faulty {
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError> {
        let one = |pair: &Pair<'_>| PairValue::Value(height(pair.real));
        Ok(pairs.iter().map(one).collect())
    }

    fn map(&self, pair: &Pair<'_>) -> Result<Option<Plane>, MetricError> {
        height(pair.real);
        Ok(None)
    }
}

impl SetMetric for Faulty {
    fn measure(&self, _: Side<'_>, _: Side<'_>, _: &dyn Progress) -> Result<SetScore, MetricError> {
        height(&RgbImage::new(1, 5));
        panic!("libtorch did not refuse")
    }

    fn write_statistics(&self, _: Side<'_>, _: &Path, _: &dyn Progress) -> Result<(), MetricError> {
        Ok(())
    }
}

const REFUSAL: &str = "libtorch: The size of tensor a (5) must match the size of tensor b (6) at non-singleton dimension 0";

#[test]
fn one_pair_fails_and_the_others_have_their_values() {
    let prepared = Chosen::<Faulty>::default()
        .prepare(&Session::default())
        .unwrap();
    let Prepared::Pairs(metric) = prepared else {
        panic!("it compares pairs")
    };
    let images = [3, 5, 7, 9].map(|height| RgbImage::new(2, height));
    let pairs = images
        .each_ref()
        .map(|image| Pair::new(image, image).unwrap());
    let [first, refused, memory, last] = &metric.measure(&pairs).unwrap()[..] else {
        panic!("one value for each pair")
    };
    assert_eq!(
        [first, last],
        [&PairValue::Value(3.0), &PairValue::Value(9.0)]
    );
    assert_eq!(refused, &PairValue::Failed(REFUSAL.to_owned()));
    let PairValue::Failed(memory) = memory else {
        panic!("{memory:?}")
    };
    let advice = "; take fewer images at a time (--batch-size), or smaller images";
    assert!(memory.ends_with(advice), "{memory}");
    assert!(metric.map(&pairs[0]).is_ok());
    let error = metric.map(&pairs[1]).unwrap_err();
    assert_eq!(error.to_string(), format!("lpips: {REFUSAL}"));
    assert!(!error.is_device_lost());
}

#[test]
fn a_set_fails_with_the_reason() {
    let prepared = Chosen {
        settings: Faulty { of_sets: true },
        ..Chosen::default()
    }
    .prepare(&Session::default())
    .unwrap();
    let Prepared::Sets(metric) = prepared else {
        panic!("it compares sets")
    };
    let none = PictureFiles::of(Path::new(""), Vec::new());
    let side = Side::Pictures(&none);
    let error = metric.measure(side, side, &Silent).unwrap_err();
    assert_eq!(error.to_string(), format!("lpips: {REFUSAL}"));
}

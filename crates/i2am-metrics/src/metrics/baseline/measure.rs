//! LPIPS's formula without learned weights, on four maps of the Inception network.

use std::cell::RefCell;
use std::rc::Rc;

use i2am_imaging::RgbImage;
use i2am_nets::inception::Tap;
use tch::{Kind, Tensor};

use crate::error::MetricError;
use crate::features::Extractor;
use crate::inception::{Mode, SIDE, inception_input};
use crate::metric::Prepared;
use crate::pair::{Pair, PairMetric, PairValue};
use crate::session::Session;

pub(super) fn open(session: &Session) -> Result<Prepared, MetricError> {
    let extractor = session.extractor()?;
    let last = RefCell::default();
    Ok(Prepared::Pairs(Box::new(Ready { extractor, last })))
}

struct Ready {
    extractor: Rc<Extractor>,
    /// The last real image and its maps: several models are often compared with it one after the other.
    last: RefCell<Option<(RgbImage, Vec<Tensor>)>>,
}

impl Ready {
    /// The maps of all taps, `[1, channels, H, W]` each. Images go one by one, so that a value does not depend on what else is measured.
    fn maps(&self, image: &RgbImage) -> Result<Vec<Tensor>, MetricError> {
        let side = SIDE as i64;
        let network = self.extractor.network()?;
        let input = Tensor::from_slice(&inception_input(image, Mode::PytorchFid));
        let input = input
            .reshape([1, 3, side, side])
            .to_device(network.device())
            .to_kind(self.extractor.kind());
        let maps = network.maps(&input, Tap::Last);
        Ok(maps.iter().map(|map| map.to_kind(Kind::Float)).collect())
    }
}

impl PairMetric for Ready {
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError> {
        let _guard = tch::no_grad_guard();
        let mut last = self.last.borrow_mut();
        let one = |pair: &Pair<'_>| {
            let real = match last.take() {
                Some((image, maps)) if image == *pair.real => maps,
                _ => self.maps(pair.real)?,
            };
            let generated = self.maps(pair.generated)?;
            let maps = generated.iter().zip(&real);
            let value = maps
                .map(|(generated, real)| distance(generated, real))
                .sum();
            *last = Some((pair.real.clone(), real));
            Ok(PairValue::Value(value))
        };
        pairs.iter().map(one).collect()
    }
}

/// Of two maps, `[1, channels, H, W]`.
fn distance(generated: &Tensor, real: &Tensor) -> f64 {
    /// Keeps the length of an all-zero position from dividing by zero; as in the lpips package.
    const EPS: f64 = 1e-10;
    let unit = |map: &Tensor| {
        let length = map
            .square()
            .sum_dim_intlist([1].as_slice(), true, map.kind())
            .sqrt();
        map / (length + EPS)
    };
    let difference = (unit(generated) - unit(real)).square();
    difference
        .sum_dim_intlist([1].as_slice(), false, Kind::Double)
        .mean(Kind::Double)
        .double_value(&[])
}

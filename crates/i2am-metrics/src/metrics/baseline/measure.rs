//! LPIPS's formula without learned weights, on four maps of the Inception network.

use std::rc::Rc;

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
    Ok(Prepared::Pairs(Box::new(Ready { extractor })))
}

struct Ready {
    extractor: Rc<Extractor>,
}

impl PairMetric for Ready {
    fn measure(&self, pairs: &[Pair<'_>]) -> Result<Vec<PairValue>, MetricError> {
        let _guard = tch::no_grad_guard();
        let side = SIDE as i64;
        let network = self.extractor.network()?;
        let one = |pair: &Pair<'_>| {
            let input = |image| {
                Tensor::from_slice(&inception_input(image, Mode::PytorchFid))
                    .reshape([3, side, side])
            };
            let both = Tensor::stack(&[input(pair.generated), input(pair.real)], 0);
            let maps = network.maps(&both.to_device(network.device()), Tap::Last);
            PairValue::Value(maps.iter().map(distance).sum())
        };
        Ok(pairs.iter().map(one).collect())
    }
}

/// Of the two maps in `both`, `[2, channels, H, W]`.
fn distance(both: &Tensor) -> f64 {
    /// Keeps the length of an all-zero position from dividing by zero; as in the lpips package.
    const EPS: f64 = 1e-10;
    let length = both
        .square()
        .sum_dim_intlist([1].as_slice(), true, both.kind())
        .sqrt();
    let unit = both / (length + EPS);
    let difference = (unit.get(0) - unit.get(1)).square();
    difference
        .sum_dim_intlist([0].as_slice(), false, Kind::Double)
        .mean(Kind::Double)
        .double_value(&[])
}

//! What the metrics of one measurement share.

use std::cell::OnceCell;
#[cfg(feature = "torch")]
use std::collections::BTreeMap;

use crate::metric::NetworkPrecision;
use crate::resources::Resources;

/// [`Resources`], and the networks that were opened with them.
#[derive(Debug, Default)]
pub struct Session {
    resources: Resources,
    /// The same with networks in 16-bit floats, once a metric asked for it.
    in_bf16: OnceCell<Box<Session>>,
    /// The Inception network once a metric asked for it.
    #[cfg(feature = "torch")]
    extractor: OnceCell<std::rc::Rc<crate::features::Extractor>>,
    /// Transformers that metrics asked for, by the name of their weights.
    #[cfg(feature = "torch")]
    towers: std::cell::RefCell<BTreeMap<&'static str, std::rc::Rc<crate::tower::TowerExtractor>>>,
}

impl Session {
    /// A session in which no network is open.
    pub fn new(resources: Resources) -> Self {
        Self {
            resources,
            in_bf16: OnceCell::new(),
            #[cfg(feature = "torch")]
            extractor: OnceCell::new(),
            #[cfg(feature = "torch")]
            towers: std::cell::RefCell::default(),
        }
    }

    /// The session whose networks compute in `precision`.
    pub(crate) fn at(&self, precision: NetworkPrecision) -> &Self {
        if precision == self.resources.precision {
            return self;
        }
        self.in_bf16.get_or_init(|| {
            Box::new(Self::new(Resources {
                precision,
                ..self.resources.clone()
            }))
        })
    }

    /// Where weights are, and how networks run.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// The Inception network, loaded once for all metrics, with the features they have in common.
    ///
    /// # Errors
    /// Weights that are missing or do not fit.
    #[cfg(feature = "torch")]
    pub fn extractor(&self) -> Result<std::rc::Rc<crate::features::Extractor>, crate::MetricError> {
        if let Some(open) = self.extractor.get() {
            return Ok(std::rc::Rc::clone(open));
        }
        let opened = std::rc::Rc::new(crate::features::Extractor::open(&self.resources)?);
        Ok(std::rc::Rc::clone(self.extractor.get_or_init(|| opened)))
    }

    /// A vision transformer, loaded once for all metrics, with the features they have in common.
    ///
    /// # Errors
    /// Weights that are missing or do not fit.
    #[cfg(feature = "torch")]
    pub(crate) fn tower(
        &self,
        family: crate::tower::Family,
        weights: &'static crate::resources::WeightsInfo,
    ) -> Result<std::rc::Rc<crate::tower::TowerExtractor>, crate::MetricError> {
        let mut towers = self.towers.borrow_mut();
        if let Some(open) = towers.get(weights.name) {
            return Ok(std::rc::Rc::clone(open));
        }
        let opened = std::rc::Rc::new(crate::tower::open(family, weights, &self.resources)?);
        towers.insert(weights.name, std::rc::Rc::clone(&opened));
        Ok(opened)
    }
}

//! What the metrics of one measurement share.

use crate::resources::Resources;

/// [`Resources`], and the networks that were opened with them.
#[derive(Debug, Default)]
pub struct Session {
    resources: Resources,
    /// The Inception network once a metric asked for it.
    #[cfg(feature = "torch")]
    extractor: std::cell::OnceCell<std::rc::Rc<crate::features::Extractor>>,
}

impl Session {
    /// A session in which no network is open.
    pub fn new(resources: Resources) -> Self {
        Self {
            resources,
            #[cfg(feature = "torch")]
            extractor: std::cell::OnceCell::new(),
        }
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
}

//! Inception features of sets: computed once, kept by content.

mod cache;

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use i2am_nets::Precision;
use i2am_nets::inception::{Inception, Tap};
use rayon::prelude::*;
use tch::{Device, Tensor};

use crate::batches::in_batches;
use crate::error::MetricError;
use crate::inception::{INCEPTION, Mode, SIDE, inception_input};
use crate::progress::Progress;
use crate::resources::Resources;
use crate::set::Pictures;
use cache::Cache;

/// Features of a set: `[n, width]`, one row per picture in the order of the set.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Channels of the tap.
    pub width: usize,
    /// Row by row.
    pub values: Vec<f32>,
}

impl Features {
    /// Number of pictures.
    pub fn count(&self) -> usize {
        self.values.len() / self.width
    }
}

/// Makes sure that `metric` has as many images as it is defined for.
///
/// # Errors
/// [`MetricError::TooFew`].
pub(crate) fn at_least(
    metric: &'static str,
    least: usize,
    pictures: &dyn Pictures,
) -> Result<(), MetricError> {
    let found = pictures.len();
    if found >= least {
        return Ok(());
    }
    Err(MetricError::TooFew {
        metric,
        place: pictures.place(),
        least,
        found,
    })
}

/// The network with what it has computed.
#[derive(Debug)]
pub struct Extractor {
    weights: PathBuf,
    device: Device,
    /// Loaded when something has to be computed.
    network: OnceCell<Inception>,
    batch: usize,
    cache: Option<Cache>,
    known: RefCell<BTreeMap<String, Rc<Features>>>,
}

impl Extractor {
    /// Finds the weights that `resources` name and makes sure that they fit; they are read when they are needed.
    ///
    /// # Errors
    /// Weights that are missing or do not fit.
    pub fn open(resources: &Resources) -> Result<Self, MetricError> {
        let weights = resources.find(&INCEPTION)?;
        Inception::check(&weights)?;
        let cache = resources
            .cache
            .as_ref()
            .map(|folder| Cache::open(folder, &weights))
            .transpose()?;
        Ok(Self {
            weights,
            device: resources.device,
            network: OnceCell::new(),
            batch: resources.batch.max(1),
            cache,
            known: RefCell::default(),
        })
    }

    /// The network itself.
    ///
    /// # Errors
    /// Weights that have changed since they were found.
    pub fn network(&self) -> Result<&Inception, MetricError> {
        if let Some(network) = self.network.get() {
            return Ok(network);
        }
        let network = Inception::open(&self.weights, Precision::F32, self.device)?;
        Ok(self.network.get_or_init(|| network))
    }

    /// Features of `pictures` at `tap`, from the cache if they were computed before.
    ///
    /// # Errors
    /// A picture that cannot be read: the first in the order of the set.
    pub fn features(
        &self,
        pictures: &dyn Pictures,
        mode: Mode,
        tap: Tap,
        progress: &dyn Progress,
    ) -> Result<Rc<Features>, MetricError> {
        let prints: Vec<String> = (0..pictures.len())
            .into_par_iter()
            .map(|index| pictures.fingerprint(index))
            .collect::<Result<_, _>>()?;
        let key = cache::key(mode, tap, &prints);
        if let Some(known) = self.known.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let stored = self
            .cache
            .as_ref()
            .and_then(|cache| cache.get(&key, tap.width(), prints.len()));
        let features = if let Some(features) = stored {
            features
        } else {
            let features = self.compute(pictures, mode, tap, progress)?;
            if let Some(cache) = &self.cache {
                cache.put(&key, &features)?;
            }
            features
        };
        let features = Rc::new(features);
        self.known.borrow_mut().insert(key, Rc::clone(&features));
        Ok(features)
    }

    /// Decodes and resizes the next batch while the network works on one.
    fn compute(
        &self,
        pictures: &dyn Pictures,
        mode: Mode,
        tap: Tap,
        progress: &dyn Progress,
    ) -> Result<Features, MetricError> {
        let count = pictures.len();
        let width = tap.width();
        let network = self.network()?;
        let mut values = Vec::with_capacity(count * width);
        progress.start(&pictures.place(), count as u64);
        let input = |index| Ok(inception_input(&pictures.load(index)?, mode));
        let done = in_batches(count, self.batch, input, |inputs| {
            values.extend(run(network, &inputs, tap));
            progress.advance(inputs.len() as u64);
            Ok(())
        });
        progress.finish();
        done.map(|()| Features { width, values })
    }
}

fn run(network: &Inception, inputs: &[Vec<f32>], tap: Tap) -> Vec<f32> {
    let _guard = tch::no_grad_guard();
    let side = SIDE as i64;
    let stacked: Vec<Tensor> = inputs
        .iter()
        .map(|input| Tensor::from_slice(input).reshape([3, side, side]))
        .collect();
    let x = Tensor::stack(&stacked, 0).to_device(network.device());
    let features = network.features(&x, tap);
    Vec::try_from(features.reshape([-1])).expect("features are a row of 32-bit floats")
}

//! Features of sets, from whichever network: computed once, kept by content.

mod backbone;
mod cache;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use i2am_imaging::RgbImage;
use i2am_nets::Precision;
use i2am_nets::inception::{Inception, Tap};
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::batches::in_batches;
use crate::error::MetricError;
use crate::inception::{INCEPTION, Mode};
use crate::progress::Progress;
use crate::resources::Resources;
use crate::set::Pictures;
pub use backbone::{Backbone, OfInception};
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

    /// `[n, width]` in 64-bit floats.
    pub(crate) fn rows(&self) -> Tensor {
        Tensor::from_slice(&self.values)
            .to_kind(Kind::Double)
            .reshape([self.count() as i64, self.width as i64])
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

/// A network with what it has computed.
#[derive(Debug)]
pub struct Extractor<B: Backbone = OfInception> {
    backbone: B,
    weights: PathBuf,
    precision: Precision,
    device: Device,
    /// Loaded when something has to be computed.
    network: OnceCell<B::Network>,
    batch: usize,
    cache: Option<Cache>,
    /// Whether it was said that features cannot be kept.
    warned: Cell<bool>,
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
        Self::of(OfInception, weights, resources)
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
        self.rows(pictures, (mode, tap), progress)
    }
}

impl<B: Backbone> Extractor<B> {
    /// The network of the file `weights`, which was looked at.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn of(
        backbone: B,
        weights: PathBuf,
        resources: &Resources,
    ) -> Result<Self, MetricError> {
        let folder = resources.cache.as_ref();
        let cache = folder
            .map(|folder| Cache::open(folder, &weights))
            .transpose()?;
        Ok(Self {
            backbone,
            weights,
            precision: resources.precision.of_networks(),
            device: resources.device,
            network: OnceCell::new(),
            batch: resources.batch.max(1),
            cache,
            warned: Cell::new(false),
            known: RefCell::default(),
        })
    }

    /// The network itself.
    ///
    /// # Errors
    /// Weights that have changed since they were found.
    pub fn network(&self) -> Result<&B::Network, MetricError> {
        if let Some(network) = self.network.get() {
            return Ok(network);
        }
        let network = self
            .backbone
            .load(&self.weights, self.precision, self.device)?;
        Ok(self.network.get_or_init(|| network))
    }

    /// What the network computes in.
    pub(crate) fn kind(&self) -> Kind {
        self.precision.kind()
    }

    /// Height and width of what goes into the network.
    pub(crate) fn side(&self) -> usize {
        self.backbone.side()
    }

    /// The features of one image. Those of an image that was met before are not computed again.
    ///
    /// # Errors
    /// Weights that have changed since they were found.
    pub(crate) fn row(
        &self,
        image: &RgbImage,
        reading: B::Reading,
    ) -> Result<Rc<Features>, MetricError> {
        let (width, height) = image.dimensions();
        let print = i2am_files::sha256_hex(image.as_raw());
        let print = format!("{print} {height} {width}");
        let key = self.key(reading, &[print]);
        if let Some(known) = self.known.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let input = self.backbone.input(image, reading);
        let features = Rc::new(Features {
            width: self.backbone.width(reading),
            values: self.run(self.network()?, &[input], reading),
        });
        self.known.borrow_mut().insert(key, Rc::clone(&features));
        Ok(features)
    }

    /// What features of pictures with `prints` are kept under.
    fn key(&self, reading: B::Reading, prints: &[String]) -> String {
        let mut own = self.backbone.key(reading);
        if self.precision != Precision::default() {
            own = format!("{own} {:?}", self.precision);
        }
        cache::key(&own, prints)
    }

    /// Length of a row.
    pub(crate) fn width(&self, reading: B::Reading) -> usize {
        self.backbone.width(reading)
    }

    /// Features of `pictures`, from the cache if they were computed before.
    ///
    /// # Errors
    /// A picture that cannot be read: the first in the order of the set.
    pub(crate) fn rows(
        &self,
        pictures: &dyn Pictures,
        reading: B::Reading,
        progress: &dyn Progress,
    ) -> Result<Rc<Features>, MetricError> {
        let prints: Vec<String> = (0..pictures.len())
            .into_par_iter()
            .map(|index| pictures.fingerprint(index))
            .collect::<Result<_, _>>()?;
        let key = self.key(reading, &prints);
        if let Some(known) = self.known.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let width = self.backbone.width(reading);
        let stored = self
            .cache
            .as_ref()
            .and_then(|cache| cache.get(&key, width, prints.len()));
        let features = if let Some(features) = stored {
            features
        } else {
            let features = self.compute(pictures, reading, progress)?;
            self.keep(&key, &features, progress);
            features
        };
        let features = Rc::new(features);
        self.known.borrow_mut().insert(key, Rc::clone(&features));
        Ok(features)
    }

    /// Without a place to keep them, features are computed again next time, which is no reason to have no score.
    fn keep(&self, key: &str, features: &Features, progress: &dyn Progress) {
        let Some(cache) = &self.cache else { return };
        if let Err(error) = cache.put(key, features)
            && !self.warned.replace(true)
        {
            progress.warn(&format!(
                "features are computed, and not kept for the next time: {error}"
            ));
        }
    }

    /// Decodes and resizes the next batch while the network works on one.
    fn compute(
        &self,
        pictures: &dyn Pictures,
        reading: B::Reading,
        progress: &dyn Progress,
    ) -> Result<Features, MetricError> {
        let count = pictures.len();
        let width = self.backbone.width(reading);
        let network = self.network()?;
        let mut values = Vec::with_capacity(count * width);
        progress.start(&pictures.place(), count as u64);
        let backbone = &self.backbone;
        let input = |index| Ok(backbone.input(&pictures.load(index)?, reading));
        let done = in_batches(count, self.batch, input, |inputs| {
            values.extend(self.run(network, &inputs, reading));
            progress.advance(inputs.len() as u64);
            Ok(())
        });
        progress.finish();
        done.map(|()| Features { width, values })
    }

    fn run(&self, network: &B::Network, inputs: &[Vec<f32>], reading: B::Reading) -> Vec<f32> {
        let _guard = tch::no_grad_guard();
        let side = self.backbone.side() as i64;
        let stacked: Vec<Tensor> = inputs
            .iter()
            .map(|input| Tensor::from_slice(input).reshape([3, side, side]))
            .collect();
        let x = Tensor::stack(&stacked, 0).to_device(self.device);
        let features = B::run(network, &x.to_kind(self.kind()), reading);
        let features = features.to_kind(Kind::Float);
        Vec::try_from(features.reshape([-1])).expect("features are a row of 32-bit floats")
    }
}

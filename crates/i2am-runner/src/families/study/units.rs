//! Layers and heads that read nothing of the reference, or whose values change places.

use i2am_nets::{AttentionProbe, Intervention, Observation, Role, Segment};
use tch::{Device, Kind, Tensor};

use crate::capture::ConditionalHalf;

/// A part of a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unit {
    /// Layers by name; all if none is named.
    pub layers: Vec<String>,
    /// A head of them, counted from 0; all without it.
    pub head: Option<usize>,
}

impl Unit {
    fn has(&self, layer: &str) -> bool {
        self.layers.is_empty() || self.layers.iter().any(|own| own == layer)
    }
}

/// Lets the generated image read nothing of the reference in one unit: probabilities over the reference become 0, and those of other keys
/// stay as they are. In the rows under the reference only.
#[derive(Debug)]
pub struct Unread {
    unit: Unit,
    conditional: ConditionalHalf,
}

impl Unread {
    /// In `unit`.
    pub fn new(unit: Unit, conditional: ConditionalHalf) -> Self {
        Self { unit, conditional }
    }
}

impl AttentionProbe for Unread {
    fn observe(&mut self, _seen: &Observation<'_>) {}

    fn intervene(&mut self, seen: &Observation<'_>) -> Option<Intervention> {
        if !self.unit.has(seen.layer) {
            return None;
        }
        let (asking, _) = seen.generated()?;
        let keys = references(seen.keys)?;
        let size = seen.query.size();
        let [batch, heads, queries] = [size[0], size[1], size[2]];
        let rows = chosen(batch, self.conditional.row(batch), 1).view([-1, 1, 1, 1]);
        let heads = match self.unit.head {
            Some(head) => chosen(heads, head as i64, 1),
            None => chosen(1, 0, 1),
        };
        let queries = if asking.count() == queries {
            chosen(1, 0, 1)
        } else {
            chosen(queries, asking.tokens.start, asking.count())
        };
        let pairs: Tensor = rows * heads.view([1, -1, 1, 1]) * queries.view([1, 1, -1, 1]) * keys;
        Some(Intervention {
            weakened: Some((pairs * -1.0 + 1.0).to_device(seen.query.device())),
            ..Intervention::default()
        })
    }

    fn intervene_without(&mut self, _seen: &Observation<'_>) -> Option<Intervention> {
        None
    }
}

/// What becomes of the values of the reference.
#[derive(Debug)]
pub enum Exchange {
    /// They change places at random, in the order of these numbers: one for each token of the largest layer, or more.
    Permuted(Vec<f64>),
    /// All become their mean, as if attention over the reference were even.
    Mean,
}

/// Exchanges values of the reference among its tokens: the map stays, what it fetches changes. In the rows under the reference only. Where
/// the reference asks, too, it reads the exchanged values.
#[derive(Debug)]
pub struct Exchanged {
    unit: Unit,
    exchange: Exchange,
    conditional: ConditionalHalf,
}

impl Exchanged {
    /// In `unit`. Layers with one token of the reference have nothing to exchange.
    pub fn new(unit: Unit, exchange: Exchange, conditional: ConditionalHalf) -> Self {
        Self {
            unit,
            exchange,
            conditional,
        }
    }

    /// What each of `count` tokens becomes, `[count, count]`.
    fn mixture(&self, count: i64) -> Tensor {
        let options = (Kind::Float, Device::Cpu);
        match &self.exchange {
            Exchange::Mean => Tensor::full([count, count], 1.0 / count as f64, options),
            Exchange::Permuted(order) => {
                let order = Tensor::from_slice(&order[..count as usize]).argsort(0, false);
                Tensor::eye(count, options).index_select(0, &order)
            }
        }
    }
}

impl AttentionProbe for Exchanged {
    fn observe(&mut self, _seen: &Observation<'_>) {}

    fn intervene(&mut self, seen: &Observation<'_>) -> Option<Intervention> {
        if !self.unit.has(seen.layer) {
            return None;
        }
        let own = seen.keys.iter().filter(|segment| is_reference(segment));
        let own: Vec<&Segment> = own.filter(|segment| segment.count() > 1).collect();
        if own.is_empty() {
            return None;
        }
        let size = seen.key.size();
        let [batch, heads, keys] = [size[0], size[1], size[2]];
        let mixed = Tensor::eye(keys, (Kind::Float, Device::Cpu));
        for segment in own {
            let (start, count) = (segment.tokens.start, segment.count());
            let mut part = mixed.narrow(0, start, count).narrow(1, start, count);
            part.copy_(&self.mixture(count));
        }
        let neutral = Tensor::eye(keys, (Kind::Float, Device::Cpu));
        let of_row = |row: i64| {
            let is_own = row == self.conditional.row(batch);
            let own = if is_own { &mixed } else { &neutral };
            own.unsqueeze(0)
        };
        let rows: Vec<Tensor> = (0..batch).map(of_row).collect();
        let rows = Tensor::stack(&rows, 0);
        let rows = match self.unit.head {
            None => rows,
            Some(head) => {
                let of_head = |index: i64| {
                    if index == head as i64 {
                        rows.shallow_clone()
                    } else {
                        neutral.expand(rows.size(), false)
                    }
                };
                Tensor::cat(&(0..heads).map(of_head).collect::<Vec<_>>(), 1)
            }
        };
        Some(Intervention {
            mixed: Some(rows.to_device(seen.key.device())),
            ..Intervention::default()
        })
    }

    fn intervene_without(&mut self, _seen: &Observation<'_>) -> Option<Intervention> {
        None
    }
}

fn is_reference(segment: &Segment) -> bool {
    matches!(segment.role, Role::Reference(0))
}

/// 1 for keys of the reference, `[1, 1, 1, keys]` or, where all are, `[1, 1, 1, 1]`; `None` if there is none.
fn references(keys: &[Segment]) -> Option<Tensor> {
    if keys.iter().all(is_reference) {
        return (!keys.is_empty()).then(|| chosen(1, 0, 1).view([1, 1, 1, 1]));
    }
    let parts = keys.iter().map(|segment| {
        let count = segment.count();
        chosen(count, 0, if is_reference(segment) { count } else { 0 })
    });
    let any = keys.iter().any(is_reference);
    any.then(|| Tensor::cat(&parts.collect::<Vec<_>>(), 0).view([1, 1, 1, -1]))
}

/// `length` numbers: 1 for `count` of them from `first` on, else 0.
fn chosen(length: i64, first: i64, count: i64) -> Tensor {
    let numbers = Tensor::zeros([length], (Kind::Float, Device::Cpu));
    let _ = numbers.narrow(0, first, count).fill_(1.0);
    numbers
}

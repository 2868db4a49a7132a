//! The running sums of one layer while its sample is sampled, and what becomes of them in the record.

use std::ops::Range;

use half::f16;
use i2am_attribution::{Carried, Grid, KeyRole, LayerRecord, OtherKeys, Reader, Source};
use i2am_nets::{Role, Segment};
use tch::{Device, Kind, Tensor};

use super::both::{Asked, both_directions_of};
use super::joint::{Changed, Found, Own, Softmax, reduce};
use super::maps::{Weights, generated_to_reference_of, reference_to_generated_of};
use super::near::LayerNear;
use super::readers::mean_shares;

/// The running sums of one layer, on its device.
pub(super) struct LayerSums {
    pub(super) heads: i64,
    pub(super) grid: (i64, i64),
    /// Which positions are inside / outside the inpainting mask, `[2, H*W]`.
    pub(super) positions: Weights,
    /// What the keys belong to.
    pub(super) segments: Vec<(Role, Range<i64>)>,
    pub(super) references: Vec<Sums>,
    /// What each segment of keys has of the attention of the mean position, `[groups, heads, segments]`; absent where all keys are those
    /// of one reference.
    pub(super) shares: Option<Tensor>,
    /// Queries of a prompt, which read the references too.
    pub(super) readers: Vec<(Role, Range<i64>)>,
    /// Steps summed so far.
    pub(super) steps: u32,
}

/// The running sums of one reference in one layer.
pub(super) struct Sums {
    pub(super) reference: usize,
    pub(super) source: Source,
    /// Which of the keys are its tokens.
    pub(super) columns: Range<i64>,
    /// Which tokens are inside / outside the reference mask, `[2, tokens]`.
    pub(super) tokens: Weights,
    /// `[groups, 2, heads, H*W]`.
    pub(super) r2g: Tensor,
    /// `[groups, 2, heads, tokens]`.
    pub(super) g2r: Option<Tensor>,
    /// As `g2r`.
    pub(super) relative: Option<Tensor>,
    /// As `r2g`.
    pub(super) share: Option<Tensor>,
    /// What queries of a prompt read of it, `[groups, heads, readers]`.
    pub(super) readers: Tensor,
    /// As `r2g`, `g2r` and `share`.
    pub(super) carried: Option<[Tensor; 3]>,
    /// `[H*W, tokens]`.
    pub(super) specific: Option<Tensor>,
    pub(super) near: Option<LayerNear>,
    /// Of which positions of the reference the tokens are made, `[tokens, h*w]`, where they are mixtures.
    pub(super) mix: Option<Tensor>,
}

/// The rows of one pass that are recorded: queries of the generated image, `[heads, positions, d]` and scaled, and all keys, `[heads, keys,
/// d]`.
pub(super) struct Seen<'a> {
    pub(super) query: &'a Tensor,
    pub(super) key: &'a Tensor,
    /// What each key carries, `[heads, keys]`, if that is recorded.
    pub(super) carried: Option<&'a Tensor>,
    /// Logarithms of the sums of exponentials over all keys, `[heads, positions]`, of a large layer in which nothing is changed.
    pub(super) log_sums: Option<&'a Tensor>,
    pub(super) changed: Changed<'a>,
    pub(super) chunk_bytes: usize,
}

impl LayerSums {
    pub(super) fn add(&mut self, group: i64, seen: &Seen<'_>) {
        self.steps += 1;
        let heads = self.heads;
        match (&mut self.references[..], &mut self.shares) {
            ([only], None) if seen.carried.is_none() && seen.changed.weakened.is_none() => {
                only.add_alone(group, heads, &self.positions, seen);
            }
            (references, shares) => {
                let segments = self.segments.iter().map(|(_, range)| range.clone());
                let segments: Vec<Range<i64>> = segments.collect();
                let mut own: Vec<Own<'_>> =
                    references.iter_mut().map(|sums| sums.own(group)).collect();
                let softmax = Softmax {
                    query: seen.query,
                    key: seen.key,
                    segments: &segments,
                    positions: &self.positions,
                    carried: seen.carried,
                    log_sums: seen.log_sums,
                    changed: seen.changed,
                };
                let reduced = reduce(&softmax, &mut own, seen.chunk_bytes);
                drop(own);
                if let Some(shares) = shares {
                    let _ = shares.select(0, group).g_add_(&reduced.shares);
                }
                for (sums, found) in references.iter_mut().zip(reduced.found) {
                    sums.add_found(group, &found, seen.carried);
                }
            }
        }
    }

    /// Adds what the readers read in a step: all queries `[heads, queries, d]`, scaled, and what was changed about all of them.
    pub(super) fn add_readers(
        &mut self,
        group: i64,
        query: &Tensor,
        key: &Tensor,
        changed: Changed<'_>,
    ) {
        if self.readers.is_empty() {
            return;
        }
        let columns: Vec<Range<i64>> = self
            .references
            .iter()
            .map(|sums| sums.columns.clone())
            .collect();
        for (index, (_, rows)) in self.readers.iter().enumerate() {
            let shares = mean_shares(query, key, rows, &columns, changed);
            for (sums, share) in self.references.iter().zip(shares) {
                let own = sums.readers.select(0, group).select(1, index as i64);
                let _ = { own }.g_add_(&share);
            }
        }
    }

    /// One record for each reference, of the layer called `name`.
    pub(super) fn records(&self, name: &str, radii: &[usize]) -> Vec<LayerRecord> {
        let several = self.references.len() > 1;
        let record = |sums: &Sums| {
            let name = if several {
                format!("{name}#{}", sums.reference + 1)
            } else {
                name.to_owned()
            };
            sums.record(name, self, radii)
        };
        self.references.iter().map(record).collect()
    }

    /// The shares of the keys that are not those of `own`.
    fn others(&self, own: &Sums) -> Vec<OtherKeys> {
        let Some(shares) = &self.shares else {
            return Vec::new();
        };
        let mut others: Vec<(KeyRole, Tensor)> = Vec::new();
        for (index, (role, range)) in self.segments.iter().enumerate() {
            if *range == own.columns {
                continue;
            }
            let role = match *role {
                Role::Reference(reference) if reference == own.reference => KeyRole::Pooled,
                other => key_role(other),
            };
            let share = shares.select(2, index as i64);
            match others.iter_mut().find(|(known, _)| *known == role) {
                Some((_, sum)) => *sum += share,
                None => others.push((role, share.copy())),
            }
        }
        let flat = others.into_iter().map(|(role, share)| OtherKeys {
            role,
            share: flat_f32(&share),
        });
        flat.collect()
    }
}

impl LayerSums {
    /// What the prompt's tokens read of `own`.
    fn readers(&self, own: &Sums) -> Vec<Reader> {
        let reader = |(index, (role, _)): (usize, &(Role, Range<i64>))| Reader {
            role: key_role(*role),
            share: flat_f32(&own.readers.select(2, index as i64)),
        };
        self.readers.iter().enumerate().map(reader).collect()
    }
}

impl Sums {
    /// Adds a step in which all keys are those of this reference.
    fn add_alone(&mut self, group: i64, heads: i64, positions: &Weights, seen: &Seen<'_>) {
        let &Seen {
            query,
            key,
            chunk_bytes,
            ..
        } = seen;
        let allowed = seen.changed.allowed;
        let mut near = self.near.as_ref().map(|near| near.group(group));
        let (r2g, g2r) = match (allowed, &self.g2r) {
            (None, Some(_)) => {
                let asked = Asked {
                    specific: self.specific.as_mut(),
                    near: near.as_ref(),
                    log_sums: seen.log_sums,
                };
                let both =
                    both_directions_of(query, key, &self.tokens, positions, chunk_bytes, asked);
                (both.r2g, Some(both.g2r))
            }
            (_, g2r) => {
                let pickers = near.as_ref().map(|near| near.pickers(heads));
                let (near_r2g, near_g2r) = pickers.as_ref().map(|[r2g, g2r]| (r2g, g2r)).unzip();
                let r2g = reference_to_generated_of(
                    query,
                    key,
                    &self.tokens,
                    chunk_bytes,
                    near_r2g,
                    allowed,
                );
                let g2r = g2r.is_some().then(|| {
                    generated_to_reference_of(
                        query,
                        key,
                        positions,
                        chunk_bytes,
                        self.specific.as_mut(),
                        near_g2r,
                        allowed,
                    )
                });
                if let (Some(near), Some([r2g, g2r])) = (&mut near, &pickers) {
                    near.add(&r2g.sums(), &g2r.sums());
                }
                (r2g, g2r)
            }
        };
        let _ = self.r2g.select(0, group).g_add_(&r2g);
        if let (Some(sum), Some(g2r)) = (&self.g2r, g2r) {
            let _ = sum.select(0, group).g_add_(&g2r);
        }
    }

    fn own(&mut self, group: i64) -> Own<'_> {
        Own {
            columns: self.columns.clone(),
            tokens: &self.tokens,
            specific: self.specific.as_mut(),
            near: self.near.as_ref().map(|near| near.group(group)),
        }
    }

    /// Adds a step in which other keys competed, or tokens were weighed by what they carry, `[heads, keys]`.
    fn add_found(&mut self, group: i64, found: &Found, carried: Option<&Tensor>) {
        let add = |sum: &Tensor, part: &Tensor| {
            let _ = sum.select(0, group).g_add_(part);
        };
        add(&self.r2g, &found.r2g);
        let of_reference = [(&self.g2r, &found.g2r), (&self.relative, &found.relative)];
        for (sum, part) in of_reference {
            if let Some(sum) = sum {
                add(sum, part);
            }
        }
        if let Some(share) = &self.share {
            add(share, &found.share);
        }
        if let (Some([r2g, g2r, share]), Some([own_r2g, own_share]), Some(carried)) =
            (&self.carried, &found.carried, carried)
        {
            let count = self.columns.end - self.columns.start;
            let lengths = carried.narrow(1, self.columns.start, count);
            add(r2g, own_r2g);
            add(g2r, &(&found.g2r * lengths));
            add(share, own_share);
        }
    }

    fn record(&self, name: String, layer: &LayerSums, radii: &[usize]) -> LayerRecord {
        // Groups are outermost here so that a step's sum is one contiguous addition; the record has the masks outermost.
        let flat = |sums: &Tensor| flat_f32(&sums.transpose(0, 1));
        let over_reference = |sums: &Tensor| match &self.mix {
            None => flat(sums),
            Some(mix) => flat(&sums.matmul(mix)),
        };
        let (height, width) = layer.grid;
        let generated = Grid {
            height: height as usize,
            width: width as usize,
        };
        LayerRecord {
            reference: self.reference,
            r2g: flat(&self.r2g),
            g2r: self.g2r.as_ref().map(over_reference),
            relative: self.relative.as_ref().map(over_reference),
            share: self.share.as_ref().map(flat),
            others: layer.others(self),
            readers: layer.readers(self),
            carried: self.carried.as_ref().map(|[r2g, g2r, share]| Carried {
                r2g: flat(r2g),
                g2r: self.g2r.is_some().then(|| over_reference(g2r)),
                share: flat(share),
            }),
            r2g_counts: self.tokens.counts(),
            g2r_counts: layer.positions.counts(),
            specific: self.specific.as_ref().map(|sum| {
                let mean = sum / f64::from(layer.steps.max(1));
                let mean = match &self.mix {
                    None => mean,
                    Some(mix) => mean.matmul(mix),
                };
                flat_f32(&mean).into_iter().map(f16::from_f32).collect()
            }),
            near: self.near.as_ref().map(|near| near.record(radii)),
            ..LayerRecord::new(name, self.source, layer.heads as usize, generated)
        }
    }
}

/// What files call keys of `role` that are not those of the reference that a record is about.
fn key_role(role: Role) -> KeyRole {
    match role {
        Role::Generated => KeyRole::Generated,
        Role::Text => KeyRole::Text,
        Role::Padding => KeyRole::Padding,
        Role::Source => KeyRole::Source,
        Role::Reference(_) => KeyRole::OtherReference,
        Role::Other => KeyRole::Other,
    }
}

/// The references among `keys`, each with the segment that a record is about: that whose tokens have places, if there is one.
pub(super) fn references(keys: &[Segment]) -> Vec<(usize, &Segment)> {
    let mut found: Vec<(usize, &Segment)> = Vec::new();
    for segment in keys {
        let Role::Reference(reference) = segment.role else {
            continue;
        };
        match found.iter_mut().find(|(known, _)| *known == reference) {
            None => found.push((reference, segment)),
            Some((_, known)) if known.places.grid().is_none() => *known = segment,
            Some(_) => {}
        }
    }
    found
}

fn flat_f32(x: &Tensor) -> Vec<f32> {
    let flat = x
        .to_device(Device::Cpu)
        .to_kind(Kind::Float)
        .contiguous()
        .view(-1);
    Vec::try_from(flat).expect("a flat f32 tensor is an f32 vector")
}

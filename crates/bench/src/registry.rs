//! Every quantity that the program knows: those of the scores of maps, of their truth, and of the metrics of images.

use std::sync::LazyLock;

use i2am_quantity::{Quantities, Quantity};

/// All of them, in the order of columns.
pub(crate) fn quantities() -> Quantities<'static> {
    static ALL: LazyLock<Vec<&'static Quantity>> = LazyLock::new(|| {
        let metrics = i2am_metrics::METRICS.iter();
        let of_metrics = metrics.map(|metric| metric.info().quantity);
        let of_maps = i2am_imacs::scores::quantities();
        let of_truth = i2am_faithfulness::QUANTITIES.iter().copied();
        of_maps.chain(of_truth).chain(of_metrics).collect()
    });
    Quantities::new(&ALL)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_quantities_share_a_name() {
        let names: Vec<&str> = quantities().iter().map(|quantity| quantity.name).collect();
        let unique: BTreeSet<&&str> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "{names:?}");
    }
}

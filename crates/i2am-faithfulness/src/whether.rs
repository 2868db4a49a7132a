//! Is it worth where the attention goes, or only that it goes to the reference at all?

/// What three changes of the attention over the reference do, each as an effect: 1 less what is [`kept`](crate::kept).
///
/// # Units and range
/// None; 0: the output stays as it was, 1: it is as without the reference.
/// # Source
/// Our own definition, after the permuted attention of Jain and Wallace 2019.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worth {
    /// The values of the reference are permuted, its keys are not: the map stays, what it fetches is scrambled.
    pub scrambled: f64,
    /// The attention over the reference is spread evenly, its share is kept: the worth of *where*.
    pub place: f64,
    /// The attention over the reference is set to 0: the worth of *whether*.
    pub presence: f64,
}

impl Worth {
    /// The worth of *where* over that of *whether*: how much of what the reference does depends on which positions are read.
    ///
    /// # Units and range
    /// None; about 0: any position would do, so that a map of positions says nothing; about 1: all depends on the positions. May leave
    /// 0 to 1. `None` if the worth of *whether* is not above `floor`, or a number is not finite.
    pub fn where_by_whether(&self, floor: f64) -> Option<f64> {
        self.ratio(self.place, floor)
    }

    /// What scrambled values do over the worth of *whether*. Unlike even attention, scrambled values keep how much single values differ.
    ///
    /// # Units and range
    /// As [`Worth::where_by_whether`].
    pub fn scrambled_by_whether(&self, floor: f64) -> Option<f64> {
        self.ratio(self.scrambled, floor)
    }

    fn ratio(&self, effect: f64, floor: f64) -> Option<f64> {
        let has_value = effect.is_finite() && self.presence.is_finite();
        (has_value && self.presence > floor).then(|| effect / self.presence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ratios() {
        let worth = Worth {
            scrambled: 0.5,
            place: 0.25,
            presence: 0.5,
        };
        assert_eq!(worth.where_by_whether(0.01), Some(0.5));
        assert_eq!(worth.scrambled_by_whether(0.01), Some(1.0));
        assert_eq!(worth.where_by_whether(0.5), None);
        let unknown = Worth {
            place: f64::NAN,
            ..worth
        };
        assert_eq!(unknown.where_by_whether(0.01), None);
        assert_eq!(unknown.scrambled_by_whether(0.01), Some(1.0));
        let turned = Worth {
            presence: -0.5,
            ..worth
        };
        assert_eq!(turned.where_by_whether(0.01), None);
    }
}

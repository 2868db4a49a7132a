use std::cmp::Ordering;

use crate::finite;

/// Salience-guided faithfulness coefficient (`SaCo`): do groups of which a map claims more have more effect?
///
/// Every pair of groups counts by the difference of its claims, for the map if the group of the larger claim has at least the effect of
/// the other, else against it; the score is the sum over the sum of the differences. Groups are removed one at a time.
///
/// # Shapes
/// `claims[i]`: the sum of the map over group `i`, see [`claims`](crate::claims); `effects[i]`: what removing that group alone does.
/// Groups may come in any order; they should have one size.
/// # Units and range
/// None, -1 to 1, higher is better; around 0 for a map that does not know the effects. A factor on the claims and a constant added to
/// them change nothing; clamping and thresholds do, so the map should be as it was before either.
///
/// `None` if no two claims differ, for a map of one value or fewer than two groups, if no two effects differ, or if a number is not
/// finite. By the formula equal effects contradict nothing, so that where removing changes nothing every map would be perfect.
/// # Panics
/// If there are not as many effects as claims.
/// # Source
/// Wu et al. 2024 (arXiv 2404.01415), algorithm 1; checked against the formula in NumPy (fixture `faithfulness`).
pub fn saco(claims: &[f64], effects: &[f64]) -> Option<f64> {
    assert_eq!(
        claims.len(),
        effects.len(),
        "an effect for every claim is expected"
    );
    let all_equal = effects
        .windows(2)
        .all(|pair| pair[0].partial_cmp(&pair[1]).is_some_and(Ordering::is_eq));
    if all_equal || !finite(claims) || !finite(effects) {
        return None;
    }
    let (mut sum, mut total) = (0.0, 0.0);
    for (i, (claim, effect)) in claims.iter().zip(effects).enumerate() {
        for (other_claim, other_effect) in claims.iter().zip(effects).skip(i + 1) {
            let weight = (claim - other_claim).abs();
            let holds = if claim >= other_claim {
                effect >= other_effect
            } else {
                other_effect >= effect
            };
            sum += if holds { weight } else { -weight };
            total += weight;
        }
    }
    (total > 0.0).then(|| sum / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(saco(&[3.0, 2.0, 1.0], &[0.9, 0.5, 0.1]), Some(1.0));
        assert_eq!(saco(&[3.0, 2.0, 1.0], &[0.1, 0.5, 0.9]), Some(-1.0));
        // Differences 1 (wrong), 2 (right), 1 (right).
        assert_eq!(saco(&[3.0, 2.0, 1.0], &[0.5, 0.9, 0.1]), Some(0.5));
        // Equal effects do not contradict a claim.
        assert_eq!(saco(&[3.0, 2.0, 1.0], &[0.5, 0.5, 0.1]), Some(1.0));
        // Order, factor and constant change nothing.
        assert_eq!(saco(&[5.0, 9.0, 13.0], &[0.1, 0.9, 0.5]), Some(0.5));
    }

    #[test]
    fn a_map_of_one_value_claims_nothing() {
        assert_eq!(saco(&[2.0; 4], &[0.1, 0.2, 0.3, 0.4]), None);
        assert_eq!(saco(&[2.0], &[0.1]), None);
        assert_eq!(saco(&[], &[]), None);
        assert_eq!(saco(&[1.0, f64::NAN], &[0.1, 0.2]), None);
        // Nor is a map right where nothing has an effect.
        assert_eq!(saco(&[3.0, 2.0, 1.0], &[0.0; 3]), None);
    }
}

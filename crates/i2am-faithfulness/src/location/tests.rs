use super::*;

/// Ten places, of which the last two are `S` at a share of 0.2.
fn truth() -> Plane {
    Plane::from_fn(2, 5, |r, c| (r * 5 + c) as f32)
}

fn map(values: [f32; 10]) -> Plane {
    Plane::new(2, 5, values.to_vec()).unwrap()
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it is compared with what may be absent"
)]
fn located(value: f64) -> Option<Located> {
    Some(Located {
        value,
        expected: 0.2,
    })
}

#[test]
fn the_truth_itself_has_full_marks() {
    let truth = truth();
    assert_eq!(pointing(&truth, &truth, 0.2), located(1.0));
    assert_eq!(relevance_rank(&truth, &truth, 0.2), located(1.0));
    assert_eq!(relevance_mass(&truth, &truth, 0.2), located(17.0 / 45.0));
    assert_eq!(agreement(&truth, &truth), Some(1.0));
    assert_eq!(agreement(&truth.scale(-1.0), &truth), Some(-1.0));
}

#[test]
fn a_uniform_map_has_what_is_expected() {
    let uniform = Plane::filled(2, 5, 0.25);
    assert_eq!(pointing(&uniform, &truth(), 0.2), located(0.2));
    assert_eq!(relevance_mass(&uniform, &truth(), 0.2), located(0.2));
    let rank = relevance_rank(&uniform, &truth(), 0.2).unwrap();
    assert!((rank.value - rank.expected).abs() < 1e-15, "{rank:?}");
    assert_eq!(agreement(&uniform, &truth()), None);
}

#[test]
fn one_of_two_is_half() {
    let half = map([0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(pointing(&half, &truth(), 0.2), located(0.0));
    assert_eq!(relevance_mass(&half, &truth(), 0.2), located(0.25));
    assert_eq!(relevance_rank(&half, &truth(), 0.2), located(0.5));
    // Two places share the maximum, and one of them is in S.
    let tied = map([0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0]);
    assert_eq!(pointing(&tied, &truth(), 0.2), located(0.5));
}

#[test]
fn ties_of_the_truth_count_by_chance() {
    // One place is in S, four share the other place in it.
    let truth = map([5.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, -0.0]);
    let on = |place: usize| {
        let mut values = [0.0; 10];
        values[place] = 1.0;
        map(values)
    };
    assert_eq!(pointing(&on(0), &truth, 0.2), located(1.0));
    assert_eq!(pointing(&on(1), &truth, 0.2), located(0.25));
    assert_eq!(relevance_mass(&on(4), &truth, 0.2), located(0.25));
    assert_eq!(pointing(&on(9), &truth, 0.2), located(0.0));
    assert!((top(truth.data(), 7).iter().sum::<f64>() - 7.0).abs() < 1e-12);
}

#[test]
fn the_region_has_its_area() {
    let truth = Plane::from_fn(6, 8, |r, c| (r * 8 + c) as f32);
    for (share, size) in [(0.05, 2.0), (0.001, 1.0), (0.25, 12.0), (1.0, 48.0)] {
        let found = relevance_rank(&truth, &truth, share).unwrap();
        assert_eq!((found.value, found.expected), (1.0, size / 48.0), "{share}");
    }
}

#[test]
fn without_truth_there_is_no_score() {
    let flat = Plane::filled(2, 5, 1.0);
    assert_eq!(pointing(&truth(), &flat, 0.2), None);
    assert_eq!(relevance_rank(&truth(), &flat, 0.2), None);
    let holed = map([f32::NAN, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(pointing(&holed, &truth(), 0.2), None);
    assert_eq!(agreement(&holed, &truth()), None);
    assert_eq!(relevance_mass(&Plane::zeros(2, 5), &truth(), 0.2), None);
    assert_eq!(
        relevance_mass(&truth().map(|v| v - 1.0), &truth(), 0.2),
        None
    );
}

#[test]
fn positions_count_by_their_truth() {
    let truth = truth();
    let against = truth.scale(-1.0);
    let maps = [truth.clone(), against, truth.clone(), truth.clone()];
    let truths = [
        truth.clone(),
        truth.scale(3.0),
        Plane::zeros(2, 5),
        Plane::filled(2, 5, 9.0),
    ];
    assert_eq!(weighted_agreement(&maps, &truths), Some((1.0 - 3.0) / 4.0));
    assert_eq!(weighted_agreement(&maps[2..], &truths[2..]), None);
}

#[test]
fn the_other_side_is_the_other_index() {
    let maps: Vec<Plane> = (0..6)
        .map(|r| Plane::from_fn(1, 4, |_, g| (10 * r + g) as f32))
        .collect();
    let turned = transposed(&maps, [2, 3]);
    assert_eq!(turned.len(), 4);
    assert_eq!(turned[1].size(), [2, 3]);
    assert_eq!(turned[1].data(), [1.0, 11.0, 21.0, 31.0, 41.0, 51.0]);
    let back: Vec<Vec<f32>> = transposed(&turned, [1, 4])
        .into_iter()
        .map(Plane::into_data)
        .collect();
    let given: Vec<Vec<f32>> = maps.into_iter().map(Plane::into_data).collect();
    assert_eq!(back, given);
}

#[test]
#[should_panic(expected = "two maps of one size")]
fn refuses_another_size() {
    pointing(&truth(), &Plane::zeros(5, 2), 0.2);
}

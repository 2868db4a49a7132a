use super::*;

/// Columns with ties, and lists of rows to take.
fn columns() -> [Vec<f64>; 3] {
    [
        vec![3.0, 1.0, 2.0, 2.0, 5.0, 1.0, 4.0, 2.0, 9.0],
        vec![1.0, 1.0, 4.0, 4.0, 2.0, 3.0, 3.5, 4.0, -2.0],
        vec![0.1, 0.4, 0.2, 0.9, 0.5, 0.3, 0.7, 0.8, 0.6],
    ]
}

/// A resample by weights is the same as the rows written out.
#[test]
fn weights_stand_for_copies() {
    let columns = columns();
    let table = Columns::new(columns.iter().map(Vec::as_slice).collect()).unwrap();
    let targets = [(0, 1), (0, 2), (1, 2)].map(|(x, y)| Target { x, y });
    for method in Method::ALL {
        let work = Work::new(method, &table, &targets, &[]);
        let found = work.all(100, |index, rows, weights, lane| {
            Seeded { seed: 5 }.draw(index, rows);
            for &row in rows.iter() {
                weights[row as usize][lane] += 1;
            }
        });
        for index in 0..100 {
            let mut rows = vec![0; table.rows()];
            Seeded { seed: 5 }.draw(index, &mut rows);
            let taken = columns.clone().map(|column| {
                let values = rows.iter().map(|&row| column[row as usize]);
                values.collect::<Vec<f64>>()
            });
            for (target, Target { x, y }) in targets.iter().enumerate() {
                let expected = method
                    .coefficient(&taken[*x], &taken[*y])
                    .unwrap_or(f64::NAN);
                let found = found[target][index];
                let same =
                    (found - expected).abs() < 1e-14 || (found.is_nan() && expected.is_nan());
                assert!(same, "{method} {index}: {found}, {expected}");
            }
        }
    }
}

#[test]
fn too_little_has_a_reason() {
    let interval = |x: &[f64], y: &[f64]| {
        let table = Columns::new(vec![x, y]).unwrap();
        let bootstrap = Bootstrap {
            resamples: 100,
            level: 0.9,
        };
        let targets = [Target { x: 0, y: 1 }];
        let draws = Seeded { seed: 1 };
        let mut found =
            bootstrap_intervals(Method::Spearman, &table, &targets, &[], &draws, bootstrap)
                .unwrap();
        found.remove(0)
    };
    let few = Undefined::TooFew {
        needed: 5,
        found: 4,
    };
    assert_eq!(
        interval(&[1.0, 2.0, 3.0, 4.0], &[4.0, 3.0, 2.0, 1.0]),
        Err(few)
    );
    let constant = interval(&[1.0; 6], &[4.0, 3.0, 2.0, 1.0, 0.0, 6.0]);
    assert_eq!(constant, Err(Undefined::Constant));
    let hangs = interval(&[0.0, 0.0, 0.0, 0.0, 1.0], &[4.0, 3.0, 2.0, 1.0, 0.0]);
    assert_eq!(hangs, Err(Undefined::Jackknife));
    let perfect = interval(
        &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    )
    .unwrap();
    assert!((perfect.low - 1.0).abs() < 1e-15 && (perfect.high - 1.0).abs() < 1e-15);
}

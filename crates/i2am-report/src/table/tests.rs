use i2am_quantity::{Note, Notes};

use super::*;

fn numbers(values: &[Option<f64>]) -> Vec<Option<(f64, String)>> {
    let shown = |value: f64| (value, format!("{value:.1}"));
    values.iter().map(|value| value.map(shown)).collect()
}

#[test]
fn what_looks_the_same_ranks_the_same() {
    use Rank::{Best, Plain, Second};
    let higher = |a: f64, b: f64| a > b;
    let values = numbers(&[Some(0.91), None, Some(0.94), Some(0.5), Some(0.1)]);
    assert_eq!(ranks(&values, higher), [Best, Plain, Best, Second, Plain]);
    let lower = |a: f64, b: f64| a < b;
    assert_eq!(ranks(&values, lower), [Plain, Plain, Plain, Second, Best]);
}

#[test]
fn one_value_or_equal_ones_stand_out_from_nothing() {
    let higher = |a: f64, b: f64| a > b;
    assert_eq!(
        ranks(&numbers(&[Some(1.0), None]), higher),
        [Rank::Plain; 2]
    );
    let equal = numbers(&[Some(1.0), Some(1.0), Some(1.01)]);
    assert_eq!(ranks(&equal, higher), [Rank::Plain; 3]);
}

/// Everything that a form has to escape or spell.
fn awkward() -> Table {
    let cell = |text: &str, rank| Cell {
        rank,
        ..Cell::new(text)
    };
    Table {
        name: "awkward".to_owned(),
        caption: "100 % of a_b & c, {braced} ~ $5 #1 | 2^n \\ x.".to_owned(),
        columns: vec![
            Column::text("Model"),
            Column::number("IMACS_g ↑"),
            Column {
                variant: "clean_1".to_owned(),
                ..Column::number("KID ×10³ ↓")
            },
        ],
        rows: vec![
            vec![
                Cell::new("a_b|c*"),
                Cell {
                    marks: Notes::from(Note::OneToken).marks(),
                    ..cell("−0.784", Rank::Best)
                },
                cell("97.71", Rank::Second),
            ],
            vec![
                Cell::new("<x>"),
                Cell {
                    detail: "[−1.1, 0.3]".to_owned(),
                    ..Cell::new("−0.800")
                },
                Cell::default(),
            ],
        ],
        notes: vec!["p ≤ 0.05; ρ, τ; 3 ± 1 – more…".to_owned()],
        raw: vec![
            vec!["model".to_owned(), "kid".to_owned()],
            vec!["a,b".to_owned(), "0.0977".to_owned()],
        ],
        indexed: vec!["IMACS_g"],
    }
}

#[test]
fn markdown_form() {
    insta::assert_snapshot!(awkward().markdown());
}

#[test]
fn latex_form() {
    insta::assert_snapshot!(awkward().latex());
}

#[test]
fn csv_form() {
    assert_eq!(awkward().csv(), "model,kid\n\"a,b\",0.0977\n");
}

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use tch::{Device, Kind, Tensor};

use super::{Place, Task, Trainer};
use crate::config::shared::Schedule;

/// Steps of the whole schedule, and where a run breaks off.
const STEPS: u64 = 130;
const BROKEN: u64 = 60;

/// Fits a line to noisy points.
struct Fit {
    slope: Tensor,
    broken: bool,
    seen: RefCell<Vec<(&'static str, u64)>>,
}

impl Fit {
    fn new(broken: bool) -> Self {
        Self {
            slope: Tensor::from_slice(&[3.0_f32, -1.0]).set_requires_grad(true),
            broken,
            seen: RefCell::default(),
        }
    }

    fn variables(&self) -> BTreeMap<String, Tensor> {
        [("slope".to_owned(), self.slope.shallow_clone())].into()
    }
}

impl Task for Fit {
    fn loss(&self) -> Tensor {
        let x = Tensor::rand([8, 2], (Kind::Float, Device::Cpu));
        let y = x.sum_dim_intlist([1].as_slice(), false, Kind::Float)
            + x.randn_like().sum(Kind::Float) * 0.01;
        (x.mv(&self.slope) - y).square().mean(Kind::Float)
    }

    fn evaluate(&self, step: u64, _stem: &Path) -> Result<()> {
        self.seen.borrow_mut().push(("evaluation", step));
        // Draws of an evaluation must not reach the training.
        let _ = Tensor::rand([3], (Kind::Float, Device::Cpu));
        if self.broken && step == BROKEN {
            bail!("the power went off");
        }
        Ok(())
    }

    fn snapshots(&self) -> &[u64] {
        &[30, 100]
    }

    fn snapshot(&self, step: u64) -> Result<()> {
        self.seen.borrow_mut().push(("snapshot", step));
        Ok(())
    }
}

fn trainer(work: &Path, fit: &Fit) -> Trainer {
    let schedule = Schedule {
        steps: STEPS,
        batch: 8,
        learning_rate: 0.05,
        warm_up: 10,
        evaluate_every: BROKEN,
    };
    let place = Place { work, seed: 5 };
    Trainer::open(place, "fit", fit.variables(), &schedule, 0.9).unwrap()
}

/// The bits of everything a training goes on from.
fn bits(trainer: &Trainer) -> BTreeMap<String, Vec<u32>> {
    let values = |tensor: &Tensor| -> Vec<f32> { Vec::try_from(tensor.view(-1)).unwrap() };
    let all = trainer.everything();
    let bits = all.iter().map(|(name, tensor)| {
        let bits = values(tensor).into_iter().map(f32::to_bits).collect();
        (name.clone(), bits)
    });
    bits.collect()
}

#[test]
fn a_resumed_run_equals_an_unbroken_one_bit_for_bit() {
    let _draws = crate::trial::alone();
    let folder = tempfile::tempdir().unwrap();
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));

    let fit = Fit::new(false);
    let mut unbroken = trainer(&whole, &fit);
    assert!(unbroken.run(None, &fit).unwrap());
    assert_eq!(
        *fit.seen.borrow(),
        [
            ("snapshot", 30),
            ("evaluation", 60),
            ("snapshot", 100),
            ("evaluation", 120),
            ("evaluation", 130)
        ]
    );

    let first = Fit::new(true);
    let broken = trainer(&parts, &first).run(None, &first).unwrap_err();
    assert_eq!(broken.to_string(), "the power went off");
    let second = Fit::new(false);
    let mut resumed = trainer(&parts, &second);
    assert_eq!(resumed.step(), BROKEN);
    assert!(resumed.run(None, &second).unwrap());
    assert_eq!(bits(&unbroken), bits(&resumed));

    // The mean of a line of the log is over what its own run saw, so only those lines must agree that one run wrote whole.
    let log = |folder: &Path| std::fs::read_to_string(folder.join("fit.csv")).unwrap();
    let (whole, parts) = (log(&whole), log(&parts));
    let line = |text: &str, number: usize| text.lines().nth(number).unwrap().to_owned();
    assert_eq!(whole.lines().count(), parts.lines().count());
    for same in [0, 1, 3] {
        assert_eq!(line(&whole, same), line(&parts, same));
    }
}

#[test]
fn training_lowers_the_loss_and_averages_follow() {
    let _draws = crate::trial::alone();
    let folder = tempfile::tempdir().unwrap();
    let fit = Fit::new(false);
    let mut trainer = trainer(folder.path(), &fit);
    let before = fit.loss().double_value(&[]);
    trainer.run(None, &fit).unwrap();
    assert!(fit.loss().double_value(&[]) < before / 10.0);
    trainer.adopt_averages();
    assert!(fit.loss().double_value(&[]) < before / 10.0);
}

/// What was logged after the last saved state comes again and must not stand twice.
#[test]
fn lines_behind_the_state_are_dropped() {
    let _draws = crate::trial::alone();
    let folder = tempfile::tempdir().unwrap();
    let fit = Fit::new(true);
    trainer(folder.path(), &fit).run(None, &fit).unwrap_err();
    let path = folder.path().join("fit.csv");
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("100,0.5,1.0,1e-3\nhalf a li");
    i2am_files::write_atomic(&path, text.as_bytes()).unwrap();
    let fit = Fit::new(false);
    trainer(folder.path(), &fit).run(None, &fit).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let steps: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split(',').next())
        .collect();
    assert_eq!(steps, ["step", "50", "100", "130"]);
}

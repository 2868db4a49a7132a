use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use i2am_nets::LoadReport;
use i2am_nets::layout::Checkpoint;
use i2am_runner::families::recognise;
use serde_json::json;

use crate::cli::InspectArgs;
use crate::exit::Outcome;
use crate::progress;

/// Names shown of each kind of fault.
const SHOWN: usize = 10;

/// Tells what a checkpoint is.
pub(super) fn run(args: &InspectArgs) -> Result<Outcome> {
    let checkpoint = Checkpoint::open(&args.checkpoint)?;
    let family = recognise(&checkpoint);
    let report = match family {
        Some(family) => family.inspect(&checkpoint)?,
        None => checkpoint.compare(&BTreeMap::new()),
    };
    let mut parameters = 0_u64;
    let mut formats: BTreeMap<String, usize> = BTreeMap::new();
    for name in checkpoint.names() {
        parameters += checkpoint
            .shape(name)
            .unwrap_or_default()
            .iter()
            .product::<i64>() as u64;
        if let Some(dtype) = checkpoint.dtype(name) {
            *formats.entry(dtype.to_string()).or_default() += 1;
        }
    }
    let dtype = formats.keys().cloned().collect::<Vec<_>>().join("+");
    let name = family.map(|family| family.info().name);
    let alike = family.map_or(&[][..], |family| family.lookalikes(&checkpoint));
    if args.json {
        let LoadReport {
            missing,
            unused,
            wrong,
            ..
        } = &report;
        let layout = checkpoint.layout();
        let object = json!({
            "family": name, "layout": layout, "parameters": parameters, "dtype": dtype,
            "missing": missing, "unused": unused, "wrong": wrong, "alike": alike,
        });
        progress::print(&object.to_string())?;
    } else {
        let family = [&[name.unwrap_or("none that is known")][..], alike]
            .concat()
            .join(", or of the same networks ");
        progress::print(&describe(&checkpoint, &family, parameters, &dtype, &report))?;
    }
    Ok(if name.is_some() && report.is_complete() {
        Outcome::Ok
    } else {
        Outcome::Failed
    })
}

fn describe(
    checkpoint: &Checkpoint,
    family: &str,
    parameters: u64,
    dtype: &str,
    report: &LoadReport,
) -> String {
    let mut text = format!(
        "{}\n  family      {}\n  layout      {}\n  numbers     {dtype}\n  parameters  {parameters}\n  tensors     {} used, \
         {} missing, {} wrong, {} unused",
        checkpoint.path().display(),
        family,
        checkpoint.layout(),
        report.loaded,
        report.missing.len(),
        report.wrong.len(),
        report.unused.len()
    );
    let wrong: Vec<String> = report
        .wrong
        .iter()
        .map(|wrong| {
            format!(
                "{}: expected {:?}, found {:?}",
                wrong.name, wrong.expected, wrong.found
            )
        })
        .collect();
    for (title, names) in [
        ("missing", &report.missing),
        ("wrong", &wrong),
        ("unused", &report.unused),
    ] {
        for name in names.iter().take(SHOWN) {
            let _ = write!(text, "\n  {title:<10}  {name}");
        }
        if names.len() > SHOWN {
            let _ = write!(text, "\n  {title:<10}  and {} more", names.len() - SHOWN);
        }
    }
    text
}

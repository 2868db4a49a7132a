use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use i2am_nets::layout::{Checkpoint, Opening};
use i2am_nets::{Damage, LoadReport};
use i2am_runner::families::recognise;
use serde_json::json;

use crate::cli::InspectArgs;
use crate::exit::Outcome;
use crate::hub;
use crate::progress;

/// Names shown of each kind of fault.
const SHOWN: usize = 10;

/// Tells what a checkpoint is.
pub(super) fn run(args: &InspectArgs) -> Result<Outcome> {
    let opening = Opening {
        over: None,
        variant: args.variant.as_deref(),
        networks: None,
    };
    let path = hub::path_of(&args.checkpoint, opening.variant)?;
    let checkpoint = Checkpoint::open_as(&path, opening)?;
    let family = recognise(&checkpoint);
    let report = match family {
        Some(family) => family.inspect(&checkpoint)?,
        None => checkpoint.compare(&BTreeMap::new()),
    };
    let (parameters, dtype) = numbers(&checkpoint);
    let name = family.map(|family| family.info().name);
    let variant = family.and_then(|family| family.describe(&checkpoint));
    let alike = family.map_or(&[][..], |family| family.lookalikes(&checkpoint));
    let files: Vec<String> = checkpoint.files().map(|file| shown(file, &path)).collect();
    if args.json {
        let LoadReport {
            missing,
            unused,
            wrong,
            damaged,
            ..
        } = &report;
        let layout = checkpoint.layout();
        let object = json!({
            "family": name, "variant": variant, "layout": layout, "files": files, "parameters": parameters, "dtype": dtype,
            "missing": missing, "unused": unused, "wrong": wrong, "damaged": damaged, "alike": alike,
        });
        progress::print(&object.to_string())?;
    } else {
        let family = [&[name.unwrap_or("none that is known")][..], alike]
            .concat()
            .join(", or of the same networks ");
        let variant = variant.map_or_else(String::new, |line| format!("\n  variant     {line}"));
        let head = format!(
            "{}\n  family      {family}{variant}\n  layout      {}\n  numbers     {dtype}\n  parameters  {parameters}",
            checkpoint.path().display(),
            checkpoint.layout(),
        );
        progress::print(&(head + &describe(&files, &report)))?;
    }
    Ok(if name.is_some() && report.is_complete() {
        Outcome::Ok
    } else {
        Outcome::Failed
    })
}

/// How many numbers there are, and their formats.
fn numbers(checkpoint: &Checkpoint) -> (u64, String) {
    let mut parameters = 0_u64;
    let mut formats: BTreeMap<String, usize> = BTreeMap::new();
    for name in checkpoint.names() {
        let shape = checkpoint.shape(name).unwrap_or_default();
        let elements = shape.iter().try_fold(1_u64, |product, &length| {
            product.checked_mul(length.unsigned_abs())
        });
        parameters = parameters.saturating_add(elements.unwrap_or(u64::MAX));
        if let Some(dtype) = checkpoint.dtype(name) {
            *formats.entry(dtype.to_string()).or_default() += 1;
        }
    }
    let formats: Vec<String> = formats.into_keys().collect();
    (parameters, formats.join("+"))
}

/// A file of the checkpoint `root` as it is called below that, or in its folder.
fn shown(file: &Path, root: &Path) -> String {
    let below = file.strip_prefix(root).ok();
    let below = below.filter(|rest| rest.file_name().is_some());
    let in_parent = || file.strip_prefix(root.parent()?).ok();
    let name = below.or_else(in_parent).unwrap_or(file);
    name.display().to_string()
}

/// Files and tensors, one line for each that is not as it should be.
fn describe(files: &[String], report: &LoadReport) -> String {
    let mut text = String::new();
    for (index, file) in files.iter().enumerate() {
        let title = if index == 0 { "files" } else { "" };
        let _ = write!(text, "\n  {title:<10}  {file}");
    }
    let _ = write!(
        text,
        "\n  tensors     {} used, {} missing, {} wrong, {} unused",
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
        ("warning", &warnings(report)),
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

/// How many tensors have values that training does not leave, and which; what stops a run comes first.
fn warnings(report: &LoadReport) -> Vec<String> {
    let mut damaged: Vec<&Damage> = report.damaged.iter().collect();
    damaged.sort_by_key(|damage| !damage.fault.is_fatal());
    let is_fatal = |damage: &&&Damage| damage.fault.is_fatal();
    let fatal = damaged.iter().filter(is_fatal).count();
    let line = |damage: &&Damage| format!("{}: {}", damage.name, damage.fault);
    let mut lines: Vec<String> = damaged.iter().map(line).collect();
    if fatal > 0 {
        let count = format!(
            "{} tensors are zero throughout or not finite, {fatal} of which, such as the scales of normalizations, never are; a run refuses \
             this checkpoint",
            damaged.len()
        );
        lines.insert(0, count);
    }
    lines
}

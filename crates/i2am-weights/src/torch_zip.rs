//! Files of `torch.save` since torch 1.6, and of `torch.jit.save`.

use crate::archive::Archive;
use crate::contents::{Collector, Contents};
use crate::error::WeightError;
use crate::format::FileFormat;
use crate::source::Source;
use crate::state_dict;
use crate::torch::Described;
use crate::torchscript;

/// The pickle of the saved object.
const OBJECT: &str = "data.pkl";

pub(crate) fn open(source: Source<'_>) -> Result<Contents, WeightError> {
    let archive = Archive::open(source)?;
    check_byte_order(source, &archive)?;
    let mut collector = Collector::new(source);
    let object = source.pickle(OBJECT, archive.bytes(OBJECT)?)?;
    let tensors = state_dict::named_tensors(source, &object.heap, object.root)?;
    collect(&archive, &mut collector, "data", tensors)?;
    if !torchscript::is_torchscript(&archive) {
        return Ok(collector.finish(FileFormat::PytorchZip));
    }
    if archive.contains(torchscript::CONSTANTS) {
        let object = source.pickle(
            torchscript::CONSTANTS,
            archive.bytes(torchscript::CONSTANTS)?,
        )?;
        let tensors = torchscript::constants(source, &object.heap, object.root)?;
        collect(&archive, &mut collector, "constants", tensors)?;
    }
    Ok(collector.finish(FileFormat::TorchScript))
}

/// Files before torch 2.1 have no such record and are little-endian.
fn check_byte_order(source: Source<'_>, archive: &Archive<'_>) -> Result<(), WeightError> {
    const RECORD: &str = "byteorder";
    if !archive.contains(RECORD) {
        return Ok(());
    }
    match archive.bytes(RECORD)?.trim_ascii() {
        b"little" => Ok(()),
        b"big" => Err(source.unsupported(
            "the tensors are big-endian",
            "load it in torch and save it again on a little-endian machine",
        )),
        other => Err(source.malformed(
            RECORD,
            "`little` or `big`",
            format!("`{}`", other.escape_ascii()),
        )),
    }
}

/// Adds tensors whose storages are the records of `folder`.
fn collect(
    archive: &Archive<'_>,
    collector: &mut Collector<'_>,
    folder: &str,
    tensors: Vec<(String, Described<'_>)>,
) -> Result<(), WeightError> {
    for (name, described) in tensors {
        match described {
            Described::Tensor(recipe) => {
                let record = format!("{folder}/{}", recipe.storage.key);
                collector.add(name, recipe, record, |record| archive.storage(&record))?;
            }
            Described::Unread { shape, kind } => collector.pass_over(name, shape, kind)?,
        }
    }
    Ok(())
}

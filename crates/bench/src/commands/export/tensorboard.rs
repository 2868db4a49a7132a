//! Event files of TensorBoard: records of TensorFlow (`TFRecord`) with one `Event` message each, in the encoding of protocol buffers.
//!
//! A record is the length of its data (u64), the masked CRC-32C of these eight bytes, the data, and the masked CRC-32C of the data, all
//! little-endian. Masked is rotated right by 15 bits, plus a constant. Read back by `TensorBoard` 2.21.0.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Run;

/// What is added to a checksum, so that data which hold checksums have another one.
const MASK: u32 = 0xa282_ead8;

/// Writes a folder for each model, which `TensorBoard` shows as a run: means of the models at step 0 of `mean/…`, and values of samples at
/// the step that is the number of the sample.
pub(super) fn write(run: &Run, models: &[&str], out: &Path) -> Result<PathBuf> {
    let [_, ended] = run.times;
    let seconds = ended.as_second();
    for model in models {
        let mut bytes = record(&event(
            seconds,
            0,
            &field_bytes(FILE_VERSION, b"brain.Event:2"),
        ));
        for row in run.scores_of(model) {
            let tag = format!("mean/{}", run.name(row));
            bytes.extend(scalar(seconds, 0, &tag, row.mean.unwrap_or(f64::NAN)));
        }
        let mut steps: BTreeMap<&str, i64> =
            run.samples_of(model).map(|(id, _, _)| (id, 0)).collect();
        for (step, of) in (0..).zip(steps.values_mut()) {
            *of = step;
        }
        let mut samples: Vec<_> = run.samples_of(model).collect();
        samples.sort_by(|(a, name_a, _), (b, name_b, _)| (a, name_a).cmp(&(b, name_b)));
        for (id, name, value) in samples {
            bytes.extend(scalar(seconds, steps[id], &format!("sample/{name}"), value));
        }
        let file = format!("events.out.tfevents.{seconds:010}.i2am-bench");
        i2am_files::write_atomic(out.join(model).join(file), bytes)?;
    }
    Ok(out.to_owned())
}

// Numbers of fields: `Event` has wall_time, step, file_version and summary; `Summary` has values, and a value a tag and a number.
const WALL_TIME: u64 = 1;
const STEP: u64 = 2;
const FILE_VERSION: u64 = 3;
const SUMMARY: u64 = 5;
const VALUE: u64 = 1;
const TAG: u64 = 1;
const SIMPLE_VALUE: u64 = 2;

fn scalar(seconds: i64, step: i64, tag: &str, value: f64) -> Vec<u8> {
    let mut inner = field_bytes(TAG, tag.as_bytes());
    inner.extend(varint((SIMPLE_VALUE << 3) | 5));
    inner.extend((value as f32).to_le_bytes());
    let summary = field_bytes(VALUE, &inner);
    record(&event(seconds, step, &field_bytes(SUMMARY, &summary)))
}

fn event(seconds: i64, step: i64, what: &[u8]) -> Vec<u8> {
    let mut event = varint((WALL_TIME << 3) | 1);
    event.extend((seconds as f64).to_le_bytes());
    event.extend(varint(STEP << 3));
    event.extend(varint(step as u64));
    event.extend(what);
    event
}

/// A field whose content is bytes, text or a message.
fn field_bytes(number: u64, content: &[u8]) -> Vec<u8> {
    let mut field = varint((number << 3) | 2);
    field.extend(varint(content.len() as u64));
    field.extend(content);
    field
}

/// Seven bits a byte, the lowest first; all but the last have the highest bit set.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value as u8) | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend(masked(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked(data).to_le_bytes());
    record
}

fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(MASK)
}

#[cfg(test)]
mod tests {
    use i2am_files::hexadecimal;

    use super::{masked, record, scalar, varint};

    /// Bytes that `TensorBoard` 2.21.0 writes: `RecordWriter` of a file, and `Event(wall_time=2, step=300)` with the scalar `a` = 0.25.
    #[test]
    fn records_are_those_of_tensorboard() {
        assert_eq!(varint(300), [0xac, 0x02]);
        assert_eq!(masked(b""), 0xa282_ead8);
        assert_eq!(hexadecimal(&record(b"abc")), RECORD_ABC);
        assert_eq!(hexadecimal(&scalar(2, 300, "a", 0.25)), SCALAR);
    }

    const RECORD_ABC: &str = "0300000000000000b099490e6162636e57f121";
    const SCALAR: &str =
        "1800000000000000a37f4b2209000000000000004010ac022a0a0a080a0161150000803e81613286";
}

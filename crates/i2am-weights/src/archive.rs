//! The zip container of `torch.save` (since torch 1.6) and `torch.jit.save`.
//!
//! Records are `<archive>/data.pkl`, `<archive>/data/<key>` for each storage and, depending on the version that
//! wrote the file, `version`, `byteorder`, `.format_version`, `.storage_alignment` and `.data/serialization_id`.
//! They are stored uncompressed and aligned or not, so that a storage is a byte range of the file.

use std::collections::BTreeMap;
use std::io::Cursor;

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::contents::Storage;
use crate::error::WeightError;
use crate::source::Source;

/// A zip file written by torch.
#[derive(Debug)]
pub(crate) struct Archive<'a> {
    source: Source<'a>,
    /// By full name.
    records: BTreeMap<String, Record>,
    /// The folder that everything lies in.
    folder: String,
}

#[derive(Debug)]
struct Record {
    start: u64,
    length: u64,
    crc32: u32,
    /// Why its bytes are not those in the file, if so.
    packed: Option<&'static str>,
}

impl<'a> Archive<'a> {
    pub(crate) fn open(source: Source<'a>) -> Result<Self, WeightError> {
        let damaged = |error: ZipError| {
            let found = format!(
                "{error} (a file of {} bytes; is it truncated?)",
                source.bytes.len()
            );
            source.malformed("zip container", "a whole zip file", found)
        };
        // torch begins the container at byte 0. Looking for another start would give some files two readings.
        let config = zip::read::Config {
            archive_offset: zip::read::ArchiveOffset::Known(0),
        };
        let mut zip =
            ZipArchive::with_config(config, Cursor::new(source.bytes)).map_err(damaged)?;
        if zip.has_duplicate_names() {
            return Err(source.malformed(
                "zip container",
                "one record of each name",
                "several of one name",
            ));
        }
        let mut records = BTreeMap::new();
        for index in 0..zip.len() {
            let file = zip.by_index_raw(index).map_err(damaged)?;
            let name = file.name().map_err(damaged)?.into_owned();
            let start = file
                .data_start()
                .ok_or_else(|| source.malformed(&*name, "a record with data", "none"))?;
            let packed = match file.compression() {
                _ if file.encrypted() => Some("encrypted"),
                CompressionMethod::Stored => None,
                _ => Some("compressed"),
            };
            records.insert(
                name,
                Record {
                    start,
                    length: file.size(),
                    crc32: file.crc32(),
                    packed,
                },
            );
        }
        let folder = object_folder(source, &records)?;
        Ok(Self {
            source,
            records,
            folder,
        })
    }

    /// Whether there is a record of this name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.records.contains_key(&self.full_name(name))
    }

    /// Whether there is a record in the folder of this name.
    pub(crate) fn contains_folder(&self, name: &str) -> bool {
        let prefix = self.full_name(name) + "/";
        self.records
            .range(prefix.clone()..)
            .next()
            .is_some_and(|(record, _)| record.starts_with(&prefix))
    }

    /// The record as a byte range of the file.
    pub(crate) fn storage(&self, name: &str) -> Result<Storage, WeightError> {
        let full_name = self.full_name(name);
        let Some(record) = self.records.get(&full_name) else {
            return Err(self
                .source
                .malformed(full_name, "a record of the zip file", "none"));
        };
        if let Some(packed) = record.packed {
            let advice =
                "records must be stored as they are: load the file in torch and save it again";
            return Err(self
                .source
                .unsupported(format!("{full_name} is {packed}"), advice));
        }
        let file_length = self.source.bytes.len() as u64;
        let Some(available) = file_length.checked_sub(record.start) else {
            let found = format!("byte {}", record.start);
            let expected = format!("a record within the {file_length} bytes of the file");
            return Err(self.source.malformed(full_name, expected, found));
        };
        if record.length > available {
            return Err(self.source.length(full_name, record.length, available));
        }
        let start = record.start as usize;
        // torch.serialization.set_crc32_options(False) writes zero for all.
        let crc32 = (record.crc32 != 0).then_some(record.crc32);
        Ok(Storage::new(
            full_name,
            start..start + record.length as usize,
            crc32,
        ))
    }

    /// The bytes of a record, compared with its checksum.
    pub(crate) fn bytes(&self, name: &str) -> Result<&'a [u8], WeightError> {
        self.storage(name)?.checked(self.source)
    }

    fn full_name(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }
}

/// The folder of the one `<folder>/data.pkl`.
fn object_folder(
    source: Source<'_>,
    records: &BTreeMap<String, Record>,
) -> Result<String, WeightError> {
    let mut folders = records
        .keys()
        .filter_map(|name| match name.split_once('/') {
            Some((folder, "data.pkl")) => Some(folder),
            _ => None,
        });
    match (folders.next(), folders.next()) {
        (Some(folder), None) => Ok(folder.to_owned()),
        (None, _) => Err(source.unrecognized("a zip file without <archive>/data.pkl")),
        (Some(_), Some(_)) => {
            Err(source.unrecognized("a zip file with several <archive>/data.pkl"))
        }
    }
}

//! What stands before the values of an array: its number format, its shape, and the order of its values.

use std::io::Read;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Longest header that is read; those of arrays of numbers have about 100 bytes.
const LONGEST: u32 = 1 << 16;

/// A number format.
#[derive(Debug, Clone, Copy)]
struct Format {
    size: usize,
    is_big_endian: bool,
}

impl Format {
    /// # Errors
    /// What was expected and what was found.
    fn parse(text: &str) -> Result<Self, String> {
        let (order, kind) = text.split_at_checked(1).unwrap_or_default();
        let size = match kind {
            "f2" => Some(2),
            "f4" => Some(4),
            "f8" => Some(8),
            _ => None,
        };
        if let (Some(size), "<" | ">") = (size, order) {
            return Ok(Self {
                size,
                is_big_endian: order == ">",
            });
        }
        let kind = match kind.chars().next() {
            Some('O') => "Python objects",
            Some('f') => "other floats",
            Some('c') => "complex numbers",
            Some('b' | 'i' | 'u') => "whole numbers",
            Some('S' | 'U') => "text",
            _ => "something else",
        };
        Err(format!(
            "expected floats of 16, 32 or 64 bits, found {kind} ({}): save the array as numpy.float64",
            i2am_files::shown(text)
        ))
    }

    /// The number that `bytes` start with.
    fn value(self, bytes: &[u8]) -> f64 {
        let mut value = [0; 8];
        value[..self.size].copy_from_slice(&bytes[..self.size]);
        if self.is_big_endian {
            value[..self.size].reverse();
        }
        match (self.size, value) {
            (2, [a, b, ..]) => half::f16::from_le_bytes([a, b]).into(),
            (4, [a, b, c, d, ..]) => f32::from_le_bytes([a, b, c, d]).into(),
            (_, value) => f64::from_le_bytes(value),
        }
    }
}

/// The header of a `.npy` file.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) shape: Vec<usize>,
    format: Format,
    is_column_major: bool,
}

impl Header {
    /// # Errors
    /// What was expected and what was found.
    pub(super) fn read(file: &mut impl Read) -> Result<Self, String> {
        let [magic @ .., major, _minor] = bytes::<8>(file)?;
        if magic != *MAGIC {
            return Err("expected an array of NumPy, found something else".to_owned());
        }
        let length = match major {
            1 => u16::from_le_bytes(bytes(file)?).into(),
            _ => u32::from_le_bytes(bytes(file)?),
        };
        if length > LONGEST {
            let problem = format!("expected a header of at most {LONGEST} bytes, found {length}");
            return Err(problem);
        }
        let mut text = vec![0; length as usize];
        file.read_exact(&mut text).map_err(|error| cut(&error))?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// # Errors
    /// What was expected and what was found.
    fn parse(text: &str) -> Result<Self, String> {
        // Writers in other languages use the other quotation mark.
        let text = text.replace('"', "'");
        let value_of = |key: &str| {
            let (_, after) = text.split_once(&format!("'{key}':"))?;
            Some(after.trim_start())
        };
        let format =
            value_of("descr").ok_or("expected a header with a number format, found none")?;
        let format = format
            .strip_prefix('\'')
            .and_then(|text| text.split_once('\''));
        let (format, _) =
            format.ok_or("expected an array of one number format, found a structured one")?;
        let axes = value_of("shape").and_then(|text| text.strip_prefix('(')?.split_once(')'));
        let (axes, _) = axes.ok_or("expected a header with a shape, found none")?;
        let axes = axes.split(',').map(str::trim);
        let axes = axes.filter(|axis| !axis.is_empty()).map(|axis| {
            // Python 2 writes an `L` behind a long number.
            let number = axis.trim_end_matches('L').parse::<usize>();
            number.map_err(|_not_a_number| {
                let found = i2am_files::shown(axis);
                format!("expected a shape of whole numbers, found an axis {found}")
            })
        });
        Ok(Self {
            shape: axes.collect::<Result<_, _>>()?,
            format: Format::parse(format)?,
            is_column_major: value_of("fortran_order").is_some_and(|text| text.starts_with("True")),
        })
    }

    /// Bytes of the values.
    ///
    /// # Errors
    /// A shape that no memory holds.
    pub(super) fn size_in_bytes(&self) -> Result<usize, String> {
        let mut axes = self.shape.iter();
        let size = axes.try_fold(self.format.size, |size, &axis| size.checked_mul(axis));
        let size = size.filter(|&size| size < isize::MAX as usize);
        size.ok_or_else(|| format!("no memory holds the shape {}", shape(&self.shape)))
    }

    /// Whether the values have 16 bits, of which 11 are digits.
    pub(super) fn is_half(&self) -> bool {
        self.format.size == 2
    }

    /// The values in `bytes`, of which there are as many as the header says, row-major.
    pub(super) fn values(&self, bytes: &[u8]) -> Vec<f64> {
        let value = |index: usize| self.format.value(&bytes[index * self.format.size..]);
        let count = bytes.len() / self.format.size;
        match *self.shape {
            [rows, columns] if self.is_column_major => (0..count)
                .map(|index| value((index % columns) * rows + index / columns))
                .collect(),
            _ => (0..count).map(value).collect(),
        }
    }
}

fn bytes<const N: usize>(file: &mut impl Read) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes).map_err(|error| cut(&error))?;
    Ok(bytes)
}

fn cut(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => {
            "expected an array of NumPy, found less than its header".to_owned()
        }
        _ => super::unpacked(error),
    }
}

/// As `NumPy` prints it.
pub(crate) fn shape(axes: &[usize]) -> String {
    match axes {
        [one] => format!("({one},)"),
        axes => {
            let axes: Vec<String> = axes.iter().map(usize::to_string).collect();
            format!("({})", axes.join(", "))
        }
    }
}

/// The header of 64-bit floats of `shape`.
pub(super) fn encode(shape: &[usize]) -> Vec<u8> {
    let mut header = format!(
        "{{'descr': '<f8', 'fortran_order': False, 'shape': {}, }}",
        self::shape(shape)
    );
    // The values start at a multiple of 64 bytes; the header ends with a line feed.
    let before = MAGIC.len() + 4;
    header.push_str(&" ".repeat(63 - (before + header.len()) % 64));
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes
}

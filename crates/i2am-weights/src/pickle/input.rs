//! A cursor over the bytes of a pickle.

use super::error::PickleError;

#[derive(Debug)]
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The next `length` bytes; nothing is allocated, so a declared length costs nothing before it is checked.
    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], PickleError> {
        let rest = &self.bytes[self.position..];
        let taken = usize::try_from(length)
            .ok()
            .and_then(|length| rest.get(..length));
        let taken = taken.ok_or(PickleError::Truncated {
            expected: length,
            found: rest.len(),
        })?;
        self.position += taken.len();
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, PickleError> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, PickleError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, PickleError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, PickleError> {
        self.array().map(u64::from_le_bytes)
    }

    /// The bytes after a one-byte length.
    pub(super) fn take_u8(&mut self) -> Result<&'a [u8], PickleError> {
        let length = self.u8()?;
        self.take(length.into())
    }

    /// The bytes after a four-byte length.
    pub(super) fn take_u32(&mut self) -> Result<&'a [u8], PickleError> {
        let length = self.u32()?;
        self.take(length.into())
    }

    /// The bytes after an eight-byte length.
    pub(super) fn take_u64(&mut self) -> Result<&'a [u8], PickleError> {
        let length = self.u64()?;
        self.take(length)
    }

    /// The text up to the next line feed, which is consumed too.
    pub(super) fn line(&mut self) -> Result<&'a str, PickleError> {
        let rest = &self.bytes[self.position..];
        let length = rest.iter().position(|&byte| byte == b'\n');
        let length = length.ok_or(PickleError::Malformed("a line of text without an end"))?;
        self.position += length + 1;
        std::str::from_utf8(&rest[..length])
            .or(Err(PickleError::Malformed("a line that is not UTF-8")))
    }
}

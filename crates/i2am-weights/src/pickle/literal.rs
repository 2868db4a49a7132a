//! Opcodes that push a value written in the stream.

use super::error::PickleError;
use super::input::Input;
use super::opcodes as op;
use super::value::Value;

/// The value of `opcode`, whose arguments come next in `input`; `None` if it is no literal.
///
/// Floats and byte strings are passed over: nothing that builds a tensor looks at them.
pub(super) fn read<'a>(
    opcode: u8,
    input: &mut Input<'a>,
) -> Result<Option<Value<'a>>, PickleError> {
    Ok(Some(match opcode {
        op::NONE => Value::None,
        op::NEWTRUE => Value::Bool(true),
        op::NEWFALSE => Value::Bool(false),
        op::BININT => Value::Int(i32::from_le_bytes(input.array()?).into()),
        op::BININT1 => Value::Int(input.u8()?.into()),
        op::BININT2 => Value::Int(input.u16()?.into()),
        op::INT => match input.line()? {
            "00" => Value::Bool(false),
            "01" => Value::Bool(true),
            digits => decimal(digits)?,
        },
        op::LONG => decimal(input.line()?.trim_end_matches('L'))?,
        op::LONG1 => two_complement(input.take_u8()?),
        op::LONG4 => two_complement(input.take_u32()?),
        op::FLOAT => input.line().map(|_| Value::Float)?,
        op::BINFLOAT => input.take(8).map(|_| Value::Float)?,
        op::STRING => Value::Text(input.line()?.trim_matches(['\'', '"']).into()),
        op::UNICODE => Value::Text(input.line()?.into()),
        op::SHORT_BINSTRING | op::SHORT_BINUNICODE => text(input.take_u8()?),
        op::BINSTRING | op::BINUNICODE => text(input.take_u32()?),
        op::BINUNICODE8 => text(input.take_u64()?),
        op::SHORT_BINBYTES => input.take_u8().map(|_| Value::Bytes)?,
        op::BINBYTES => input.take_u32().map(|_| Value::Bytes)?,
        op::BINBYTES8 | op::BYTEARRAY8 => input.take_u64().map(|_| Value::Bytes)?,
        op::EMPTY_TUPLE => Value::Tuple(Box::default()),
        op::EMPTY_LIST | op::EMPTY_SET => Value::List(Vec::new()),
        op::EMPTY_DICT => Value::Dict(Vec::new()),
        _ => return Ok(None),
    }))
}

fn decimal<'a>(digits: &str) -> Result<Value<'a>, PickleError> {
    digits
        .parse()
        .map(Value::Int)
        .or(Err(PickleError::Malformed(
            "an integer that is no decimal number",
        )))
}

fn two_complement<'a>(bytes: &[u8]) -> Value<'a> {
    const WIDTH: usize = size_of::<i128>();
    if bytes.len() > WIDTH {
        return Value::HugeInt;
    }
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut wide = if negative { [0xff; WIDTH] } else { [0; WIDTH] };
    wide[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i128::from_le_bytes(wide))
}

/// Python 2 strings may hold any bytes; what is no UTF-8 cannot be the name of a tensor.
fn text(bytes: &[u8]) -> Value<'_> {
    Value::Text(String::from_utf8_lossy(bytes))
}

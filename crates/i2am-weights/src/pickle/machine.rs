//! The stack machine.

use std::collections::BTreeMap;

use super::error::{Failure, MAX_PROTOCOL, PickleError};
use super::input::Input;
use super::opcodes as op;
use super::stack::{Stack, within_limit};
use super::value::{Heap, Id, Value};
use super::{Pickle, globals, literal};

/// Bytes of a global's name; long ones would be looked through again and again.
const MAX_GLOBAL: usize = 1024;

pub(super) fn run(bytes: &[u8]) -> Result<Pickle<'_>, Failure> {
    let mut machine = Machine {
        input: Input::new(bytes),
        heap: Heap::default(),
        stack: Stack::default(),
        memo: BTreeMap::new(),
        copies_left: bytes.len(),
    };
    loop {
        let offset = machine.input.position();
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => {
                return Ok(Pickle {
                    heap: machine.heap,
                    root,
                    length: machine.input.position(),
                });
            }
            Err(error) => return Err(Failure { offset, error }),
        }
    }
}

struct Machine<'a> {
    input: Input<'a>,
    heap: Heap<'a>,
    stack: Stack,
    memo: BTreeMap<u32, Id>,
    /// Pairs that may still be copied from memoized lists: without it a short stream could ask for one long list over
    /// and over.
    copies_left: usize,
}

impl<'a> Machine<'a> {
    /// Executes one opcode; the value is the result of `STOP`.
    fn step(&mut self) -> Result<Option<Id>, PickleError> {
        let opcode = self.input.u8()?;
        if opcode == op::STOP {
            return self.stack.pop().map(Some);
        }
        if let Some(value) = literal::read(opcode, &mut self.input)? {
            self.push_value(value)?;
        } else if !(self.container(opcode)? || self.memory(opcode)? || self.object(opcode)?) {
            return Err(PickleError::Opcode(opcode));
        }
        Ok(None)
    }

    /// Opcodes that fill or close a container; false if it is none of them.
    fn container(&mut self, opcode: u8) -> Result<bool, PickleError> {
        match opcode {
            op::TUPLE => {
                let items = self.stack.pop_to_mark()?;
                self.push_value(Value::Tuple(items.into()))?;
            }
            op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => {
                let mut items = vec![self.stack.pop()?];
                for _ in op::TUPLE1..opcode {
                    items.push(self.stack.pop()?);
                }
                items.reverse();
                self.push_value(Value::Tuple(items.into()))?;
            }
            op::LIST | op::FROZENSET => {
                let items = self.stack.pop_to_mark()?;
                self.push_value(Value::List(items))?;
            }
            op::DICT => {
                let pairs = pairs(&self.stack.pop_to_mark()?)?;
                self.push_value(Value::Dict(pairs))?;
            }
            op::APPEND => {
                let item = self.stack.pop()?;
                self.append(&[item])?;
            }
            op::APPENDS | op::ADDITEMS => {
                let items = self.stack.pop_to_mark()?;
                self.append(&items)?;
            }
            op::SETITEM => {
                let (value, key) = (self.stack.pop()?, self.stack.pop()?);
                self.set_items(&[key, value])?;
            }
            op::SETITEMS => {
                let items = self.stack.pop_to_mark()?;
                self.set_items(&items)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Opcodes for stack, marks and memo; false if it is none of them.
    fn memory(&mut self, opcode: u8) -> Result<bool, PickleError> {
        match opcode {
            op::PROTO => match self.input.u8()? {
                0..=MAX_PROTOCOL => {}
                newer => return Err(PickleError::Protocol(newer)),
            },
            // Frames only help readers that buffer; opcodes may not straddle them but nothing depends on it.
            op::FRAME => drop(self.input.u64()?),
            op::MARK => self.stack.mark()?,
            op::POP => self.stack.pop_value_or_mark()?,
            op::POP_MARK => drop(self.stack.pop_to_mark()?),
            op::DUP => {
                let top = self.stack.top()?;
                self.stack.push(top)?;
            }
            op::GET => {
                let index = memo_index(self.input.line()?)?;
                self.recall(index)?;
            }
            op::BINGET => {
                let index = self.input.u8()?;
                self.recall(index.into())?;
            }
            op::LONG_BINGET => {
                let index = self.input.u32()?;
                self.recall(index)?;
            }
            op::PUT => {
                let index = memo_index(self.input.line()?)?;
                self.memoise(index)?;
            }
            op::BINPUT => {
                let index = self.input.u8()?;
                self.memoise(index.into())?;
            }
            op::LONG_BINPUT => {
                let index = self.input.u32()?;
                self.memoise(index)?;
            }
            op::MEMOIZE => self.memoise(self.memo.len() as u32)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Opcodes that name or, in Python, call something; false if it is none of them.
    fn object(&mut self, opcode: u8) -> Result<bool, PickleError> {
        match opcode {
            op::GLOBAL => {
                let global = self.read_global()?;
                self.stack.push(global)?;
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.stack.pop()?, self.stack.pop()?);
                let global = self.global(module, name)?;
                self.stack.push(global)?;
            }
            op::BINPERSID => {
                let pid = self.stack.pop()?;
                self.push_value(Value::Persistent(pid))?;
            }
            op::REDUCE | op::NEWOBJ => {
                let (args, callable) = (self.stack.pop()?, self.stack.pop()?);
                self.make(callable, args)?;
            }
            op::NEWOBJ_EX => {
                let (_keywords, args, callable) =
                    (self.stack.pop()?, self.stack.pop()?, self.stack.pop()?);
                self.make(callable, args)?;
            }
            op::INST => {
                let args = self.stack.pop_to_mark()?;
                let args = self.heap.add(Value::Tuple(args.into()))?;
                let callable = self.read_global()?;
                self.make(callable, args)?;
            }
            op::OBJ => {
                let mut items = self.stack.pop_to_mark()?.into_iter();
                let callable = items
                    .next()
                    .ok_or(PickleError::Malformed("an object without a class"))?;
                let args = self.heap.add(Value::Tuple(items.collect()))?;
                self.make(callable, args)?;
            }
            op::BUILD => {
                let new_state = self.stack.pop()?;
                let top = self.stack.top()?;
                // The state of a dictionary is attributes such as `_metadata`, not entries.
                if let Value::Made { state, .. } = self.heap.get_mut(top) {
                    *state = Some(new_state);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn read_global(&mut self) -> Result<Id, PickleError> {
        let (module, name) = (self.input.line()?, self.input.line()?);
        let module = self.heap.add(Value::Text(module.into()))?;
        let name = self.heap.add(Value::Text(name.into()))?;
        self.global(module, name)
    }

    fn global(&mut self, module: Id, name: Id) -> Result<Id, PickleError> {
        let id = self.heap.add(Value::Global { module, name })?;
        let (module, name) = self
            .heap
            .global(id)
            .filter(|(module, name)| module.len() + name.len() <= MAX_GLOBAL)
            .ok_or(PickleError::Malformed(
                "a global whose name is no short text",
            ))?;
        if globals::is_refused(module, name) {
            return Err(PickleError::Refused {
                global: self.heap.global_name(id),
            });
        }
        Ok(id)
    }

    /// Pushes what a call would give: a dictionary if it makes one, else a note that it was asked for.
    fn make(&mut self, callable: Id, args: Id) -> Result<(), PickleError> {
        if !matches!(
            self.heap.get(callable),
            Value::Global { .. } | Value::Made { .. } | Value::Persistent(_)
        ) {
            return Err(PickleError::Malformed(
                "a call of something that is no class or function",
            ));
        }
        if self
            .heap
            .global(callable)
            .is_some_and(|(module, name)| globals::is_dictionary(module, name))
        {
            let pairs = self.dictionary_argument(args)?;
            return self.push_value(Value::Dict(pairs));
        }
        self.push_value(Value::Made {
            callable,
            args,
            state: None,
        })
    }

    /// Pairs of `OrderedDict([(key, value), ...])`; none for `OrderedDict()` and `defaultdict(factory)`.
    fn dictionary_argument(&mut self, args: Id) -> Result<Vec<(Id, Id)>, PickleError> {
        let Some(&[list]) = self.heap.items(args) else {
            return Ok(Vec::new());
        };
        let Some(items) = self.heap.items(list) else {
            return Ok(Vec::new());
        };
        let left = self.copies_left.checked_sub(items.len());
        self.copies_left = left.ok_or(PickleError::Malformed(
            "more pairs than the pickle has bytes",
        ))?;
        let pair = |&item: &Id| match self.heap.items(item) {
            Some(&[key, value]) => Ok((key, value)),
            _ => Err(PickleError::Malformed(
                "a dictionary made of something else than pairs",
            )),
        };
        items.iter().map(pair).collect()
    }

    fn append(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let top = self.stack.top()?;
        match self.heap.get_mut(top) {
            Value::List(list) => list.extend_from_slice(items),
            Value::Made { .. } | Value::Persistent(_) => {}
            _ => {
                return Err(PickleError::Malformed(
                    "an append to something that is no list",
                ));
            }
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let new = pairs(items)?;
        let top = self.stack.top()?;
        match self.heap.get_mut(top) {
            Value::Dict(pairs) => pairs.extend(new),
            Value::Made { .. } | Value::Persistent(_) => {}
            _ => {
                return Err(PickleError::Malformed(
                    "an item set in something that is no dictionary",
                ));
            }
        }
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<(), PickleError> {
        let id = self.memo.get(&index).copied();
        self.stack
            .push(id.ok_or(PickleError::Malformed("a memo entry that was never stored"))?)
    }

    fn memoise(&mut self, index: u32) -> Result<(), PickleError> {
        within_limit(self.memo.len(), "memo entries")?;
        let top = self.stack.top()?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn push_value(&mut self, value: Value<'a>) -> Result<(), PickleError> {
        let id = self.heap.add(value)?;
        self.stack.push(id)
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, PickleError> {
    match items.as_chunks() {
        (pairs, []) => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
        _ => Err(PickleError::Malformed("a key without a value")),
    }
}

fn memo_index(digits: &str) -> Result<u32, PickleError> {
    digits.parse().or(Err(PickleError::Malformed(
        "a memo index that is no number",
    )))
}

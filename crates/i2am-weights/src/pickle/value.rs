//! Values of a pickle and the flat heap they live in.

use std::borrow::Cow;

use super::error::PickleError;

/// Values one pickle may hold; the pickle of a full-size checkpoint has some ten thousand.
const MAX_VALUES: usize = 1 << 24;

/// Index of a value in its [`Heap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(u32);

/// One Python value. Containers hold indices, so a value may contain itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i128),
    /// An integer of more than 16 bytes: no size, offset or magic number is one.
    HugeInt,
    Float,
    Text(Cow<'a, str>),
    Bytes,
    Tuple(Box<[Id]>),
    /// A list, set or frozenset.
    List(Vec<Id>),
    /// Pairs in the order they were set; the last of equal keys counts.
    Dict(Vec<(Id, Id)>),
    /// A class or function that the pickle names; both parts are texts.
    Global {
        module: Id,
        name: Id,
    },
    /// What Python would get by calling `callable` with `args` and then setting `state`; it was not called.
    Made {
        callable: Id,
        args: Id,
        state: Option<Id>,
    },
    /// An object that the pickle leaves to its reader: for torch, a storage.
    Persistent(Id),
}

/// All values of one pickle.
#[derive(Debug, Default)]
pub(crate) struct Heap<'a> {
    values: Vec<Value<'a>>,
}

impl<'a> Heap<'a> {
    pub(super) fn add(&mut self, value: Value<'a>) -> Result<Id, PickleError> {
        if self.values.len() >= MAX_VALUES {
            return Err(PickleError::TooMany {
                what: "values",
                limit: MAX_VALUES,
            });
        }
        self.values.push(value);
        Ok(Id((self.values.len() - 1) as u32))
    }

    pub(crate) fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id.0 as usize]
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Value<'a> {
        &mut self.values[id.0 as usize]
    }

    /// Every value, in the order the pickle has them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Id> {
        (0..self.values.len() as u32).map(Id)
    }

    pub(crate) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn int(&self, id: Id) -> Option<i128> {
        match self.get(id) {
            Value::Int(int) => Some(*int),
            _ => None,
        }
    }

    /// Elements of a tuple, list or set.
    pub(crate) fn items(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Tuple(items) => Some(items),
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn pairs(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.get(id) {
            Value::Dict(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// The value a dictionary holds for a text key.
    pub(crate) fn lookup(&self, dict: Id, key: &str) -> Option<Id> {
        let found = self
            .pairs(dict)?
            .iter()
            .rev()
            .find(|(k, _)| self.text(*k) == Some(key));
        found.map(|&(_, value)| value)
    }

    /// Module and name of a global.
    pub(crate) fn global(&self, id: Id) -> Option<(&str, &str)> {
        match self.get(id) {
            Value::Global { module, name } => Some((self.text(*module)?, self.text(*name)?)),
            _ => None,
        }
    }

    /// Module and name of what a value was to be made by, and the arguments.
    pub(crate) fn call(&self, id: Id) -> Option<((&str, &str), &[Id])> {
        match self.get(id) {
            Value::Made { callable, args, .. } => {
                Some((self.global(*callable)?, self.items(*args)?))
            }
            _ => None,
        }
    }

    /// What a value is, in words for an error.
    pub(crate) fn describe(&self, id: Id) -> String {
        match self.get(id) {
            Value::None => "None".to_owned(),
            Value::Bool(_) => "a boolean".to_owned(),
            Value::Int(_) | Value::HugeInt => "an integer".to_owned(),
            Value::Float => "a float".to_owned(),
            Value::Text(_) => "a string".to_owned(),
            Value::Bytes => "a byte string".to_owned(),
            Value::Tuple(_) => "a tuple".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Dict(_) => "a dictionary".to_owned(),
            Value::Global { .. } => format!("`{}`", self.global_name(id)),
            Value::Made { .. } => format!("an object of `{}`", self.global_name(id)),
            Value::Persistent(_) => "a storage".to_owned(),
        }
    }

    /// `module.name` of a global, or of the callable at the bottom of a made value; cut and escaped for a message.
    pub(crate) fn global_name(&self, id: Id) -> String {
        const MAX_CHARS: usize = 120;
        const MAX_CALLS: usize = 8;
        let mut at = id;
        for _ in 0..MAX_CALLS {
            match self.get(at) {
                Value::Made { callable, .. } => at = *callable,
                // Old torch.save wraps classes of modules: ("module", class, file, source).
                Value::Persistent(pid) => match self.items(*pid) {
                    Some(&[_, class, ..]) => at = class,
                    _ => break,
                },
                _ => break,
            }
        }
        let Some((module, name)) = self.global(at) else {
            return "an object that is no global".to_owned();
        };
        let shown: String = module
            .chars()
            .chain(['.'])
            .chain(name.chars())
            .take(MAX_CHARS)
            .collect();
        shown.escape_debug().to_string()
    }
}

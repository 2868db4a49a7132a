//! The machine's stack, with the marks that fence parts of it.

use super::error::PickleError;
use super::value::Id;

/// Values, marks and memo entries there may be at a time.
const MAX_PLACES: usize = 1 << 24;

#[derive(Debug, Default)]
pub(super) struct Stack {
    values: Vec<Id>,
    /// Heights of the stack at each open mark; nothing below the last may be popped.
    marks: Vec<usize>,
}

impl Stack {
    pub(super) fn push(&mut self, id: Id) -> Result<(), PickleError> {
        within_limit(self.values.len(), "values on the stack")?;
        self.values.push(id);
        Ok(())
    }

    pub(super) fn top(&self) -> Result<Id, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.values[floor..]
            .last()
            .copied()
            .ok_or(PickleError::Malformed(
                "an opcode that needs more values than the stack has",
            ))
    }

    pub(super) fn pop(&mut self) -> Result<Id, PickleError> {
        let top = self.top()?;
        self.values.pop();
        Ok(top)
    }

    pub(super) fn mark(&mut self) -> Result<(), PickleError> {
        within_limit(self.marks.len(), "marks")?;
        self.marks.push(self.values.len());
        Ok(())
    }

    /// The values above the last mark, which is taken away with them.
    pub(super) fn pop_to_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop().ok_or(PickleError::Malformed(
            "an opcode that needs a mark where there is none",
        ))?;
        Ok(self.values.split_off(mark))
    }

    /// `POP` takes a mark away if there is nothing above it.
    pub(super) fn pop_value_or_mark(&mut self) -> Result<(), PickleError> {
        if self.marks.last() == Some(&self.values.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }
}

/// Refuses to go on when there are as many of `what` as no real pickle has.
pub(super) fn within_limit(count: usize, what: &'static str) -> Result<(), PickleError> {
    if count < MAX_PLACES {
        Ok(())
    } else {
        Err(PickleError::TooMany {
            what,
            limit: MAX_PLACES,
        })
    }
}

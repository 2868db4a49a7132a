//! Turns a panic of a tensor operator into a value, so that one sample or one pair fails and not the whole run.
//!
//! The operators of the tch crate panic when libtorch refuses: for want of memory, for shapes that do not fit, for a device that is
//! lost. [`guard`] is put around one unit of work and says which of these it was.

#[cfg(test)]
mod tests;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::{Display, Formatter};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

/// What a failure means for the work that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// There was not enough memory. Smaller work may succeed.
    OutOfMemory,
    /// The device cannot be used again in this process: everything that follows would fail too.
    DeviceLost,
    /// Something about this unit of work; the next one may succeed.
    Other,
}

/// A panic that was caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TorchFailure {
    /// What it means for the work that follows.
    pub kind: FailureKind,
    /// One line: libtorch's own message without its backtrace; for a fault of this program, the place and the message.
    pub message: String,
}

impl Display for TorchFailure {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TorchFailure {}

thread_local! {
    /// Whether a panic of this thread will be caught by [`guard`], which then reports it in place of the hook.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    /// File and line of the last panic that was caught.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Does `work`; a panic in it, of this thread, is not printed but returned.
///
/// Whatever `work` has changed half-way stays so: it should own what it changes, or the caller should drop it.
///
/// # Errors
/// The panic's message.
pub fn guard<T>(work: impl FnOnce() -> T) -> Result<T, TorchFailure> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |panic| {
            if GUARDED.get() {
                PLACE.set(place_of(panic));
            } else {
                print(panic);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    done.map_err(|panic| failure_of(panic.as_ref(), &PLACE.take()))
}

fn place_of(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map(ToString::to_string);
    place.unwrap_or_else(|| "an unknown place".to_owned())
}

fn failure_of(panic: &(dyn Any + Send), place: &str) -> TorchFailure {
    let text = match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text,
        (None, Some(text)) => *text,
        (None, None) => "no message",
    };
    match torch_message(text) {
        Some(message) => TorchFailure {
            kind: kind_of(&message),
            message: format!("libtorch: {message}"),
        },
        None => TorchFailure {
            kind: FailureKind::Other,
            message: format!(
                "a fault of the program at {place}: {}",
                text.lines().next().unwrap_or_default()
            ),
        },
    }
}

/// The first line of libtorch's message in the panic of a tch operator, which unwraps the error in its `Debug` form.
fn torch_message(panic: &str) -> Option<String> {
    let escaped = panic.split_once("on an `Err` value: Torch(\"")?.1;
    let escaped = escaped.strip_suffix("\")").unwrap_or(escaped);
    let line = escaped.split("\\n").next().unwrap_or_default();
    // `[enforce fail at FILE:LINE] CONDITION. ` tells a reader nothing.
    let line = line
        .find("DefaultCPUAllocator")
        .map_or(line, |start| &line[start..]);
    Some(line.replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// Parts of messages about memory: of the CPU's allocator, of CUDA's, of cuBLAS and cuDNN.
const MEMORY: &[&str] = &[
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "defaultcpuallocator",
    "_status_alloc_failed",
];

/// Parts of messages after which a CUDA context refuses everything, in CUDA's words.
const LOST: &[&str] = &[
    "illegal memory access",
    "device-side assert",
    "unspecified launch failure",
    "misaligned address",
    "illegal instruction",
    "illegal address",
    "invalid program counter",
    "hardware stack error",
    "launch timed out",
    "uncorrectable",
    "cuda driver error",
    "cuda error: unknown error",
    "context is destroyed",
    "driver shutting down",
    "device(s) is/are busy or unavailable",
    "devices are busy or unavailable",
    "gpu is lost",
    "device is lost",
];

fn kind_of(message: &str) -> FailureKind {
    let message = message.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    if says(MEMORY) {
        FailureKind::OutOfMemory
    } else if says(LOST) {
        FailureKind::DeviceLost
    } else {
        FailureKind::Other
    }
}

//! The compiled component, used where it stands in this program. The system maps its code from the
//! program's file as it maps the program's own: nothing is copied, and what is not used is not read.

use anyhow::Result;
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

/// Bytes at a place where code can be made executable: pages have up to 64 KiB.
#[repr(C, align(65536))]
struct Aligned<T: ?Sized>(T);

/// Made by the build script, for this machine's kind of processor.
static COMPONENT: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/component.cwasm")));

#[cfg(target_os = "linux")]
pub(super) use in_place::{component, prepare};

#[cfg(target_os = "linux")]
mod in_place {
    use std::ptr::NonNull;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::mm::{MprotectFlags, mprotect};
    use wasmtime::CustomCodeMemory;

    use super::{COMPONENT, Component, Config, Engine, Result};

    /// Makes code executable that must not be written to: it may be part of this program.
    struct ReadOnly;

    impl ReadOnly {
        fn protect(code: *const u8, length: usize, flags: MprotectFlags) -> wasmtime::Result<()> {
            // SAFETY: wasmtime passes the code of a component, whole pages of it, which it owns or which are
            // the static above. Nothing writes to them, neither before nor after.
            #[expect(unsafe_code, reason = "there is no other way to make code executable")]
            let protected = unsafe { mprotect(code.cast_mut().cast(), length, flags) };
            Ok(protected?)
        }
    }

    impl CustomCodeMemory for ReadOnly {
        fn required_alignment(&self) -> usize {
            // That of the code in what wasmtime compiled; where pages are larger, the system refuses.
            4096
        }

        fn publish_executable(&self, code: *const u8, length: usize) -> wasmtime::Result<()> {
            Self::protect(code, length, MprotectFlags::READ | MprotectFlags::EXEC)
        }

        fn unpublish_executable(&self, code: *const u8, length: usize) -> wasmtime::Result<()> {
            Self::protect(code, length, MprotectFlags::READ)
        }
    }

    pub(in super::super) fn prepare(config: &mut Config) {
        config.with_custom_code_memory(Some(Arc::new(ReadOnly)));
    }

    /// Code at one place is one engine's. A program has one; tests have more, and those copy it.
    static TAKEN: AtomicBool = AtomicBool::new(false);

    pub(in super::super) fn component(engine: &Engine) -> Result<Component> {
        if TAKEN.swap(true, Ordering::SeqCst) {
            return super::copied(engine);
        }
        // SAFETY: the bytes are part of this program; the build script made them with the same wasmtime. They
        // last as long as the program, and nothing writes to them.
        #[expect(unsafe_code, reason = "deserialising trusts the bytes, and these are our own")]
        let component = unsafe { Component::deserialize_raw(engine, NonNull::from(&COMPONENT.0)) };
        Ok(component?)
    }
}

// Elsewhere the system may refuse to run what it has not mapped as code.
#[cfg(not(target_os = "linux"))]
pub(super) fn prepare(_config: &mut Config) {}

#[cfg(not(target_os = "linux"))]
pub(super) use copied as component;

pub(super) fn copied(engine: &Engine) -> Result<Component> {
    // SAFETY: the bytes are part of this program; the build script made them with the same wasmtime.
    #[expect(unsafe_code, reason = "deserialising trusts the bytes, and these are our own")]
    let component = unsafe { Component::deserialize(engine, &COMPONENT.0) };
    Ok(component?)
}

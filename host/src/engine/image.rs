//! The compiled component, used where it stands in this program. The system maps its code from the
//! program's file as it maps the program's own: nothing is copied, and what is not used is not read.

use anyhow::Result;
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

/// The largest pages that a system has, in bytes.
#[cfg(target_os = "linux")]
const PAGE: usize = 64 << 10;

/// Bytes at a place where code can be made executable: pages have up to 64 KiB.
#[repr(C, align(65536))]
struct Aligned<T: ?Sized>(T);

/// Made by the build script, for this machine's kind of processor.
static COMPONENT: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/component.cwasm")));

#[cfg(target_os = "linux")]
pub(super) use in_place::{component, give_back, prepare};

#[cfg(target_os = "linux")]
mod in_place {
    use std::ptr::NonNull;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::mm::{Advice, MprotectFlags, madvise, mprotect};
    use wasmtime::CustomCodeMemory;

    use super::{COMPONENT, Component, Config, Engine, PAGE, Result};

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

    /// Gives the pages back that the code of the component takes up by now; what is used again is mapped again.
    pub(in super::super) fn give_back() {
        let (start, length) = (COMPONENT.0.as_ptr(), COMPONENT.0.len());
        // SAFETY: a constant of the program's file, which nothing writes to: its pages are the file's, before and
        // after. It begins at a page of its own, and the last page that is not all its own is left alone.
        #[expect(unsafe_code, reason = "pages can be given back by their address alone")]
        let given =
            unsafe { madvise(start.cast_mut().cast(), length - length % PAGE, Advice::LinuxDontNeed) };
        if let Err(error) = given {
            tracing::debug!(%error, "pages of the component stay");
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
pub(super) fn give_back() {}

#[cfg(not(target_os = "linux"))]
pub(super) use copied as component;

pub(super) fn copied(engine: &Engine) -> Result<Component> {
    // SAFETY: the bytes are part of this program; the build script made them with the same wasmtime.
    #[expect(unsafe_code, reason = "deserialising trusts the bytes, and these are our own")]
    let component = unsafe { Component::deserialize(engine, &COMPONENT.0) };
    Ok(component?)
}

//! The gate: which requests to Proxmox VE a call may make.
//!
//! It stops a tool that was talked into something, or taken over: the code that writes the requests
//! is not trusted, so each request is judged by itself. [`Gate::check`] parses it strictly, finds
//! its method in the table of the API, and compares it with what the called tool declared, with the
//! operator's allow-lists and with the operator's grants. Then it writes the request anew from the
//! parsed parts: what leaves is the [`Permit`]'s text, never the component's. [`Gate::filter`] cuts
//! the answers.
//!
//! No I/O, no clock, no state: the same input gives the same verdict.
//!
//! Reading order: `gate` (the steps), `request`, `route`, `params` and `typed` (parsing), `value`
//! (names), `property` and `volume` (what stands inside a value), `subject` (which nodes and guests a
//! request is about), `walls` (allow-lists), `demand` (what a request needs), `grant` and `acl` (what an
//! operator may grant), `decide`, `opening` and `verdict` (one held against the other), `answer` and `row`
//! (cutting lists).

mod acl;
mod answer;
mod decide;
mod demand;
mod denied;
mod gate;
mod grant;
mod opening;
mod params;
mod permit;
mod property;
mod request;
mod route;
mod row;
mod subject;
mod typed;
mod value;
mod verdict;
mod volume;
mod walls;

pub use acl::AclPath;
pub use denied::{Denied, Missing, Subject, Wall};
pub use gate::{Gate, NoPools, Pools, Scope};
pub use grant::{Grant, GrantError, Grants};
pub use opening::Opening;
pub use permit::{FORM, Permit, PermitParts};
pub use request::RawRequest;
pub use verdict::{Need, Verdict};
pub use walls::{WallError, Walls};

#[cfg(test)]
mod tests;

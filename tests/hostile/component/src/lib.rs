//! A component that keeps the contract of the tools and attacks whoever runs it.
//!
//! The arguments of a call name the attack; the data of the answer is what the component saw. It is
//! never part of the program: the tests beside it load it in place of the real one.

#![cfg(target_family = "wasm")]
#![expect(clippy::indexing_slicing, reason = "a JSON value gives null for what is not there")]

mod catalogue;
mod guest;
mod http;
mod lies;
mod limits;
mod offers;
mod surroundings;

//! A hostile component in the place of the tools, in the real host, against a simulated Proxmox VE over real TLS.
//!
//! Everything is granted and the called tool declares every method, unless a test says otherwise, so that
//! nothing but the guard under test stands in the way. What counts is what arrived at the cluster.

#[cfg(test)]
mod account;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod approvals;
#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod lies;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod offers;
#[cfg(test)]
mod oversight;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod scope;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod surroundings;
#[cfg(test)]
mod verdicts;

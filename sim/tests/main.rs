//! Tests of the simulator through its socket.

#[cfg(test)]
mod effects;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod support;
#[cfg(test)]
mod wire;

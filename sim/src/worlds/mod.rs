//! The clusters that the simulator can be.

mod demo;
mod demo_affairs;
mod demo_guests;
mod recorded;

pub(crate) use demo_guests::stamp;

use crate::auth::{ApiToken, User};
use crate::world::{World, guest};
use crate::{Options, Token, WorldKind};

/// Builds the cluster and its unrestricted token.
pub(crate) fn build(options: &Options) -> (World, Token) {
    match options.world {
        WorldKind::Demo => demo::build(options),
        WorldKind::Recorded => recorded::build(options),
    }
}

/// Adds a token without privilege separation.
fn full_token(world: &mut World, user: &str, name: &str, secret: &str) -> Token {
    let token = ApiToken { secret: secret.into(), privsep: false, expire: 0, comment: None };
    let owner =
        world.access.users.entry(user.into()).or_insert_with(|| User { enabled: true, ..User::default() });
    owner.tokens.insert(name.into(), token);
    Token { user: user.into(), name: name.into(), secret: secret.into() }
}

/// The secret of the demo's token: the same in each run, so that a configuration can be kept.
fn demo_secret() -> String {
    guest::uuid("proxmox-sim", 1)
}

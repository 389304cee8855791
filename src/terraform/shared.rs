//! What VMs and containers have in common.

use super::keys::{Keys, Properties};
use super::writer::Body;

/// The tags, as a list.
pub fn tags(keys: &mut Keys) -> Vec<String> {
    let text = keys.take("tags").unwrap_or_default();
    text.split([';', ',', ' ']).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

/// The storage of a volume; nothing for a path.
pub fn storage(volume: &str) -> Option<String> {
    let (storage, _) = volume.split_once(':').filter(|_| !volume.starts_with('/'))?;
    Some(storage.to_owned())
}

/// A size such as `32G` in whole gigabytes, rounded up; noted where that is not exact.
pub fn gigabytes(keys: &mut Keys, key: &str, size: Option<String>) -> Option<String> {
    const GIB: u64 = 1 << 30;
    let size = size?;
    let unit = match size.chars().last() {
        Some('T') => 1 << 40,
        Some('G') => GIB,
        Some('M') => 1 << 20,
        Some('K') => 1 << 10,
        _ => 1,
    };
    let number: Option<u64> = size.trim_end_matches(['T', 'G', 'M', 'K']).parse().ok();
    let Some(bytes) = number.and_then(|number| number.checked_mul(unit)) else {
        keys.note(format!("{key} (its size)"));
        return None;
    };
    if bytes % GIB != 0 {
        keys.note(format!("{key} (its exact size: rounded up to whole GB)"));
    }
    Some(bytes.div_ceil(GIB).to_string())
}

/// Name servers and search domain.
pub fn dns(keys: &mut Keys) -> Body {
    let servers = keys.take("nameserver").unwrap_or_default();
    let servers: Vec<&str> = servers.split([' ', ',', ';']).filter(|server| !server.is_empty()).collect();
    Body::new().text("domain", keys.take("searchdomain")).list("servers", &servers)
}

/// When it starts among others.
pub fn startup(keys: &mut Keys, body: Body) -> Body {
    let Some(mut parts) = keys.properties("startup") else { return body };
    let block = Body::new()
        .number("order", parts.first("order"))
        .number("up_delay", parts.take("up"))
        .number("down_delay", parts.take("down"));
    parts.done(keys);
    body.some_block("startup", block)
}

/// The addresses of a network card.
#[derive(Debug)]
pub struct Address {
    v4: Body,
    v6: Body,
}

impl Address {
    /// Takes them out of a property string.
    pub fn take(parts: &mut Properties) -> Address {
        Address {
            v4: Body::new().text("address", parts.take("ip")).text("gateway", parts.take("gw")),
            v6: Body::new().text("address", parts.take("ip6")).text("gateway", parts.take("gw6")),
        }
    }

    /// The body of an `ip_config` block. It stays where there is none: the blocks count the cards.
    pub fn body(self) -> Body {
        Body::new().some_block("ipv4", self.v4).some_block("ipv6", self.v6)
    }
}

/// Text with its percent-escapes undone.
pub fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let pair = (byte == b'%').then(|| Some((digit(ahead.next()?)?, digit(ahead.next()?)?))).flatten();
        match pair {
            Some((high, low)) => {
                out.push(high * 16 + low);
                rest = ahead;
            }
            None => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

//! The revisions of MCP, and which one a request is of: up to 2025-11-25 a handshake says it, from 2026-07-28
//! on each request.

use serde_json::{Map, Value, json};

use super::rpc::{Fault, UNSUPPORTED_VERSION};

/// Where a request of the era without a handshake says its revision.
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// Where it says what its client can do.
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// A revision of the protocol, older ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revision {
    /// The first.
    V2024_11_05,
    /// With batches.
    V2025_03_26,
    /// With links and data in results.
    V2025_06_18,
    /// The last with a handshake.
    V2025_11_25,
    /// Without a handshake.
    V2026_07_28,
}

impl Revision {
    /// All of them.
    pub const ALL: [Revision; 5] = [
        Revision::V2024_11_05,
        Revision::V2025_03_26,
        Revision::V2025_06_18,
        Revision::V2025_11_25,
        Revision::V2026_07_28,
    ];
    /// What a handshake ends with where the client wants one that is not known.
    pub const OF_HANDSHAKES: Revision = Revision::V2025_11_25;

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Revision::V2024_11_05 => "2024-11-05",
            Revision::V2025_03_26 => "2025-03-26",
            Revision::V2025_06_18 => "2025-06-18",
            Revision::V2025_11_25 => "2025-11-25",
            Revision::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision of this name.
    pub fn named(name: &str) -> Option<Revision> {
        Revision::ALL.into_iter().find(|revision| revision.name() == name)
    }

    /// Whether each request of it stands by itself.
    pub fn is_stateless(self) -> bool {
        self >= Revision::V2026_07_28
    }

    /// What a handshake ends with.
    pub fn agreed(wanted: &str) -> Revision {
        let known = Revision::named(wanted).filter(|revision| !revision.is_stateless());
        known.unwrap_or(Revision::OF_HANDSHAKES)
    }

    /// The revision of a request with these parameters; `agreed`: that of one that does not say.
    ///
    /// # Errors
    /// Where it says one that is not spoken here, or leaves out what it has to say besides.
    pub fn of(params: &Map<String, Value>, agreed: Revision) -> Result<Revision, Fault> {
        let meta = match params.get("_meta") {
            None => return Ok(agreed),
            Some(Value::Object(meta)) => meta,
            Some(_) => return Err(Fault::params("`_meta` is no object.")),
        };
        let wanted = match meta.get(VERSION) {
            // Progress tokens and the like are in requests of any revision.
            None if !meta.contains_key(CAPABILITIES) => return Ok(agreed),
            None => return Err(Fault::params(format!("`_meta` has no `{VERSION}`."))),
            Some(Value::String(wanted)) => wanted,
            Some(_) => return Err(Fault::params(format!("`{VERSION}` is no text."))),
        };
        let Some(revision) = Revision::named(wanted).filter(|revision| revision.is_stateless()) else {
            return Err(unsupported(wanted));
        };
        match meta.get(CAPABILITIES) {
            Some(Value::Object(_)) => Ok(revision),
            _ => Err(Fault::params(format!("`_meta` has no object `{CAPABILITIES}`."))),
        }
    }
}

/// The answer to a revision that is not spoken here.
pub fn unsupported(wanted: &str) -> Fault {
    let message = "This revision of MCP is not spoken here in this way: 2026-07-28 is named in each request, the older \
                   ones are agreed on by `initialize`.";
    let supported = Revision::ALL.map(Revision::name);
    Fault::new(UNSUPPORTED_VERSION, message).with(json!({"supported": supported, "requested": wanted}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(meta: Value) -> Result<Revision, i64> {
        let params = json!({"_meta": meta}).as_object().unwrap().clone();
        Revision::of(&params, Revision::V2025_06_18).map_err(|fault| fault.code)
    }

    #[test]
    fn a_request_says_its_revision_or_has_the_agreed_one() {
        assert_eq!(of(json!({"progressToken": 1})), Ok(Revision::V2025_06_18));
        assert_eq!(Revision::of(&Map::new(), Revision::V2025_03_26), Ok(Revision::V2025_03_26));
        assert_eq!(of(json!({VERSION: "2026-07-28", CAPABILITIES: {}})), Ok(Revision::V2026_07_28));
        for (meta, code) in [
            (json!({VERSION: "2026-07-28"}), -32602),
            (json!({VERSION: "2026-07-28", CAPABILITIES: []}), -32602),
            (json!({VERSION: 1, CAPABILITIES: {}}), -32602),
            (json!({CAPABILITIES: {}}), -32602),
            (json!([]), -32602),
            (json!({VERSION: "2099-01-01", CAPABILITIES: {}}), -32022),
            (json!({VERSION: "2025-11-25", CAPABILITIES: {}}), -32022),
        ] {
            assert_eq!(of(meta.clone()), Err(code), "{meta}");
        }
        let fault = unsupported("1.0");
        assert_eq!(fault.data["requested"], "1.0");
        assert_eq!(fault.data["supported"].as_array().unwrap().len(), 5);
    }

    #[test]
    fn a_handshake_ends_with_a_revision_that_has_one() {
        for (wanted, agreed) in [
            ("2024-11-05", "2024-11-05"),
            ("2025-03-26", "2025-03-26"),
            ("2026-07-28", "2025-11-25"),
            ("2099-01-01", "2025-11-25"),
            ("", "2025-11-25"),
        ] {
            assert_eq!(Revision::agreed(wanted).name(), agreed, "{wanted}");
        }
    }
}

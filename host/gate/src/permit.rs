//! The threat: a request that was never checked, or that was changed after the check. A [`Permit`]
//! has private fields and no public constructor, so only [`crate::Gate::check`] makes one.
//!
//! ```compile_fail
//! // The only way to a permit is the gate.
//! let permit = proxmox_gate::Permit::new(&proxmox_api::methods::GET_VERSION, String::new(), None);
//! ```

use proxmox_api::{Method, Verb};

/// The content type of every body that a [`Permit`] carries.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// A request that may go out, in canonical form. It is not `Clone`: one check, one sending.
#[derive(Debug, PartialEq)]
pub struct Permit {
    method: &'static Method,
    path_and_query: String,
    body: Option<Vec<u8>>,
}

/// What a permit consists of, to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct PermitParts {
    /// The method of the API.
    pub method: &'static Method,
    /// Path and query, from `/api2/json` on.
    pub path_and_query: String,
    /// Content type and bytes of the body; `None` is an empty body (`Content-Length: 0` with POST and PUT).
    pub body: Option<(&'static str, Vec<u8>)>,
}

impl Permit {
    pub(crate) fn new(method: &'static Method, path_and_query: String, body: Option<Vec<u8>>) -> Self {
        Permit { method, path_and_query, body }
    }

    /// The method of the API.
    pub fn method(&self) -> &'static Method {
        self.method
    }

    /// The verb to send.
    pub fn verb(&self) -> Verb {
        self.method.verb
    }

    /// Path and query, from `/api2/json` on: what to put into the request line, unchanged.
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// Content type and bytes of the body, if there is one.
    pub fn body(&self) -> Option<(&'static str, &[u8])> {
        self.body.as_deref().map(|bytes| (FORM, bytes))
    }

    /// The permit taken apart, for sending.
    pub fn into_parts(self) -> PermitParts {
        let body = self.body.map(|bytes| (FORM, bytes));
        PermitParts { method: self.method, path_and_query: self.path_and_query, body }
    }
}

//! A request that needs a person's yes, taken from the very bytes that would go out.

use percent_encoding::percent_decode_str;
use proxmox_api::Method;
use proxmox_gate::Permit;
use sha2::{Digest as _, Sha256};

/// A request that goes out only once a person has agreed to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    /// The API method.
    pub method: &'static Method,
    /// The grants that are missing, such as `VM.PowerMgmt@/vms/101`.
    pub grants: Vec<String>,
    /// Name and value of each parameter in the path, in order.
    pub(crate) path: Vec<(String, String)>,
    /// Name and value of all other parameters, in order of name.
    pub(crate) params: Vec<(String, String)>,
    /// Fingerprint of the whole request.
    pub(crate) digest: String,
}

impl Need {
    /// What a permitted request is about. `grants` is what it lacks, separated by commas.
    pub(crate) fn of(permit: &Permit, grants: &str) -> Self {
        let (path, query) = permit.path_and_query().split_once('?').unwrap_or((permit.path_and_query(), ""));
        let below = path.strip_prefix("/api2/json").unwrap_or(path);
        let named = permit.method().path.split('/').zip(below.split('/')).filter_map(|(name, text)| {
            let name = name.strip_prefix('{')?.strip_suffix('}')?;
            Some((name.to_owned(), decode(text)))
        });
        let body = permit.body().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
        Self {
            method: permit.method(),
            grants: grants.split(',').map(|grant| grant.trim().to_owned()).collect(),
            path: named.collect(),
            params: pairs(body.as_deref().unwrap_or(query)),
            digest: digest(permit),
        }
    }

    /// The guests that the request names, in the path or in a list; for a new guest, its id to be.
    pub(crate) fn vmids(&self) -> Vec<u32> {
        let texts = self.value("vmid").into_iter().chain(self.values("vms"));
        let words = texts.flat_map(|text| text.split(|c: char| !c.is_ascii_digit()));
        let mut vmids = Vec::new();
        for vmid in words.filter_map(|word| word.parse().ok()) {
            if !vmids.contains(&vmid) {
                vmids.push(vmid);
            }
        }
        vmids
    }

    /// The one value of a parameter.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.path.iter().chain(&self.params).find(|(own, _)| own == name).map(|(_, text)| text.as_str())
    }

    /// All values of a parameter.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.params.iter().filter(move |(own, _)| own == name).map(|(_, text)| text.as_str())
    }

    /// Verb and path, with the values as they are.
    pub(crate) fn line(&self) -> String {
        let mut values = self.path.iter();
        let segments = self.method.path.split('/').map(|segment| match segment.starts_with('{') {
            true => values.next().map_or(segment, |(_, text)| text),
            false => segment,
        });
        format!("{} {}", self.method.verb, segments.collect::<Vec<_>>().join("/"))
    }
}

/// Fingerprint of verb, path, query and body. The gate writes a request in one form only, so that equal
/// requests have equal fingerprints.
pub(crate) fn digest(permit: &Permit) -> String {
    let mut hash = Sha256::new();
    let body = permit.body().map(|(_, bytes)| bytes).unwrap_or_default();
    for part in [permit.verb().as_str().as_bytes(), permit.path_and_query().as_bytes(), body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

/// Fingerprint of a text.
pub(crate) fn fingerprint(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn pairs(form: &str) -> Vec<(String, String)> {
    let pair = |text: &str| text.split_once('=').map(|(name, value)| (decode(name), decode(value)));
    form.split('&').filter_map(pair).collect()
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

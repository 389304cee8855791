//! A request made of a declared method and checked values.

use std::borrow::Cow;
use std::fmt;

use proxmox_api::{API_DOC, Method, Verb};

use super::Request;
use crate::error::{Error, Need};
use crate::pve::admin::{HaId, Position, ServiceName};
use crate::pve::ids::{NodeName, SnapshotName, StorageId, Upid, Vmid, Volume};

/// A value that may stand in a path: checked, so that it cannot leave its segment.
pub trait Segment: fmt::Display {}

impl Segment for NodeName {}
impl Segment for Vmid {}
impl Segment for Upid {}
impl Segment for StorageId {}
impl Segment for SnapshotName {}
impl Segment for Volume {}
impl Segment for HaId {}
impl Segment for ServiceName {}
impl Segment for Position {}

/// A value that may be a parameter; a list repeats the name.
pub trait Parameter {
    /// The values, as Proxmox reads them.
    fn values(&self) -> Vec<String>;
}

impl Parameter for &str {
    fn values(&self) -> Vec<String> {
        vec![(*self).to_owned()]
    }
}

impl Parameter for String {
    fn values(&self) -> Vec<String> {
        vec![self.clone()]
    }
}

impl Parameter for u32 {
    fn values(&self) -> Vec<String> {
        vec![self.to_string()]
    }
}

impl Parameter for bool {
    /// Proxmox takes `1` and `0` only.
    fn values(&self) -> Vec<String> {
        vec![if *self { "1" } else { "0" }.to_owned()]
    }
}

impl Parameter for &[String] {
    fn values(&self) -> Vec<String> {
        self.to_vec()
    }
}

/// A call of one API method.
#[derive(Debug, Clone)]
pub struct Call {
    method: &'static Method,
    segments: Vec<(&'static str, String)>,
    parameters: Vec<(Cow<'static, str>, String)>,
}

impl Call {
    /// A call of this method.
    pub fn of(method: &'static Method) -> Call {
        Call { method, segments: Vec::new(), parameters: Vec::new() }
    }

    /// With a parameter of the path.
    pub fn at(mut self, name: &'static str, value: &impl Segment) -> Call {
        self.segments.push((name, value.to_string()));
        self
    }

    /// With another parameter: in the query of a GET or DELETE, in the body of a POST or PUT.
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Parameter) -> Call {
        let name = name.into();
        self.parameters.extend(value.values().into_iter().map(|value| (name.clone(), value)));
        self
    }

    /// With another parameter, if there is a value for it.
    pub fn with_some(self, name: impl Into<Cow<'static, str>>, value: Option<impl Parameter>) -> Call {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The parameters beyond those of the path, in their order.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (&**name, value.as_str()))
    }

    /// The method that is called.
    pub fn method(&self) -> &'static Method {
        self.method
    }

    /// The privileges that it needs, as far as the API table knows.
    pub(crate) fn needs(&self) -> Vec<Need> {
        crate::error::needs(self.method, &|name| self.segment(name).map(str::to_owned))
    }

    /// The request as it goes out.
    ///
    /// # Errors
    /// [`Error::Defect`] if a path parameter is missing or a name is not one of the method's.
    pub(super) fn request(&self) -> Result<Request, Error> {
        if let Some((name, _)) = self.parameters.iter().find(|(name, _)| self.method.param(name).is_none()) {
            return Err(Error::Defect(format!("`{}` has no parameter `{name}`", self.method)));
        }
        let below = if std::ptr::eq(self.method, &API_DOC) { "" } else { "/api2/json" };
        let mut path = String::from(below);
        for segment in self.method.path.split('/').filter(|segment| !segment.is_empty()) {
            path.push('/');
            match variable(segment) {
                Some(name) => {
                    let value = self.segment(name);
                    let value =
                        value.ok_or_else(|| Error::Defect(format!("`{}` lacks `{name}`", self.method)))?;
                    encode_into(&mut path, value);
                }
                None => path.push_str(segment),
            }
        }
        let parameters = self.encoded_parameters();
        let form = matches!(self.method.verb, Verb::Post | Verb::Put);
        if !form && !parameters.is_empty() {
            path.push('?');
            path.push_str(&parameters);
        }
        Ok(Request { verb: self.method.verb, path, form: form.then_some(parameters) })
    }

    fn segment(&self, name: &str) -> Option<&str> {
        self.segments.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    fn encoded_parameters(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.parameters {
            if !text.is_empty() {
                text.push('&');
            }
            encode_into(&mut text, name);
            text.push('=');
            encode_into(&mut text, value);
        }
        text
    }
}

/// The request line as a message shows it: verb and path, without the parameters.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.method.verb)?;
        for segment in self.method.path.split('/').filter(|segment| !segment.is_empty()) {
            let value = variable(segment).and_then(|name| self.segment(name)).unwrap_or(segment);
            write!(f, "/{value}")?;
        }
        Ok(())
    }
}

fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Percent-encodes all but the characters that mean nothing anywhere (RFC 3986, unreserved). Proxmox
/// cuts a value at a bare `=` and splits at `;`.
pub(crate) fn encode_into(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| char::from(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(digit(byte >> 4));
            out.push(digit(byte & 15));
        }
    }
}

#[cfg(test)]
mod tests {
    use proxmox_api::methods;

    use super::*;

    fn node() -> NodeName {
        NodeName::parse("pve1").unwrap()
    }

    #[test]
    fn a_read_carries_its_parameters_in_the_query() {
        let call =
            Call::of(&methods::GET_NODES_NODE_DISKS_SMART).at("node", &node()).with("disk", "/dev/sda");
        let request = call.request().unwrap();
        assert_eq!(request.path, "/api2/json/nodes/pve1/disks/smart?disk=%2Fdev%2Fsda");
        assert_eq!(request.form, None);
        assert_eq!(call.to_string(), "GET /nodes/pve1/disks/smart");
    }

    #[test]
    fn a_change_carries_them_in_the_body() {
        let argv: &[String] = &["/bin/sh".to_owned(), "-c".to_owned(), "echo a=b;c&d é".to_owned()];
        let call = Call::of(&methods::POST_NODES_NODE_QEMU_VMID_AGENT_EXEC)
            .at("node", &node())
            .at("vmid", &Vmid::new(101).unwrap())
            .with("command", argv);
        let request = call.request().unwrap();
        assert_eq!(request.path, "/api2/json/nodes/pve1/qemu/101/agent/exec");
        assert_eq!(
            request.form.as_deref(),
            Some("command=%2Fbin%2Fsh&command=-c&command=echo%20a%3Db%3Bc%26d%20%C3%A9")
        );
        let empty = Call::of(&methods::POST_NODES_NODE_QEMU_VMID_STATUS_START)
            .at("node", &node())
            .at("vmid", &Vmid::new(101).unwrap());
        assert_eq!(empty.request().unwrap().form.as_deref(), Some(""));
    }

    #[test]
    fn a_task_id_is_encoded() {
        let upid = Upid::parse("UPID:pve1:000031E5:0004AC50:6B02B8E0:qmstart:150:root@pam!mcp:").unwrap();
        let call = Call::of(&methods::GET_NODES_NODE_TASKS_UPID_STATUS).at("node", &node()).at("upid", &upid);
        assert_eq!(
            call.request().unwrap().path,
            "/api2/json/nodes/pve1/tasks/UPID%3Apve1%3A000031E5%3A0004AC50%3A6B02B8E0%3Aqmstart%3A150%3A\
             root%40pam%21mcp%3A/status"
        );
    }

    #[test]
    fn a_call_that_is_not_whole_is_a_defect() {
        let missing = Call::of(&methods::GET_NODES_NODE_STATUS);
        assert!(matches!(missing.request(), Err(Error::Defect(text)) if text.contains("`node`")));
        let unknown = Call::of(&methods::GET_NODES).with("nosuch", "1");
        assert!(matches!(unknown.request(), Err(Error::Defect(text)) if text.contains("`nosuch`")));
    }

    #[test]
    fn flags_are_ones_and_zeros() {
        assert_eq!((true.values(), false.values()), (vec!["1".to_owned()], vec!["0".to_owned()]));
    }
}

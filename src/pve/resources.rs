//! `GET /cluster/resources`: nodes, guests and storages of the whole cluster in one answer.
//!
//! It is read into one small type with only what the tools use, since a large cluster answers with
//! megabytes. Proxmox writes numbers as numbers or as text at random, and leaves out what it does not
//! know, or what the token may not see.

use std::borrow::Cow;
use std::fmt;

use proxmox_api::methods::GET_CLUSTER_RESOURCES;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::cx::{Call, Cx, Reply};
use crate::error::Error;
use crate::pve::ids::Vmid;

/// The call of all resources.
pub fn all() -> Call {
    Call::of(&GET_CLUSTER_RESOURCES)
}

/// Asks for all resources; [`rows`] reads them.
pub fn fetch(cx: &Cx<'_>) -> Result<Reply, Error> {
    cx.reply(all())
}

/// The rows of an answer.
pub fn rows(reply: &Reply) -> Result<Vec<Resource<'_>>, Error> {
    reply.read()
}

/// One row. What Proxmox did not say is empty or `None`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Resource<'a> {
    /// `node`, `qemu`, `lxc`, `storage` and others.
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    /// The node that it is, or is on.
    #[serde(borrow)]
    pub node: Text<'a>,
    /// The guest's name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// `online`, `running`, `available` and the like.
    #[serde(borrow)]
    pub status: Text<'a>,
    /// The storage's id.
    #[serde(borrow)]
    pub storage: Text<'a>,
    /// The storage's type.
    #[serde(borrow)]
    pub plugintype: Text<'a>,
    /// What the storage may hold, such as `backup,iso`.
    #[serde(borrow)]
    pub content: Text<'a>,
    /// The lock that an operation holds on the guest.
    #[serde(borrow)]
    pub lock: Text<'a>,
    /// The pool that the guest is in.
    #[serde(borrow)]
    pub pool: Text<'a>,
    /// What high availability makes of the guest, such as `started` or `error`.
    #[serde(borrow)]
    pub hastate: Text<'a>,
    /// The guest's tags, with semicolons between them.
    #[serde(borrow)]
    pub tags: Text<'a>,
    /// The guest's id.
    pub vmid: Figure,
    /// Whether the guest is a template: 1 or 0.
    pub template: Figure,
    /// Whether the storage is one and the same on all nodes: 1 or 0.
    pub shared: Figure,
    /// Part of the processors in use, 0 to 1.
    pub cpu: Figure,
    /// Processors.
    pub maxcpu: Figure,
    /// Memory in use, in bytes.
    pub mem: Figure,
    /// Memory, in bytes.
    pub maxmem: Figure,
    /// Disk space in use, in bytes.
    pub disk: Figure,
    /// Disk space, in bytes.
    pub maxdisk: Figure,
    /// Seconds since the start.
    pub uptime: Figure,
}

impl Resource<'_> {
    /// Whether it is a guest, VM or container.
    pub fn is_guest(&self) -> bool {
        matches!(&*self.kind, "qemu" | "lxc")
    }

    /// Whether it is a node.
    pub fn is_node(&self) -> bool {
        &*self.kind == "node"
    }

    /// Whether it is a storage.
    pub fn is_storage(&self) -> bool {
        &*self.kind == "storage"
    }

    /// Whether it is a template.
    pub fn is_template(&self) -> bool {
        self.template.flag()
    }

    /// Whether the storage may hold this kind of content, such as `backup`.
    pub fn holds(&self, content: &str) -> bool {
        self.content.split(',').any(|kind| kind.trim() == content)
    }

    /// The guest's id.
    pub fn guest_id(&self) -> Option<Vmid> {
        Vmid::new(u32::try_from(self.vmid.whole()?).ok()?)
    }

    /// The guest's tags.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.split([';', ',', ' ']).filter(|tag| !tag.is_empty())
    }

    /// Memory in use and in all, in bytes, where both are known.
    pub fn memory(&self) -> Option<(f64, f64)> {
        self.mem.value().zip(self.maxmem.value())
    }

    /// Disk space in use and in all, in bytes, where both are known.
    pub fn space(&self) -> Option<(f64, f64)> {
        self.disk.value().zip(self.maxdisk.value())
    }
}

/// Text that Proxmox may also write as a number; empty where it is not there.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Text<'a>(Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar).map(|scalar| match scalar {
            Value::Text(text) => Text(text),
            Value::Number(number) => Text(Cow::Owned(number.to_string())),
            Value::Nothing => Text::default(),
        })
    }
}

/// A number that Proxmox may also write as text; nothing where it is not there or no number.
// There are twenty in a row and thousands of rows: this is half as large as an `Option<f64>`.
#[derive(Debug, Clone, Copy)]
pub struct Figure(f64);

impl Default for Figure {
    fn default() -> Figure {
        Figure(f64::NAN)
    }
}

impl PartialEq for Figure {
    fn eq(&self, other: &Figure) -> bool {
        self.value() == other.value()
    }
}

impl Figure {
    /// The number.
    pub fn value(self) -> Option<f64> {
        (!self.0.is_nan()).then_some(self.0)
    }

    /// The number, if it is whole and not negative.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just before")]
    pub fn whole(self) -> Option<u64> {
        self.value()
            .filter(|value| (0.0..9e15).contains(value) && value.fract() == 0.0)
            .map(|value| value as u64)
    }

    /// The number as a share of a whole, brought within 0 and 1: Proxmox may measure a little more.
    pub fn fraction(self) -> Option<f64> {
        self.value().map(|value| value.clamp(0.0, 1.0))
    }

    /// Whether it is there and not zero.
    pub fn flag(self) -> bool {
        self.value().is_some_and(|value| value != 0.0)
    }

    /// The number of a JSON value.
    pub fn of(value: Option<&serde_json::Value>) -> Figure {
        match value {
            Some(serde_json::Value::Number(number)) => number.as_f64().map(Figure).unwrap_or_default(),
            Some(serde_json::Value::String(text)) => Figure::written(text),
            Some(serde_json::Value::Bool(flag)) => Figure(f64::from(u8::from(*flag))),
            _ => Figure::default(),
        }
    }

    fn written(text: &str) -> Figure {
        text.trim().parse().ok().filter(|value: &f64| value.is_finite()).map(Figure).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar).map(|scalar| match scalar {
            Value::Number(number) => Figure(number),
            Value::Text(text) => Figure::written(&text),
            Value::Nothing => Figure::default(),
        })
    }
}

enum Value<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    Nothing,
}

struct Scalar;

#[expect(clippy::cast_precision_loss, reason = "figures of Proxmox are far below 2^53")]
impl<'de> Visitor<'de> for Scalar {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Value::Number(f64::from(u8::from(flag))))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_as_numbers_or_text() {
        let json = r#"[
            {"type":"qemu","vmid":"101","name":42,"cpu":"0.5","maxmem":268435456,"template":"0","lock":null},
            {"type":"node","node":"pve\u0031","mem":"much","extra":{"a":[1]},"status":[1]}
        ]"#;
        let rows: Vec<Resource<'_>> = serde_json::from_str(json).unwrap();
        assert_eq!(rows[0].guest_id(), Vmid::new(101));
        assert_eq!(&*rows[0].name, "42");
        assert_eq!(rows[0].cpu.value(), Some(0.5));
        assert_eq!(rows[0].maxmem.whole(), Some(268_435_456));
        assert!(!rows[0].is_template() && rows[0].is_guest());
        assert_eq!(&*rows[1].node, "pve1");
        assert_eq!((rows[1].mem.value(), &*rows[1].status), (None, ""));
    }

    #[test]
    fn odd_figures_are_no_whole_numbers() {
        for odd in ["-1", "1.5", "1e300", "\"NaN\"", "\"inf\"", "null"] {
            let figure: Figure = serde_json::from_str(odd).unwrap();
            assert_eq!(figure.whole(), None, "{odd}");
        }
    }
}

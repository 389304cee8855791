//! The storage of a new guest's disk.

use serde_json::Value;

use super::{NAMED, Notes, Wanted};
use crate::error::Error;
use crate::foreign;
use crate::pve::ids::{NodeName, StorageId};
use crate::pve::resources::Figure;
use crate::text;

/// The storage that is taken where none is named, if it is there.
const USUAL: &str = "local-lvm";

/// A row of `GET /nodes/{node}/storage`.
struct Room<'a> {
    name: &'a str,
    takes: bool,
    active: bool,
    avail: Option<f64>,
    kind: &'a str,
}

/// The storage that was named, or one that takes the disk; `list` is that of `GET /nodes/{node}/storage`.
pub(super) fn choose(list: &Value, wanted: &Wanted<'_>, notes: &mut Notes) -> Result<StorageId, Error> {
    let rooms: Vec<Room<'_>> =
        list.as_array().into_iter().flatten().filter_map(|row| Room::read(row, wanted.content)).collect();
    let fitting = || rooms.iter().filter(|room| room.takes && room.active);
    let room = match wanted.storage {
        Some(name) => named(&rooms, name, wanted.content, &notes.node)?,
        None => {
            let usual = fitting().find(|room| room.name == USUAL);
            let roomiest = fitting().max_by(|a, b| a.avail.unwrap_or(0.0).total_cmp(&b.avail.unwrap_or(0.0)));
            let room = usual.or(roomiest).ok_or_else(|| {
                Error::Failed(format!(
                    "Node `{}` has no storage that takes disks of this kind of guest (content `{}`), as far as the API \
                     token may see.",
                    notes.node, wanted.content
                ))
            })?;
            let free =
                room.avail.map_or(text::UNKNOWN.to_owned(), |bytes| format!("{} free", text::bytes(bytes)));
            notes.choices.push(("Storage chosen", format!("{}, {free}", foreign::name(room.name))));
            room
        }
    };
    let odd = || Error::Unreachable("Proxmox VE gave a storage a name that cannot be one.".to_owned());
    let storage = StorageId::parse(room.name).ok_or_else(odd)?;
    #[expect(clippy::cast_precision_loss, reason = "a limit, not a sum")]
    if let Some(avail) = room.avail.filter(|avail| *avail < wanted.size.bytes() as f64) {
        let words = format!("Storage `{}` has {} of free space only", storage, text::bytes(avail));
        // The others give out space as it is written.
        if room.kind == "lvm" {
            return Err(Error::Failed(format!("{words}, and the disk takes {}.", wanted.size)));
        }
        notes.warnings.push(format!("{words}; the disk may grow to {}.", wanted.size));
    }
    Ok(storage)
}

impl<'a> Room<'a> {
    fn read(row: &'a Value, content: &str) -> Option<Room<'a>> {
        let text = |key: &str| row.get(key).and_then(Value::as_str);
        let flag = |key: &str| row.get(key).is_none_or(|value| Figure::of(Some(value)).flag());
        Some(Room {
            name: text("storage")?,
            takes: text("content").unwrap_or_default().split(',').any(|kind| kind == content),
            active: flag("active") && flag("enabled"),
            avail: Figure::of(row.get("avail")).value(),
            kind: text("type").unwrap_or_default(),
        })
    }
}

fn named<'a, 'r>(
    rooms: &'r [Room<'a>],
    name: &StorageId,
    content: &str,
    node: &NodeName,
) -> Result<&'r Room<'a>, Error> {
    let fitting: Vec<String> = rooms
        .iter()
        .filter(|room| room.takes && room.active)
        .take(NAMED)
        .map(|room| format!("`{}`", foreign::name(room.name)))
        .collect();
    let fitting = match fitting.as_slice() {
        [] => "No storage there would do.".to_owned(),
        names => format!("These there would do: {}.", names.join(", ")),
    };
    match rooms.iter().find(|room| room.name == name.as_str()) {
        None => Err(Error::NotFound(format!("There is no storage `{name}` on node `{node}`. {fitting}"))),
        Some(room) if !room.takes => Err(Error::Arguments(format!(
            "Storage `{name}` takes no disks of this kind of guest (its content lacks `{content}`). {fitting}"
        ))),
        Some(room) if !room.active => {
            Err(Error::Failed(format!("Storage `{name}` is not active on node `{node}` now. {fitting}")))
        }
        Some(room) => Ok(room),
    }
}

//! The threat: a property string (`local:32,media=cdrom`) that the gate takes apart in one way and the
//! server in another. There is one reading here: parts between commas, each name once, nothing empty,
//! no white space around them; whatever else there is, is refused.

use crate::value::quote;

/// A property string taken apart.
#[derive(Debug)]
pub(crate) struct Properties<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Properties<'a> {
    /// Takes `text` apart; a part without `=` is the value of `default`.
    pub(crate) fn parse(text: &'a str, default: &'static str) -> Result<Self, String> {
        let mut parts: Vec<(&str, &str)> = Vec::new();
        for part in text.split(',') {
            let (name, value) = part.split_once('=').unwrap_or((default, part));
            let sound = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if name.is_empty() || !name.chars().all(sound) {
                return Err(format!("{} is not the name of a property", quote(name)));
            }
            if value.is_empty() || value.trim() != value || value.contains(char::is_control) {
                return Err(format!("the property {name} has an empty or an odd value"));
            }
            if parts.iter().any(|(known, _)| *known == name) {
                return Err(format!("the property {name} is given twice"));
            }
            parts.push((name, value));
        }
        Ok(Properties(parts))
    }

    /// The value of a property.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The value of a property that has two names.
    pub(crate) fn either(&self, name: &str, alias: &str) -> Result<Option<&'a str>, String> {
        match (self.get(name), self.get(alias)) {
            (Some(_), Some(_)) => Err(format!("{name} and {alias} are the same property")),
            (one, other) => Ok(one.or(other)),
        }
    }

    /// The names that are given.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|(name, _)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reading() {
        let drive = Properties::parse("local:iso/a.iso,media=cdrom,serial=a=b", "file").unwrap();
        assert_eq!(drive.get("file"), Some("local:iso/a.iso"));
        assert_eq!(drive.get("media"), Some("cdrom"));
        assert_eq!(drive.get("serial"), Some("a=b"));
        assert_eq!(drive.either("file", "volume"), Ok(Some("local:iso/a.iso")));
        assert_eq!(drive.names().count(), 3);
    }

    #[test]
    fn other_readings_are_refused() {
        for text in [
            "",
            ",",
            "a,",
            ",a",
            "a,,media=cdrom",
            "a,b",
            "a,file=b",
            "a, media=cdrom",
            "a,media=cdrom ",
            "a,media =cdrom",
            "a,=cdrom",
            "a,media=",
            "a,media=cdrom,media=disk",
            "a\n,media=cdrom",
            "a,media=cd\0rom",
        ] {
            assert!(Properties::parse(text, "file").is_err(), "{text:?}");
        }
        assert!(Properties::parse("file=a,volume=b", "file").unwrap().either("file", "volume").is_err());
    }
}

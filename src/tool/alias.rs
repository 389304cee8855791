//! Names that a tool had in older servers, with the parameters that it took there.

use serde_json::Value;

use super::Args;
use crate::error::Error;

/// Another name of a tool. It is not listed, and works.
#[derive(Debug, Clone, Copy)]
pub struct Alias {
    /// The name.
    pub name: &'static str,
    /// Parameters that are called otherwise there: their name, and ours.
    pub renamed: &'static [(&'static str, &'static str)],
    /// Arguments of ours that the name stands for: our name, and the value as JSON.
    pub fixed: &'static [(&'static str, &'static str)],
}

impl Alias {
    /// The same tool under another name.
    pub const fn of(name: &'static str) -> Alias {
        Alias { name, renamed: &[], fixed: &[] }
    }

    /// With parameters that are called otherwise there: (their name, ours).
    pub const fn renamed(self, renamed: &'static [(&'static str, &'static str)]) -> Alias {
        Alias { renamed, ..self }
    }

    /// With arguments that the name stands for: (our name, value as JSON).
    pub const fn fixed(self, fixed: &'static [(&'static str, &'static str)]) -> Alias {
        Alias { fixed, ..self }
    }

    /// Arguments as the tool takes them, made of those that came with this name.
    ///
    /// # Errors
    /// [`Error::Arguments`] where an argument is given under both of its names, or contradicts the name.
    pub fn understand(&self, mut args: Args) -> Result<Args, Error> {
        for (theirs, ours) in self.renamed {
            if let Some(value) = args.take(theirs)
                && args.put(ours, value).is_some()
            {
                return Err(Error::Arguments(format!(
                    "`{theirs}` and `{ours}` are the same; give one of them."
                )));
            }
        }
        for (ours, value) in self.fixed {
            let value: Value = serde_json::from_str(value)
                .map_err(|error| Error::Defect(format!("{}: {error}", self.name)))?;
            if args.put(ours, value.clone()).is_some_and(|given| given != value) {
                return Err(Error::Arguments(format!(
                    "`{}` stands for `{ours}` = {value}; leave `{ours}` out.",
                    self.name
                )));
            }
        }
        Ok(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALIAS: Alias =
        Alias::of("proxmox_stop_lxc").renamed(&[("id", "vmid")]).fixed(&[("action", "\"stop\"")]);

    #[test]
    fn an_older_name_becomes_todays_arguments() {
        let args = ALIAS.understand(Args::parse(r#"{"id":101}"#).unwrap()).unwrap();
        assert_eq!(args.to_string(), r#"{"vmid":101,"action":"stop"}"#);
    }

    #[test]
    fn a_contradiction_is_said() {
        for (text, expected) in
            [(r#"{"id":1,"vmid":2}"#, "the same"), (r#"{"action":"start"}"#, "leave `action` out")]
        {
            let error = ALIAS.understand(Args::parse(text).unwrap()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

//! The threat: a path that the gate reads in one way and the server in another. Proxmox decodes
//! percent-encoding before it looks up the method, so the gate matches the decoded segments too, and
//! refuses every path of which the two readings could differ.

use crate::{denied::Denied, value};
use percent_encoding::percent_decode_str;
use proxmox_api::{API_DOC, Method, Verb, methods};
use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

/// What every path begins with. Other formatters of the server than JSON are not used.
pub(crate) const PREFIX: &str = "/api2/json/";

/// The method that a path means, and the values in the path.
#[derive(Debug)]
pub(crate) struct Route<'a> {
    pub(crate) method: &'static Method,
    /// Name and decoded value of each parameter in the path, in order.
    pub(crate) values: Vec<(&'static str, Cow<'a, str>)>,
}

/// A template taken apart. No path fits two templates of the same verb (a test holds the table to that).
struct Template {
    method: &'static Method,
    segments: Vec<Part>,
}

#[derive(Clone, Copy)]
enum Part {
    Fixed(&'static str),
    Value(&'static str),
}

static TEMPLATES: LazyLock<HashMap<(Verb, usize), Vec<Template>>> = LazyLock::new(|| {
    let mut index: HashMap<_, Vec<Template>> = HashMap::new();
    for method in methods::ALL {
        let segments: Vec<Part> = method.path.split('/').skip(1).map(part).collect();
        index.entry((method.verb, segments.len())).or_default().push(Template { method, segments });
    }
    index
});

fn part(segment: &'static str) -> Part {
    match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(name) => Part::Value(name),
        None => Part::Fixed(segment),
    }
}

/// Finds the method of a path, the query cut off.
pub(crate) fn find<'a>(verb: Verb, path: &'a str) -> Result<Route<'a>, Denied> {
    if verb == API_DOC.verb && path == API_DOC.path {
        return Ok(Route { method: &API_DOC, values: Vec::new() });
    }
    let Some(below) = path.strip_prefix(PREFIX) else {
        return Err(Denied::malformed(format!("the path begins with {PREFIX}")));
    };
    let segments = below.split('/').map(Segment::read).collect::<Result<Vec<_>, _>>()?;
    let mut templates = TEMPLATES.get(&(verb, segments.len())).into_iter().flatten();
    let Some(template) = templates.find(|template| template.fits(&segments)) else {
        return Err(Denied::UnknownMethod { verb: verb.to_string(), path: format!("/{below}") });
    };
    template.read(segments)
}

impl Template {
    fn fits(&self, segments: &[Segment<'_>]) -> bool {
        self.segments.iter().zip(segments).all(|(part, segment)| match part {
            Part::Fixed(text) => segment.text == *text,
            Part::Value(_) => true,
        })
    }

    fn read<'a>(&self, segments: Vec<Segment<'a>>) -> Result<Route<'a>, Denied> {
        let mut values = Vec::new();
        for (part, segment) in self.segments.iter().zip(segments) {
            match part {
                Part::Fixed(text) if segment.encoded => {
                    return Err(Denied::malformed(format!("{text:?} in the path is percent-encoded")));
                }
                Part::Fixed(_) => {}
                Part::Value(name) => {
                    segment.check(takes_slash(self.method, name))?;
                    values.push((*name, segment.text));
                }
            }
        }
        Ok(Route { method: self.method, values })
    }
}

/// Whether the value of this path parameter may hold a slash (percent-encoded): the name of a volume
/// in the content of a storage, and nothing else. No template goes on below it.
pub(crate) fn takes_slash(method: &Method, name: &str) -> bool {
    name == "volume" && method.path == "/nodes/{node}/storage/{storage}/content/{volume}"
}

/// One segment of a path.
struct Segment<'a> {
    /// Decoded.
    text: Cow<'a, str>,
    /// Whether any of it was percent-encoded.
    encoded: bool,
}

impl<'a> Segment<'a> {
    fn read(raw: &'a str) -> Result<Self, Denied> {
        let text = decode(raw)?;
        if text.is_empty() {
            return Err(Denied::malformed("the path has an empty segment"));
        }
        if text == "." || text == ".." {
            return Err(Denied::malformed("the path has a dot segment"));
        }
        Ok(Segment { text, encoded: raw.contains('%') })
    }

    /// Checks the characters of a value.
    fn check(&self, slash: bool) -> Result<(), Denied> {
        let sound = if slash { value::is_volume(&self.text) } else { value::is_plain(&self.text) };
        if sound {
            return Ok(());
        }
        let shown = value::quote(&self.text);
        Err(Denied::malformed(format!(
            "the segment {shown} of the path has a character that cannot stand there"
        )))
    }
}

/// Undoes percent-encoding, once and strictly: two hexadecimal digits follow each `%`, and the result
/// is UTF-8 without NUL.
pub(crate) fn decode(raw: &str) -> Result<Cow<'_, str>, Denied> {
    let bad = || Denied::malformed(format!("bad percent-encoding in {}", value::quote(raw)));
    for rest in raw.split('%').skip(1) {
        if !matches!(rest.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()) {
            return Err(bad());
        }
    }
    let text = percent_decode_str(raw).decode_utf8().map_err(|_| bad())?;
    if text.contains('\0') {
        return Err(Denied::malformed("a NUL character"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_fits_two_templates() {
        let overlap = |a: &Part, b: &Part| match (a, b) {
            (Part::Fixed(a), Part::Fixed(b)) => a == b,
            _ => true,
        };
        for templates in TEMPLATES.values() {
            for (i, one) in templates.iter().enumerate() {
                for other in &templates[i + 1..] {
                    let both = one.segments.iter().zip(&other.segments).all(|(a, b)| overlap(a, b));
                    assert!(!both, "{} and {}", one.method, other.method);
                }
            }
        }
    }

    #[test]
    fn nothing_goes_on_below_a_segment_that_takes_slashes() {
        let below = |method: &Method| method.path.contains("/content/{volume}/");
        assert!(!methods::ALL.iter().any(|method| below(method)));
    }
}

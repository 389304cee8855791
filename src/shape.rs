//! The shape of a tool's data, as constant data that becomes a JSON Schema.

use serde_json::{Map, Value, json};

/// What one value of an answer looks like.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Text.
    Text,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A whole number that is not negative.
    Count,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A share of a whole, from 0 to 1.
    Fraction,
    /// Yes or no.
    Flag,
    /// Several of the same.
    List(&'static Shape),
    /// Named values.
    Object(&'static [Field]),
    /// Values of any names.
    Open,
}

/// One named value of an object.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name; figures end in their unit (`memory_used_bytes`).
    pub name: &'static str,
    /// What it looks like.
    pub shape: Shape,
    /// Whether it is always there. A figure that is not known is left out; it is never `null`.
    pub always: bool,
    /// What its name does not say; empty for nothing.
    pub about: &'static str,
}

/// A value that is always there.
pub const fn always(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, always: true, about: "" }
}

/// A value that is left out where it is not known.
pub const fn known(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, always: false, about: "" }
}

impl Field {
    /// The same field with a sentence on its meaning.
    pub const fn about(mut self, about: &'static str) -> Field {
        self.about = about;
        self
    }
}

impl Shape {
    /// The JSON Schema of this shape.
    pub fn schema(&self) -> Value {
        match self {
            Shape::Text => json!({"type": "string"}),
            Shape::Words(words) => json!({"type": "string", "enum": words}),
            Shape::Count => json!({"type": "integer", "minimum": 0}),
            Shape::Integer => json!({"type": "integer"}),
            Shape::Number => json!({"type": "number"}),
            Shape::Fraction => json!({"type": "number", "minimum": 0, "maximum": 1}),
            Shape::Flag => json!({"type": "boolean"}),
            Shape::List(item) => json!({"type": "array", "items": item.schema()}),
            Shape::Object(fields) => object(fields),
            Shape::Open => json!({"type": "object"}),
        }
    }
}

fn object(fields: &[Field]) -> Value {
    let mut properties = Map::new();
    for field in fields {
        let mut schema = field.shape.schema();
        if let (Some(schema), false) = (schema.as_object_mut(), field.about.is_empty()) {
            schema.insert("description".to_owned(), field.about.into());
        }
        properties.insert(field.name.to_owned(), schema);
    }
    let required: Vec<&str> = fields.iter().filter(|field| field.always).map(|field| field.name).collect();
    json!({"type": "object", "properties": properties, "required": required})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_becomes_a_schema_in_the_order_of_its_fields() {
        const ROW: Shape = Shape::Object(&[always("name", Shape::Text), known("cpu", Shape::Fraction)]);
        const SHAPE: Shape = Shape::Object(&[
            known("zeta", Shape::Count).about("of all"),
            always("rows", Shape::List(&ROW)),
            always("state", Shape::Words(&["on", "off"])),
        ]);
        assert_eq!(
            SHAPE.schema().to_string(),
            concat!(
                r#"{"type":"object","properties":{"zeta":{"type":"integer","minimum":0,"description":"of all"},"#,
                r#""rows":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"#,
                r#""cpu":{"type":"number","minimum":0,"maximum":1}},"required":["name"]}},"#,
                r#""state":{"type":"string","enum":["on","off"]}},"required":["rows","state"]}"#
            )
        );
    }
}

use serde_json::json;

use super::*;
use crate::testing::{Script, finish};

#[test]
fn the_id_is_read_as_number_and_as_text() {
    for data in [json!("112"), json!(112)] {
        let output = finish(&TOOL, &Script::new().data("GET /cluster/nextid", data), json!({})).unwrap();
        assert_eq!(output.text, "🆔 Next free ID: 112");
        assert_eq!(output.data, json!({"vmid": 112}));
    }
    for data in [json!(null), json!("abc"), json!({}), json!(-1)] {
        let answer = finish(&TOOL, &Script::new().data("GET /cluster/nextid", data), json!({}));
        assert!(matches!(answer, Err(Error::Failed(_))));
    }
}

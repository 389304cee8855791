//! The cluster's log (`GET /cluster/log`): logins, changes of configurations, tasks.

use serde_json::Value;

use crate::pve::resources::Figure;

/// A line of it. Foreign text is as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When: seconds since 1970.
    pub time: u64,
    /// The node that wrote it.
    pub node: String,
    /// Who it is about.
    pub user: String,
    /// What it says.
    pub text: String,
}

/// The lines of an answer.
pub fn lines(answer: &Value) -> Vec<Line> {
    let text = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let line = |row: &Value| {
        let time = Figure::of(row.get("time")).whole()?;
        Some(Line { time, node: text(row, "node"), user: text(row, "user"), text: text(row, "msg") })
    };
    answer.as_array().into_iter().flatten().filter_map(line).collect()
}

impl Line {
    /// Whether it only says that a task began or ended, which the lists of tasks say better.
    pub fn is_about_a_task(&self) -> bool {
        self.text.starts_with("starting task UPID:") || self.text.starts_with("end task UPID:")
    }

    /// Whether it names this number, such as a guest's id, as a word.
    pub fn names(&self, number: u32) -> bool {
        let number = number.to_string();
        self.text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == number)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_are_read_and_tasks_told_apart() {
        let found = lines(&json!([
            {"time": 5, "node": "pve1", "user": "root@pam", "msg": "update VM 101: -cores 2"},
            {"time": "6", "node": "pve1", "user": "root@pam", "msg": "starting task UPID:pve1:1:2:3:qmstart:101:root@pam:"},
            {"time": 7, "msg": "end task UPID:x OK"}, {"msg": "no time"},
        ]));
        let tasks: Vec<bool> = found.iter().map(Line::is_about_a_task).collect();
        assert_eq!(tasks, [false, true, true]);
        assert!(found[0].names(101) && !found[0].names(10) && !found[0].names(102));
    }
}

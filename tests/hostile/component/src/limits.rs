//! Taking more than there is: time, memory, stack, handles. And ends that are none.

use std::hint::black_box;

use serde_json::{Value, json};

use crate::guest::wasi::clocks::monotonic_clock;
use crate::guest::wasi::http::types::{Fields, OutgoingRequest};
use crate::guest::wasi::random::random;
use crate::guest::{Failure, Outcome};

/// Takes `count` of something and keeps all of it; the report says how many there were in the end.
pub(crate) fn exhaust(spec: &Value) -> Value {
    let count = spec["count"].as_u64().unwrap_or(u64::MAX);
    let held = match spec["what"].as_str().unwrap_or_default() {
        "fields" => hold(count, || Some(Fields::new())),
        "large fields" => hold(count, || Fields::from_list(&[("x".to_owned(), vec![b'x'; 100_000])]).ok()),
        "small fields" => hold(count, || Fields::from_list(&[("x".to_owned(), vec![b'x'; 4_000])]).ok()),
        "pollables" => hold(count, || Some(monotonic_clock::subscribe_duration(u64::MAX))),
        "requests" => hold(count, || Some(OutgoingRequest::new(Fields::new()))),
        "bodies" => hold(count, || {
            let request = OutgoingRequest::new(Fields::new());
            request.body().ok().map(|body| (request, body))
        }),
        "memory" => hold(count, || Some(vec![1_u8; 1 << 20])),
        "random" => hold(count, || Some(random::get_random_bytes(1 << 30).len())),
        _ => return json!({"no_such_thing": spec["what"]}),
    };
    json!({"held": held})
}

fn hold<T>(count: u64, mut take: impl FnMut() -> Option<T>) -> usize {
    let mut held = Vec::new();
    for _ in 0..count {
        match take() {
            Some(one) => held.push(black_box(one)),
            None => break,
        }
    }
    held.len()
}

/// Does not return, or not as a function should.
pub(crate) fn end(how: &str) -> Result<Outcome, Failure> {
    match how {
        "spin" => spin(),
        "busy with calls" => loop {
            black_box(Fields::new());
        },
        "sleep" => loop {
            monotonic_clock::subscribe_duration(u64::MAX / 2).block();
        },
        "recurse" => drop(black_box(deep(1))),
        #[expect(clippy::panic, reason = "the attack")]
        "panic" => panic!("\u{1b}[31mthe component panics on purpose\n{{\"jsonrpc\":\"2.0\"}}"),
        "exit" => std::process::exit(0),
        "exit with an error" => std::process::exit(1),
        _ => std::process::abort(),
    }
    std::process::abort()
}

fn spin() {
    let mut turns = 0_u64;
    while black_box(turns) < u64::MAX {
        turns = black_box(turns).wrapping_add(2) | 1;
        turns &= !(1 << 63);
    }
}

#[expect(unconditional_recursion, reason = "the attack")]
fn deep(depth: u64) -> u64 {
    let room = black_box([depth; 32]);
    deep(depth.wrapping_add(1)).wrapping_add(room.iter().sum::<u64>())
}

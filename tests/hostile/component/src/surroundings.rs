//! What lies around an instance: files, sockets, names, environment, standard streams.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::guest::wasi::filesystem::preopens;
use crate::guest::wasi::sockets::instance_network::instance_network;
use crate::guest::wasi::sockets::ip_name_lookup::resolve_addresses;
use crate::guest::wasi::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use crate::guest::wasi::sockets::tcp_create_socket::create_tcp_socket;
use crate::guest::wasi::sockets::udp::OutgoingDatagram;
use crate::guest::wasi::sockets::udp_create_socket::create_udp_socket;

fn outcome<T>(result: std::io::Result<T>) -> Value {
    result.map_or_else(|error| json!({"error": error.to_string()}), |_| json!("reached"))
}

/// Reads, lists, writes and links each of the paths.
pub(crate) fn files(paths: &Value) -> Value {
    let paths = paths.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut tried = Vec::new();
    for path in paths.iter().filter_map(Value::as_str) {
        tried.push(outcome(std::fs::read(path)));
        tried.push(outcome(std::fs::read_dir(path)));
        tried.push(outcome(std::fs::metadata(path)));
        tried.push(outcome(std::fs::write(path, "x")));
        tried.push(outcome(std::fs::hard_link(path, "linked")));
        tried.push(outcome(std::fs::remove_file(path)));
    }
    json!({"preopened": preopens::get_directories().len(), "tried": tried})
}

/// Counts a mark in all of the memory that there is, after writing it down many times if it is to be left.
pub(crate) fn marks(leave: bool) -> Value {
    // Put together here, so that it stands in memory only where it was left.
    let mark = std::hint::black_box(u64::from_le_bytes(*b"left-for")).rotate_left(13);
    if leave {
        std::mem::forget(std::hint::black_box(vec![mark; 64 << 10]));
    }
    let words = core::arch::wasm32::memory_size(0) * (64 << 10) / size_of::<u64>();
    // SAFETY: these are the words of this instance's own memory, to its end.
    #[expect(unsafe_code, reason = "the attack")]
    let word = |number: usize| unsafe { std::ptr::read_volatile((number * size_of::<u64>()) as *const u64) };
    json!({"found": (1..words).filter(|number| word(*number) == mark).count()})
}

/// Connects, listens, sends and resolves.
pub(crate) fn sockets(address: &str) -> Value {
    #[expect(clippy::disallowed_methods, reason = "the attack")]
    let connected = TcpStream::connect(address);
    let sent = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.send_to(b"x", address));
    let names: Vec<Value> =
        ["localhost", "pve.internal", "example.com"].iter().map(|name| resolve(name)).collect();
    json!({"tried": [
        outcome(connected),
        outcome(TcpListener::bind("127.0.0.1:0")),
        outcome(TcpListener::bind("[::1]:0")),
        outcome(sent),
        outcome(("localhost", 80).to_socket_addrs()),
    ], "raw": raw(address), "names": names})
}

/// The same without the standard library, whose own checks are no guard.
fn raw(address: &str) -> Vec<Value> {
    let Ok(SocketAddr::V4(address)) = address.parse() else { return Vec::new() };
    let [a, b, c, d] = address.ip().octets();
    let at = |port| IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) });
    let tried = [connect(at(address.port())), listen(at(0)), send(at(0), at(address.port()))];
    tried
        .map(|result| {
            result.map_or_else(|error| json!({"error": format!("{error:?}")}), |()| json!("reached"))
        })
        .to_vec()
}

fn connect(remote: IpSocketAddress) -> Result<(), ErrorCode> {
    let socket = create_tcp_socket(IpAddressFamily::Ipv4)?;
    socket.start_connect(&instance_network(), remote)?;
    socket.subscribe().block();
    socket.finish_connect().map(drop)
}

fn listen(local: IpSocketAddress) -> Result<(), ErrorCode> {
    let socket = create_tcp_socket(IpAddressFamily::Ipv4)?;
    socket.start_bind(&instance_network(), local)?;
    socket.subscribe().block();
    socket.finish_bind()?;
    socket.start_listen()?;
    socket.subscribe().block();
    socket.finish_listen()
}

fn send(local: IpSocketAddress, remote: IpSocketAddress) -> Result<(), ErrorCode> {
    let socket = create_udp_socket(IpAddressFamily::Ipv4)?;
    socket.start_bind(&instance_network(), local)?;
    socket.subscribe().block();
    socket.finish_bind()?;
    let (_, outgoing) = socket.stream(None)?;
    outgoing.subscribe().block();
    outgoing.check_send()?;
    outgoing.send(&[OutgoingDatagram { data: b"x".to_vec(), remote_address: Some(remote) }]).map(drop)
}

fn resolve(name: &str) -> Value {
    match resolve_addresses(&instance_network(), name) {
        Err(error) => json!({"error": format!("{error:?}")}),
        Ok(stream) => {
            stream.subscribe().block();
            stream.resolve_next_address().map_or_else(
                |error| json!({"error": format!("{error:?}")}),
                |address| json!(format!("{address:?}")),
            )
        }
    }
}

/// Everything that the process around may have handed in.
pub(crate) fn environment() -> Value {
    let mut input = Vec::new();
    // An error reads nothing, as an end does.
    let _ = std::io::stdin().read_to_end(&mut input);
    json!({
        "variables": std::env::vars_os().count(),
        "arguments": std::env::args_os().count(),
        "input": input.len(),
        "folder": std::env::current_dir().ok().filter(|folder| folder.as_os_str() != "/"),
        "seconds": SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()),
    })
}

/// Fills standard output and standard error.
pub(crate) fn print(bytes: u64) -> Value {
    let line = [b"HOSTILE-OUTPUT ".repeat(68), b"\n".to_vec()].concat();
    let mut wrote = 0;
    while wrote < bytes {
        let taken = std::io::stdout().write_all(&line).and_then(|()| std::io::stderr().write_all(&line));
        if taken.is_err() {
            break;
        }
        wrote += 2 * line.len() as u64;
    }
    json!({"wrote": wrote})
}

//! How long reading takes: `cargo run --profile quick -p tollgate-wire --example speed`.

#![allow(clippy::print_stdout, reason = "this is what it is for")]

use std::hint::black_box;
use std::time::Instant;

use tollgate_wire::{Framing, Limits};

const GET: &[u8] = b"GET /api/v1/items?page=2 HTTP/1.1\r\n\
    Host: api.example.test\r\n\
    User-Agent: curl/8.5.0\r\n\
    Accept: application/json\r\n\
    Accept-Encoding: gzip\r\n\
    X-Request-Id: 5f0c6f1e-8d5e-4b3c\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef\r\n\r\n";

fn main() {
    measure("a GET", GET, 1_000_000);
    let body = vec![b'x'; 16 << 10];
    let length = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 16384\r\n\r\n";
    measure("a POST of 16 KiB", &[length, body.as_slice()].concat(), 1_000_000);
    let chunk = [b"400\r\n", &body[..1024], b"\r\n"].concat();
    let chunked = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    measure("a POST of 16 chunks", &[chunked, chunk.repeat(16).as_slice(), b"0\r\n\r\n"].concat(), 1_000_000);
}

/// Prints the mean time for one message.
fn measure(what: &str, message: &[u8], times: u32) {
    let mut framing = Framing::new(Limits::default());
    let start = Instant::now();
    for _ in 0..times {
        let advance = framing.advance(black_box(message));
        assert_eq!(advance.pass, message.len());
    }
    println!("{what}, {} bytes: {:?}", message.len(), start.elapsed() / times);
}

//! Nobody ever gets an answer that was meant for another, whatever backends and clients do.

use std::rc::Rc;
use std::time::SystemTime;

use tollgate_testkit::{Message, Peer, RawClient, Upstream};

use crate::front::Front;

const CLIENTS: u64 = 8;
const REQUESTS: u64 = 60;

/// How the backend treats a request: the last part of its path.
const MANNERS: [&str; 9] = ["length", "chunks", "empty", "nothing", "last", "gone", "early", "unasked", "dropped"];

#[tokio::test]
#[expect(clippy::print_stdout, reason = "a random test says where it began")]
async fn every_answer_is_the_one_to_its_request() {
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("seed {seed}");
    let upstream = Upstream::start(play);
    let front = Rc::new(Front::before(&upstream).await);
    let clients = tokio::task::LocalSet::new();
    for client in 0..CLIENTS {
        let front = Rc::clone(&front);
        clients.spawn_local(async move { converse(&front, client, Random(seed ^ client)).await });
    }
    clients.await;
    assert!((upstream.connections() as u64) < CLIENTS * REQUESTS, "some connections were kept");
}

async fn converse(front: &Front, client: u64, mut random: Random) {
    let mut connection = front.connect().await;
    for number in 0..REQUESTS {
        let manner = MANNERS[random.below(MANNERS.len() as u64) as usize];
        let id = format!("/{client}-{number}/{manner}");
        let (answer, has_body) = ask(&mut connection, &id, &mut random).await;
        match answer.status() {
            200 | 204 => assert_eq!(answer.header("x-id"), Some(id.as_str())),
            // What has a body may meet a kept connection that is just being closed, and is not sent twice.
            502 => assert!(manner == "dropped" || has_body, "{id}"),
            status => panic!("{id}: {status}"),
        }
        if answer.status() == 200 && manner != "empty" {
            assert_eq!(answer.text(), id);
        }
        // The entry point closes where it has not read the body to its end, and says so only sometimes.
        if answer.header("connection").is_some() || answer.status() == 502 || manner == "early" {
            connection = front.connect().await;
        }
    }
}

/// Sends a request in one of several forms. Says whether it had a body.
async fn ask(connection: &mut RawClient, id: &str, random: &mut Random) -> (Message, bool) {
    let body = "x".repeat(random.below(100_000) as usize);
    let request = match random.below(3) {
        0 => format!("GET {id} HTTP/1.1\r\nHost: a\r\n\r\n"),
        1 => format!("POST {id} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        _ => format!(
            "PUT {id} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len().max(1)
        ),
    };
    // An empty chunk would be the end.
    let request = request.replace("\r\n1\r\n\r\n0\r\n", "\r\n1\r\nx\r\n0\r\n");
    let has_body = !request.starts_with("GET");
    (connection.ask(request).await, has_body)
}

fn play(peer: &mut Peer) {
    loop {
        let Some(request) = peer.head() else { return };
        let id = request.target().to_owned();
        let manner = id.rsplit('/').next().unwrap_or_default();
        if manner != "early" && !skip_body(peer, &request) {
            return;
        }
        let length = id.len();
        match manner {
            "chunks" => peer.send(format!(
                "HTTP/1.1 200 OK\r\nX-Id: {id}\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{id}\r\n0\r\n\r\n"
            )),
            "empty" => peer.send(format!("HTTP/1.1 200 OK\r\nX-Id: {id}\r\nContent-Length: 0\r\n\r\n")),
            "nothing" => peer.send(format!("HTTP/1.1 204 No Content\r\nX-Id: {id}\r\n\r\n")),
            "last" => {
                peer.send(format!("HTTP/1.1 200 OK\r\nX-Id: {id}\r\nConnection: close\r\n\r\n{id}"));
                return;
            }
            "dropped" => return,
            // In one breath: what comes later than the next request cannot be told from its answer, by anybody.
            "unasked" => peer.send(format!(
                "HTTP/1.1 200 OK\r\nX-Id: {id}\r\nContent-Length: {length}\r\n\r\n{id}\
                 HTTP/1.1 200 OK\r\nX-Id: poison\r\nContent-Length: 6\r\n\r\npoison"
            )),
            _ => peer.send(format!("HTTP/1.1 200 OK\r\nX-Id: {id}\r\nContent-Length: {length}\r\n\r\n{id}")),
        }
        match manner {
            "gone" => return,
            "early" if !skip_body(peer, &request) => return,
            _ => {}
        }
    }
}

fn skip_body(peer: &mut Peer, request: &Message) -> bool {
    if let Some(length) = request.header("content-length") {
        let length = length.parse().unwrap();
        return peer.body(length).len() == length;
    }
    if request.header("transfer-encoding").is_none() {
        return true;
    }
    // Chunks, of whatever size they were made on the way.
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            match peer.body(1).first() {
                Some(byte) => line.push(*byte),
                None => return false,
            }
        }
        let size = usize::from_str_radix(String::from_utf8(line).unwrap().trim_end(), 16).unwrap();
        if peer.body(size + 2).len() < size + 2 {
            return false;
        }
        if size == 0 {
            return true;
        }
    }
}

/// A linear congruence: the seed is all there is to know.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

//! A backend that answers with what it was sent, as `traefik/whoami` does: something to point a first route at.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Answers every request on `listener` until `shutdown`, and then waits a second for the answers on their way.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(listener: std::net::TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let stop = watch::Sender::new(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(answer_all(stream, peer, stop.subscribe()));
                }
                // No file descriptors left, or the client is already gone: the next one may fare better.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    stop.send_replace(true);
    let _ =
        tokio::time::timeout(Duration::from_secs(1), async { while connections.join_next().await.is_some() {} }).await;
    Ok(())
}

async fn answer_all(stream: TcpStream, peer: SocketAddr, mut stop: watch::Receiver<bool>) {
    let local = stream.local_addr().map(|local| local.ip()).ok();
    // The page leaves at once or never: nothing depends on whether this succeeds.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| async move { Ok::<_, Infallible>(answer(&request, peer, local)) });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(60))
            .title_case_headers(true)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        // What breaks here breaks for the client too, who will say so.
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

fn answer(request: &Request<Incoming>, peer: SocketAddr, local: Option<IpAddr>) -> Response<Full<Bytes>> {
    let mut addresses: Vec<IpAddr> = local.into_iter().chain(outgoing_address()).collect();
    addresses.dedup();
    let page = page(&hostname(), &addresses, peer, request);
    let mut response = Response::new(Full::from(page));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn page<B>(hostname: &str, addresses: &[IpAddr], peer: SocketAddr, request: &Request<B>) -> String {
    let mut page = format!("Hostname: {hostname}\n");
    // Writing into a string cannot fail.
    for address in addresses {
        let _ = writeln!(page, "IP: {address}");
    }
    let _ = writeln!(page, "RemoteAddr: {peer}");
    let version = if request.version() == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
    let _ = write!(page, "{} {} {version}\r\n", request.method(), request.uri());
    for (name, value) in sorted(request.headers()) {
        let _ = write!(page, "{name}: {value}\r\n");
    }
    page.push_str("\r\n");
    page
}

/// The fields in the order of Go's `Request.Write`: `Host` and `User-Agent` first, the others by name.
fn sorted(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| (canonical(name.as_str()), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    fields.sort_by_key(|(name, _)| (name != "Host", name != "User-Agent", name.clone()));
    fields
}

/// A field name as Go writes it: upper case at the start and after each hyphen.
fn canonical(name: &str) -> String {
    let mut starts = true;
    name.chars()
        .map(|c| {
            let c = if starts { c.to_ascii_uppercase() } else { c };
            starts = c == '-';
            c
        })
        .collect()
}

fn hostname() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = kernel.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    name.trim().to_owned()
}

/// The address that the rest of the world sees us by. The socket sends nothing: connecting it only asks the kernel for
/// a route (to an address that RFC 5737 reserves for examples).
fn outgoing_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tollgate_testkit::RawClient;

    use super::*;

    #[test]
    fn the_page_is_in_gos_order() {
        let request = Request::get("/x?y")
            .header("accept", "*/*")
            .header("x-forwarded-for", "1.2.3.4")
            .header("user-agent", "curl")
            .header("host", "a.test")
            .header("accept-encoding", "gzip")
            .body(())
            .unwrap();
        let page = page("box", &["10.0.0.7".parse().unwrap()], "127.0.0.1:5".parse().unwrap(), &request);
        let expected = "Hostname: box\nIP: 10.0.0.7\nRemoteAddr: 127.0.0.1:5\nGET /x?y HTTP/1.1\r\nHost: a.test\r\n\
                        User-Agent: curl\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n";
        assert_eq!(page, expected);
    }

    #[tokio::test]
    async fn it_answers_until_it_is_told_to_stop() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, async {
            let _ = stopped.await;
        }));
        let mut client = RawClient::connect(address).await;
        for _ in 0..2 {
            let answer = client.ask("POST /path HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi").await;
            assert_eq!(answer.status(), 200);
            assert!(answer.text().contains("POST /path HTTP/1.1\r\nHost: a.test\r\n"), "{}", answer.text());
            assert!(answer.text().contains(&format!("RemoteAddr: {}\n", client.local())), "{}", answer.text());
        }
        stop.send(()).unwrap();
        assert_eq!(client.closed().await, b"");
        server.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}

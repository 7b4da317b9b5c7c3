//! `tollgate healthcheck`: asks the running instance, as Traefik's command of that name does.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

use tollgate_config::StaticConfig;

use crate::{report, run};

/// How long the instance may take to connect and to answer, each.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the instance that runs with this static configuration for `/ping`.
pub(crate) fn check(flags: &[String]) -> ExitCode {
    match run::load(flags) {
        Ok((config, _)) => match ask(&config) {
            Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => report::say("OK\n"),
            Ok(answer) => {
                report::complain(&format!("bad healthcheck status: {}", answer.lines().next().unwrap_or_default()))
            }
            Err(problem) => report::complain(&format!("healthcheck failed: {problem}")),
        },
        Err(problems) => report::refuse(&problems),
    }
}

fn ask(config: &StaticConfig) -> Result<String, String> {
    let ping = config.ping.as_ref().ok_or("enable `ping` in the static configuration to use it")?;
    let entry_point = config
        .entry_points
        .get(&ping.entry_point)
        .ok_or_else(|| format!("there is no entry point {:?}", ping.entry_point))?;
    let host = match entry_point.address.host.as_str() {
        "" | "0.0.0.0" | "::" => "localhost",
        host => host,
    };
    let say = |error: std::io::Error| error.to_string();
    let addresses = (host, entry_point.address.port).to_socket_addrs().map_err(say)?;
    let mut last = format!("{host} has no address");
    for address in addresses {
        match get_ping(address) {
            Ok(answer) => return Ok(answer),
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

fn get_ping(address: std::net::SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

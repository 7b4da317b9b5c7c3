//! `tollgate demo`: everything in one process, nothing to install, something to see.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;

use tollgate_config::{Diagnostic, DynamicConfig, Format, StaticConfig, load_dynamic_text};

use crate::instance::{Feed, Instance};
use crate::{report, run};

/// Where the demo listens, if that is free.
const ADDRESS: &str = "127.0.0.1:8000";

/// Serves the example limit before a server that echoes what it gets.
pub(crate) fn demo() -> ExitCode {
    let upstream = match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) {
        Ok(upstream) => upstream,
        Err(error) => return report::complain(&format!("the demo server cannot listen: {error}")),
    };
    let address = match upstream.local_addr() {
        Ok(address) => address,
        Err(error) => return report::complain(&format!("the demo server has no address: {error}")),
    };
    // Ends with the process: it answers at once or not at all.
    std::thread::spawn(move || echo(upstream));
    match configurations(address) {
        Ok((config, dynamic)) => run::serve(&config, &[], Feed::Fixed(Box::new(dynamic)), |instance| {
            let _ = report::say(&welcome(instance));
        }),
        Err(problems) => report::refuse(&problems),
    }
}

fn echo(listener: TcpListener) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served =
        runtime.and_then(|runtime| runtime.block_on(tollgate_service::echo::serve(listener, std::future::pending())));
    if let Err(error) = served {
        report::complain(&format!("the demo server has failed: {error}"));
    }
}

/// The example that the README shows, in memory.
fn configurations(upstream: SocketAddr) -> Result<(StaticConfig, DynamicConfig), Vec<Diagnostic>> {
    let port_is_free = TcpListener::bind(ADDRESS).is_ok();
    let address = if port_is_free { ADDRESS } else { "127.0.0.1:0" };
    let written = format!(
        "entryPoints: {{web: {{address: \"{address}\"}}, traefik: {{address: \"127.0.0.1:0\"}}}}
api: {{insecure: true}}
metrics: {{prometheus: {{addRoutersLabels: true}}}}
log: {{level: WARN}}
accessLog: {{}}
"
    );
    let (config, _) = StaticConfig::load_text(&written, Format::Yaml, "demo")?;
    let (dynamic, _) = load_dynamic_text(&EXAMPLE.replace("UPSTREAM", &upstream.to_string()), Format::Yaml, "demo")?;
    Ok((config, dynamic))
}

const EXAMPLE: &str = "
http:
  middlewares:
    global-rate-limit:
      rateLimit: {average: 100, period: 1m, burst: 20}
  routers:
    api: {rule: \"PathPrefix(`/`)\", service: echo, middlewares: [global-rate-limit]}
  services:
    echo: {loadBalancer: {servers: [{url: \"http://UPSTREAM\"}]}}
";

fn welcome(instance: &Instance) -> String {
    let find = |wanted: &str| {
        instance.addresses().iter().find(|(name, _)| &**name == wanted).map(|(_, address)| address.to_string())
    };
    let (web, admin) = (find("web").unwrap_or_default(), find("traefik").unwrap_or_default());
    format!(
        "\
Tollgate is listening on http://{web}, before a server that echoes every request.
The limit: 100 requests per minute and client, at most 20 at once. Try

  curl http://{web}/
      200, and the request as the server behind the gateway saw it

  for i in $(seq 25); do curl -s -o /dev/null -w '%{{http_code}} ' http://{web}/; done; echo
      about twenty times 200, then 429: the burst is spent

  curl -i http://{web}/
      429 with Retry-After and X-Retry-In; a token comes back every 0.6 seconds

  curl -s http://{admin}/metrics | grep tollgate_limiter
      who was let through, who was refused, and who decided

  curl -s http://{admin}/api/http/middlewares/global-rate-limit@file
      the limit as it is in force; http://{admin}/dashboard/ shows all of it

The lines below are the access log. Ctrl-C ends the demo.

"
    )
}

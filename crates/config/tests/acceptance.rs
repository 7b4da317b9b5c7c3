//! `tests/facts/acceptance.txt`: what becomes of a middleware and of the router that uses it.

mod support;

use tollgate_config::checked::{MiddlewareKind, RateLimit, RedisStore, Scope, Store, Topology, WindowQuota};
use tollgate_config::{Diagnostic, Format, Severity, compile, load_dynamic_text};
use tollgate_limiter::window::Window;
use tollgate_limiter::{Criterion, FailurePolicy};

struct Fact {
    title: String,
    middleware: String,
    outcome: String,
    warnings: Vec<String>,
}

fn facts() -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    for line in include_str!("facts/acceptance.txt").lines() {
        if let Some(title) = line.strip_prefix("= ") {
            let title = title.to_owned();
            facts.push(Fact { title, middleware: String::new(), outcome: String::new(), warnings: Vec::new() });
        } else if let Some(fact) = facts.last_mut() {
            match line.split_at_checked(2) {
                Some(("> ", outcome)) => outcome.clone_into(&mut fact.outcome),
                Some(("~ ", warning)) => fact.warnings.push(warning.to_owned()),
                Some(("# ", _)) | None => {}
                Some(_) => fact.middleware.extend(["      ", line, "\n"]),
            }
        }
    }
    facts
}

#[test]
fn every_fact_holds() {
    let facts = facts();
    assert!(facts.len() > 100, "only {} facts were read", facts.len());
    let wrong: Vec<_> = facts
        .iter()
        .filter_map(|fact| {
            let why = check(fact).err()?;
            Some(format!("= {}\n{}> {}\n{why}\n", fact.title, fact.middleware, fact.outcome))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} facts do not hold:\n{}", wrong.len(), facts.len(), wrong.concat());
}

fn check(fact: &Fact) -> Result<(), String> {
    let text = format!(
        "http:\n  routers:\n    r: {{rule: Path(`/`), service: s, middlewares: [m]}}\n  services:\n    \
         s: {{loadBalancer: {{servers: [{{url: 'http://a'}}]}}}}\n  middlewares:\n    m:\n{}",
        fact.middleware
    );
    let loaded = load_dynamic_text(&text, Format::Yaml, "f");
    if let Some(expected) = fact.outcome.strip_prefix("file: ") {
        return match loaded {
            Ok(_) => Err("the file was accepted".to_owned()),
            Err(said) => find(&said, Severity::Error, expected),
        };
    }
    let (config, _) = loaded.map_err(|said| format!("the file was refused: {}", said[0]))?;
    let compiled = compile(&support::merged(config), &support::context());
    for warning in &fact.warnings {
        find(&compiled.diagnostics, Severity::Warning, warning)?;
    }
    let router = &compiled.status.routers["r@file"];
    if let Some(expected) = fact.outcome.strip_prefix("router: ") {
        if !compiled.config.routers.is_empty() {
            return Err("the router is enabled".to_owned());
        }
        let told = router.errors.iter().any(|error| error.contains(expected));
        return if told { Ok(()) } else { Err(format!("the router says {:?}", router.errors)) };
    }
    if compiled.config.routers.is_empty() {
        return Err(format!("the router is disabled: {:?}", router.errors));
    }
    let MiddlewareKind::RateLimit(limit) = &compiled.config.middlewares["m@file"].kind else {
        return Err("not a rate limit".to_owned());
    };
    let summary = summary(limit);
    if summary == fact.outcome { Ok(()) } else { Err(format!("it is {summary}")) }
}

fn find(said: &[Diagnostic], severity: Severity, text: &str) -> Result<(), String> {
    let found = said.iter().any(|one| one.severity == severity && one.message.contains(text));
    if found { Ok(()) } else { Err(format!("said was {said:#?}")) }
}

fn summary(limit: &RateLimit) -> String {
    let quota = limit
        .quota
        .map_or_else(|| "unlimited".to_owned(), |q| format!("{}/{:?} burst {}", q.limit(), q.period(), q.burst()));
    let source = match &limit.criterion {
        Criterion::RemoteAddress { ipv6_subnet: None } => "address".to_owned(),
        Criterion::RemoteAddress { ipv6_subnet: Some(bits) } => format!("address/{bits}"),
        Criterion::ForwardedDepth { depth, .. } => format!("forwarded {depth}"),
        Criterion::ForwardedExcluding { .. } => "forwarded excluding".to_owned(),
        Criterion::Header(name) => format!("header {name}"),
        Criterion::Host => "host".to_owned(),
    };
    let store = match &limit.store {
        Store::Memory => "memory".to_owned(),
        Store::Redis(redis) => described(redis),
    };
    let mut summary = format!("{quota} delay {:?} source {source} store {store}", limit.max_delay);
    match limit.failure_policy {
        FailurePolicy::Deny => {}
        policy => summary.extend([" ", policy.as_str()]),
    }
    for (said, words) in [
        (limit.response_headers, " headers"),
        (limit.scope == Scope::Router, " per router"),
        (!limit.leases, " no leases"),
    ] {
        summary.push_str(if said { words } else { "" });
    }
    summary.extend(limit.quotas.iter().map(quota_of));
    summary
}

fn described(redis: &RedisStore) -> String {
    let time = |time: Option<std::time::Duration>| time.map_or("none".to_owned(), |time| format!("{time:?}"));
    let topology = match &redis.topology {
        Topology::Standalone => String::new(),
        Topology::Cluster => " cluster".to_owned(),
        Topology::Sentinel { master_set, .. } => format!(" sentinel {master_set}"),
    };
    format!(
        "{}{topology} db {} dial {} read {} write {}{}{}",
        redis.endpoints.join(","),
        redis.database,
        time(redis.dial_timeout),
        time(redis.read_timeout),
        time(redis.write_timeout),
        if redis.tls.is_some() { " tls" } else { "" },
        if redis.strict { " strict" } else { "" },
    )
}

fn quota_of(quota: &WindowQuota) -> String {
    let window = match quota.quota.window() {
        Window::Calendar(calendar) => format!("{} {}", calendar.unit().as_str(), calendar.time_zone()),
        Window::Sliding(sliding) => format!("any {:?}", sliding.length()),
    };
    format!(", {} in {window} ({})", quota.quota.limit(), quota.name)
}

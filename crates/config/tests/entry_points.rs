//! What routers inherit from entry points.

mod support;

use tollgate_config::checked::InternalService;
use tollgate_config::status::Status;
use tollgate_config::{Compiled, Context, Format, compile, load_dynamic_text};

const TEXT: &str = "
http:
  routers:
    r: {rule: Path(`/`), service: s, middlewares: [own]}
    api: {rule: Path(`/api`), service: api@internal}
  middlewares:
    own: {addPrefix: {prefix: /own}}
    first: {addPrefix: {prefix: /first}}
    second: {addPrefix: {prefix: /second}}
    pair: {chain: {middlewares: [first, second]}}
    depth: {rateLimit: {average: 1, sourceCriterion: {ipStrategy: {depth: 1}}}}
  services: {s: {loadBalancer: {servers: [{url: 'http://a'}]}}}
";

fn compiled(change: impl Fn(&mut Context)) -> Compiled {
    let (config, _) = load_dynamic_text(TEXT, Format::Yaml, "f").expect("the text loads");
    let mut context = support::context();
    change(&mut context);
    compile(&support::merged(config), &context)
}

fn passes(compiled: &Compiled, entry_point: &str) -> Vec<String> {
    let router = compiled.config.routers.iter().find(|router| router.name.as_str() == "r@file");
    let middlewares = router.and_then(|router| router.middlewares.get(entry_point));
    middlewares.into_iter().flatten().map(|one| one.name.to_string()).collect()
}

#[test]
fn middlewares_of_the_entry_point_come_first() {
    let compiled = compiled(|context| context.entry_points[0].middlewares = vec!["pair@file".to_owned()]);
    assert_eq!(passes(&compiled, "web"), ["first@file", "second@file", "own@file"]);
    assert_eq!(passes(&compiled, "other"), ["own@file"]);
}

#[test]
fn a_broken_middleware_of_an_entry_point_takes_the_router_off_it() {
    let compiled = compiled(|context| context.entry_points[0].middlewares = vec!["ghost@file".to_owned()]);
    let router = compiled.config.routers.iter().find(|router| router.name.as_str() == "r@file").unwrap();
    assert_eq!(router.entry_points, ["other"]);
    let status = &compiled.status.routers["r@file"];
    assert_eq!(status.status, Status::Warning);
    assert_eq!(status.errors, ["entry point \"web\": middleware \"ghost@file\" does not exist"]);
}

#[test]
fn a_router_without_a_whole_entry_point_is_disabled() {
    let compiled = compiled(|context| {
        for facts in &mut context.entry_points {
            facts.middlewares = vec!["ghost@file".to_owned()];
        }
    });
    assert!(compiled.config.routers.is_empty());
    assert_eq!(compiled.status.routers["r@file"].status, Status::Disabled);
}

#[test]
fn default_entry_points_are_those_that_say_so() {
    let compiled = compiled(|context| context.entry_points[1].as_default = true);
    assert_eq!(compiled.status.routers["r@file"].using, ["other"]);
}

#[test]
fn without_an_entry_point_nothing_listens() {
    let compiled = compiled(|context| context.entry_points.clear());
    assert!(compiled.status.routers["r@file"].errors.contains(&"no valid entryPoint for this router".to_owned()));
}

#[test]
fn where_somebody_is_trusted_nothing_is_said_about_forwarded_addresses() {
    let surprises = |trusts| {
        let compiled = compiled(|context| {
            for facts in &mut context.entry_points {
                facts.middlewares = vec!["depth".to_owned()];
                facts.trusts_forwarded = trusts;
            }
        });
        compiled.diagnostics.iter().filter(|one| one.code == "untrusted-forwarded-for").count()
    };
    assert_eq!(surprises(true), 0);
    // Once for each of two entry points, not for each router.
    assert_eq!(surprises(false), 2);
}

#[test]
fn internal_services_are_there_when_the_static_configuration_says_so() {
    let refused = compiled(|_| {});
    assert_eq!(refused.status.routers["api@file"].errors, ["api is not enabled"]);
    let enabled = compiled(|context| {
        context.internal_services.insert(InternalService::Api);
    });
    assert_eq!(enabled.status.routers["api@file"].status, Status::Enabled);
    assert!(enabled.config.services.contains_key("api@internal"));
}

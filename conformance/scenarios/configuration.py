"""What is accepted, what disables a router, what refuses the file: traefik.md §1.2, §1.3, §1.7."""

from harness.scenario import Api, Ask, InTurn, Load, Scenario, Write

from .shape import http, on


def limit(label: str, fields: str) -> Load:
    """`average: 1` and these fields, in a rateLimit."""
    return Load(label, f"    mw: {{rateLimit: {{average: 1{', ' + fields if fields else ''}}}}}")


def block(label: str, text: str, **more) -> Load:
    """A whole block of middlewares."""
    return Load(label, text, **more)


def router(label: str, fields: str) -> Load:
    """These fields in the router that is probed."""
    return Load(label, "    mw: {rateLimit: {average: 9}}", probe=fields, effect=None)


NUMBERS = [
    limit("period abc", "period: abc"),
    limit("period 1.5", "period: 1.5"),
    limit("period text 1.5s", 'period: "1.5s"'),
    limit("period -1", "period: -1"),
    limit("period -1s", "period: -1s"),
    limit("period 1h30m", "period: 1h30m"),
    limit("period 1e3", "period: 1e3"),
    limit("period 1_000", "period: 1_000"),
    limit("period 10.0", "period: 10.0"),
    limit("period text 5", 'period: "5"'),
    limit("period 250ms", "period: 250ms"),
    limit("period 1us", "period: 1us"),
    limit("period 1d", "period: 1d"),
    limit("period with space", 'period: "10 s"'),
    limit("period empty", 'period: ""'),
    limit("period true", "period: true"),
    limit("period null", "period: null"),
    limit("period 0", "period: 0"),
    limit("burst text 10", 'burst: "10"'),
    limit("burst 1e3", "burst: 1e3"),
    limit("burst 0x10", "burst: 0x10"),
    limit("burst negative", "burst: -7"),
    limit("burst null", "burst: null"),
    block("average text", '    mw: {rateLimit: {average: "100"}}'),
    block("average 100.0", "    mw: {rateLimit: {average: 100.0}}"),
    block("average 1.5", "    mw: {rateLimit: {average: 1.5}}"),
    block("average word", "    mw: {rateLimit: {average: many}}"),
    block("average negative", "    mw: {rateLimit: {average: -5}}"),
    block("burst alone", "    mw: {rateLimit: {burst: 5}}"),
]

SHAPES = [
    limit("unknown field", "foo: 1"),
    limit("unknown field limit", "limit: 1"),
    limit("unknown field denyOnError", "denyOnError: true"),
    block("empty block", "    mw: {rateLimit: {}}"),
    block("null block", "    mw: {rateLimit: }"),
    block("empty middleware", "    mw: {}"),
    block("hyphenated", "    mw: {rate-limit: {average: 1}}"),
    block("other case", "    mw: {RATELIMIT: {AVERAGE: 3, Burst: 4}}"),
    limit("duplicate key", "average: 2"),
    block("two types", '    mw: {rateLimit: {average: 1}, addPrefix: {prefix: "/x"}}'),
    block("not defined", "    other: {rateLimit: {average: 1}}", uses="ghost"),
    block("of another provider", "    mw: {rateLimit: {average: 1}}", uses="mw@docker", effect=None),
    block("of the file", "    mw: {rateLimit: {average: 1}}", uses="mw@file", effect=None),
    block("unknown type", "    mw: {teleport: {to: mars}}"),
    block("unknown plugin", "    mw: {plugin: {nobody: {a: 1}}}", effect=None),
    block("merge key", "    base: {rateLimit: &b {average: 3}}\n    mw: {rateLimit: {<<: *b, burst: 4}}"),
    block("unknown top-level key", "    mw: {rateLimit: {average: 1}}", more="foo: {bar: 1}\n"),
    block("unknown key under http", "    mw: {rateLimit: {average: 1}}", more="  foo: {bar: 1}\n"),
    block("template", '    mw: {rateLimit: {average: {{ add 3 4 }}}}'),
    block("syntax error", "    mw: {rateLimit: {average: 1"),
    block("list for a block", "    mw: {rateLimit: [1, 2]}"),
]

CRITERIA = [
    limit("requestHost yes", "sourceCriterion: {requestHost: yes}"),
    limit("requestHost text yes", 'sourceCriterion: {requestHost: "yes"}'),
    limit("requestHost text 1", 'sourceCriterion: {requestHost: "1"}'),
    limit("requestHost T", "sourceCriterion: {requestHost: T}"),
    limit("criterion empty", "sourceCriterion: {}"),
    limit("criterion null", "sourceCriterion: null"),
    limit("strategy empty", "sourceCriterion: {ipStrategy: {}}"),
    limit("header and host", "sourceCriterion: {requestHost: true, requestHeaderName: x}"),
    limit("strategy and host", "sourceCriterion: {requestHost: true, ipStrategy: {depth: 1}}"),
    limit("strategy and header", "sourceCriterion: {requestHeaderName: x, ipStrategy: {depth: 1}}"),
    limit("excluded text list", 'sourceCriterion: {ipStrategy: {excludedIPs: "10.0.0.1, 10.0.0.2"}}'),
    limit("excluded empty text", 'sourceCriterion: {ipStrategy: {excludedIPs: [""]}}'),
    limit("excluded no address", "sourceCriterion: {ipStrategy: {excludedIPs: [foo]}}"),
    limit("excluded octal", "sourceCriterion: {ipStrategy: {excludedIPs: [010.0.0.1]}}"),
    limit("excluded host bits", "sourceCriterion: {ipStrategy: {excludedIPs: [1.2.3.4/24]}}"),
    limit("subnet 0", "sourceCriterion: {ipStrategy: {ipv6Subnet: 0}}"),
    limit("subnet 64", "sourceCriterion: {ipStrategy: {ipv6Subnet: 64}}"),
    limit("subnet 128", "sourceCriterion: {ipStrategy: {ipv6Subnet: 128}}"),
    limit("subnet 129", "sourceCriterion: {ipStrategy: {ipv6Subnet: 129}}"),
    limit("subnet 129 with excluded", "sourceCriterion: {ipStrategy: {ipv6Subnet: 129, excludedIPs: [10.0.0.1]}}"),
    limit("depth negative", "sourceCriterion: {ipStrategy: {depth: -3}}"),
    limit("depth word", "sourceCriterion: {ipStrategy: {depth: deep}}"),
]

REDIS = [
    limit("redis null", "redis: "),
    limit("redis empty", "redis: {}"),
    limit("redis true", "redis: true"),
    limit("redis sentinel", "redis: {sentinel: {masterSet: m}}"),
    limit("redis timeout", "redis: {timeout: 1s}"),
    limit("redis cluster", "redis: {cluster: true}"),
    limit("redis cert without key", "redis: {tls: {cert: x}}"),
    limit("redis ca missing", "redis: {tls: {ca: /nonexistent}}"),
    limit("redis tls empty", "redis: {tls: {}}"),
]

# Accepted, but probing them would need a Redis at the default address: read from the API only.
SHOWN = """
http:
  middlewares:
    db: {rateLimit: {average: 1, redis: {db: 0}}}
    none: {rateLimit: {average: 1, redis: {endpoints: []}}}
    spaces: {rateLimit: {average: 1, redis: {endpoints: [" h:1 "]}}}
    text: {rateLimit: {average: 1, redis: {endpoints: "a:1, b:2"}}}
    all: {rateLimit: {average: 1, redis: {endpoints: ["h:1"], username: u, poolSize: 4, minIdleConns: 1, maxActiveConns: 9, readTimeout: 1, writeTimeout: 2s, dialTimeout: 250ms}}}
  routers:
    r: {rule: "Path(`/r`)", service: s}
    db: {rule: "Path(`/db`)", service: s, middlewares: [db]}
    none: {rule: "Path(`/none`)", service: s, middlewares: [none]}
    spaces: {rule: "Path(`/spaces`)", service: s, middlewares: [spaces]}
    all: {rule: "Path(`/all`)", service: s, middlewares: [all]}
  services: {s: {loadBalancer: {servers: [{url: "@url:one@"}]}}}
"""

ROUTERS = [
    router("unknown entry point", "entryPoints: [nowhere]"),
    router("one unknown entry point", "entryPoints: [nowhere, web]"),
    router("unknown router field", "color: red"),
    router("negative priority", "priority: -5"),
    router("greatest priority", "priority: 9223372036854774807"),
    router("too great priority", "priority: 9223372036854774808"),
    router("rule syntax v2", "ruleSyntax: v2"),
    router("rule syntax v9", "ruleSyntax: v9"),
]

TOML = """
[http.routers.a]
rule = "Path(`/a`)"
service = "s"
middlewares = ["mw"]
[http.routers.b]
rule = "Path(`/b`)"
service = "s"
middlewares = ["said"]
[http.middlewares]
said = { headers = { customResponseHeaders = { X-Said = "so" } } }
[http.middlewares.mw.rateLimit]
average = 1
period = "1h"
burst = 2
[[http.services.s.loadBalancer.servers]]
url = "@url:one@"
"""

FIRST = http({"first": on("/first")})


def loads(name: str, rows: list[Load]) -> Scenario:
    return Scenario(f"configuration/{name}", FIRST, rows)


SCENARIOS = [
    loads("numbers", NUMBERS),
    loads("shapes", SHAPES),
    loads("criteria", CRITERIA),
    loads("redis", REDIS),
    loads("routers", ROUTERS),
    Scenario(
        "configuration/redis-shown",
        SHOWN,
        [
            Api(name, f"/api/http/middlewares/{name}@file", pick=("status", "rateLimit"))
            for name in ("db", "none", "spaces", "text", "all")
        ],
    ),
    Scenario(
        "configuration/unknown-service",
        http({"a": on("/a", service="ghost"), "b": on("/b")}),
        [Ask("a", "/a", watch=("status", "body")), Ask("b", "/b"),
         Api("router", "/api/http/routers/a@file", pick=("status",))],
    ),
    Scenario(
        "configuration/file-comes-and-goes",
        FIRST,
        [
            Ask("at first", "/first"),
            Write("bad", "http: {routers: ["),
            Ask("after a bad one", "/first"),
            Write("good", http({"second": on("/second")}), until="/second"),
            Ask("the first is gone", "/first"),
            Write("deleted", None),
            Ask("after deletion", "/second"),
            Write("back", http({"third": on("/third")}), until="/third"),
            Write("in place", http({"fourth": on("/fourth")}), until="/fourth", in_place=True),
            Write("empty", "", until="/fourth", status=404),
        ],
    ),
    Scenario(
        "configuration/bad-at-start",
        "http: {middlewares: {mw: {rateLimit: {}}}}",
        [
            Ask("nothing is served", "/a", watch=("status", "body")),
            Write("good", http({"a": on("/a")}), until="/a"),
        ],
        waits_for_routers=False,
    ),
    Scenario(
        "configuration/folder",
        "",
        [Ask("of one file", "/x"), Ask("of another", "/y"), Ask("across files", "/z"), Ask("deeper", "/deep")],
        static={"providers": {"file": {"filename": None, "directory": "@folder@/conf"}}},
        files={
            "conf/x.yml": http({"x": on("/x"), "z": on("/z", "elsewhere")}),
            "conf/y.yaml": 'http: {routers: {y: {rule: "Path(`/y`)", service: one, middlewares: [elsewhere]}}}',
            "conf/m.toml": '[http.middlewares.elsewhere.rateLimit]\naverage = 9\nburst = 9\n',
            "conf/below/d.yml": 'http: {routers: {deep: {rule: "Path(`/deep`)", service: one}}}',
            "conf/ignored.txt": "not: [yaml",
        },
    ),
    Scenario(
        "configuration/toml",
        "",
        [InTurn("limited", (("/a", ()),) * 3), Ask("inline", "/b", watch=("status", "header.X-Said"))],
        static={"providers": {"file": {"filename": "@folder@/dynamic.toml"}}},
        files={"dynamic.toml": TOML},
    ),
]

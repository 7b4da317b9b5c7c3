"""Which router gets a request: priority, the routing host and path, what no router takes."""

from harness.scenario import Ask, Raw, Scenario

from .shape import http, on

ANSWER = ("status", "header.X-Router", "seen.target")


def named(routers: dict) -> str:
    """Each router says its name in X-Router."""
    said = {f"say-{name}": {"headers": {"customResponseHeaders": {"X-Router": name}}} for name in routers}
    return http(
        {name: router | {"middlewares": [f"say-{name}", *router.get("middlewares", [])]} for name, router in routers.items()},
        said,
    )


def prefix(path: str, priority: int | None = None) -> dict:
    more = {} if priority is None else {"priority": priority}
    return on(f"PathPrefix(`{path}`)", **more)


PATHS = [
    "/plain", "//plain", "/./plain", "/x/../plain", "/plain/", "/plain//deep", "/plain/./deep", "/plain/x/../deep",
    "/%70lain", "/pl%61in", "/plain%20x", "/plain%2Fdeep", "/plain%2fdeep", "/plain/%2e%2e/deep", "/%2e%2e/plain",
    "/plain/..", "/plain/../..", "/plain?", "/plain?a=1&a=2", "/plain?a=%20;b", "/plain?a;b", "/plain;x=1", "/plain/;/deep",
    "/plain/a+b", "/plain/%C3%A9", "/plain/%c3%a9", "/plain/%zz", "/plain/%", "/plain/a%00b", "/plain/%3Fx", "/plain/%23x",
    "/plain/%25", "/plain/%5C", "/plain/a%5C..%5Cb", "/plain/%3B", "/plain/{x}", "/plain/\"x\"", "/plain/<x>", "/plain/|",
    "/plain/^", "/plain/`", "/PLAIN", "/plain/~x", "/plain/%7Ex", "/plain/*", "*",
]


def each_path(watch=ANSWER) -> list[Ask]:
    return [Ask(path, path, watch=watch) for path in PATHS]


ROUTES = {"plain": on("PathPrefix(`/plain`)"), "rest": on("PathPrefix(`/`)", priority=1)}

SCENARIOS = [
    Scenario(
        "routing/priority",
        named({
            "low": on("Host(`one.test`) && PathPrefix(`/my`)", priority=10),
            "high": on("Host(`one.test`) && PathPrefix(`/my`) ", priority=20),
            "long": on("Host(`two.test`) && PathPrefix(`/mypath`)", priority=10),
            "short": on("Host(`two.test`) && PathPrefix(`/my`)", priority=20),
            "longest": on("Host(`three.test`) && PathPrefix(`/mypath`)"),
            "middle": on("Host(`three.test`) && PathPrefix(`/mypa`)"),
            "shortest": on("Host(`three.test`) && PathPrefix(`/my`)"),
            "negative": on("Host(`four.test`) && PathPrefix(`/mypath`)", priority=-1),
            "above": on("Host(`four.test`)", priority=1),
            "zero": on("Host(`five.test`) && PathPrefix(`/mypath`)", priority=0),
            "one": on("Host(`five.test`)", priority=1),
        }),
        [
            Ask(f"{host} {path}", path, host=host, watch=("status", "header.X-Router"))
            for host in ("one.test", "two.test", "three.test", "four.test", "five.test")
            for path in ("/my", "/mypa", "/mypath", "/mypath/x")
        ],
    ),
    Scenario("routing/paths", named(ROUTES), each_path()),
    Scenario(
        "routing/paths-not-sanitized",
        named(ROUTES),
        each_path(),
        static={"entryPoints": {"web": {"http": {"sanitizePath": False}}}},
    ),
    Scenario(
        "routing/routing-path",
        named({
            "space": on("/foo bar"),
            "slash": on("/foo%2Fbar"),
            "mixed": on("/foo bar%2Fbaz%23qux"),
        }),
        [
            Ask(path, path, watch=ANSWER)
            for path in ("/foo%20bar", "/foo%2Fbar", "/foo%2fbar", "/foo%20bar%2Fbaz%23qux", "/foo+bar")
        ],
    ),
    Scenario(
        "routing/hosts",
        named({
            "com": on("Host(`example.com`)"),
            "org": on("HostRegexp(`^example\\.org$`)"),
            "six": on("Host(`10::10`)"),
        }),
        [
            Ask("lower", host="example.com", watch=ANSWER),
            Ask("upper", host="EXAMPLE.COM", watch=ANSWER),
            Ask("dot", host="example.com.", watch=ANSWER),
            Ask("port", host="example.com:8080", watch=ANSWER),
            Ask("dot and port", host="example.com.:80", watch=ANSWER),
            Ask("regexp upper", host="EXAMPLE.org", watch=ANSWER),
            Ask("regexp port", host="example.org:8080", watch=ANSWER),
            Ask("brackets", host="[10::10]", watch=ANSWER),
            Ask("brackets and port", host="[10::10]:80", watch=ANSWER),
            Ask("absolute", "http://example.com/", host="example.com", watch=ANSWER),
            Ask("absolute wins", "http://example.com/", host="example.org", watch=(*ANSWER, "seen.header.Host")),
            Ask("absolute with port", "http://example.com:81/x?y", host="a.test", watch=(*ANSWER, "seen.header.Host")),
            Ask("empty authority", "http://@/", host="example.com", watch=ANSWER),
            Ask("empty host", host="", watch=ANSWER),
            Ask("HTTP 1.0 without host", host=None, version="1.0", watch=ANSWER),
            Ask("HTTP 1.0 with host", host="example.com", version="1.0", watch=ANSWER),
        ],
    ),
    Scenario(
        "routing/no-router",
        http({"a": on("/a"), "other": on("/other", entryPoints=["bare"])}),
        [
            Ask("no match", "/b", watch=("status", "headers", "body")),
            Ask("other entry point", "/other", watch=("status",)),
            Ask("on its own", "/other", entry="bare", watch=("status",)),
            Ask("on both", "/a", entry="bare", watch=("status",)),
            Ask("POST", "/b", method="POST", body=b"x" * 70_000, watch=("status", "headers", "body")),
            Ask("HEAD", "/b", method="HEAD", watch=("status", "headers")),
        ],
        static={"entryPoints": {"bare": {"address": "@listen:bare@"}}},
    ),
    Scenario(
        "routing/default-entry-point",
        http({"a": on("/a"), "b": on("/b", entryPoints=["web"])}),
        [
            Ask("default there", "/a", entry="bare"), Ask("not here", "/a"),
            Ask("named here", "/b"), Ask("named, not there", "/b", entry="bare"),
        ],
        static={"entryPoints": {"bare": {"address": "@listen:bare@", "asDefault": True}}},
    ),
    Scenario(
        "routing/kept-connection",
        http({"a": on("/a"), "b": on("/b")}),
        [
            Raw("three in one go", b"".join(
                b"GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n" % path for path in (b"/a", b"/nowhere", b"/b")),
                watch=("statuses", "closed")),
            Raw("close", b"GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", watch=("statuses", "closed")),
            Raw("1.0", b"GET /a HTTP/1.0\r\nHost: a.test\r\n\r\n", watch=("statuses", "closed")),
            Raw("1.0 kept", b"GET /a HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n", watch=("statuses", "closed")),
        ],
    ),
]

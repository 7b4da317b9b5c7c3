"""Access log and metrics."""

from harness.scenario import AccessLog, Ask, Scenario, Series

from .shape import http, on, rate

SITE = http(
    {"a": on("PathPrefix(`/a`)"), "limited": on("/limited", "mw"), "dead": on("/dead", service="dead")},
    {"mw": rate(1, 1, "1h")},
    {"dead": {"loadBalancer": {"servers": [{"url": "http://@listen:closed@"}]}}},
)

# Not ClientAddr and ClientPort: a fresh ephemeral port each time.
VALUES = (
    "ClientHost", "ClientUsername", "DownstreamContentSize", "DownstreamStatus", "OriginContentSize",
    "OriginStatus", "RequestAddr", "RequestContentSize", "RequestHost", "RequestMethod", "RequestPath", "RequestPort",
    "RequestProtocol", "RequestScheme", "RetryAttempts", "RouterName", "ServiceAddr", "ServiceName", "ServiceURL", "entryPointName",
    "request_User-Agent", "request_Referer", "level", "msg", "GzipRatio",
)

REQUESTS = {
    "passed": Ask("passed", "/a?x=1", host="a.test:81", headers=("User-Agent: me/1", "Referer: http://r.test/")),
    "posted": Ask("posted", "/a/b", method="POST", body=b"12345"),
    "no router": Ask("no router", "/nowhere"),
    "dead": Ask("dead", "/dead"),
    "from the origin": Ask("from the origin", "/a", headers=("X-Do: status=503",)),
    "odd names": Ask("odd names", "/a/%22x%22", headers=('User-Agent: a "quoted" one',)),
}


def logged(format: str) -> dict:
    block: dict = {"filePath": "@folder@/access.log"}
    if format != "common":
        block["format"] = format
    return {"accessLog": block}


def one(name: str, format: str, asks: list[Ask]) -> Scenario:
    return Scenario(
        f"logs/{format}-{name.replace(' ', '-')}", SITE,
        asks + [AccessLog("logged", "json" if format == "json" else "common", VALUES if format == "json" else ())],
        static=logged(format),
    )


LIMITED = [Ask("first", "/limited"), Ask("refused", "/limited")]

SCENARIOS = [
    one(name, format, [step]) for format in ("json", "common", "genericCLF") for name, step in REQUESTS.items()
] + [one("limited", "json", LIMITED[1:] + LIMITED), one("limited", "common", LIMITED[1:] + LIMITED)] + [
    Scenario(
        "logs/json-filtered",
        SITE,
        [Ask("kept", "/nowhere"), Ask("dropped", "/a"), AccessLog("logged", "json", ("RequestPath", "DownstreamStatus", "request_X-A", "request_X-B"))],
        static={"accessLog": {
            "filePath": "@folder@/access.log", "format": "json", "filters": {"statusCodes": ["404"]},
            "fields": {"names": {"StartUTC": "drop"}, "headers": {"defaultMode": "keep", "names": {"X-A": "redact", "X-B": "drop"}}},
        }},
    ),
    Scenario(
        "logs/metrics",
        SITE,
        [Ask("passed", "/a"), Ask("limited", "/limited"), Ask("refused", "/limited"), Ask("dead", "/dead"), Ask("nowhere", "/nowhere"), Series("series")],
        static={"metrics": {"prometheus": {"addRoutersLabels": True}}},
    ),
]

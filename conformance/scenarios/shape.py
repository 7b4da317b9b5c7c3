"""Short ways to write a dynamic configuration."""

import json


def http(routers: dict, middlewares: dict | None = None, services: dict | None = None, **more) -> str:
    """The text of a dynamic file. Service `one`, the origin of that name, is always there."""
    block = {"routers": routers, "services": {"one": to("one")} | (services or {})}
    if middlewares:
        block["middlewares"] = middlewares
    return json.dumps({"http": block | more}, indent=1, ensure_ascii=False)


def on(rule: str, *middlewares: str, service: str = "one", **more) -> dict:
    """A router. A rule that begins with `/` is a path."""
    router = {"rule": f"Path(`{rule}`)" if rule.startswith("/") else rule, "service": service}
    if middlewares:
        router["middlewares"] = list(middlewares)
    return router | more


def to(*origins: str, **more) -> dict:
    """A load balancer over origins of the scenario."""
    return {"loadBalancer": {"servers": [{"url": f"@url:{name}@"} for name in origins]} | more}


def rate(average: int, burst: int | None = None, period: str | int | None = None, redis: bool = False, **more) -> dict:
    """A rateLimit, in memory or in the scenario's Redis."""
    block: dict = {"average": average}
    if period is not None:
        block["period"] = period
    if burst is not None:
        block["burst"] = burst
    if redis:
        block["redis"] = {"endpoints": ["@listen:redis@"]}
    return {"rateLimit": block | more}

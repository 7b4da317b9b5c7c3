"""All scenarios, by area."""

from . import (
    api, configuration, entry_points, forwarded, http1, limiter, logs, middlewares, routing, rules, services, sources,
)

SCENARIOS = [
    scenario
    for area in (
        limiter, sources, configuration, rules, routing, forwarded, middlewares, services, entry_points, api, logs, http1,
    )
    for scenario in area.SCENARIOS
]

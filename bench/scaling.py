"""Past one machine, by simulation: what was measured here, carried to loads that were not.

    python -m bench.scaling    prints the tables of docs/scaling.md

Two models. Gifts: requests come by chance (Poisson), each takes a thread of a process for as long
as it lasts, the process's one core at a time (Python runs one thread at once), and waits for Stripe
in between. Views: readers come by chance to places of a CDN, each of which asks the origin when
what it holds is too old, once for all who wait.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import quantiles

SEED = 2021
# CPU seconds of one core, measured on PostgreSQL (docs/performance.md says on what).
FORM, DONATE, THANKS, ACCEPT, WORK = 0.031, 0.015, 0.025, 0.0015, 0.011
# What a call of Stripe's takes, from its answer times as donors see them: not measured here.
STRIPE_MEDIAN, STRIPE_SPREAD = 0.4, 0.5
EVENTS_A_GIFT, WORKED_A_GIFT = 4, 2
RUN_SECONDS = 180.0
GIFTS_A_MINUTE = (100, 1_000, 3_000)
PROCESSES = (1, 2, 4, 8)
THREADS = 16
THREADS_TRIED = (4, 8, 16, 32)
MOST_BUSY = 0.95
_SENDING = 1  # of a gift's requests
_WARM_SECONDS = 60
# Views.
VIEWS_AN_HOUR = (100_000, 1_000_000, 10_000_000)
PLACES = (1, 50, 300)
LIFE_SECONDS = 10.0
READY_A_SECOND = 40_000


@dataclass(frozen=True, slots=True)
class Served:
    """What gifts met: how busy the cores were, and how long sending the form took, in seconds."""

    gifts_a_minute: int
    processes: int
    busy: float
    p50: float | None  # None where more comes than can be served
    p99: float | None


@dataclass(frozen=True, slots=True, order=True)
class _Step:
    """A part of a request: seconds of the core, then seconds of waiting for Stripe."""

    cpu: float
    wait: float


def simulate_gifts(gifts_a_minute: int, processes: int, *, threads: int = THREADS) -> Served:
    """Serve gifts for some minutes; return what they met, from the second minute on."""
    chance = random.Random(SEED)  # noqa: S311 - a simulation
    rate = gifts_a_minute / 60
    busy = rate * sum(cpu for cpu, _ in _request_costs()) / processes
    if busy > MOST_BUSY:
        return Served(gifts_a_minute, processes, busy, None, None)
    arrivals = sorted(_arrivals(chance, rate))
    times = list(_serve(arrivals, processes, threads))
    cuts = quantiles(times, n=100)
    return Served(gifts_a_minute, processes, busy, cuts[49], cuts[98])


def _request_costs() -> Sequence[tuple[float, int]]:
    """Return what each request of a gift costs the core, and how often it calls Stripe."""
    return (
        (FORM, 0),
        (DONATE, 1),
        (THANKS, 1),
        *((ACCEPT, 0),) * EVENTS_A_GIFT,
        *((WORK, 1),) * WORKED_A_GIFT,
    )


def _arrivals(chance: random.Random, rate: float) -> Iterator[tuple[float, int, tuple[_Step, ...]]]:
    at, number = 0.0, 0
    while at < RUN_SECONDS:
        at += chance.expovariate(rate)
        begun = at
        for kind, (cpu, calls) in enumerate(_request_costs()):
            wait = chance.lognormvariate(0, STRIPE_SPREAD) * STRIPE_MEDIAN if calls else 0.0
            # People read and pay between the form and the thanks; events come after that.
            begun += chance.uniform(0, 60) if kind in {1, 2} else chance.uniform(0, 2)
            number += 1
            yield begun, kind, (_Step(cpu / 2, wait), _Step(cpu / 2, 0.0))


def _serve(
    arrivals: Sequence[tuple[float, int, tuple[_Step, ...]]], processes: int, threads: int
) -> Iterator[float]:
    """Yield how long each sending of the form took, in the order in which they ended."""
    chance = random.Random(SEED + 1)  # noqa: S311 - a simulation
    core_free = [0.0] * processes
    idle = [threads] * processes
    queued: list[list[tuple[float, int, tuple[_Step, ...]]]] = [[] for _ in range(processes)]
    # Time, a number that keeps the order, process, request's begin, its kind, what is left of it.
    events: list[tuple[float, int, int, float, int, tuple[_Step, ...]]] = []
    number = 0

    def go_on(now: float, process: int, begun: float, kind: int, steps: tuple[_Step, ...]) -> None:
        nonlocal number
        number += 1
        step, *left = steps
        core_free[process] = max(now, core_free[process]) + step.cpu
        heapq.heappush(
            events, (core_free[process] + step.wait, number, process, begun, kind, tuple(left))
        )

    coming = iter(arrivals)
    upcoming = next(coming, None)
    while events or upcoming:
        if upcoming and (not events or upcoming[0] <= events[0][0]):
            begun, kind, steps = upcoming
            process = chance.randrange(processes)
            if idle[process]:
                idle[process] -= 1
                go_on(begun, process, begun, kind, steps)
            else:
                queued[process].append(upcoming)
            upcoming = next(coming, None)
            continue
        now, _, process, begun, kind, steps = heapq.heappop(events)
        if steps:
            go_on(now, process, begun, kind, steps)
            continue
        if kind == _SENDING and begun > _WARM_SECONDS:
            yield now - begun
        if queued[process]:
            begun, kind, steps = queued[process].pop(0)
            go_on(now, process, begun, kind, steps)
        else:
            idle[process] += 1


def simulate_views(views_an_hour: int, places: int, *, seconds: float = 600.0) -> float:
    """Return how many requests a second reach the origin for one bar, through so many places."""
    chance = random.Random(SEED)  # noqa: S311 - a simulation
    rate = views_an_hour / 3600 / places
    asked = 0
    for _ in range(places):
        at, until = 0.0, 0.0
        while at < seconds:
            # Who comes while it is fresh costs nothing: the next who asks comes after that.
            at = max(at, until) + chance.expovariate(rate)
            asked += at < seconds
            until = at + LIFE_SECONDS
    return asked / seconds


def gift_table() -> str:
    """Return the table of gifts by processes, as Markdown."""
    lines = [
        "| gifts a minute | processes | cores busy | half within | 99 of 100 within |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for gifts in GIFTS_A_MINUTE:
        for processes in PROCESSES:
            one = simulate_gifts(gifts, processes)
            lines.append(f"| {gifts:,} | {processes} | {one.busy:.0%} | {_times(one)} |")
    return "\n".join(lines)


def thread_table(gifts: int = 1_000, processes: int = 4) -> str:
    """Return the table of a thousand gifts a minute by threads of each process, as Markdown."""
    lines = [
        "| threads of each process | half within | 99 of 100 within |",
        "| ---: | ---: | ---: |",
    ]
    for threads in THREADS_TRIED:
        one = simulate_gifts(gifts, processes, threads=threads)
        lines.append(f"| {threads} | {_times(one)} |")
    return "\n".join(lines)


def _times(one: Served) -> str:
    if one.p50 is None or one.p99 is None:
        return "more comes than is served | "
    return f"{one.p50:.1f} s | {one.p99:.1f} s"


def view_table() -> str:
    """Return the table of views, as Markdown."""
    lines = [
        "| views an hour | a second, at three times the mean | without a CDN, of one core |"
        + "".join(f" through {places} places |" for places in PLACES),
        "| ---: | ---: | ---: |" + " ---: |" * len(PLACES),
    ]
    for views in VIEWS_AN_HOUR:
        peak = 3 * views / 3600
        cells = "".join(f" {simulate_views(3 * views, places):.1f}/s |" for places in PLACES)
        lines.append(f"| {views:,} | {peak:,.0f}/s | {peak / READY_A_SECOND:.1%} |{cells}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(f"{view_table()}\n\n{gift_table()}\n\n{thread_table()}")

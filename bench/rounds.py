"""Taking times: how long one call takes, how many a second several threads do, and medians."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import TypeVar

T = TypeVar("T")


def seconds_of(call: Callable[[], object], *, times: int) -> list[float]:
    """Call `times` times; return what each took."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return taken


def rate(work: Callable[[Sequence[T]], None], items: Sequence[T], *, threads: int) -> float:
    """Share `items` out to so many threads at once; return how many a second were done."""
    shares = [items[place::threads] for place in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: None, shares))  # the threads stand before the clock runs
        begun = time.perf_counter()
        for done in [pool.submit(work, share) for share in shares]:
            done.result()
        return len(items) / (time.perf_counter() - begun)


def median_ratio(ours: Sequence[float], limits: Sequence[float]) -> float:
    """Return the median of the rounds' ratios: what slows a whole round down cancels out."""
    return median(our / limit for our, limit in zip(ours, limits, strict=True))


def percentile(ascending: Sequence[float], percent: float) -> float:
    """Return the time within which so many percent of them came."""
    return ascending[min(len(ascending) - 1, int(len(ascending) * percent / 100))]

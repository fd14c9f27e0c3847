"""Combines partial sums of the flights demo: the Python step."""

from typing import List

from wit_world import exports
from wit_world.imports.flights import HourSum


class FlightsCombine(exports.FlightsCombine):
    def combine(self, parts: List[List[HourSum]]) -> List[HourSum]:
        """Adds up the sums of each hour; sorted by hour."""
        totals: dict[int, tuple[int, int]] = {}
        for part in parts:
            for sum in part:
                flights, delay = totals.get(sum.hour, (0, 0))
                totals[sum.hour] = (flights + sum.flights, delay + sum.delay)
        return [HourSum(hour, *totals[hour]) for hour in sorted(totals)]

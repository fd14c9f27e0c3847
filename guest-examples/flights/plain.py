"""The demo's table by plain Python, without wasm-tasks: what its answer is checked against.

    python plain.py 2013-*.csv
"""

from __future__ import annotations

import csv
import sys
from typing import Dict, Tuple


def main() -> None:
    totals: Dict[int, Tuple[int, int]] = {}
    for path in sys.argv[1:]:
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["dep_delay"] not in ("", "NA"):
                    hour = int(row["hour"])
                    flights, delay = totals.get(hour, (0, 0))
                    totals[hour] = (flights + 1, delay + int(row["dep_delay"]))
    for hour in sorted(totals):
        flights, delay = totals[hour]
        print(f"{hour:02} {flights:6} {delay / flights:8.4f}")


if __name__ == "__main__":
    main()

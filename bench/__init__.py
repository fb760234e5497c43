"""Fixed workloads beside peers, in one run: `make bench` prints medians, spread and ratios."""

"""``make perf``: how fast it is, as ratios that are measured within one run."""

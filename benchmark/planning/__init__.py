"""From what is asked to jobs: names, specifications, keys, and what is looked at before anything runs."""

"""What there is: methods, baselines and networks by their files, their specifications, and digests of code."""

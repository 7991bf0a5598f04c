"""What a sweep asks besides scores: how the dial is set, and what a network costs."""

"""Backbones: plain networks, one file each, that know nothing of levels."""

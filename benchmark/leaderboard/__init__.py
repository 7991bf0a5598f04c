"""Leaderboards: entries that anyone may hand in, a referee that trusts none of them, and boards.

An entry is a folder ``<task>/entries/<id>/``. What it holds is data: nothing in it is ever run or
unpickled. This package reads the store and the entries, and imports no torch but to submit and
to verify.
"""

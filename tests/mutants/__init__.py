"""The tests tested: bugs that others have had, each put into a copy of the code, and caught.

A seed is an entry in `books.py`, `calendar.py` or `stripe.py`. Where one survives, a test is
missing.
"""

"""How Goalpost's speed is measured: `make bench`. A tool for developers; nothing imports it.

Each figure stands beside its limit, measured in the same run and in turns with it, because only
such ratios carry over to another machine. Nothing here asserts a time.
"""

"""How fast the relay is: measured on one core, beside a baseline and a floor.

`python -m bench --goal` runs it; nothing here is part of the relay.
"""

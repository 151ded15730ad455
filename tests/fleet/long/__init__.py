"""Tests of shared queues that take minutes: `make test-fleet` runs them."""

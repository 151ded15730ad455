"""The packages of a release: built, described, and installed to be tested."""

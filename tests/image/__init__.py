"""The image of the Dockerfile, run by a container engine: `make test-image`."""

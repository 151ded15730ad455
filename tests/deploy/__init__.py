"""What `deploy/` has for Kubernetes: the chart, and what kustomize makes."""

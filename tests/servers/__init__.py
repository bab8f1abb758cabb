"""The webhook behind real web servers."""

"""What `perception-infer` can do, one module per command."""

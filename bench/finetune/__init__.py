"""What a few real photographs are worth on top of a synthetic world."""

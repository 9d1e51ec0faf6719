"""The contract between trainer and robot: geometry, results, and the model bundle."""

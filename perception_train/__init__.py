"""The trainer: datasets, models, training, export to model bundles, and the train node. Runs on the workstation."""

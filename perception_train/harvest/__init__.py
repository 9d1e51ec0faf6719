"""From recordings to the frames that are most worth labelling, with what the model finds in them as a start."""

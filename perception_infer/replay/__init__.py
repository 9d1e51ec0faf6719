"""A recorded bag run through a model: what it finds, how good that is, and a page to look at it."""

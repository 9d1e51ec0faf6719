"""How far real pictures are from synthetic ones for a model: in what it finds, what they show and how they look."""

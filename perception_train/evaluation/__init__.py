"""What a validation tells beyond its headline figures, and the plots, pages and event files made of it."""

"""Contact sheets and statistics pages of any dataset in this project's layout, generated or imported."""

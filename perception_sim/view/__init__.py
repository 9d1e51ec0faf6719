"""Contact sheets and pages with pictures and statistics of any dataset in this project's layout, generated or imported."""

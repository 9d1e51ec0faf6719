"""Keys, and bundles signed with them: see `perception_infer.trust` for what a robot makes of it."""

"""How fast a bundle is here: the bare session, the predictor, and the node over real DDS, in one run."""

"""Trajectories: sampled, enumerated, with their laws, likelihoods and scores."""

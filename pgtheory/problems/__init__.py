"""A model, a policy and a parameter, checked together: what claims and routes are asked about."""

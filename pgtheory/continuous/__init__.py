"""Finite states, continuous actions: models, policies, exact solutions, gradients and what follows from them."""

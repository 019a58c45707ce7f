"""Is a user's estimator what it claims to be? Gradients, weights, advantages, against exact targets; the zoo of bugs."""

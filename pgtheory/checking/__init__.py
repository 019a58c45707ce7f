"""Is a user's estimator what it claims to be? Gradients, weights and advantages against exact targets, and the zoo of bugs."""

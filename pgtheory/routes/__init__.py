"""Left sides by routes that know no theorem: differentiation, series, simulation."""

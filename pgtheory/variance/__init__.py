"""Exact moments of trajectory estimators, by linear recursion, and the baselines that follow from them."""

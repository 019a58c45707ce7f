"""What the theorems say: one file a claim, with its statement, hypotheses, source and theorem side."""

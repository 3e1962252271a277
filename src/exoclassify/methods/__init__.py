"""Scikit-learn parts: normalise, impute, select, calibrate; constants are learned in ``fit`` alone."""

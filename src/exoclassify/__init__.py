"""Classifiers of pain state from exosomal cargo: trained without leaks, judged honestly, served as support."""

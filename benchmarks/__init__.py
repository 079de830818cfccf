"""Measurements that run longer than a test, and their results."""

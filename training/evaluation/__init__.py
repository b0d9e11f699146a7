"""Metrics, calibration, slices, figures."""

"""Graded test suites: plan, build, stream, verify."""

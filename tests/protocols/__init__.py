"""Tests of evaluation protocols."""

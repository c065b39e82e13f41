"""Pictures and tables of runs: a page to read, files for a paper."""

from merbench.report._paper import write_paper
from merbench.report._write import Media, write_report

__all__ = ["Media", "write_paper", "write_report"]

"""Boards: what several models scored on one suite, so kept that anybody can compute it again."""

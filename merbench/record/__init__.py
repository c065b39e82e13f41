"""A run as it is kept away from its folder: what it is a run of, and its answers beside it, by hash.

Leaderboard rows and the baselines of the CI gate are records. A record is one JSON file; its answers
are one Parquet file of the same name in the same folder. Whoever has both can compute every figure
again, and nobody needs the media.
"""

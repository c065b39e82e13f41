"""Several models as one, or one in part: `grammar`, `members`, `rules`, `quality`, `adapter`, `only`."""

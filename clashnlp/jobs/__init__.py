"""Jobs too long for one sitting: the rows of a corpus in shards, each written whole, so that what was killed can be taken up again."""

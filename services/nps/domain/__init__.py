"""The running Net Promoter Score: which answer of each survey stands, and what the counts say."""

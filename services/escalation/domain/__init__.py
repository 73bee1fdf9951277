"""Which complaint is about to escalate: what was seen of a customer, the risk it makes, and the follow-up it opens."""

"""A retailer's service day: planned from a seed (or from real data), and played against a running Touchline."""

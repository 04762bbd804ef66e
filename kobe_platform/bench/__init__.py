"""Measurements of the platform beside plain scripts (``kobe bench``); nothing of the product imports them."""
